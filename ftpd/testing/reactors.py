"""Reactors of a test's own: made for one test, turned by hand, waited with, and left clean.

Apart from the stand-ins of `fakes`: these are Twisted's, with real descriptors and real time.
"""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from unittest.mock import patch

from twisted.internet.base import ReactorBase
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpd.testing.fakes import begin, unwrapped
from ftpd.transfer import crew

__all__ = ["AT_MOST_SECONDS", "ClockedReactor", "private_reactor", "retire", "spin", "turn", "turns"]

T = TypeVar("T")

AT_MOST_SECONDS: Final = 60.0  # the most that anything is waited for; never waited for in full
_IDLE_SECONDS: Final = 0.01  # of a crew's threads: a test ends when they have


class ClockedReactor(EPollReactor):
    """Real descriptors, and timers that obey `clock`: time passes as the test says."""

    def __init__(self) -> None:
        self.clock = Clock()
        super().__init__()  # type: ignore[no-untyped-call]

    def callLater(self, *args: Any, **kwargs: Any) -> Any:
        return self.clock.callLater(*args, **kwargs)

    def seconds(self) -> float:
        return self.clock.seconds()

    def getDelayedCalls(self) -> Any:
        return self.clock.getDelayedCalls()


@contextmanager
def private_reactor(kind: Callable[[], Any] = EPollReactor) -> Iterator[Any]:
    """Make a reactor, and fail if anything is left in it at the end, or a thread of a crew."""
    if kind is not EPollReactor:
        gc.collect()  # reactors of earlier tests hold descriptors, and select() ends at number 1023
    reactor = kind()
    readers = set(reactor.getReaders())
    threads = set(threading.enumerate())
    with patch.object(crew, "_IDLE_SECONDS", _IDLE_SECONDS):
        try:
            yield reactor
            assert set(reactor.getReaders()) - readers == set(), "a reader is left in the reactor"
            assert reactor.getWriters() == [], "a writer is left in the reactor"
            assert [call for call in reactor.getDelayedCalls() if call.active()] == [], "a timer is left in the reactor"
        finally:
            left = [thread for thread in threading.enumerate() if thread not in threads and thread.name.startswith("ftpd-crew")]
            for thread in left:
                thread.join(AT_MOST_SECONDS)
            for reader in readers:
                reader.connectionLost(None)  # the wakers' pipes
            assert not any(thread.is_alive() for thread in left), "a thread is left at work"


def turn(reactor: Any, at_most_seconds: float = 0.001) -> None:
    """Let *reactor* do what is due, waiting a moment for something to happen."""
    reactor.runUntilCurrent()
    due = reactor.timeout()
    reactor.doIteration(at_most_seconds if due is None else min(due, at_most_seconds))


def turns(reactor: Any, seconds: float) -> None:
    """Let *reactor* turn for some time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        turn(reactor, left)


def spin(reactor: ReactorBase, awaited: Deferred[T] | Coroutine[Any, Any, T], at_most_seconds: float = 30.0) -> T:
    """Turn *reactor*, one of the test's own (such as `EPollReactor()`), until *awaited* has its result."""
    results: list[T | Failure] = []
    begin(awaited).addBoth(results.append)
    end = time.monotonic() + at_most_seconds
    while True:
        reactor.runUntilCurrent()
        if results:
            break
        if time.monotonic() > end:
            raise AssertionError(f"no result within {at_most_seconds} s")
        # Not iterate(): that runs what woke it only at its next call, and waits before it returns.
        due = reactor.timeout()
        reactor.doIteration(0.05 if due is None else min(due, 0.05))
    return unwrapped(results[0])


def retire(reactor: Any) -> None:
    """Close what `reactor.run` would have closed of an epoll reactor of the test's own, but for its waker: a thread may still call it."""
    for reader in reactor.removeAll():
        reader.connectionLost(None)
    reactor._poller.close()
