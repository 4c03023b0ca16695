"""Crowds: clients in processes of their own, either all at once from start to end, or as a load that lasts.

Apart from what they do, which is handed in.  Processes, because threads of one Python would take turns.
"""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.sharedctypes import RawArray
from typing import Any, Final

import attrs

__all__ = ["Counters", "Span", "at_once", "load"]

_SECONDS: Final = 300.0  # that anybody is waited for
_fork = multiprocessing.get_context("fork")


@attrs.frozen
class Span:
    """What passed while a crowd was at it: wall time, and what the meter said at its end less at its begin."""

    seconds: float
    metered: float


def at_once(
    count: int, act: Callable[[int], Iterator[None]], meter: Callable[[], float], prepare: Callable[[], object] = lambda: None
) -> Span:
    """Let *count* processes begin *act* together, and return when the last has ended.

    *act* is called with the process's number; it yields when it is ready, again when it is done, and may tidy up after that: only what is
    between counts, and the meter is read before anybody tidies up.  *prepare* is called once all are ready.

    :raises threading.BrokenBarrierError, RuntimeError: one of them failed; it has printed why.
    """
    barrier = _fork.Barrier(count + 1)
    crowd = [_fork.Process(target=_stages, args=(act, number, barrier)) for number in range(count)]
    for process in crowd:
        process.start()
    try:
        barrier.wait(_SECONDS)
        prepare()
        metered, begun = meter(), time.perf_counter()
        barrier.wait(_SECONDS)
        barrier.wait(_SECONDS)
        span = Span(time.perf_counter() - begun, meter() - metered)
        barrier.wait(_SECONDS)
    finally:
        for process in crowd:
            process.join(10)
            process.kill()
    if any(process.exitcode for process in crowd):
        raise RuntimeError("a client failed at its end")
    return span


def _stages(act: Callable[[int], Iterator[None]], number: int, barrier: Any) -> None:
    stages = act(number)
    try:
        for _ in range(2):
            next(stages)
            barrier.wait(_SECONDS)
            barrier.wait(_SECONDS)
        next(stages, None)
    except threading.BrokenBarrierError:
        pass  # another failed, and says why
    except BaseException:
        barrier.abort()
        raise


class Counters:
    """What each process of a load has moved so far, in bytes or whatever it counts."""

    def __init__(self, counts: Any) -> None:
        self._counts = counts

    @property
    def total(self) -> int:
        return sum(self._counts)

    @property
    def have_all_begun(self) -> bool:
        return all(self._counts)


@contextmanager
def load(count: int, act: Callable[[int], Iterator[int]]) -> Iterator[Counters]:
    """Keep *count* processes at *act*, which yields what it has moved as it goes; they are killed at the end.

    :raises RuntimeError: one of them has not begun, or did not last.
    """
    counts = RawArray("Q", count)
    crowd = [_fork.Process(target=_count, args=(act, number, counts)) for number in range(count)]
    for process in crowd:
        process.start()
    counters = Counters(counts)
    try:
        end = time.monotonic() + _SECONDS
        while not counters.have_all_begun:
            if time.monotonic() > end or not all(process.is_alive() for process in crowd):
                raise RuntimeError("a load did not begin")
            time.sleep(0.01)
        yield counters
        if not all(process.is_alive() for process in crowd):
            raise RuntimeError("a load ended early")
    finally:
        for process in crowd:
            process.kill()
            process.join()


def _count(act: Callable[[int], Iterator[int]], number: int, counts: Any) -> None:
    for moved in act(number):
        counts[number] += moved
