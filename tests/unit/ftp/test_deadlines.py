"""Many equal waits on one timer."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock

from ftpd.ftp.deadlines import Deadlines


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rung() -> list[str]:
    return []


@pytest.fixture
def deadlines(clock: Clock) -> Deadlines:
    return Deadlines(clock, 30.0)  # type: ignore[arg-type]  # a clock is all that it asks of a reactor


def test_it_is_called_when_the_time_has_passed_and_not_before(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: rung.append("one"))
    clock.advance(29.9)
    assert rung == []
    clock.advance(0.1)
    assert rung == ["one"]


def test_each_has_its_own_time_though_there_is_one_timer(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: rung.append("one"))
    clock.advance(10)
    deadlines.set("other", lambda: rung.append("other"))
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(20)
    assert rung == ["one"]
    clock.advance(9.9)
    assert rung == ["one"]
    clock.advance(0.1)
    assert rung == ["one", "other"]


def test_setting_it_again_starts_it_again(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: rung.append("first"))
    clock.advance(20)
    deadlines.set("one", lambda: rung.append("second"))
    clock.advance(29)
    assert rung == []
    clock.advance(1)
    assert rung == ["second"]


def test_what_is_cancelled_is_not_called(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: rung.append("one"))
    deadlines.set("other", lambda: rung.append("other"))
    deadlines.cancel("one")
    deadlines.cancel("one")
    clock.advance(30)
    assert rung == ["other"]


def test_one_that_expires_may_cancel_the_next(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: deadlines.cancel("other"))
    deadlines.set("other", lambda: rung.append("other"))
    clock.advance(30)
    assert rung == []


def test_nothing_is_left_in_the_reactor_once_the_time_of_all_has_passed(clock: Clock, deadlines: Deadlines) -> None:
    deadlines.set("one", lambda: None)
    deadlines.cancel("one")
    clock.advance(30)
    assert clock.getDelayedCalls() == []


def test_one_that_is_set_as_another_expires_needs_no_second_timer(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: deadlines.set("next", lambda: rung.append("next")))
    clock.advance(10)
    deadlines.set("other", lambda: rung.append("other"))
    clock.advance(20)
    assert len(clock.getDelayedCalls()) == 1
    clock.advance(10)
    assert rung == ["other"]
    clock.advance(20)
    assert rung == ["other", "next"]
    assert clock.getDelayedCalls() == []


def test_closing_forgets_them_and_their_timer(clock: Clock, deadlines: Deadlines, rung: list[str]) -> None:
    deadlines.set("one", lambda: rung.append("one"))
    deadlines.close()
    deadlines.close()
    assert clock.getDelayedCalls() == []
    deadlines.set("other", lambda: rung.append("other"))
    clock.advance(30)
    assert rung == ["other"]
