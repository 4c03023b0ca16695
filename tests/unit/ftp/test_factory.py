from __future__ import annotations

import pytest
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from twisted.protocols import ftp as stock
from zope.interface import implementer

from ftpd.events import SessionClosed, SessionRefused, TransferEnded
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.data.ports import DataPortFactory
from ftpd.ftp.factory import FTPFactory
from ftpd.ftp.settings import FTPSettings, PassiveSettings
from ftpd.storage.memory import MemoryStore
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import SlowStore
from ftpd.testing.server import Server
from ftpd.testing.tls_client import MemoryContexts, TLSClient
from ftpd.values import Outcome

FILES = {"/a": b"hello", "/b": b"world"}
WORDS = "Please come back."


@implementer(IReactorFDSet)
class Reactor(Clock):
    """A clock that would watch descriptors."""

    def addReader(self, reader):
        raise AssertionError("no descriptor is watched here")

    removeReader = addWriter = removeWriter = addReader

    def removeAll(self):
        return []

    getReaders = getWriters = removeAll


def commands_logged(act, **arguments):
    """The debug lines of what *act* does with a session, and the whole log as text."""
    log = []
    globalLogPublisher.addObserver(log.append)
    try:
        act(Dialogue(**{"logs_commands": True, **arguments}))
    finally:
        globalLogPublisher.removeObserver(log.append)
    lines = [formatEvent(event) for event in log if "command" in event]
    return lines, repr([(formatEvent(event), event) for event in log])


def test_each_command_is_one_debug_line():
    lines, _ = commands_logged(lambda dialogue: dialogue.says("CWD /none").hears(550), login="ann")
    assert lines[-1].partition("] ")[2] == "CWD /none -> 550"


@pytest.mark.parametrize(
    "typed",
    [
        "PASS hunter2",
        "USER hunter2",
        "ACCT hunter2",
        "hunter2",
        "PAS hunter2",
        "RETR hunter2",
        "NOOP hunter2",
        "SITE hunter2",
        "CWD hunter2",
    ],
)
def test_nothing_typed_before_login_is_logged(typed):
    lines, log = commands_logged(lambda dialogue: dialogue.says(typed))
    assert len(lines) == 1
    assert "hunter2" not in log


@pytest.mark.parametrize("typed", ["PASS hunter2", "ACCT hunter2", "PAS hunter2", "hunter2", "USER hunter2", "PASSWORD hunter2"])
def test_what_may_be_a_password_is_not_logged_after_login_either(typed):
    _, log = commands_logged(lambda dialogue: dialogue.says(typed), login="ann")
    assert "hunter2" not in log


def test_line_too_long_is_not_logged():
    lines, _ = commands_logged(lambda dialogue: dialogue.says("x" * 10_000), login="ann")
    assert lines[-1].partition("] ")[2] == "(not a command) -> 500"


def test_commands_are_not_logged_unless_wanted():
    lines, _ = commands_logged(lambda dialogue: dialogue.says("NOOP"), login="ann", logs_commands=False)
    assert lines == []


def test_public_attributes_are_those_of_twisted():
    factory = FTPFactory(None, "guest", reactor=Reactor())
    assert factory.portal is None
    assert factory.userAnonymous == "guest"
    assert factory.allowAnonymous is True
    assert factory.timeOut == 300
    assert factory.welcomeMessage == "ftpd ready."
    assert factory.passivePortRange == range(49152, 65535)


def test_time_out_can_be_set():
    server = Server()
    server.factory.timeOut = 10
    Dialogue(login="ann", server=server).waits(12).hears(421)


def test_welcome_message_can_be_set():
    server = Server()
    server.factory.welcomeMessage = "Hello."
    Dialogue(server=server).hears(220, "Hello.")


def test_passive_port_range_can_be_set():
    factory = FTPFactory(reactor=Reactor())
    factory.passivePortRange = range(5000, 5010)
    assert factory.settings.passive.ports == (5000, 5009)
    assert factory.passivePortRange == range(5000, 5010)


def test_connection_limit_is_the_sessions_of_the_limits():
    factory = FTPFactory(reactor=Reactor())
    assert factory.connectionLimit == 2000
    factory.connectionLimit = None
    assert factory.limits.settings.sessions == 0
    assert factory.connectionLimit is None


def test_one_session_beyond_the_connection_limit_hears_421():
    server = Server()
    server.factory.connectionLimit = 1
    Dialogue(login="ann", server=server)
    Dialogue(server=server).hears(421, "Too many connections; try again later.").is_closed()
    assert server.factory.connectionCount == 1


