"""The server: which exchange a datagram is for, who comes in, whose time runs out, and that nothing is left of those who go.

The port is a stand-in and all clients share it, so that there are no sockets; lines with sockets of their own are in test_line.
"""

from __future__ import annotations

import gc
import weakref
from ipaddress import ip_network

import pytest
from twisted.cred.checkers import AllowAnonymousAccess
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.accounts.realm import TransferRealm
from ftpd.errors import NotPermitted, Unavailable
from ftpd.events import RequestRefused, SessionRefused, SizeProbed
from ftpd.paths import VirtualPath
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp import exchange as exchange_module
from ftpd.tftp.download import Download
from ftpd.tftp.server import FileRequest
from ftpd.tftp.settings import TFTPSettings
from ftpd.tftp.wire.packets import ErrorCode, ack, error
from ftpd.values import Outcome
from tests.unit.tftp.exchanges import blocks_of, data, error_code
from tests.unit.tftp.scene import CLIENT, CONTENT, OTHER, Scene, read, write


@pytest.fixture
def scene_of(monkeypatch):
    return lambda **options: Scene(monkeypatch, **options)


@pytest.fixture
def scene(scene_of):
    return scene_of()


def has_fired(deferred: Deferred[None]) -> bool:
    return bool(deferred.called)


# Requests.


def test_file_is_fetched(scene):
    first, second, third = blocks_of(CONTENT, 512)
    assert scene.port.says(read()) == [first]
    assert scene.port.says(ack(1)) == [second]
    assert scene.port.says(ack(2)) == [third]
    assert scene.port.says(ack(3)) == []
    assert [event.outcome for event in scene.ends] == [Outcome.FINISHED]
    assert scene.is_clean()


def test_file_is_stored(scene):
    assert scene.port.says(write()) == [ack(0)]
    for packet in blocks_of(CONTENT, 512):
        assert scene.port.says(packet) == [b"\0\4" + packet[2:4]]
    assert scene.content("new") == CONTENT
    scene.wait(10)
    assert scene.is_clean()


def test_repeated_request_is_one_session(scene):
    first = blocks_of(CONTENT, 512)[0]
    assert scene.port.says(read()) == [first]
    scene.wait(0.3)
    assert scene.port.says(read()) == [first]
    assert scene.server._visits._sessions == 1


def test_request_that_is_repeated_without_end_is_answered_five_times_a_second(scene):
    first = blocks_of(CONTENT, 512)[0]
    assert scene.port.says(read()) == [first]
    for _ in range(3):
        assert scene.port.says(read()) == [first]
        assert [scene.port.says(read()) for _ in range(50)] == [[]] * 50
        scene.wait(0.225)


def test_same_request_of_another_client_is_another_session(scene):
    scene.port.says(read())
    scene.port.says(read(), OTHER)
    assert scene.server._visits._sessions == 2


def test_another_request_from_the_same_port_takes_the_place_of_the_first(scene):
    scene.put("initrd", b"ramdisk")
    scene.port.says(read())
    assert scene.port.says(read("initrd")) == [data(1, b"ramdisk")]
    assert [(event.outcome, event.cause) for event in scene.ends] == [
        (Outcome.PEER_FAULT, "The client began another transfer from the same port")
    ]
    scene.port.says(ack(1))
    assert scene.is_clean()


def test_next_upload_from_the_same_port_does_not_wait_for_the_dallying(scene):
    scene.port.says(write("one"))
    scene.port.says(data(1, b"1"))
    assert scene.port.says(write("two")) == [ack(0)]
    scene.port.says(data(1, b"2"))
    assert (scene.content("one"), scene.content("two")) == (b"1", b"2")
    assert [event.outcome for event in scene.ends] == [Outcome.FINISHED] * 2
    scene.wait(10)
    assert scene.is_clean()


