from __future__ import annotations

import pytest
from twisted.internet.interfaces import IReactorFDSet
from twisted.internet.task import Clock
from twisted.logger import formatEvent, globalLogPublisher
from zope.interface import implementer

from ftpd.ftp.commands import standard_commands
from ftpd.ftp.dataport import DataPortFactory
from ftpd.ftp.factory import FTPFactory
from ftpd.ftp.settings import FTPSettings, PassiveSettings
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import Server


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
