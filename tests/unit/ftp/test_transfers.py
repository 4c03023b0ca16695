from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from ftpd.accounts.rates import RateSettings
from ftpd.errors import Busy, IntegrityLost, NoSpace, NotPermitted, OverQuota, Unavailable
from ftpd.events import TransferEnded
from ftpd.ftp.settings import FTPSettings, TimeoutSettings
from ftpd.paths import ROOT
from ftpd.schema import Size
from ftpd.storage.memory import MemorySettings, MemoryStore
from ftpd.testing.dataports import MemoryDataPort
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.server import PASSWORD
from ftpd.values import Account, AccountRates, Outcome, Permission, Rule

FILES = {"/a": b"hello\n"}


class FaultyFile:
    """A file whose methods named in `faults` raise or wait."""

    def __init__(self, file, faults):
        self._file = file
        self._faults = faults

    def __getattr__(self, name):
        if name not in self._faults:
            return getattr(self._file, name)

        async def fail(*arguments, **named):
            fault = self._faults[name]
            if isinstance(fault, Deferred):
                await fault
                return await getattr(self._file, name)(*arguments, **named)
            raise fault

        return fail

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        await self._file.close()


class FaultyFiles:
    def __init__(self, files, faults):
        self._files = files
        self._faults = faults

    def __getattr__(self, name):
        return getattr(self._files, name)

    async def open_read(self, path):
        return FaultyFile(await self._files.open_read(path), self._faults)

    async def open_write(self, path, **named):
        return FaultyFile(await self._files.open_write(path, **named), self._faults)


class FaultyStore(MemoryStore):
    def __init__(self):
        super().__init__()
        self.faults = {}

    async def open(self, account):
        return FaultyFiles(await super().open(account), self.faults)


def faulty(**faults):
    store = FaultyStore()
    dialogue = Dialogue(login="ann", store=store, files=FILES)
    store.faults.update(faults)
    return dialogue


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def ended(dialogue):
    (event,) = dialogue.events(TransferEnded)
    return event


def test_event_of_a_download_tells_all_of_it():
    event = ended(ann().says("RETR a").hears(150).hears(226))
    assert (event.account, event.is_anonymous, event.command, event.direction, event.path) == (
        "ann",
        False,
        "RETR",
        "download",
        "/a",
    )
    assert (event.moved, event.seconds, event.outcome, event.cause, event.is_ascii) == (6, 0.0, Outcome.FINISHED, "", False)


def test_event_of_an_ascii_download_counts_bytes_on_the_wire():
    event = ended(ann(is_ascii=True).says("RETR a").hears(150).hears(226))
    assert (event.moved, event.is_ascii) == (7, True)


def test_event_of_an_upload_tells_its_seconds():
    event = ended(ann().says("STOR b").hears(150).waits(3).sends(b"xyz").ends().waits(1).hears(226))
    assert (event.direction, event.moved, event.seconds) == ("upload", 3, 3.0)


def test_end_of_the_control_connection_may_come_a_moment_after_that_of_a_long_upload():
    client = ann().says("STOR b").hears(150).waits(3).sends(b"xyz").ends().hears_nothing()
    client.hangs_up()
    assert ended(client).outcome is Outcome.CANCELLED
    client.stored("/b", None)


def test_event_of_a_listing():
    event = ended(ann().says("NLST").hears(150).hears(226))
    assert (event.command, event.direction, event.path, event.moved) == ("NLST", "listing", "/", 3)


def test_event_of_a_failure_has_its_cause():
    event = ended(ann().says("RETR a", connects=False).hears(150).refuses_data("Nobody came").hears(425))
    assert (event.outcome, event.cause) == (Outcome.PEER_FAULT, "Nobody came.")


def test_refused_transfer_is_no_event():
    assert ann().says("RETR none").hears(550).events(TransferEnded) == []


def test_anonymous_transfer_is_told_as_such():
    event = ended(Dialogue(login="anonymous", files=FILES).says("RETR a").hears(150).hears(226))
    assert (event.account, event.is_anonymous) == ("anonymous", True)


@pytest.mark.parametrize(
    "error", [NotPermitted(), Unavailable(), IntegrityLost(), Busy(), OSError(5, "I/O"), RuntimeError("a bug")]
)
def test_disk_that_fails_during_a_download_is_451(error):
    with recorded_log():
        dialogue = faulty(read_at=error).says("RETR a").hears(150).hears(451)
    assert ended(dialogue).outcome is Outcome.LOCAL_FAULT


def test_disk_that_fails_during_an_upload_is_451_and_nothing_is_stored():
    dialogue = faulty(write_at=IntegrityLost()).says("STOR b").hears(150).sends(b"x").hears(451)
    assert ended(dialogue).outcome is Outcome.LOCAL_FAULT
    assert "/b" not in dialogue.server.tree()


