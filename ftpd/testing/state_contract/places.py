"""Places: what a login takes and a session gives back, up to the limit and never beyond.

Apart from what is counted of failures and told of sessions: these are exact.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from twisted.internet.defer import CancelledError

from ftpd.testing.fakes import begin
from ftpd.testing.state_contract.trial import ONE, TWO, StateTrial
from ftpd.values import Place

__all__ = ["PlacesContract"]


class PlacesContract(StateTrial):
    """How places are taken and given back, as one worker sees it."""

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
        assert [self.take(state, str(number), Place("any", None)) for number in range(50)] == [None] * 50

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
