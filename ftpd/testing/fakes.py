"""Stand-ins that let a test run without threads, sockets or waiting."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, Self, TypeVar

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.python.failure import Failure

__all__ = ["InlineThreads", "finish", "spin"]

P = ParamSpec("P")
T = TypeVar("T")


class InlineThreads:
    """A `spi.StoreThreads` that calls the function at once, in the caller's thread; its clock stands still."""

    def __init__(self) -> None:
        self._clock = Clock()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return execute(function, *args, **kwargs)

    @property
    def clock(self) -> Clock:
        return self._clock

    def separate(self, name: str) -> Self:
        return self


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine*, which must not have to wait, and return its result or raise its error."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine waits for something")


def spin(reactor: ReactorBase, awaited: Deferred[T] | Coroutine[Any, Any, T], at_most_seconds: float = 30.0) -> T:
    """Turn *reactor*, one of the test's own (such as `EPollReactor()`), until *awaited* has its result."""
    deferred = awaited if isinstance(awaited, Deferred) else Deferred.fromCoroutine(awaited)
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    end = time.monotonic() + at_most_seconds
    while not results:
        if time.monotonic() > end:
            raise AssertionError(f"no result within {at_most_seconds} s")
        reactor.iterate(0.05)
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]
