"""How fast transfers are, from looking at them."""

from __future__ import annotations

from ftpd.cli.speeds import Speeds
from tests.fake_operator import row

A = "a" * 16


def moved(count, since=100.0, session=A):
    return [row(session, command="RETR", moved=count, transfer_since=since)]


def test_the_first_look_gives_the_speed_since_the_start():
    assert Speeds().observe(moved(3000), 103.0) == {A: 1000.0}


def test_who_transfers_nothing_has_no_speed():
    assert Speeds().observe([row(A)], 103.0) == {}


def test_later_looks_forget_what_was_more_than_five_seconds_ago():
    speeds = Speeds()
    speeds.observe(moved(1_000_000), 110.0)
    for second in range(1, 6):
        found = speeds.observe(moved(1_000_000 + second * 10), 110.0 + second)
    assert found == {A: 10.0}


def test_looks_that_are_far_apart_give_the_speed_between_them():
    speeds = Speeds()
    speeds.observe(moved(0), 101.0)
    speeds.observe(moved(6000), 161.0)
    assert speeds.observe(moved(12_000), 221.0) == {A: 100.0}


def test_a_report_that_comes_late_is_evened_out():
    speeds = Speeds()
    found = [speeds.observe(moved(count), at) for at, count in ((101.0, 100), (102.0, 100), (103.0, 300))]
    assert found == [{A: 100.0}, {A: 50.0}, {A: 100.0}]


def test_the_next_transfer_of_a_session_begins_anew():
    speeds = Speeds()
    speeds.observe(moved(1_000_000), 101.0)
    assert speeds.observe(moved(500, since=104.0), 105.0) == {A: 500.0}


def test_a_clock_that_was_set_back_is_no_error():
    assert Speeds().observe(moved(3000), 99.0) == {A: 0.0}
    assert Speeds().observe(moved(3000), 100.0) == {A: 0.0}


def test_transfers_that_are_over_are_forgotten():
    speeds = Speeds()
    speeds.observe(moved(1000), 101.0)
    speeds.observe([], 102.0)
    assert speeds.observe(moved(3000), 103.0) == {A: 1000.0}
