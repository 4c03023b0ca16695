"""Crew: the few threads that carry transfers which outrun the reactor, or whose disk would stop it.

Apart from the pool of threads for single calls: a load stays with its thread as long as its bytes flow, so that a fast transfer costs
one hop in many megabytes, and where more loads wait than there are threads, each is put back after its turn.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, Generic, ParamSpec, Protocol, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpd.disks import Disk
from ftpd.spi import Reactor

__all__ = ["Computing", "Crew", "Crews", "Load"]

P = ParamSpec("P")
T = TypeVar("T")

_THREADS: Final = 4  # of one disk: two cores are busy with two, and a disk that hangs holds four
_IDLE_SECONDS: Final = 10.0  # then a thread ends
# The reactor's thread goes first where processors are short: beside eight uploads on two cores the p99 of a NOOP is 6.5 ms instead of 13, at no
# cost in bytes (tests/bench: responsive, upload8).
_NICE: Final = 5


class Load(Protocol):
    """What a crew carries."""

    def carry(self, crew: Crew) -> None:
        """In a thread: work, and return soon once `crew.is_awaited`.  Must not raise."""

    def carried(self) -> None:
        """On the reactor thread, after each `carry`."""


class Crew:
    """Threads for the transfers of one disk, started when first needed, ended when idle.  Used on the reactor thread.

    They are daemons: one that hangs in a dead disk does not keep the process.
    """

    def __init__(self, reactor: Reactor, name: str, size: int = _THREADS) -> None:
        self._reactor: Any = reactor
        self._name = name
        self._size = size
        self._loads: deque[Load] = deque()
        # Of loads and counts.  No SimpleQueue: its `get` may forget its timeout where another thread was quicker (CPython 3.11).
        self._changed = threading.Condition(threading.Lock())
        self._threads = 0
        self._under_way = 0
        self._is_closed = False

    @property
    def is_awaited(self) -> bool:
        """Whether a load waits for a thread; asked in threads."""
        return bool(self._loads)

    def take(self, load: Load) -> None:
        """Have *load* carried, once.  Raises `RuntimeError` where there is no thread, and none can be started."""
        with self._changed:
            self._under_way += 1
            self._loads.append(load)
            is_short = self._threads < min(self._under_way, self._size)
            self._threads += is_short
            self._changed.notify()
        if is_short:
            self._start_thread()

    def withdraw(self, load: Load) -> bool:
        """Take back *load*, which then will not be told of; False where a thread has it, or has had it."""
        with self._changed:
            try:
                self._loads.remove(load)
            except ValueError:
                return False
            self._under_way -= 1
            return True

    def close(self) -> None:
        """Let threads end as soon as nothing waits for them, and not only when they have been idle for a while; may be called twice."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _start_thread(self) -> None:
        try:
            threading.Thread(target=self._work, name=self._name, daemon=True).start()
        except RuntimeError:  # the machine has no more threads: those that are here carry it
            with self._changed:
                self._threads -= 1
                if not self._threads:
                    self._loads.clear()  # it is alone: what came before had a thread
                    self._under_way = 0
                    raise

    def _work(self) -> None:
        if sys.platform == "linux":  # where it is of the thread that calls it, whatever POSIX says
            os.nice(_NICE)
        while (load := self._next()) is not None:
            load.carry(self)
            with self._changed:
                self._under_way -= 1
            self._reactor.callFromThread(load.carried)

    def _next(self) -> Load | None:
        with self._changed:
            self._changed.wait_for(lambda: self._loads or self._is_closed, _IDLE_SECONDS)
            if self._loads:
                return self._loads.popleft()
            self._threads -= 1
            return None


class _Computation(Generic[T]):
    """One call, and the Deferred of its result."""

    def __init__(self, crew: Crew, call: Callable[[], T]) -> None:
        self._call = call
        self._result: T | Failure | None = None

        def withdraw(_: Deferred[T]) -> None:
            crew.withdraw(self)

        self.done: Deferred[T] = Deferred(withdraw)

    def carry(self, crew: Crew) -> None:
        try:
            self._result = self._call()
        except BaseException:
            self._result = Failure()  # type: ignore[no-untyped-call]

    def carried(self) -> None:
        if not self.done.called:  # else it was cancelled: its result is dropped
            self.done.callback(cast(T, self._result))


class Computing:
    """A `spi.Threads` for what computes without end and without the interpreter's lock (deflate): as many at a time as there are cores."""

    def __init__(self, reactor: Reactor) -> None:
        self._crew = Crew(reactor, "ftpd-compute", os.cpu_count() or 1)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        computation = _Computation(self._crew, partial(function, *args, **kwargs))
        self._crew.take(computation)
        return computation.done

    def close(self) -> None:
        """As `Crew.close`."""
        self._crew.close()


class Crews:
    """The crews of a server, one for each disk: a slow one delays its own transfers only; `compute` is for what needs none."""

    def __init__(self, reactor: Reactor) -> None:
        self.reactor = reactor
        self.compute = Computing(reactor)
        self._by_disk: dict[Disk, Crew] = {}

    def of(self, disk: Disk) -> Crew:
        """Return the crew of *disk*."""
        crew = self._by_disk.get(disk)
        if crew is None:
            crew = self._by_disk[disk] = Crew(self.reactor, f"ftpd-crew-{len(self._by_disk)}")
        return crew

    def close(self) -> None:
        """The service stops: threads end with what they are at; may be called twice."""
        self.compute.close()
        for crew in self._by_disk.values():
            crew.close()