def test_a_thousand_uploads_dally_and_the_next_is_over_at_once(scene):
    for port in range(1, 1026):
        scene.port.says(write("new", timeout="255"), ("10.0.0.7", port))
        assert scene.port.says(data(1, b"1"), ("10.0.0.7", port)) == [ack(1)]
    assert scene.port.says(data(1, b"1"), ("10.0.0.7", 1024)) == [ack(1)]
    assert [error_code(answer) for answer in scene.port.says(data(1, b"1"), ("10.0.0.7", 1025))] == [ErrorCode.UNKNOWN_TRANSFER_ID]
    scene.wait(256)
    assert scene.is_clean()


def test_same_upload_from_the_same_port_is_another_one_once_the_first_is_stored(scene):
    scene.port.says(write())
    scene.port.says(data(1, b"1"))
    assert scene.port.says(write()) == [ack(0)]


def test_unknown_transfer_is_said_where_all_share_the_port(scene):
    (answer,) = scene.port.says(ack(7))
    assert error_code(answer) is ErrorCode.UNKNOWN_TRANSFER_ID
    assert scene.port.says(error(0, "gone")) == []


def test_stranger_does_not_disturb_a_session(scene):
    scene.port.says(read())
    scene.port.says(ack(1), OTHER)
    scene.port.says(error(0, "stop"), OTHER)
    assert scene.port.says(ack(1)) == blocks_of(CONTENT, 512)[1:2]


@pytest.mark.parametrize(
    "datagram", [b"", b"\0", b"\0\1", b"\0\1\0\0", b"\0\1kernel", b"\0\1kernel\0", b"\0\1kernel\0mail\0", b"\0\2\0octet\0"]
)
def test_nonsense_leaves_nothing(scene, datagram):
    answers = scene.port.says(datagram)
    assert all(error_code(answer) is ErrorCode.ILLEGAL_OPERATION for answer in answers)
    assert len(answers) == (len(datagram) >= 2)
    assert scene.is_clean()


def test_missing_file_is_answered_and_logged_as_such(scene):
    (answer,) = scene.port.says(read("absent"))
    assert error_code(answer) is ErrorCode.NOT_FOUND
    (event,) = scene.events
    assert isinstance(event, RequestRefused)
    assert (event.is_missing, event.path, event.command) == (True, "absent", "RRQ")
    assert scene.is_clean()


def test_size_probe_is_told(scene):
    scene.port.says(read(tsize="0"))
    scene.port.says(error(8, "User aborted the transfer"))
    assert [type(event) for event in scene.events] == [SizeProbed]
    assert scene.is_clean()


def test_silent_client_is_given_up(scene):
    scene.port.says(read())
    scene.wait(31)
    assert [event.cause for event in scene.ends] == ["The client fell silent: no acknowledgement came"]
    assert scene.is_clean()


def test_lost_block_is_sent_again(scene):
    first = blocks_of(CONTENT, 512)[0]
    scene.port.says(read())
    scene.wait(1.1)
    assert scene.port.taken() == [first]


# Limits.


def test_request_beyond_the_limit_is_not_answered(scene_of):
    scene = scene_of(settings=TFTPSettings(sessions=1))
    scene.port.says(read())
    assert scene.port.says(read(), OTHER) == []
    assert [type(event) for event in scene.events] == [SessionRefused]


def test_flood_beyond_the_limit_is_told_of_once_in_a_while(scene_of):
    scene = scene_of(settings=TFTPSettings(sessions=1))
    scene.port.says(read())
    for number in range(1000):
        scene.port.says(read(), ("10.0.1.1", 1000 + number))
    assert len(scene.events) == 1
    assert len(scene.server._exchanges) == 1
    assert scene.port.says(ack(1)) == blocks_of(CONTENT, 512)[1:2]


def test_one_address_has_its_own_limit(scene_of):
    scene = scene_of(settings=TFTPSettings(sessions_per_address=1))
    scene.port.says(read())
    assert scene.port.says(read(), ("10.0.0.7", 2071)) == []
    assert scene.port.says(read(), OTHER) == blocks_of(CONTENT, 512)[:1]


