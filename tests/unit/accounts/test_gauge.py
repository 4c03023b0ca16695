from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from ftpd.accounts.gauge import Gauge
from ftpd.transfer.pace import Bucket

RATE = 100_000


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def bucket(clock):
    return Bucket(clock)


@pytest.fixture
def gauge(bucket, clock):
    gauge = Gauge(bucket, clock.seconds)
    gauge.allow(RATE)
    return gauge


def drain(bucket, clock, seconds, speed=None):
    """Take what there is, or *speed* bytes a second, each hundredth of a second."""
    for _ in range(round(seconds * 100)):
        clock.advance(0.01)
        there = int(bucket.fill(clock.seconds()))
        bucket.spend(there if speed is None else min(there, speed // 100))


def test_what_takes_all_that_comes_has_used_all(gauge, bucket, clock):
    drain(bucket, clock, 1)
    assert gauge.moved == RATE
    assert gauge.seconds == pytest.approx(1)
    assert gauge.read() == (pytest.approx(RATE), True)
    assert (gauge.moved, gauge.seconds) == (0, 0)


def test_what_lets_the_bucket_run_over_has_not(gauge, bucket, clock):
    drain(bucket, clock, 2, RATE // 2)
    gauge.read()
    drain(bucket, clock, 1, RATE // 2)
    assert gauge.read() == (pytest.approx(RATE / 2), False)


def test_what_lets_the_bucket_fill_has_not_either(gauge, bucket, clock):
    drain(bucket, clock, 0.2, RATE // 2)
    assert gauge.read() == (pytest.approx(RATE / 2), False)


def test_what_was_saved_may_go_as_well(gauge, bucket, clock):
    clock.advance(60)
    gauge.read()
    drain(bucket, clock, 0.5)
    assert gauge.read() == (pytest.approx(1.5 * RATE, rel=0.02), True)


def test_what_waits_for_a_grant_is_no_rest(gauge, bucket, clock):
    drain(bucket, clock, 1)
    clock.advance(0.05)
    assert gauge.read() == (pytest.approx(RATE / 1.05), True)


def test_what_a_smaller_bucket_cannot_hold_has_not_run_over(gauge, bucket, clock):
    clock.advance(60)
    gauge.read()
    gauge.allow(RATE // 10)
    drain(bucket, clock, 1)
    assert gauge.read() == (pytest.approx(0.125 * RATE, rel=0.01), True)


def test_what_came_at_several_rates_counts_as_it_came(gauge, bucket, clock):
    drain(bucket, clock, 1)
    gauge.allow(2 * RATE)
    drain(bucket, clock, 1)
    assert gauge.read() == (pytest.approx(1.5 * RATE), True)
    gauge.allow(RATE)
    drain(bucket, clock, 1)
    gauge.allow(2 * RATE)
    drain(bucket, clock, 1, RATE)
    assert gauge.read() == (pytest.approx(RATE, rel=0.01), False)