def test_connection_limit_that_lets_nobody_in_is_refused():
    factory = FTPFactory(reactor=Reactor())
    with pytest.raises(ValueError, match=r"lock\(\) lets nobody in"):
        factory.connectionLimit = 0


def test_connection_limit_may_be_set_on_a_subclass():
    class Theirs(FTPFactory):
        connectionLimit = 3

    assert Theirs(reactor=Reactor()).limits.settings.sessions == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [("protocol", "protocol is FTP, not a ControlChannel"), ("overflowProtocol", "overflowProtocol is never asked")],
)
def test_protocol_of_twisteds_server_is_refused_when_it_would_be_served(name, words):
    factory = FTPFactory(reactor=Reactor())
    setattr(factory, name, stock.FTP)
    with pytest.raises(TypeError, match=words):
        factory.doStart()


def test_any_port_as_twisted_writes_it_is_the_default_range():
    factory = FTPFactory(reactor=Reactor(), settings=FTPSettings(passive=PassiveSettings(ports=(5000, 5001))))
    factory.passivePortRange = range(1)
    assert factory.settings.passive.ports == (49152, 65534)


def test_given_data_ports_stay_when_the_range_is_set():
    server = Server()
    server.factory.passivePortRange = range(5000, 5010)
    assert server.factory.data_ports is server.ports


def test_allow_anonymous_can_be_switched_off():
    server = Server()
    server.factory.allowAnonymous = False
    Dialogue(server=server).hears(220).says("USER anonymous").hears(331, "Password required.")


def test_several_names_may_mean_anonymous():
    factory = FTPFactory(anonymous_names=("anonymous", "FTP"), reactor=Reactor())
    assert [factory.is_anonymous(name) for name in ("anonymous", "ftp", "Ftp", "ann")] == [True, True, True, False]


def test_commands_are_all_of_the_standard_unless_told_otherwise():
    assert FTPFactory(reactor=Reactor()).commands == dict(standard_commands())


def test_close_of_a_server_without_sessions_is_at_once():
    server = Server()
    closed = server.factory.close_sessions()
    assert closed.called
    assert server.clock.getDelayedCalls() == []


def test_close_leaves_given_data_ports_to_their_owner():
    server = Server()
    server.factory.close_sessions()
    assert not server.ports.is_closed


def test_close_closes_data_ports_of_its_own(monkeypatch):
    closed = []
    monkeypatch.setattr(DataPortFactory, "close", lambda ports: closed.append(ports))
    factory = FTPFactory(reactor=Reactor())
    factory.close_sessions()
    assert closed == [factory.data_ports]


def test_close_waits_for_the_last_session():
    server = Server()
    first, second = Dialogue(login="ann", server=server), Dialogue(server=server)
    closed = server.factory.close_sessions()
    first.rests().hears(421).is_closed()
    assert not closed.called
    second.hears(220).rests().hears(421).is_closed()
    assert closed.called
    assert server.clock.getDelayedCalls() == []


def test_second_close_waits_too():
    server = Server()
    dialogue = Dialogue(login="ann", server=server)
    closed = [server.factory.close_sessions(), server.factory.close_sessions()]
    dialogue.rests().hears(421).is_closed()
    assert [one.called for one in closed] == [True, True]


def test_server_without_sessions_has_no_timer():
    server = Server()
    Dialogue(server=server).hears(220).says("QUIT").hears(221).waits(2)
    assert server.clock.getDelayedCalls() == []
    Dialogue(server=server).hears(220).waits(62).hears(421)


def test_last_session_to_go_leaves_no_timer_of_our_own_data_ports(monkeypatch):
    closed = []
    monkeypatch.setattr(DataPortFactory, "close", lambda ports: closed.append(ports))
    factory = FTPFactory(reactor=Reactor())
    factory.forget(factory.buildProtocol(None))
    assert closed == [factory.data_ports]
    assert factory.reactor.getDelayedCalls() == []


def test_port_that_goes_leaves_its_sessions():
    dialogue = Dialogue(login="ann")
    dialogue.server.factory.stopFactory()
    dialogue.says("NOOP").hears(200)


# Drained: sessions end by themselves.


def ann(**arguments):
    return Dialogue(login="ann", files=FILES, **arguments)