def test_limit_of_the_account_is_an_error_and_leaves_nothing(scene_of):
    scene = scene_of(account={"max_sessions": 1})
    scene.port.says(read())
    (answer,) = scene.port.says(read(), OTHER)
    assert error_code(answer) is ErrorCode.UNDEFINED
    scene.port.says(error(0, "bye"))
    assert scene.is_clean()
    assert scene.port.says(read(), OTHER) == blocks_of(CONTENT, 512)[:1]


def test_banned_address_is_not_answered(scene_of):
    clock = Clock()
    limits = Limits(LimitSettings(failures_per_address=1), clock)
    finish(limits.count_failure("10.0.0.7"))
    scene = scene_of(limits=limits)
    assert scene.port.says(read()) == []


def test_banned_network_is_not_answered(scene_of):
    clock = Clock()
    limits = Limits(LimitSettings(failures_per_address=1), clock)
    finish(limits.count_failure("2001:db8::/64"))
    scene = scene_of(limits=limits)
    assert scene.port.says(read(), ("2001:db8::7", 2070, 0, 0)) == []
    assert scene.port.says(read(), ("2001:db8:0:1::7", 2070, 0, 0)) == blocks_of(CONTENT, 512)[:1]


def test_exempt_address_is_answered_though_others_would_be_banned(scene_of):
    clock = Clock()
    limits = Limits(LimitSettings(failures_per_address=1, exempt=(ip_network("10.0.0.7"),)), clock)
    finish(limits.count_failure("10.0.0.7"))
    scene = scene_of(limits=limits)
    assert scene.port.says(read()) == blocks_of(CONTENT, 512)[:1]


# Faults leave nothing.


@pytest.mark.parametrize("fault", [Unavailable(None, "The disk hangs"), OSError(5, "I/O error"), RuntimeError("a bug")])
@pytest.mark.parametrize("call", ["open", "open_read", "open_write"])
def test_failing_store_leaves_nothing(scene_of, call, fault):
    scene = scene_of(is_slow=True)
    scene.port.says(write() if call == "open_write" else read())
    if call != "open":
        scene.store.let_go()
    assert scene.store.waiting == [call]
    with recorded_log():
        scene.store.let_go(fault)
    (answer,) = scene.port.taken()
    assert error_code(answer) is ErrorCode.UNDEFINED
    assert scene.is_clean()


@pytest.mark.parametrize("fault", [RuntimeError("a bug"), NotPermitted(None, "Not you")])
def test_failing_program_is_told_and_the_server_goes_on(scene_of, fault):
    def files(wanted: FileRequest) -> bytes:
        raise fault

    scene = scene_of(files=files)
    with recorded_log() as log:
        (answer,) = scene.port.says(read())
    assert error_code(answer) is (ErrorCode.ACCESS_VIOLATION if isinstance(fault, NotPermitted) else ErrorCode.UNDEFINED)
    assert any("a bug" in message for message in log) == isinstance(fault, RuntimeError)
    assert scene.is_clean()


def test_failing_login_is_told(scene_of):
    class Closed:
        async def account(self, avatar_id):
            raise LookupError

    portal = Portal(TransferRealm(Closed(), MemoryStore()), [AllowAnonymousAccess()])
    scene = scene_of(portal=portal)
    (answer,) = scene.port.says(read())
    assert error_code(answer) is ErrorCode.ACCESS_VIOLATION
    assert scene.is_clean()


# Beginnings that wait.


