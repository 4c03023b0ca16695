from __future__ import annotations

import pytest

from ftpd.state.tally import Tally, counted
from ftpd.values import Failures

RULE = {"window": 60.0, "most": 3, "ban": 100.0}


def test_the_first_failure_begins_the_window():
    assert counted(None, 1000.0, **RULE) == Tally(1, 1000.0, 0.0)


def test_the_next_one_within_the_window_is_counted_with_it():
    assert counted(Tally(1, 1000.0, 0.0), 1059.9, **RULE) == Tally(2, 1000.0, 0.0)


def test_the_first_one_after_the_window_begins_another():
    assert counted(Tally(2, 1000.0, 0.0), 1060.0, **RULE) == Tally(1, 1060.0, 0.0)


@pytest.mark.parametrize("count", [2, 3, 9])
def test_the_one_that_makes_the_most_bans_and_so_does_each_further_one(count):
    assert counted(Tally(count, 1000.0, 0.0), 1010.0, **RULE) == Tally(count + 1, 1000.0, 1110.0)


def test_a_ban_never_becomes_shorter():
    assert counted(Tally(3, 1000.0, 5000.0), 1010.0, **RULE) == Tally(4, 1000.0, 5000.0)
    assert counted(Tally(3, 1000.0, 5000.0), 1060.0, **RULE) == Tally(1, 1060.0, 5000.0)


def test_a_most_of_0_never_bans():
    assert counted(Tally(10**6, 1000.0, 0.0), 1010.0, window=60.0, most=0, ban=100.0) == Tally(10**6 + 1, 1000.0, 0.0)


def test_a_clock_that_was_set_back_begins_another_window():
    assert counted(Tally(2, 1000.0, 0.0), 999.0, **RULE) == Tally(1, 999.0, 0.0)


@pytest.mark.parametrize(("now", "until"), [(1109.9, 1110.0), (1110.0, 0.0)])
def test_a_ban_is_told_until_it_ends(now, until):
    assert Tally(3, 1000.0, 1110.0).failures(now) == Failures(3, until)