@pytest.mark.parametrize(("error", "code"), [(NoSpace(), 552), (OverQuota(), 552)])
def test_upload_that_fills_the_disk_keeps_no_part(error, code):
    dialogue = faulty(write_at=error).says("STOR b").hears(150).sends(b"x").hears(code)
    assert dialogue.server.store.used == len(FILES["/a"])
    dialogue.says("SIZE b").hears(550)


def test_disk_that_is_full_has_room_again_after_the_upload_that_filled_it():
    store = MemoryStore(MemorySettings(capacity=Size(100)))
    dialogue = Dialogue(login="ann", store=store, is_ascii=False)
    dialogue.says("STOR big").hears(150).sends(b"x" * 60).sends(b"x" * 60).hears(552)
    dialogue.says("STOR small").hears(150).sends(b"x" * 90).ends().hears(226)


def test_commit_that_fails_is_not_226():
    dialogue = (
        faulty(commit=Unavailable(None, "The disk is gone"))
        .says("STOR b")
        .hears(150)
        .sends(b"x")
        .ends()
        .hears(451, "The disk is gone.")
    )
    assert ended(dialogue).outcome is Outcome.LOCAL_FAULT


def test_commit_that_fails_in_an_unforeseen_way_is_451_and_one_traceback():
    with recorded_log() as log:
        dialogue = faulty(commit=RuntimeError("a bug")).says("STOR b").hears(150).ends().hears(451)
    assert sum("log_failure" in event for event in log) == 1
    assert ended(dialogue).outcome is Outcome.LOCAL_FAULT
    dialogue.says("NOOP").hears(200).says("CWD /").hears(250)


def test_upload_that_cannot_be_cleared_away_keeps_its_reply():
    with recorded_log() as log:
        faulty(abandon=RuntimeError("a bug")).says("STOR b").hears(150).resets().hears(426)
    assert sum("log_failure" in event for event in log) == 1


def test_226_comes_when_the_commit_is_done():
    commit = Deferred()
    dialogue = faulty(commit=commit).says("STOR b").hears(150).sends(b"x").ends().hears_nothing()
    commit.callback(None)
    dialogue.rests().hears(226).stored("/b", b"x")


def test_file_that_shrinks_while_it_is_sent_is_451():
    content = b"x" * 1_000_000
    dialogue = Dialogue(login="ann", files={"/big": content}).says("RETR big", reads=False).hears(150)
    dialogue.server.store._top.entries["big"].data.clear()
    dialogue.reads_on().hears(451)
    assert ended(dialogue).outcome is Outcome.LOCAL_FAULT


def test_reason_is_heard_before_the_data_connection_goes():
    dialogue = ann().says("STOR b").hears(150)
    seen = []
    connection, write = dialogue.connection, dialogue.transport.write
    dialogue.transport.write = lambda data: (seen.append(connection.is_closed), write(data))
    dialogue.channel._write = dialogue.transport.write
    dialogue.says("ABOR").hears(426).hears(226)
    assert seen == [False, True]


def test_observers_hear_of_a_transfer_once_its_reply_is_out():
    dialogue = ann()
    seen = []
    write = dialogue.transport.write
    dialogue.channel._write = lambda data: (seen.append((data[:3], len(dialogue.events(TransferEnded)))), write(data))
    dialogue.says("RETR a").hears(150).hears(226)
    assert seen[-1] == (b"150", 0)  # and the 226 in the same piece
    assert ended(dialogue).outcome is Outcome.FINISHED


def test_150_of_an_upload_is_out_before_the_data_connection_is_opened():
    dialogue = ann()
    written = []
    write = dialogue.transport.write
    dialogue.channel._write = lambda data: (written.append(data[:3]), write(data))
    open_port = MemoryDataPort.open
    opened_after = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(MemoryDataPort, "open", lambda port: (opened_after.append(written[-1]), open_port(port))[1])
        dialogue.says("STOR b").hears(150)
    assert opened_after == [b"150"]


def test_stalled_download_is_426():
    dialogue = ann().says("RETR a", reads=False).hears(150).waits(300).hears(426)
    assert ended(dialogue).outcome is Outcome.PEER_FAULT
    dialogue.says("NOOP").hears(200)


def test_slow_download_is_not_stalled():
    dialogue = Dialogue(login="ann", files={"/a": b"x" * 100}).says("RETR a", reads=False).hears(150)
    for _ in range(20):
        dialogue.connection.take(1)
        dialogue.waits(100).hears_nothing()
    dialogue.reads_on().hears(226)


def paced(**rates):
    return Dialogue(login="ann", files={"/a": bytes(250_000)}, rates=RateSettings(**rates))


def after(seconds, dialogue):
    """Let time pass as a reactor sees it, in which timers ring about when they should."""
    for _ in range(round(seconds * 100)):
        dialogue.waits(0.01)
    return dialogue