def test_request_repeated_while_the_first_is_opened_is_one_session(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    scene.port.says(read())
    scene.port.says(read("other"))
    assert scene.store.waiting == ["open"]
    scene.store.let_go()
    scene.store.let_go()
    assert scene.port.taken() == blocks_of(CONTENT, 512)[:1]


def test_acknowledgement_while_a_file_is_opened_is_ignored(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    assert scene.port.says(ack(1)) == []


@pytest.mark.parametrize("stage", [0, 1])
def test_beginning_that_waits_is_cancelled(scene_of, stage):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    for _ in range(stage):
        scene.store.let_go()
    with recorded_log() as log:
        closed = scene.server.close_sessions()
    assert has_fired(closed)
    assert (scene.store.waiting, log) == ([], [])
    assert scene.is_clean()


def test_beginning_holds_the_drain_up(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    drained = scene.server.drain(0)
    assert not has_fired(drained)
    scene.store.let_go()
    scene.store.let_go()
    for number in (1, 2, 3):
        scene.port.says(ack(number))
    assert has_fired(drained)
    assert scene.is_clean()


# Draining and closing.


def test_drained_server_takes_no_more_and_lets_exchanges_end(scene):
    scene.port.says(read())
    drained = scene.server.drain(0)
    assert scene.port.says(read(), OTHER) == []
    for number in (1, 2):
        assert scene.port.says(ack(number)) == blocks_of(CONTENT, 512)[number : number + 1]
    assert not has_fired(drained)
    scene.port.says(ack(3))
    assert has_fired(drained)
    assert scene.port.is_closed
    assert scene.is_clean()


def test_idle_server_is_drained_at_once_and_leaves_no_timer(scene):
    scene.port.says(read())
    for number in (1, 2, 3):
        scene.port.says(ack(number))
    assert has_fired(scene.server.drain(0))
    assert scene.clock.getDelayedCalls() == []
    assert scene.port.is_closed


def test_drain_ends_with_a_client_that_falls_silent(scene):
    scene.port.says(read())
    drained = scene.server.drain(0)
    scene.wait(31)
    assert has_fired(drained)
    assert scene.is_clean()


def test_drain_ends_with_an_upload_that_has_dallied(scene):
    scene.port.says(write())
    scene.port.says(data(1, b"all"))
    drained = scene.server.drain(60)
    assert not has_fired(drained)
    scene.wait(9)
    assert has_fired(drained)
    assert scene.is_clean()


def test_stop_does_not_wait_for_an_upload_that_dallies(scene):
    scene.port.says(write())
    scene.port.says(data(1, b"all"))
    assert has_fired(scene.server.drain(0))
    assert scene.is_clean()


def test_closed_sessions_are_told_and_leave_nothing(scene):
    scene.port.says(read())
    scene.port.says(write(), OTHER)
    assert has_fired(scene.server.close_sessions("Maintenance"))
    assert [error_code(packet) for packet in scene.port.taken()] == [ErrorCode.UNDEFINED]
    assert b"Maintenance" in scene.port.taken(OTHER)[0]
    assert [event.outcome for event in scene.ends] == [Outcome.CANCELLED] * 2
    assert scene.is_clean()


def test_idle_server_that_is_closed_leaves_no_timer(scene):
    scene.port.says(read())
    for number in (1, 2, 3):
        scene.port.says(ack(number))
    scene.server.close()
    scene.server.close()
    assert scene.clock.getDelayedCalls() == []
    assert scene.port.is_closed


def test_closed_sessions_wait_for_a_commit_even_where_requests_still_come_in(scene, monkeypatch):
    committing: Deferred[None] = Deferred()
    scene.port.says(write())
    upload = scene.server._exchanges[CLIENT]
    commit = upload._file.commit

    async def slow_commit():
        await committing
        return await commit()

    monkeypatch.setattr(upload._file, "commit", slow_commit)
    scene.port.says(data(1, b"all"))
    closed = scene.server.close_sessions()
    assert not has_fired(closed)
    committing.callback(None)
    assert has_fired(closed)
    assert scene.port.taken() == [ack(1)]
    assert scene.content("new") == b"all"
    assert [event.outcome for event in scene.ends] == [Outcome.FINISHED]
    assert scene.is_clean()


def test_request_during_a_commit_leaves_that_alone(scene, monkeypatch):
    committing: Deferred[None] = Deferred()
    scene.port.says(write())
    upload = scene.server._exchanges[CLIENT]
    commit = upload._file.commit

    async def slow_commit():
        await committing
        return await commit()

    monkeypatch.setattr(upload._file, "commit", slow_commit)
    scene.port.says(data(1, b"all"))
    assert scene.port.says(read()) == blocks_of(CONTENT, 512)[:1]
    committing.callback(None)
    assert scene.content("new") == b"all"
    scene.port.taken()
    assert scene.port.says(ack(1)) == blocks_of(CONTENT, 512)[1:2]


def test_one_exchange_that_goes_wrong_does_not_stop_the_clock_of_others(scene, monkeypatch):
    scene.port.says(read())
    scene.port.says(read(), OTHER)
    broken = scene.server._exchanges[CLIENT]
    expired = Download.expired
    monkeypatch.setattr(Download, "expired", lambda self, now: 1 / 0 if self is broken else expired(self, now))
    scene.port.taken(OTHER)
    with recorded_log() as log:
        scene.wait(1.2)
    assert scene.port.taken(OTHER) == blocks_of(CONTENT, 512)[:1]
    assert any("ZeroDivisionError" in message for message in log)


def test_locked_door_is_said(scene):
    scene.server.lock("Closed for tonight")
    (answer,) = scene.port.says(read())
    assert b"Closed for tonight" in answer
    assert scene.is_clean()
    scene.server.lock(None)
    assert scene.port.says(read()) == blocks_of(CONTENT, 512)[:1]


# Rows, kicking, slowing.


def test_rows_are_those_of_transfers_under_way(scene):
    scene.port.says(read())
    scene.port.says(write(), OTHER)
    scene.port.says(data(1, b"all"), OTHER)  # stored: it dallies, and is over
    assert [(row.address, row.command, row.path) for row in scene.server.rows()] == [("10.0.0.7", "RRQ", "/kernel")]


def test_row_of_a_transfer_that_has_yet_to_begin_has_no_path(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    (row,) = scene.server.rows()
    assert (row.address, row.account, row.command, row.path, row.transfer_since) == ("10.0.0.7", "", "RRQ", "", None)
    scene.store.let_go()
    assert [row.account for row in scene.server.rows()] == ["anonymous"]


@pytest.mark.parametrize(("field", "value"), [("address", "10.0.0.7"), ("address", "10.0.0.0/29"), ("account", "anonymous")])
def test_kick_ends_whom_it_names(scene, field, value):
    scene.port.says(read())
    (row,) = scene.server.rows()
    assert scene.server.kick(field, value, "Enough") == [row.session]
    (answer,) = scene.port.taken()
    assert b"Enough" in answer
    assert [(event.outcome, event.cause) for event in scene.ends] == [(Outcome.CANCELLED, "Enough")]
    assert scene.is_clean()


@pytest.mark.parametrize("stage", [0, 1])
def test_kick_reaches_a_transfer_that_has_yet_to_begin(scene_of, stage):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    for _ in range(stage):
        scene.store.let_go()
    (session,) = scene.server.kick("address", "10.0.0.7", "Enough")
    (answer,) = scene.port.taken()
    assert (error_code(answer), b"Enough" in answer) == (ErrorCode.UNDEFINED, True)
    assert (len(session), scene.store.waiting, scene.ends) == (16, [], [])
    assert scene.is_clean()


def test_kick_by_account_knows_a_transfer_that_has_yet_to_begin_once_it_is_logged_in(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    assert scene.server.kick("account", "anonymous", "Enough") == []
    scene.store.let_go()
    assert len(scene.server.kick("account", "anonymous", "Enough")) == 1
    assert scene.is_clean()


def test_transfer_that_has_yet_to_begin_is_not_slowed(scene_of):
    scene = scene_of(is_slow=True)
    scene.port.says(read())
    assert scene.server.slow("address", "10.0.0.7", 100) == []


def test_nothing_is_told_where_nobody_listens(scene, monkeypatch):
    scene.server.events.remove(scene.events.append)
    monkeypatch.setattr(exchange_module, "DatagramTransferEnded", None)  # to make one would fail
    for packet in (read(), ack(1), ack(2), ack(3)):
        scene.port.says(packet)
    assert scene.is_clean()


def test_kick_spares_others(scene):
    scene.port.says(read())
    assert scene.server.kick("address", "10.0.0.8", "Enough") == []
    with pytest.raises(ValueError, match="sessions are chosen by"):
        scene.server.kick("port", "69", "Enough")


def test_slow_holds_whom_it_names(scene):
    scene.port.says(read())
    (row,) = scene.server.rows()
    assert scene.server.slow("session", row.session, 100) == [row.session]
    assert scene.port.says(ack(1)) == []
    scene.wait(6)
    assert scene.port.taken() == blocks_of(CONTENT, 512)[1:2]


# Virtual files, and what the store is not asked for.


def test_program_answers_before_the_store(scene_of):
    asked: list[FileRequest] = []

    def files(wanted: FileRequest) -> bytes | None:
        asked.append(wanted)
        return b"made up" if wanted.name == "virtual" else None

    scene = scene_of(files=files)
    assert scene.port.says(read("virtual", blksize="512"))[0][:2] == b"\0\6"
    assert scene.port.says(ack(0)) == [data(1, b"made up")]
    assert scene.port.says(read(), OTHER) == blocks_of(CONTENT, 512)[:1]
    assert (asked[0].path, asked[0].peer.address, dict(asked[0].options)) == (
        VirtualPath(("virtual",)),
        "10.0.0.7",
        {"blksize": "512"},
    )


def test_program_may_take_its_time(scene_of):
    coming: Deferred[bytes] = Deferred()
    scene = scene_of(files=lambda wanted: coming)
    assert scene.port.says(read()) == []
    coming.callback(b"late")
    assert scene.port.taken() == [data(1, b"late")]


# Logins that are handed on.


class _CountedRealm:
    """Counts logins and logouts of the realm *inner*."""

    def __init__(self, inner: TransferRealm) -> None:
        self.inner = inner
        self.logins = self.logouts = 0

    def requestAvatar(self, avatar_id, mind, *interfaces):
        interface, avatar, logout = self.inner.requestAvatar(avatar_id, mind, *interfaces)
        self.logins += 1
        return interface, avatar, lambda: self._log_out(logout)

    def _log_out(self, logout):
        self.logouts += 1
        logout()


@pytest.fixture
def counted(scene_of):
    realm = _CountedRealm(None)
    scene = scene_of(portal=Portal(realm, [AllowAnonymousAccess()]))
    realm.inner = scene.realm
    return scene, realm


def fetch(scene: Scene, source=CLIENT) -> None:
    for packet in (read(), ack(1), ack(2), ack(3)):
        scene.port.says(packet, source)


def test_next_request_of_a_client_has_the_login_of_the_one_before(counted):
    scene, realm = counted
    for port in range(5):
        fetch(scene, ("10.0.0.7", 2070 + port))
        scene.port.says(read("absent"), ("10.0.0.7", 2070 + port))
    assert (realm.logins, realm.logouts) == (1, 0)
    assert scene.is_clean()
    assert (realm.logins, realm.logouts) == (1, 1)


def test_another_client_has_another_login(counted):
    scene, realm = counted
    fetch(scene)
    fetch(scene, OTHER)
    assert realm.logins == 2


def test_requests_at_a_time_have_a_login_each(counted):
    scene, realm = counted
    for port in range(5):
        scene.port.says(read(), ("10.0.0.7", 2070 + port))
    assert realm.logins == 5


def test_request_a_second_later_logs_in_again(counted):
    scene, realm = counted
    fetch(scene)
    scene.wait(1)
    fetch(scene)
    assert (realm.logins, realm.logouts) == (2, 1)


def test_login_of_a_transfer_that_failed_is_not_handed_on(counted):
    scene, realm = counted
    scene.port.says(read())
    scene.port.says(error(0, "no"))
    assert (realm.logins, realm.logouts) == (1, 1)


def test_drained_server_logs_everybody_out(counted):
    scene, realm = counted
    fetch(scene)
    assert has_fired(scene.server.drain(0))
    assert (realm.logins, realm.logouts) == (1, 1)
    assert scene.clock.getDelayedCalls() == []


def test_ended_exchange_is_garbage_without_a_collector(scene):
    scene.port.says(read())
    exchange = weakref.ref(scene.server._exchanges[CLIENT])
    gc.collect()
    gc.disable()
    try:
        for number in (1, 2, 3):
            scene.port.says(ack(number))
        assert exchange() is None
    finally:
        gc.enable()
