"""StateContract: a state as one worker sees it, up to its end.

Apart from its parts, each of which is one subject, and from what several workers see of each other.
"""

from __future__ import annotations

from ftpd.testing.state_contract.failures import FailuresContract
from ftpd.testing.state_contract.places import PlacesContract
from ftpd.testing.state_contract.reports import ReportsContract
from ftpd.testing.state_contract.trial import ADDRESS, ONE, row
from ftpd.values import Request

__all__ = ["StateContract"]


class StateContract(PlacesContract, FailuresContract, ReportsContract):
    """Of a state, as one worker sees it."""

    def test_a_worker_that_is_forgotten_leaves_nothing(self) -> None:
        state = self.open("dead")
        self.take(state, "a", ONE)
        self.report(state, row("a"))
        self.wait(state.ask(Request("drain", "worker", "dead")))
        self.wait(state.forget("dead"))
        assert self.take(state, "b", ONE) is None
        assert self.sessions(state) == []
        assert list(self.report(state)) == []

    def test_forgetting_who_was_never_there_changes_nothing(self) -> None:
        state = self.open("alive")
        self.take(state, "a", ONE)
        self.report(state, row("a"))
        self.wait(state.forget("never there"))
        assert self.take(state, "b", ONE) == ONE
        assert self.sessions(state) == [("alive", "a")]

    def test_failures_and_bans_outlive_a_worker(self) -> None:
        state = self.open("dead")
        self.fail(state, most=2)
        self.fail(state, most=2)
        self.wait(state.forget("dead"))
        assert state.banned_until(ADDRESS) == 100.0
        assert self.fail(state, most=9).count == 3

    def test_it_may_be_closed_twice(self) -> None:
        state = self.open()
        self.take(state, "a", ONE)
        self.wait(state.close())
        self.wait(state.close())

    def test_a_session_that_ends_after_the_state_is_no_error(self) -> None:
        state = self.open()
        self.take(state, "a", ONE)
        self.wait(state.close())
        state.give_back("a")
