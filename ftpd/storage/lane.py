"""Lane: how one session's calls reach a disk, at once or through threads; and Descriptor, which outlives the calls on it.

Apart from the store, so that it reads the same whether its disk is local or may hang.  On a local disk only what blocks goes to a
thread: a hop costs 50 us, half of a small file's whole budget.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpd.disks import Disk
from ftpd.errors import Unavailable
from ftpd.spi import Clock, DelayedCall, StoreThreads, Threads

__all__ = ["LONG_BYTES", "Descriptor", "Lane", "LocalLane", "Separate", "SlowLane", "in_thread", "shielded"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LONG_BYTES: Final = 1024 * 1024  # to free more takes longer than a hop to a thread (a MiB: 125 us on tmpfs, 60 us on ext4)
_RETRY_SECONDS: Final = 1.0  # before a close that found the pool full is tried again


class Descriptor:
    """An open file descriptor, closed once its owner let go and no call is under way on it.

    Closing it under a thread would hand its number to the next file opened, and the late write to another client's file.
    """

    __slots__ = ("_calls", "_dispose", "_is_let_go", "number")

    def __init__(self, number: int, dispose: Callable[[int], None] = os.close) -> None:
        self.number = number
        self._dispose = dispose
        self._calls = 0
        self._is_let_go = False

    def enter(self) -> None:
        """A call begins."""
        self._calls += 1

    def leave(self) -> None:
        """A call ended, whether or not somebody still waits for its result."""
        self._calls -= 1
        self._close_if_free()

    def close(self) -> None:
        """Let go; may be called twice."""
        if not self._is_let_go:
            self._is_let_go = True
            self._close_if_free()

    def _close_if_free(self) -> None:
        if self._is_let_go and not self._calls and self.number >= 0:
            number, self.number = self.number, -1
            self._dispose(number)


class _Uncancellable(Deferred[T]):
    def cancel(self) -> None:
        """A cancel lets it finish: whoever awaits this gets its result all the same."""


def shielded(inner: Deferred[T]) -> Deferred[T]:
    """Return a Deferred with the result of *inner* that a cancel does not reach."""
    outer: Deferred[T] = _Uncancellable()
    inner.addBoth(outer.callback)
    return outer


class Lane(Protocol):
    """How calls reach a disk.

    *holding* is kept open until the call has really ended; *discard* frees the result of a call whose caller has gone.
    """

    is_local: bool

    @property
    def is_quick(self) -> bool:
        """Whether quick calls are made at once now, on the reactor thread."""

    async def quick(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        holding: Descriptor | None = None,
        discard: Callable[[T], object] | None = None,
    ) -> T:
        """Call what answers at once on a healthy local disk: open, stat, rename, read from memory, write."""

    def blocking(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        holding: Descriptor | None = None,
        discard: Callable[[T], object] | None = None,
    ) -> Deferred[T]:
        """Call what may take long anywhere: fsync, truncation, a long listing, whatever is not in memory."""

    def has_cached(self, number: int, offset: int, length: int) -> bool:
        """Whether so much of an open file can be read at once now, on the reactor thread."""

    def dispose(self, number: int) -> None:
        """Close a descriptor; nobody waits."""

    def dispose_small(self, number: int) -> None:
        """Close the descriptor of a file whose last close would not free much."""


class _Call(Generic[T]):
    """One call: what waits for it may go, what it holds stays until its thread is done."""

    def __init__(self, function: Callable[[], T], holding: Descriptor | None, discard: Callable[[T], object] | None) -> None:
        self._function = function
        self.result: Deferred[T] = Deferred()
        self.deadline: DelayedCall | None = None
        self._holding = holding
        self._discard = discard
        self._is_abandoned = False
        if holding is not None:
            holding.enter()

    def start(self, threads: Threads) -> Deferred[None]:
        return threads.run(self._run).addBoth(self.ended)

    def give_up(self, failure: Failure) -> None:
        """Answer the caller now; the thread, if the call has one, goes on alone, and if it still waits for one it is not made."""
        self._is_abandoned = True
        if not self.result.called:
            self.result.errback(failure)

    def _run(self) -> T:
        """Make the call, unless its caller was told that it failed: what he deletes or publishes must not happen minutes later after all."""
        if self._is_abandoned:
            raise Unavailable
        return self._function()

    def ended(self, result: T | Failure) -> None:
        if self.deadline is not None and self.deadline.active():
            self.deadline.cancel()
        if self._holding is not None:
            self._holding.leave()
        if not self._is_abandoned and not self.result.called:
            self.result.callback(result)
        elif self._discard is not None and not isinstance(result, Failure):
            self._discard(result)


def in_thread(
    threads: Threads,
    function: Callable[[*Ts], T],
    *args: *Ts,
    holding: Descriptor | None = None,
    discard: Callable[[T], object] | None = None,
) -> Deferred[T]:
    """Call *function* in one of *threads*; *holding* and *discard* as in a :class:`Lane`."""
    call = _Call(lambda: function(*args), holding, discard)
    call.start(threads)
    return call.result


class LocalLane:
    """A local *disk*: quick calls are made at once, on the reactor thread, unless it has turned slow."""

    is_local = True

    def __init__(self, threads: Threads, disk: Disk) -> None:
        self._threads = threads
        self._disk = disk

    @property
    def is_quick(self) -> bool:
        return not self._disk.is_slow

    async def quick(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        holding: Descriptor | None = None,
        discard: Callable[[T], object] | None = None,
    ) -> T:
        if self._disk.is_slow:
            return await self.blocking(self._disk.timed, function, *args, holding=holding, discard=discard)
        return self._disk.timed(function, *args)

    def blocking(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        holding: Descriptor | None = None,
        discard: Callable[[T], object] | None = None,
    ) -> Deferred[T]:
        return in_thread(self._threads, function, *args, holding=holding, discard=discard)

    def has_cached(self, number: int, offset: int, length: int) -> bool:
        return not self._disk.is_slow and self._disk.is_cached(number, offset, length)

    def dispose_small(self, number: int) -> None:
        if self._disk.is_slow:
            self.dispose(number)
        else:
            os.close(number)

    def dispose(self, number: int) -> None:
        # The last close of a file without a name frees its blocks: one deleted while it was sent, or an upload that is discarded.
        if self._disk.is_slow or _frees_much(number):
            self._threads.run(os.close, number).addErrback(_close_here, number)
        else:
            os.close(number)


def _frees_much(number: int) -> bool:
    try:
        status = os.fstat(number)
    except OSError:  # the disk is gone: who knows what a close is to it
        return True
    return not status.st_nlink and status.st_size > LONG_BYTES


def _close_here(failure: Failure, number: int) -> None:
    if isinstance(failure.value, Unavailable):  # no thread was to be had, or the server is stopping
        os.close(number)


class Separate:
    """The pool of one mount, set up when first needed: most never are."""

    __slots__ = ("_name", "_threads")

    def __init__(self, threads: StoreThreads, name: str) -> None:
        self._threads = threads
        self._name = name

    def run(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        return self._threads.separate(self._name).run(function, *args, **kwargs)


class SlowLane:
    """A disk that may hang: every call goes to the pool of its mount, one at a time for each session, and for a bounded time.

    A call past *timeout_seconds*, waiting included, fails with `Unavailable`; its thread may never come back, and the session can do
    anything else meanwhile, except on this disk.
    """

    __slots__ = ("__weakref__", "_clock", "_is_busy", "_pool", "_queue", "_timeout_seconds")

    is_local = False
    is_quick = False

    def __init__(self, pool: Threads, clock: Clock, timeout_seconds: float) -> None:
        self._pool = pool
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._queue: list[_Call[Any]] = []  # one session's, so it is short; an empty deque has 0.6 KiB (tests/bench: idle)
        self._is_busy = False

    async def quick(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        holding: Descriptor | None = None,
        discard: Callable[[T], object] | None = None,
    ) -> T:
        return await self.blocking(function, *args, holding=holding, discard=discard)

    def blocking(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        holding: Descriptor | None = None,
        discard: Callable[[T], object] | None = None,
    ) -> Deferred[T]:
        call = _Call(lambda: function(*args), holding, discard)
        call.deadline = self._clock.callLater(self._timeout_seconds, self._give_up, call)
        self._queue.append(call)
        self._start_next()
        return call.result

    def has_cached(self, number: int, offset: int, length: int) -> bool:
        return False

    def dispose_small(self, number: int) -> None:
        self.dispose(number)

    def dispose(self, number: int) -> None:
        # Not in the session's queue: the session may be gone, and its last call may hang for ever.  close(2) may hang as well (NFS flushes).
        self._pool.run(os.close, number).addErrback(self._dispose_later, number)

    def _dispose_later(self, failure: Failure, number: int) -> None:
        if isinstance(failure.value, Unavailable):
            self._clock.callLater(_RETRY_SECONDS, self.dispose, number)

    def _start_next(self) -> None:
        while self._queue and not self._is_busy:
            self._is_busy = True
            self._queue.pop(0).start(self._pool).addBoth(self._ended)

    def _ended(self, _: object) -> None:
        self._is_busy = False
        self._start_next()

    def _give_up(self, call: _Call[Any]) -> None:
        failure = Failure(Unavailable(None, "The storage did not answer in time"))  # type: ignore[no-untyped-call]
        call.give_up(failure)
        if call in self._queue:
            self._queue.remove(call)
            call.ended(failure)
