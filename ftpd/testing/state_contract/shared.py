"""SharedStateContract: a state that several workers have in common.

Apart from what one worker sees: a state that one process has for itself keeps that alone.
"""

from __future__ import annotations

import pytest

from ftpd.testing.fakes import begin
from ftpd.testing.state_contract.one import StateContract
from ftpd.testing.state_contract.trial import ADDRESS, KICK, ONE, TWO, row
from ftpd.values import Place, Request

__all__ = ["SharedStateContract"]


class SharedStateContract(StateContract):
    """Of a state that several workers have in common."""

    def test_a_limit_counts_the_sessions_of_all(self) -> None:
        first, second = self.open("first"), self.open("second")
        assert self.take(first, "a", TWO) is None
        assert self.take(second, "b", TWO) is None
        assert self.take(first, "c", TWO) == TWO
        assert self.take(second, "d", TWO) == TWO

    def test_what_one_gives_back_another_may_take(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.take(first, "a", ONE)
        first.give_back("a")
        self.report(first)
        assert self.take(second, "b", ONE) is None

    def test_takes_of_all_at_the_same_moment_are_let_in_up_to_the_limit(self) -> None:
        states = [self.open(f"worker {number}") for number in range(4)]
        places = [Place("in all", 30), Place("few", 17)]
        takings = [begin(state.take(f"{state!r} {number}", places)) for number in range(20) for state in states]
        assert [self.wait(taking) for taking in takings].count(None) == 17

    def test_a_refused_session_has_taken_nothing_from_the_others(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.take(first, "a", ONE)
        assert self.take(second, "b", TWO, ONE) == ONE
        assert self.take(first, "c", TWO) is None
        assert self.take(first, "d", TWO) is None

    def test_failures_add_up_over_all(self) -> None:
        first, second = self.open("first"), self.open("second")
        assert [self.fail(state, most=9).count for state in (first, second, first)] == [1, 2, 3]

    def test_a_ban_is_known_to_the_others_with_their_next_report(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.fail(first, most=1, ban=100.0)
        self.report(second)
        assert second.banned_until(ADDRESS) == 100.0

    def test_a_ban_that_is_made_longer_is_known_to_the_others(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.fail(first, most=1, ban=100.0)
        self.report(second)
        self.clock.advance(1)
        self.fail(first, most=1, ban=100.0)
        self.report(second)
        assert second.banned_until(ADDRESS) == 101.0

    def test_a_ban_is_known_to_a_worker_that_comes_later(self) -> None:
        self.fail(self.open("first"), most=1, ban=100.0)
        assert self.open("second").banned_until(ADDRESS) == 100.0

    def test_the_sessions_of_all_are_told_to_each(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.report(first, row("a", 2.0))
        self.report(second, row("b", 1.0))
        assert self.sessions(first) == self.sessions(second) == [("second", "b"), ("first", "a")]

    def test_a_session_is_removed_by_its_own_worker_only(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.report(first, row("a"))
        self.report(second, gone=["a"])
        assert self.sessions(second) == [("first", "a")]

    def test_shares_of_all_are_added_up(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.share(first, server=1.5, ann=1.0)
        assert self.share(second, server=2.0, bob=4.0) == {"server": 3.5, "bob": 4.0}
        assert self.share(first, server=1.0, bob=0.0) == {"server": 3.0, "bob": 4.0}

    def test_what_is_not_shared_again_counts_no_more(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.share(first, server=1.5, ann=1.0)
        self.share(first, server=1.5)
        assert self.share(second, server=0.0, ann=0.0) == {"server": 1.5, "ann": 0.0}

    @pytest.mark.parametrize("end", ["forget", "close"])
    def test_shares_of_a_worker_that_is_gone_count_no_more(self, end: str) -> None:
        first, second = self.open("first"), self.open("second")
        self.share(first, server=1.5)
        self.wait(second.forget("first") if end == "forget" else first.close())
        assert self.share(second, server=2.0) == {"server": 2.0}

    def test_a_request_reaches_every_worker_once(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.wait(first.ask(KICK))
        assert [list(self.report(state)) for state in (first, second, first, second)] == [[KICK], [KICK], [], []]

    def test_a_request_of_one_worker_reaches_that_one(self) -> None:
        first, second = self.open("first"), self.open("second")
        drain = Request("drain", "worker", "second")
        self.wait(first.ask(drain))
        assert [list(self.report(state)) for state in (first, second)] == [[], [drain]]

    def test_a_worker_is_not_asked_what_was_asked_before_it_was_there(self) -> None:
        first = self.open("first")
        self.wait(first.ask(KICK))
        assert list(self.report(self.open("second"))) == []

    def test_forgetting_a_worker_frees_what_it_had_and_nothing_else(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.take(first, "a", TWO, ONE)
        self.take(second, "b", TWO)
        self.report(first, row("a"))
        self.report(second, row("b"))
        self.wait(second.forget("first"))
        assert self.take(second, "c", TWO, ONE) is None
        assert self.take(second, "d", TWO) == TWO
        assert self.sessions(second) == [("second", "b")]

    def test_closing_frees_what_a_worker_had_and_nothing_else(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.take(first, "a", TWO, ONE)
        self.take(second, "b", TWO)
        self.report(first, row("a"))
        self.report(second, row("b"))
        self.wait(first.close())
        assert self.take(second, "c", TWO, ONE) is None
        assert self.take(second, "d", TWO) == TWO
        assert self.sessions(second) == [("second", "b")]

    def test_a_worker_with_the_name_of_a_dead_one_begins_with_nothing(self) -> None:
        first, second = self.open("first"), self.open("second")
        self.take(first, "a", ONE)
        self.report(first, row("a"))
        self.wait(second.forget("first"))
        again = self.open("first")
        assert self.take(again, "b", ONE) is None
        assert self.sessions(again) == []
