from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.storage.joint import Joint
from ftpd.testing.fakes import begin, result_of


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


def asked(joint: Joint[Any, Any], *args: Any) -> Deferred[Any]:
    return begin(joint.result(*args))


def test_all_who_want_it_meanwhile_get_the_result_of_one_call(calls: Calls) -> None:
    joint = Joint(calls)
    waiting = [asked(joint) for _ in range(3)]
    [call] = calls.under_way
    call.callback(7)
    assert [result_of(one) for one in waiting] == [7, 7, 7]


def test_who_comes_later_begins_another(calls: Calls) -> None:
    joint = Joint(calls)
    asked(joint)
    calls.under_way[0].callback(7)
    later = asked(joint)
    calls.under_way[1].callback(8)
    assert result_of(later) == 8


def test_a_failure_is_everybodys_who_waited(calls: Calls) -> None:
    joint = Joint(calls)
    waiting = [asked(joint) for _ in range(2)]
    calls.under_way[0].errback(OSError("gone"))
    for one in waiting:
        with pytest.raises(OSError, match="gone"):
            result_of(one)


def test_who_gives_up_disturbs_nobody_else(calls: Calls) -> None:
    joint = Joint(calls)
    first, second = asked(joint), asked(joint)
    first.cancel()
    with pytest.raises(CancelledError):
        result_of(first)
    calls.under_way[0].callback(7)
    assert result_of(second) == 7


def test_a_result_that_is_there_at_once_is_given_at_once() -> None:
    async def call() -> int:
        return 7

    assert result_of(asked(Joint(call))) == 7


def test_who_wants_something_else_does_not_wait_for_it() -> None:
    under_way: dict[str, Deferred[int]] = {}

    async def call(name: str) -> int:
        under_way[name] = Deferred()
        return await under_way[name]

    joint = Joint(call)
    held, others = asked(joint, "held"), [asked(joint, "other") for _ in range(2)]
    under_way["other"].callback(7)
    assert [result_of(other) for other in others] == [7, 7]
    assert not held.called


def test_each_has_a_share_and_what_was_called_for_is_given_back_when_all_have_theirs(calls: Calls) -> None:
    told: list[str] = []

    def share(result: int) -> int:
        told.append("shared")
        return result

    joint = Joint(calls, share, lambda result: told.append("released"))
    waiting = [asked(joint) for _ in range(3)]
    waiting[1].addErrback(lambda failure: failure.trap(CancelledError))
    waiting[1].cancel()
    calls.under_way[0].callback(7)
    assert told == ["shared", "shared", "released"]


def test_what_is_there_at_once_is_the_callers() -> None:
    async def call() -> int:
        return 7

    def unwanted(result: int) -> int:
        raise AssertionError(result)

    assert result_of(asked(Joint(call, unwanted, unwanted))) == 7


def test_a_call_that_fails_at_once_is_made_again() -> None:
    async def call() -> int:
        raise OSError("gone")

    joint = Joint(call)
    for _ in range(2):
        with pytest.raises(OSError, match="gone"):
            result_of(asked(joint))
