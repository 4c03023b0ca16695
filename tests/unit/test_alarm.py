"""The alarm rings when it was set to, and not before."""

from __future__ import annotations

import math
import os
import select
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

import ftpd.alarm
from ftpd.alarm import Alarm

pytestmark = pytest.mark.unit


@pytest.fixture
def alarm() -> Iterator[Alarm]:
    with closing(Alarm()) as alarm:
        yield alarm


def has_rung(alarm: Alarm, patience: float = 0.0) -> bool:
    return bool(select.select([alarm.descriptor], [], [], patience)[0])


def test_it_is_silent_at_first(alarm: Alarm) -> None:
    assert not has_rung(alarm)


def test_it_rings_at_its_time_and_not_before(alarm: Alarm) -> None:
    at = time.monotonic() + 0.05
    alarm.set(at)
    assert has_rung(alarm, 60)
    assert time.monotonic() >= at


def test_what_is_past_rings_at_once_and_goes_on_until_it_is_set_anew(alarm: Alarm) -> None:
    alarm.set(time.monotonic() - 1)
    assert has_rung(alarm, 60)
    assert has_rung(alarm)
    alarm.set(time.monotonic() + 3600)
    assert not has_rung(alarm)


@pytest.mark.parametrize("far", [3600.0, 1e9, math.inf])
def test_what_is_far_away_does_not_ring(alarm: Alarm, far: float) -> None:
    alarm.set(time.monotonic() - 1)
    alarm.set(time.monotonic() + far)
    assert not has_rung(alarm)


def test_programs_that_are_started_do_not_have_it(alarm: Alarm) -> None:
    assert not os.get_inheritable(alarm.descriptor)


def test_where_there_is_none_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftpd.alarm, "_libc", None)
    with pytest.raises(OSError, match="Linux"):
        Alarm()


def test_what_the_kernel_refuses_is_an_error(alarm: Alarm) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        alarm.set(-1.0)