def test_download_is_held_to_its_rate():
    dialogue = after(2, paced(session_download=100_000).says("RETR a").hears(150))
    assert 190_000 <= len(dialogue.connection.sent) <= 200_000
    assert 2.5 <= ended(after(1, dialogue).hears(226)).seconds <= 2.6


def test_upload_is_held_to_its_rate():
    dialogue = paced(session_upload=100_000).says("STOR b").hears(150).sends(bytes(250_000)).ends()
    assert 2.3 <= ended(after(3, dialogue).hears(226)).seconds <= 2.6


def test_listing_is_held_to_the_rate_of_downloads():
    event = ended(paced(transfer_download=10).says("NLST").hears(150).waits(0.2).hears_nothing().waits(0.2).hears(226))
    assert (event.direction, event.moved) == ("listing", 3)


def test_rate_of_the_other_way_does_not_count():
    assert ended(paced(server_upload=1).says("RETR a").hears(150).hears(226)).seconds == 0.0


def test_rate_of_one_account_is_its_own():
    slow = Account("slow", rules=(Rule(ROOT, Permission.ALL),), rates=AccountRates(account_download=Size(100_000)))
    arguments = {"files": {"/a": bytes(250_000)}, "accounts": [slow]}
    assert ended(Dialogue(login="ann", **arguments).says("RETR a").hears(150).hears(226)).seconds == 0.0
    held = Dialogue(login="slow", **arguments).says("RETR a").hears(150)
    assert ended(after(3, held).hears(226)).seconds >= 2.5


def test_waiting_for_the_rate_is_no_stall():
    settings = FTPSettings(timeouts=TimeoutSettings(stalled_transfer=1))
    dialogue = Dialogue(login="ann", files={"/a": bytes(8)}, rates=RateSettings(transfer_download=1), settings=settings)
    dialogue.says("RETR a").hears(150).waits(9).hears(226)


def test_a_held_transfer_is_aborted_at_once():
    paced(session_download=10).says("RETR a").hears(150).waits(1).says("ABOR").hears(426).hears(226)


def test_a_rate_set_meanwhile_holds_for_a_transfer_under_way():
    dialogue = after(1, paced(session_download=10_000).says("RETR a").hears(150))
    rates = dialogue.server.factory.rates
    rates.settings = RateSettings(session_download=100_000)
    after(1, dialogue)
    assert 100_000 <= len(dialogue.connection.sent) <= 115_000
    rates.settings = RateSettings()
    dialogue.waits(0.25).hears(226)


def test_a_first_rate_holds_for_a_transfer_under_way():
    dialogue = Dialogue(login="ann", files={"/a": bytes(1_000_000)}).says("RETR a", reads=False).hears(150)
    dialogue.server.factory.rates.settings = RateSettings(session_download=100_000)
    before = len(dialogue.connection.sent)
    dialogue.reads_on()
    assert len(dialogue.connection.sent) - before <= 262_144  # the piece under way
    assert ended(after(10, dialogue).hears(226)).seconds >= 7


def test_a_slowed_session_is_held_in_a_transfer_under_way():
    dialogue = Dialogue(login="ann", files={"/a": bytes(1_000_000)}).says("RETR a", reads=False).hears(150)
    assert dialogue.session.slow(100_000)
    dialogue.reads_on()
    assert ended(after(10, dialogue).hears(226)).seconds >= 7


def test_a_slowed_session_is_held_in_later_transfers():
    dialogue = Dialogue(login="ann", files={"/a": bytes(100_000)})
    dialogue.session.slow(100_000)
    dialogue = after(1.1, dialogue.says("RETR a").hears(150)).hears(226)
    dialogue = after(1.1, dialogue.says("STOR b").hears(150).sends(bytes(100_000)).ends()).hears(226)
    download, upload = (event.seconds for event in dialogue.events(TransferEnded))
    assert (download >= 0.9, upload >= 0.7) == (True, True)


def test_a_session_that_is_slowed_no_more_goes_on_at_full_speed():
    dialogue = Dialogue(login="ann", files={"/a": bytes(10_000_000)})
    dialogue.session.slow(100_000)
    after(1, dialogue.says("RETR a").hears(150)).session.slow(0)
    dialogue.waits(0.25).hears(226)


def test_slowing_ends_with_the_login():
    dialogue = Dialogue(login="ann", files={"/a": bytes(1_000_000)})
    dialogue.session.slow(1)
    dialogue.says("REIN").hears(220).says("USER ann").hears(331).says(f"PASS {PASSWORD}").hears(230)
    dialogue.says("RETR a").hears(150).hears(226)


def test_who_is_not_logged_in_cannot_be_slowed():
    assert Dialogue().hears(220).session.slow(1) is False


def test_what_a_login_was_held_to_ends_with_it():
    dialogue = after(3, paced(session_download=100_000).says("RETR a").hears(150)).hears(226)
    assert dialogue.session.rates is not None
    dialogue.says("REIN").hears(220)
    assert dialogue.session.rates is None
