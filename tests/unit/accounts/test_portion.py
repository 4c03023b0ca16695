"""One process's portion, as it follows from what it tells and hears; the sums of several are in test_shares.py."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from ftpd.accounts.portion import Portion
from ftpd.transfer.pace import Bucket

RATE = 1_000_000
NONE = {"wants/k": 0.0, "uses/k": 0.0, "moves/k": 0.0}


class One:
    """A portion of two, its clock, and a transfer that takes what it may, or *speed* bytes a second."""

    def __init__(self, processes=2):
        self.clock = Clock()
        self.bucket = Bucket(self.clock)
        self.portion = Portion(self.bucket, self.clock, "k", processes)
        self.portion.rate = RATE

    def moves(self, seconds, speed=None):
        for _ in range(round(seconds * 1000)):
            self.clock.advance(0.001)
            there = int(self.bucket.fill(self.clock.seconds()))
            self.bucket.spend(there if speed is None else min(there, speed // 1000))

    def hears(self, told, *, wants=0.0, uses=0.0, moves=RATE):
        """Hear what it told itself, and what all others tell in sum."""
        total = {"wants/k": told.get("wants/k", 0.0) + wants, "uses/k": told.get("uses/k", 0.0) + uses, "moves/k": moves}
        self.portion.hear(total)
        return self.bucket.rate

    def turn(self, seconds=0.25, speed=None, weight=1.0, **others):
        """Move, tell and hear; return what was told."""
        self.moves(seconds, speed)
        told = self.portion.tell(weight)
        self.hears(told, **others)
        return told


def test_before_anybody_answers_each_has_an_equal_part():
    assert One(processes=4).bucket.rate == RATE // 4


def test_alone_it_has_all():
    one = One()
    assert one.hears(one.portion.tell(1.0), moves=0.0) == RATE


def test_without_a_rate_there_is_nothing_to_tell():
    one = One()
    one.portion.rate = 0
    assert (one.portion.tell(1.0), one.bucket.rate) == ({}, 0)


def test_where_nothing_moves_there_is_nothing_to_tell():
    assert One().portion.tell(0) == {}


def test_who_begins_wants():
    assert One().portion.tell(3.0) == {"wants/k": 3.0, "uses/k": 0.0, "moves/k": 0.0}


def test_who_begins_beside_others_has_little_until_they_had_their_turn():
    one = One()
    told = one.portion.tell(1.0)
    assert one.hears(told, wants=1.0) == RATE // 16
    one.turn(wants=1.0)
    assert one.bucket.rate == RATE // 2


def test_who_uses_all_has_its_part_by_what_it_wants():
    one = One()
    one.turn(weight=3.0, wants=1.0)
    one.turn(weight=3.0, wants=1.0)
    assert one.bucket.rate == 3 * RATE // 4


def test_who_wants_more_has_little_more_until_the_others_had_their_turn():
    one = One()
    one.turn(wants=1.0)
    one.turn(wants=1.0)
    one.turn(wants=1.0)
    one.turn(weight=3.0, wants=1.0)
    assert one.bucket.rate == RATE // 2 + RATE // 16
    one.turn(weight=3.0, wants=1.0)
    assert one.bucket.rate == 3 * RATE // 4


def test_who_wants_less_has_less_at_once():
    one = One()
    one.turn(weight=3.0, wants=1.0)
    one.turn(weight=3.0, wants=1.0)
    one.turn(weight=1.0, wants=1.0)
    assert one.bucket.rate == RATE // 2


def test_who_does_not_use_all_tells_what_it_uses_and_has_a_little_more():
    one = One()
    one.turn(wants=1.0)
    for _ in range(3):
        told = one.turn(speed=200_000, wants=1.0)
    assert told == {"wants/k": 0.0, "uses/k": pytest.approx(200_000), "moves/k": pytest.approx(200_000)}
    assert one.bucket.rate == pytest.approx(200_000 * 1.25 + RATE / 16, abs=2)


def test_what_others_use_and_do_not_want_more_than_is_left_to_them():
    one = One()
    one.turn(uses=300_000.0)
    one.turn(uses=300_000.0)
    assert one.bucket.rate == 700_000


def test_who_uses_more_than_its_equal_part_counts_as_wanting():
    one = One()
    one.turn(moves=600_000.0)
    one.turn(speed=600_000, moves=600_000.0)
    told = one.turn(speed=600_000, wants=1.0)
    assert told["wants/k"] == 0.0
    told = one.turn(speed=600_000, wants=1.0)
    assert told["wants/k"] == 1.0


def test_what_was_too_much_is_made_up_for():
    one = One()
    one.turn(wants=1.0)
    one.turn(wants=1.0)
    assert one.bucket.rate == RATE // 2
    one.turn(wants=1.0, moves=1.4 * RATE)
    assert one.bucket.rate == pytest.approx(0.9 * RATE / 2)


def test_what_was_too_little_is_made_up_for():
    one = One()
    one.turn(wants=1.0)
    one.turn(wants=1.0)
    one.turn(wants=1.0, moves=0.6 * RATE)
    assert one.bucket.rate == pytest.approx(1.1 * RATE / 2)


def test_what_was_saved_is_a_quarter_of_a_second_of_the_rate():
    one = One()
    for _ in range(20):
        one.turn(wants=1.0, moves=0.0)
    assert one.bucket.rate == pytest.approx(1.25 * RATE / 2)


def test_what_was_too_much_is_forgiven_within_seconds():
    one = One()
    one.turn(wants=1.0)
    one.turn(wants=1.0, moves=2.0 * RATE)
    for _ in range(40):
        one.turn(wants=1.0)
    assert one.bucket.rate == pytest.approx(RATE / 2, rel=0.01)


def test_whoever_wants_has_something_whatever_the_others_say():
    one = One()
    one.turn(uses=5.0 * RATE)
    one.turn(uses=5.0 * RATE)
    assert one.bucket.rate >= RATE // 64


def test_who_has_stopped_tells_nothing_more_and_begins_anew():
    one = One()
    one.turn(wants=1.0)
    one.turn(wants=1.0)
    one.turn(speed=0, weight=0, wants=1.0)
    assert one.portion.tell(0) == {}
    assert not one.portion.is_told
    assert one.bucket.rate == RATE // 2
    assert one.hears(one.portion.tell(1.0), wants=1.0) == RATE // 16


def test_changed_rate_is_divided_as_the_old_one_was():
    one = One()
    one.turn(weight=3.0, wants=1.0)
    one.turn(weight=3.0, wants=1.0)
    one.portion.rate = 400_000
    assert one.bucket.rate == 300_000


def test_no_portion_is_no_limit():
    one = One(processes=8)
    one.portion.rate = 1
    assert one.bucket.rate == 1


def test_what_is_heard_of_something_that_was_never_told_changes_nothing():
    one = One()
    one.portion.hear({"wants/k": 5.0})
    assert one.bucket.rate == RATE // 2


def test_rounds_that_follow_one_another_closely_repeat_what_was_told():
    one = One()
    one.turn(wants=1.0)
    told = one.turn(wants=1.0)
    assert one.turn(0.05, speed=0, wants=1.0) == told


def test_account_with_half_of_its_sessions_elsewhere_stands_for_half_of_it():
    one = One()
    one.portion.stand_for(2, 4.0)
    assert one.bucket.place.stride == 2.0
    one.portion.stand_for(2, 0.0)
    assert one.bucket.place.stride == 1.0
