"""Reporter: only what is new is told, what was asked is obeyed, and a state that hangs holds up nobody."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher

from ftpd.errors import Unavailable
from ftpd.processes.reporter import Reporter
from ftpd.values import Request, SessionRow

ANN = SessionRow(session="1", address="192.0.2.1", port=1, listener="", protocol="ftp", since=1.0, heard=1.0, account="ann")
BOB = attrs.evolve(ANN, session="2", account="bob")


class Served:
    def __init__(self):
        self.sessions = []

    def rows(self):
        return iter(self.sessions)


class State:
    """Answers at once, or when the test says so."""

    def __init__(self):
        self.told = []
        self.asked = []
        self.wait = None
        self.error = None

    async def report(self, changed, gone):
        self.told.append(([row.session for row in changed], list(gone)))
        if self.wait is not None:
            await self.wait
        if self.error is not None:
            raise self.error
        asked, self.asked = self.asked, []
        return asked


@pytest.fixture
def served():
    return Served()


@pytest.fixture
def state():
    return State()


@pytest.fixture
def obeyed():
    return []


@pytest.fixture
def reporter(served, state, obeyed):
    return Reporter([served], state, obeyed.append)


def test_a_session_is_told_to_be_gone_though_nobody_heard_that_it_was_there(reporter, served, state):
    state.error = Unavailable(None, "nobody can tell")
    served.sessions = [ANN]
    reporter.look()
    state.error = None
    served.sessions = []
    reporter.look()
    reporter.look()
    assert state.told == [(["1"], []), ([], ["1"]), ([], [])]


def test_only_what_is_new_other_or_gone_is_told(reporter, served, state):
    for sessions in ([ANN, BOB], [ANN, BOB], [attrs.evolve(ANN, moved=5), BOB], [BOB], []):
        served.sessions = sessions
        reporter.look()
    assert state.told == [(["1", "2"], []), ([], []), (["1"], []), ([], ["1"]), ([], ["2"])]


def test_numbers_are_those_of_the_last_look(reporter, served):
    served.sessions = [ANN, attrs.evolve(BOB, command="RETR")]
    reporter.look()
    assert (reporter.sessions, reporter.transfers) == (2, 1)


def test_what_was_asked_is_obeyed(reporter, state, obeyed):
    state.asked = [Request("kick", "account", "ann")]
    reporter.look()
    assert obeyed == [Request("kick", "account", "ann")]


def test_what_an_unavailable_state_was_not_told_is_told_later(reporter, served, state):
    served.sessions = [ANN]
    state.error = Unavailable()
    reporter.look()
    state.error = None
    reporter.look()
    assert state.told == [(["1"], []), (["1"], [])]


def test_a_report_under_way_is_not_overtaken_and_numbers_go_on(reporter, served, state):
    state.wait = Deferred()
    served.sessions = [ANN]
    reporter.look()
    served.sessions = [ANN, BOB]
    reporter.look()
    assert (state.told, reporter.sessions) == ([(["1"], [])], 2)
    state.wait.callback(None)
    reporter.look()
    assert state.told == [(["1"], []), (["2"], [])]


def test_a_report_that_was_asked_for_comes_after_the_one_under_way(reporter, served, state):
    state.wait = Deferred()
    served.sessions = [ANN]
    reporter.look()
    reported = []
    reporter.report().addCallback(reported.append)
    assert reported == []
    state.wait.callback(None)
    assert reported == [True]


def test_what_was_asked_is_done_before_the_next_report_is_answered(served, state):
    done = []
    reporter = Reporter([served], state, done.append)
    state.wait = Deferred()
    state.asked = [Request("kick", "account", "ann")]
    reporter.look()
    reporter.report().addCallback(done.append)
    state.wait.callback(None)
    assert done == [Request("kick", "account", "ann"), True]


@pytest.mark.parametrize("error", [Unavailable(), ValueError("a fault")])
def test_who_asked_for_a_report_learns_that_it_came_to_nothing(reporter, state, error):
    state.error = error
    reported = []
    reporter.report().addCallback(reported.append)
    assert reported == [False]


def test_a_fault_is_logged_and_the_next_report_made(reporter, state):
    logged = []
    globalLogPublisher.addObserver(logged.append)
    state.error = ValueError("a fault")
    reporter.look()
    globalLogPublisher.removeObserver(logged.append)
    state.error = None
    reporter.look()
    assert len(state.told) == 2
    assert [type(event["log_failure"].value) for event in logged] == [ValueError]
