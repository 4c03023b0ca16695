"""Transfers that a test drives: what a pump is given, how it is begun, and the client's steps until it has ended.

Apart from the lines that they run over.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, succeed

from ftpd.spi import Pump
from ftpd.testing.reactors import AT_MOST_SECONDS, turn
from ftpd.transfer.crew import Crews
from ftpd.values import TransferResult

__all__ = ["crews_of", "drive", "every", "started"]

_crews: Final[WeakKeyDictionary[Any, Crews]] = WeakKeyDictionary()


def crews_of(reactor: Any) -> Crews:
    """Return the crews for all pumps of *reactor*, as a server has them."""
    crews = _crews.get(reactor)
    if crews is None:
        crews = _crews[reactor] = Crews(reactor)
    return crews


def started(pump: Pump) -> Deferred[TransferResult]:
    """Start *pump*; its end, as a Deferred also where it has ended by then."""
    result = pump.start()
    return succeed(result) if isinstance(result, TransferResult) else result


def drive(reactor: Any, awaited: Deferred[TransferResult], step: Callable[[], object] = lambda: None) -> TransferResult:
    """Turn *reactor*, with a *step* of the client between turns, until the transfer has ended: exactly once."""
    results: list[TransferResult] = []
    awaited.addCallback(results.append)
    end = time.monotonic() + AT_MOST_SECONDS
    while not results:
        assert time.monotonic() < end, "the transfer does not end"
        step()
        turn(reactor)
    [result] = results
    return result


def every(reactor: Any, seconds: float, action: Callable[[], object]) -> Callable[[], None]:
    """Return a client's step that does *action* once in *seconds* of the reactor's time."""
    due = reactor.seconds()

    def step() -> None:
        nonlocal due
        if reactor.seconds() >= due:
            due = reactor.seconds() + seconds
            action()

    return step