def drain(dialogue, quiet_seconds=0, words=WORDS):
    """Drain the server of *dialogue*, and return the Deferred."""
    drained = dialogue.server.factory.drain(quiet_seconds, words)
    dialogue.rests()
    return drained


def test_drain_without_sessions_is_over_at_once():
    server = Server()
    assert server.factory.drain(60).called
    assert server.clock.getDelayedCalls() == []


@pytest.mark.parametrize("login", ["ann", None])
def test_idle_session_is_told_421_at_once_where_no_quiet_is_granted(login):
    dialogue = Dialogue(login=login)
    drained = drain(dialogue)
    if login is None:
        dialogue.hears(220)
    dialogue.hears(421, WORDS).is_closed()
    assert drained.called
    assert [event.reason for event in dialogue.events(SessionClosed)] == [WORDS]
    assert dialogue.server.clock.getDelayedCalls() == []


def test_drain_has_words_of_its_own():
    dialogue = ann()
    dialogue.server.factory.drain(0)
    dialogue.rests().hears(421, "The server is restarting; please connect again.")


def test_download_under_way_is_finished_before_the_421():
    dialogue = ann().says("RETR a", reads=False).hears(150)
    drained = drain(dialogue)
    dialogue.hears_nothing().is_open()
    assert not drained.called
    dialogue.reads_on().hears(226).hears(421, WORDS).is_closed().data(b"hello")
    assert drained.called
    assert [event.outcome for event in dialogue.events(TransferEnded)] == [Outcome.FINISHED]


def test_upload_under_way_is_stored_before_the_421():
    dialogue = ann().says("STOR c").hears(150).sends(b"ha")
    drain(dialogue)
    dialogue.waits(50).hears_nothing().sends(b"lf").ends().waits(1).hears(226).hears(421).is_closed().stored("/c", b"half")


def test_transfer_that_fails_in_a_drain_is_told_so_before_the_421():
    dialogue = ann().says("STOR c").hears(150).sends(b"ha")
    drain(dialogue)
    dialogue.resets().hears(426).hears(421).is_closed().stored("/c", None)


def test_what_waits_to_be_answered_is_answered_before_the_421():
    dialogue = ann().says("RETR a", reads=False).hears(150).says("CWD /").says("PWD")
    drain(dialogue)
    dialogue.hears_nothing().reads_on().hears(226).hears(250).hears(257).hears(421).is_closed()


def test_commands_beside_a_transfer_are_answered_in_a_drain():
    dialogue = ann().says("RETR a", reads=False).hears(150)
    drain(dialogue)
    dialogue.says("NOOP").hears(200).is_open().reads_on().hears(226).hears(421).is_closed()


def test_quit_that_waits_for_a_transfer_is_221_and_not_421():
    dialogue = ann().says("RETR a", reads=False).hears(150).says("QUIT")
    drain(dialogue)
    dialogue.reads_on().hears(226).hears(221).is_closed()


