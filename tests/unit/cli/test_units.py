"""Sizes, rates and times as people read them."""

from __future__ import annotations

from datetime import UTC, timedelta, timezone

import pytest

from ftpd.cli.units import clock, counted, duration, rate, size, time_left
from tests.fake_operator import SINCE


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "0.98 KiB"),
        (1024, "1.00 KiB"),
        (10_230, "9.99 KiB"),
        (10_240, "10.0 KiB"),
        (102_400, "100 KiB"),
        (1023 * 1024, "1.00 MiB"),
        (5 * 1024**3, "5.00 GiB"),
        (2000 * 1024**6, "2000 EiB"),
    ],
)
def test_a_size_has_three_digits(count, text):
    assert size(count) == text


def test_a_rate_is_a_size_a_second():
    assert rate(12.34 * 1024**2) == "12.3 MiB/s"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (61, "1 min 1 s"),
        (3600, "1 h"),
        (3725, "1 h 2 min"),
        (86400, "1 d"),
        (90061, "1 d 1 h"),
    ],
)
def test_a_duration_has_two_units(seconds, text):
    assert duration(seconds) == text


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.4, "0:07"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_the_time_left_is_a_clock(seconds, text):
    assert time_left(seconds) == text


@pytest.mark.parametrize(
    ("at", "zone", "text"),
    [
        (SINCE, UTC, "08:00"),
        (SINCE - 8 * 3600, UTC, "00:00"),
        (SINCE - 8 * 3600 - 1, UTC, "2027-01-14"),
        (SINCE - 8 * 3600 - 1, timezone(timedelta(hours=1)), "00:59"),
    ],
)
def test_a_time_of_another_day_is_a_date(at, zone, text):
    assert clock(at, SINCE, zone) == text


def test_one_is_singular():
    assert [counted(number, "session") for number in (0, 1, 2)] == ["0 sessions", "1 session", "2 sessions"]
