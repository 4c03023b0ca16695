from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.storage.joint import Joint
from ftpd.testing.fakes import result_of


class Calls:
    """A call that ends when the test says: each is in `under_way`."""

    def __init__(self) -> None:
        self.under_way: list[Deferred[int]] = []

    def __call__(self) -> Coroutine[Any, Any, int]:
        self.under_way.append(Deferred())
        return self._call(self.under_way[-1])

    async def _call(self, call: Deferred[int]) -> int:
        return await call


@pytest.fixture
def calls() -> Calls:
    return Calls()


def test_all_who_want_it_meanwhile_get_the_result_of_one_call(calls: Calls) -> None:
    joint = Joint(calls)
    waiting = [joint.result() for _ in range(3)]
    [call] = calls.under_way
    call.callback(7)
    assert [result_of(one) for one in waiting] == [7, 7, 7]


def test_who_comes_later_begins_another(calls: Calls) -> None:
    joint = Joint(calls)
    joint.result()
    calls.under_way[0].callback(7)
    later = joint.result()
    calls.under_way[1].callback(8)
    assert result_of(later) == 8


def test_a_failure_is_everybodys_who_waited(calls: Calls) -> None:
    joint = Joint(calls)
    waiting = [joint.result() for _ in range(2)]
    calls.under_way[0].errback(OSError("gone"))
    for one in waiting:
        with pytest.raises(OSError, match="gone"):
            result_of(one)


def test_who_gives_up_disturbs_nobody_else(calls: Calls) -> None:
    joint = Joint(calls)
    first, second = joint.result(), joint.result()
    first.cancel()
    with pytest.raises(CancelledError):
        result_of(first)
    calls.under_way[0].callback(7)
    assert result_of(second) == 7


def test_a_result_that_is_there_at_once_is_given_at_once() -> None:
    async def call() -> int:
        return 7

    assert result_of(Joint(call).result()) == 7