def test_command_beside_a_finished_transfer_is_waited_for():
    store = SlowStore(MemoryStore(), {"stat"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("RETR a", reads=False).hears(150).says("SIZE b")
    drain(dialogue)
    dialogue.reads_on().hears(226).is_open()
    store.let_go()
    dialogue.rests().hears(213).hears(421).is_closed()


def test_command_that_waits_for_a_disk_is_answered_before_the_421():
    store = SlowStore(MemoryStore(), {"stat"})
    dialogue = Dialogue(login="ann", store=store, files=FILES).says("MLST a")
    drain(dialogue)
    dialogue.hears_nothing()
    store.let_go()
    dialogue.rests().hears(250).hears(421, WORDS).is_closed()


def test_client_that_hangs_up_in_a_drain_is_over():
    dialogue = ann().says("STOR c").hears(150)
    drained = drain(dialogue)
    dialogue.hangs_up()
    assert drained.called


def test_client_that_does_not_take_the_421_is_cut_off_in_a_drain():
    dialogue = ann().stops_reading()
    drained = drain(dialogue)
    assert not drained.called
    dialogue.waits(12)
    assert drained.called


def test_session_in_mid_handshake_is_over_at_once_where_no_quiet_is_granted():
    dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True).injected(TLSClient().outgoing()[:50])
    drained = drain(dialogue)
    dialogue.is_closed()
    assert drained.called


def test_session_in_mid_handshake_has_its_time_to_be_quiet():
    dialogue = Dialogue(contexts=MemoryContexts(), is_implicit=True)
    drain(dialogue, 20)
    dialogue.waits(10).shakes_hands().hears(220).waits(9).is_open().waits(3).hears(421, WORDS).is_closed()


def test_session_that_becomes_quiet_is_told_421():
    dialogue = ann().waits(5)
    drained = drain(dialogue, 20)
    dialogue.waits(14).hears_nothing().is_open()
    assert not drained.called
    dialogue.waits(2).hears(421, WORDS).is_closed()
    assert drained.called


def test_session_that_has_been_quiet_for_so_long_is_told_421_at_once():
    dialogue = ann().waits(30)
    drain(dialogue, 20)
    dialogue.hears(421).is_closed()


def test_command_starts_the_quiet_time_anew():
    dialogue = ann()
    drain(dialogue, 20)
    for _ in range(5):
        dialogue.waits(19).says("NOOP").hears(200)
    dialogue.waits(19).is_open().waits(2).hears(421).is_closed()


def test_command_between_two_looks_at_the_clock_is_answered_however_long_the_silence_was():
    dialogue = ann().waits(1.3).says("NOOP").hears(200)
    drain(dialogue, 20)
    dialogue.waits(0.7).waits(19).waits(0.5)  # the looks are at whole seconds, and the last one found 19.7 s of silence
    dialogue.says("NOOP").hears(200).hears_nothing().is_open()


def test_quiet_time_counts_from_the_end_of_a_transfer():
    dialogue = ann().says("RETR a", reads=False).hears(150)
    drain(dialogue, 20)
    dialogue.waits(50).reads_on().hears(226).waits(19).is_open().waits(2).hears(421).is_closed()


def test_second_drain_hurries_the_first():
    dialogue = ann()
    first = drain(dialogue, 20)
    second = drain(dialogue, 0, "The server is shutting down; closing.")
    dialogue.hears(421, "The server is shutting down; closing.").is_closed()
    assert (first.called, second.called) == (True, True)


def test_close_in_a_drain_cuts_what_is_left():
    dialogue = ann().says("STOR c").hears(150).sends(b"ha")
    drained = drain(dialogue)
    dialogue.server.factory.close_sessions()
    dialogue.rests().hears(426, "The server is shutting down.").hears(421).is_closed().stored("/c", None)
    assert drained.called


def test_drain_lasts_until_the_last_session():
    server = Server(files=FILES)
    first, second = Dialogue(login="ann", server=server), Dialogue(login="ann", server=server).says("RETR a", reads=False)
    drained = server.factory.drain(0)
    first.rests().hears(421).is_closed()
    assert not drained.called
    second.reads_on().hears(150).hears(226).hears(421).is_closed()
    assert drained.called


def test_who_connects_in_a_drain_is_served_and_told_421_when_quiet():
    dialogue = ann()
    drained = drain(dialogue, 20)
    late = Dialogue(login="ann", server=dialogue.server)
    dialogue.hangs_up()
    late.says("RETR a").hears(150).hears(226).waits(19)
    assert not drained.called
    late.waits(2).hears(421, WORDS).is_closed()
    assert drained.called


@pytest.mark.parametrize("is_implicit", [False, True])
def test_who_connects_where_no_quiet_is_granted_is_told_421_at_once(is_implicit):
    server = Server(contexts=MemoryContexts(), is_implicit=is_implicit)
    assert server.factory.drain(0, WORDS).called
    late = Dialogue(server=server).hears(421, WORDS).is_closed()
    assert [event.reason for event in late.events(SessionRefused)] == [WORDS]


# Locked.


def test_locked_server_turns_clients_away_with_the_message():
    server = Server()
    server.factory.lock("Back at noon!")
    dialogue = Dialogue(server=server).hears(421, "Back at noon!").is_closed()
    assert [event.reason for event in dialogue.events(SessionRefused)] == ["Back at noon!"]


def test_message_of_a_lock_is_one_line():
    server = Server()
    server.factory.lock("Back\r\n220 at \x1bnoon.")
    Dialogue(server=server).hears(421, "Back 220 at ?noon.").is_closed()


def test_sessions_go_on_behind_a_lock():
    dialogue = ann()
    dialogue.server.factory.lock("Back at noon.")
    dialogue.says("RETR a").hears(150).hears(226).waits(100).says("REIN").hears(220)


def test_unlocked_server_lets_clients_in():
    server = Server()
    server.factory.lock("Back at noon.")
    server.factory.lock(None)
    Dialogue(server=server).hears(220)


# Kicked.


def test_kicked_session_is_told_why():
    server = Server()
    first, second = Dialogue(login="ann", server=server), Dialogue(login="ann", server=server)
    session = first.session.peer.session
    assert server.factory.kick("session", session, "Go home.") == [session]
    first.rests().hears(421, "Go home.").is_closed()
    second.rests().hears_nothing().is_open()
    assert [event.reason for event in first.events(SessionClosed)] == ["Go home."]


def test_transfer_of_a_kicked_session_is_cancelled_first():
    dialogue = ann().says("STOR c").hears(150).sends(b"half")
    dialogue.server.factory.kick("account", "ann", "Go home.")
    dialogue.rests().hears(426, "Ended by the operator.").hears(421, "Go home.").is_closed().stored("/c", None)


def test_all_sessions_of_an_account_are_kicked():
    server = Server()
    anns = [Dialogue(login="ann", server=server) for _ in range(2)]
    others = [Dialogue(server=server), Dialogue(server=server)]
    others[1].says("USER anonymous").says("PASS me")
    sessions = sorted(dialogue.session.peer.session for dialogue in anns)
    assert server.factory.kick("account", "ann", "Go home.") == sessions
    for dialogue in anns:
        dialogue.rests().hears(421).is_closed()
    for dialogue in others:
        dialogue.rests().is_open()


def test_sessions_of_a_network_are_kicked_before_their_login_too():
    server = Server()
    inside = Dialogue(server=server, address="192.0.2.7").hears(220)
    outside = Dialogue(server=server, address="198.51.100.7").hears(220)
    assert len(server.factory.kick("address", "192.0.2.0/24", "Go home.")) == 1
    inside.rests().hears(421, "Go home.").is_closed()
    outside.rests().hears_nothing().is_open()


def test_reason_of_a_kick_is_one_line():
    dialogue = ann()
    dialogue.server.factory.kick("account", "ann", "Go\r\n226 home.")
    dialogue.rests().hears(421, "Go 226 home.").is_closed()


def test_kick_of_nobody_is_no_id():
    dialogue = ann()
    assert dialogue.server.factory.kick("account", "bob", "Go home.") == []
    dialogue.rests().is_open()


def test_kick_by_what_sessions_do_not_have_is_an_error():
    with pytest.raises(ValueError, match="session, account, address"):
        Server().factory.kick("worker", "1", "Go home.")


# Slowed.


def test_those_who_are_meant_are_slowed_and_nobody_else():
    server = Server()
    anns = [Dialogue(login="ann", server=server) for _ in range(2)]
    other = Dialogue(server=server).says("USER anonymous").says("PASS me")
    assert server.factory.slow("account", "ann", 1000) == sorted(dialogue.session.peer.session for dialogue in anns)
    assert [dialogue.session.pace("upload") is not None for dialogue in (*anns, other)] == [True, True, False]


def test_only_logins_are_slowed():
    server = Server()
    outside, inside = Dialogue(server=server).hears(220), Dialogue(login="ann", server=server)
    assert outside.session.peer.address == inside.session.peer.address
    assert server.factory.slow("address", inside.session.peer.address, 1000) == [inside.session.peer.session]


def test_slowing_by_what_sessions_do_not_have_is_an_error():
    with pytest.raises(ValueError, match="session, account, address"):
        Server().factory.slow("worker", "1", 1000)


# Shown.


def test_rows_are_those_of_sessions_let_in():
    server = Server()
    dialogue = Dialogue(login="ann", server=server)
    server.factory.lock("Back at noon.")
    Dialogue(server=server)
    (row,) = server.factory.rows()
    assert (row.session, row.address, row.account) == (dialogue.session.peer.session, "127.0.0.1", "ann")


def test_row_of_an_idle_session_is_the_same_object():
    dialogue = ann()
    (first,) = dialogue.server.factory.rows()
    (second,) = dialogue.waits(1).server.factory.rows()
    assert second is first


def test_times_of_rows_are_wall_clock(monkeypatch):
    dialogue = ann().waits(5)
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    (row,) = dialogue.server.factory.rows()
    assert (row.since, row.heard) == (999_995.0, 999_995.0)


def test_session_that_ends_while_rows_are_taken_is_left_out():
    server = Server()
    dialogues = [Dialogue(login="ann", server=server) for _ in range(2)]
    rows = server.factory.rows()
    taken = next(rows)
    for dialogue in dialogues:
        if dialogue.session.peer.session != taken.session:
            dialogue.hangs_up()
    assert list(rows) == []
