"""StateContract: every promise of `spi.State`, as tests to inherit.

Public, apart from our own states, so that one of yours proves itself in a few lines::

    class TestMine(SharedStateContract):
        def make_state(self, worker: str) -> State:
            return MyState(self.clock, worker)

`make_state` is called once for each worker of a test, and gives each another view of the same state, which is empty before the first.  A
state that one process has for itself inherits :class:`StateContract`.  `wait` is for states that really wait, and `clock` the time that they go by; that
limits hold between processes, and what a killed one leaves behind, is to be shown besides.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import attrs
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpd.spi import State
from ftpd.values import Failures, Place, Request, SessionRow

__all__ = ["SharedStateContract", "StateContract", "row"]

T = TypeVar("T")

ADDRESS = "192.0.2.1"
ONE = Place("one", 1)
TWO = Place("two", 2)
ANY = Place("any", None)
KICK = Request("kick", "account", "ann")


def row(session: str, since: float = 0.0, **values: Any) -> SessionRow:
    """A session from a client that has said nothing yet."""
    return SessionRow(session, ADDRESS, 40000, "ftp", "ftp", since, since, **values)


def begin(awaited: Coroutine[Any, Any, T] | Deferred[T]) -> Deferred[T]:
    """Begin a call without waiting for it."""
    return awaited if isinstance(awaited, Deferred) else Deferred.fromCoroutine(awaited)


class StateContract:
    """Of a state, as one worker sees it."""

    clock: Any

    def make_state(self, worker: str) -> State:
        """Return the state as *worker* sees it; it is closed by the kit."""
        raise NotImplementedError

    def wait(self, awaited: Coroutine[Any, Any, T] | Deferred[T]) -> T:
        """Return the result of *awaited*, or raise its error."""
        results: list[T | Failure] = []
        begin(awaited).addBoth(results.append)
        assert results, "the state waits for something"
        if isinstance(results[0], Failure):
            results[0].raiseException()
        return results[0]

    @pytest.fixture(autouse=True)
    def _states(self) -> Any:
        self.clock = self.make_clock()
        self.states: list[State] = []
        yield
        for state in self.states:
            self.wait(state.close())

    def make_clock(self) -> Any:
        """Return the clock that the states of one test have."""
        return Clock()

    def open(self, worker: str = "worker") -> State:
        """Return the state as *worker* sees it, to be closed when the test is over."""
        state = self.make_state(worker)
        self.states.append(state)
        self.wait(state.report([], []))
        return state

    def take(self, state: State, session: str, *places: Place) -> Place | None:
        return self.wait(state.take(session, places))

    def fail(self, state: State, address: str = ADDRESS, **rule: Any) -> Failures:
        return self.wait(state.fail(address, **{"window": 60.0, "most": 2, "ban": 100.0, **rule}))

    def report(self, state: State, *changed: SessionRow, gone: Sequence[str] = ()) -> Sequence[Request]:
        return self.wait(state.report(changed, gone))

    def share(self, state: State, **uses: float) -> dict[str, float]:
        """Tell *uses*, and return the sums for the same keys."""
        sums = self.wait(state.share(uses))
        return {key: sums[key] for key in uses}

    def sessions(self, state: State) -> list[tuple[str, str]]:
        """Return the sessions of all workers, in order: each one's worker and name."""
        return [(found.worker, found.session) for found in self.wait(state.sessions())]

    # Places.

    def test_a_place_with_room_is_taken(self) -> None:
        assert self.take(self.open(), "a", ONE) is None

    def test_one_more_than_there_is_room_for_is_told_the_place(self) -> None:
        state = self.open()
        self.take(state, "a", TWO)
        self.take(state, "b", TWO)
        assert self.take(state, "c", TWO) == Place("two", 2)

    def test_of_several_full_places_the_first_is_told(self) -> None:
        state = self.open()
        self.take(state, "a", ONE, Place("other", 1))
        assert self.take(state, "b", Place("other", 1), ONE) == Place("other", 1)

    def test_where_one_place_is_full_none_is_taken(self) -> None:
        state = self.open()
        self.take(state, "a", ONE)
        assert self.take(state, "b", Place("other", 1), ONE) == ONE
        assert self.take(state, "c", Place("other", 1)) is None

    def test_keys_are_counted_apart(self) -> None:
        state = self.open()
        self.take(state, "a", Place("account/ann", 1))
        assert self.take(state, "b", Place("account/bob", 1)) is None

    @pytest.mark.parametrize(
        ("key", "other"),
        [
            ("", " "),
            ("account/ann", "account/ANN"),
            ("Grüße 日本語 🙂", "Grusse"),
            ("latin \udce9", "latin \\udce9"),
            ("\ud83d", "\ude42"),
            ("a\0b", "a\0c"),
            ('a"', 'a\\"'),
            ("a\nb", "a\\nb"),
            ("'; drop table x", "%"),
            ("1", "01"),
            ("k" * 5000, "k" * 5001),
        ],
    )
    def test_a_key_is_any_text(self, key: str, other: str) -> None:
        state = self.open()
        assert self.take(state, "a", Place(key, 1)) is None
        assert self.take(state, "b", Place(other, 1)) is None
        assert self.take(state, "c", Place(key, 1)) == Place(key, 1)
        assert self.take(state, "c", Place(other, 1)) == Place(other, 1)

    def test_a_place_without_a_limit_is_never_full(self) -> None:
        state = self.open()
        assert [self.take(state, str(number), ANY) for number in range(50)] == [None] * 50

    def test_what_was_taken_without_a_limit_counts_where_there_is_one(self) -> None:
        state = self.open()
        self.take(state, "a", Place("one", None))
        self.report(state)
        assert self.take(state, "b", ONE) == ONE

    def test_a_lower_limit_counts_what_was_taken_under_a_higher_one(self) -> None:
        state = self.open()
        self.take(state, "a", Place("two", 2))
        self.take(state, "b", Place("two", 2))
        assert self.take(state, "c", Place("two", 1)) == Place("two", 1)
        assert self.take(state, "d", Place("two", 3)) is None

    def test_giving_back_makes_room_once(self) -> None:
        state = self.open()
        self.take(state, "a", ONE, TWO)
        state.give_back("a")
        state.give_back("a")
        assert self.take(state, "b", ONE, TWO) is None
        assert self.take(state, "c", ONE) == ONE
        assert self.take(state, "c", TWO) is None

    def test_who_has_nothing_gives_nothing_back(self) -> None:
        state = self.open()
        self.take(state, "a", ONE)
        state.give_back("b")
        assert self.take(state, "c", ONE) == ONE

    def test_a_session_that_takes_again_counts_once(self) -> None:
        state = self.open()
        self.take(state, "a", TWO)
        assert self.take(state, "a", TWO) is None
        assert self.take(state, "b", TWO) is None
        assert self.take(state, "c", TWO) == TWO

    def test_a_session_that_takes_something_else_has_given_back_the_first(self) -> None:
        state = self.open()
        self.take(state, "a", ONE)
        self.take(state, "a", TWO)
        assert self.take(state, "b", ONE) is None

    def test_a_session_that_is_refused_has_given_back_the_first_too(self) -> None:
        state = self.open()
        self.take(state, "a", ONE)
        self.take(state, "b", Place("other", 1))
        assert self.take(state, "a", Place("other", 1)) == Place("other", 1)
        assert self.take(state, "c", ONE) is None

    def test_giving_back_while_the_take_is_under_way_leaves_nothing_taken(self) -> None:
        state = self.open()
        taking = begin(state.take("a", [ONE]))
        state.give_back("a")
        assert self.take(state, "b", ONE) is None
        assert self.wait(taking) is None

    def test_a_cancelled_take_that_is_given_back_leaves_nothing_taken(self) -> None:
        state = self.open()
        taking = begin(state.take("a", [ONE]))
        taking.cancel()
        with suppress(CancelledError):
            self.wait(taking)
        state.give_back("a")
        assert self.take(state, "b", ONE) is None

    def test_takes_at_the_same_moment_are_let_in_up_to_the_limit(self) -> None:
        state = self.open()
        takings = [begin(state.take(str(number), [Place("few", 7)])) for number in range(20)]
        assert [self.wait(taking) for taking in takings].count(None) == 7

    # Failed logins.

    def test_failures_are_counted(self) -> None:
        state = self.open()
        assert [self.fail(state, most=9) for _ in range(3)] == [Failures(1), Failures(2), Failures(3)]

    def test_addresses_are_counted_apart(self) -> None:
        state = self.open()
        self.fail(state)
        assert self.fail(state, "2001:db8::/64") == Failures(1)

    def test_the_window_begins_with_the_first_failure(self) -> None:
        state = self.open()
        self.fail(state, most=9, window=60.0)
        self.clock.advance(59)
        assert self.fail(state, most=9, window=60.0) == Failures(2)
        self.clock.advance(1)
        assert self.fail(state, most=9, window=60.0) == Failures(1)

    def test_the_failure_that_makes_the_most_bans(self) -> None:
        state = self.open()
        self.clock.advance(1000)
        assert self.fail(state, most=2, ban=100.0) == Failures(1)
        assert state.banned_until(ADDRESS) == 0.0
        assert self.fail(state, most=2, ban=100.0) == Failures(2, banned_until=1100.0)
        assert state.banned_until(ADDRESS) == 1100.0

    def test_others_are_not_banned(self) -> None:
        state = self.open()
        self.fail(state, most=1)
        assert state.banned_until("192.0.2.2") == 0.0

    def test_a_failure_that_was_under_way_when_the_ban_began_does_not_shorten_it(self) -> None:
        state = self.open()
        self.fail(state, most=1, ban=500.0, window=10.0)
        self.clock.advance(20)
        assert self.fail(state, most=2, ban=5.0, window=10.0) == Failures(1, banned_until=500.0)
        assert state.banned_until(ADDRESS) == 500.0

    def test_a_ban_is_told_as_long_as_it_lasts(self) -> None:
        state = self.open()
        self.fail(state, most=1, ban=10.0, window=60.0)
        self.clock.advance(10)
        assert state.banned_until(ADDRESS) <= 10.0
        assert self.fail(state, most=9, window=60.0) == Failures(2)

    def test_a_most_of_0_never_bans(self) -> None:
        state = self.open()
        assert [self.fail(state, most=0) for _ in range(3)] == [Failures(1), Failures(2), Failures(3)]
        assert state.banned_until(ADDRESS) == 0.0

    # Sessions.

    def test_sessions_are_told_oldest_first(self) -> None:
        state = self.open()
        self.report(state, row("c", 2.0), row("a", 3.0))
        self.report(state, row("b", 1.0))
        assert self.sessions(state) == [("worker", "b"), ("worker", "c"), ("worker", "a")]

    def test_a_row_is_told_as_it_was_reported_with_its_worker(self) -> None:
        state = self.open()
        whole = SessionRow(
            session="a",
            address="2001:db8::1",
            port=65535,
            listener="name",
            protocol="ftp",
            since=1234567890.125,
            heard=1234567891.5,
            account="zoë \udce9 🙂",
            is_anonymous=True,
            host="a.example",
            client='say "hello"\n',
            tls="TLSv1.3",
            command="RETR",
            direction="download",
            path="/a\\b/\udcff\x00'; drop table sessions",
            size=2**63,
            moved=2**53 + 1,
            transfer_since=0.5,
        )
        self.report(state, whole)
        [told] = self.wait(state.sessions())
        assert told == attrs.evolve(whole, worker="worker")

    def test_a_row_that_is_reported_again_takes_the_place_of_the_first(self) -> None:
        state = self.open()
        self.report(state, row("a", moved=1, size=None))
        self.report(state, row("a", moved=2, size=5))
        assert [(found.moved, found.size) for found in self.wait(state.sessions())] == [(2, 5)]

    def test_a_session_that_is_gone_is_told_no_more(self) -> None:
        state = self.open()
        self.report(state, row("a"), row("b"))
        self.report(state, gone=["a", "never there"])
        assert self.sessions(state) == [("worker", "b")]

    def test_a_session_that_is_new_and_gone_in_one_report_is_gone(self) -> None:
        state = self.open()
        self.report(state, row("a"), gone=["a"])
        assert self.sessions(state) == []

    # What all have together.

    def test_a_share_is_told_by_the_sums(self) -> None:
        state = self.open()
        assert self.share(state, server=2.5, ann=0.125) == {"server": 2.5, "ann": 0.125}

    def test_a_share_takes_the_place_of_the_one_before(self) -> None:
        state = self.open()
        self.share(state, server=2.5)
        assert self.share(state, server=1.0) == {"server": 1.0}

    @pytest.mark.parametrize("key", ["latin \udce9", "a\0b", '"', "\\", ""])
    def test_the_key_of_a_share_is_any_text(self, key: str) -> None:
        assert self.share(self.open(), **{key: 1.0, "other": 2.0}) == {key: 1.0, "other": 2.0}

    def test_who_shares_nothing_is_told_of_nothing(self) -> None:
        assert self.share(self.open()) == {}

    # Requests.

    def test_a_request_is_found_with_the_next_report_and_once(self) -> None:
        state = self.open()
        self.wait(state.ask(KICK))
        assert list(self.report(state)) == [KICK]
        assert list(self.report(state)) == []

    def test_requests_keep_their_order(self) -> None:
        state = self.open()
        asked = [Request("kick", "session", str(number)) for number in range(5)]
        for request in asked:
            self.wait(state.ask(request))
        assert list(self.report(state)) == asked

    def test_a_request_is_told_as_it_was_asked(self) -> None:
        state = self.open()
        request = Request("kick", "account", 'zoë \udce9\0 "')
        self.wait(state.ask(request))
        assert list(self.report(state)) == [request]

    def test_a_request_of_this_worker_reaches_it(self) -> None:
        state = self.open("this one")
        self.wait(state.ask(Request("drain", "worker", "this one")))
        assert list(self.report(state)) == [Request("drain", "worker", "this one")]

    def test_a_request_of_another_worker_does_not(self) -> None:
        state = self.open("this one")
        self.wait(state.ask(Request("drain", "worker", "another")))
        assert list(self.report(state)) == []

    # The end.

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
