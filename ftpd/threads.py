"""Pool: the threads for what blocks, bounded in number and in waiting work.

Apart from Twisted's own reactor pool, which is one for everything (name resolution included), queues without end, and is joined at
exit: a call that hangs on a dead disk would keep the process from ending.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from ftpd.errors import Unavailable
from ftpd.spi import Clock

__all__ = ["Pool"]

P = ParamSpec("P")
T = TypeVar("T")

_SEPARATE_QUEUE = 4096  # waiting calls: each session has at most one, so this is a bound on sessions, not on work


class _Reactor(Clock, Protocol):
    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None: ...


class _DaemonPool(ThreadPool):
    """Threads that do not keep the process alive."""

    @staticmethod
    def threadFactory(*args: Any, **kwargs: Any) -> threading.Thread:  # type: ignore[override]
        return threading.Thread(*args, daemon=True, **kwargs)


class Pool:
    """A `spi.StoreThreads` on *reactor*: at most *size* threads, started when first needed, and *queue_limit* calls waiting for one.

    Used from the reactor thread only.  `close` may be called twice, and never waits for a call that hangs.
    """

    def __init__(self, reactor: Any, name: str, size: int = 10, queue_limit: int = 1000) -> None:
        self._reactor: _Reactor = reactor
        self._name = name
        self._size = size
        self._limit = size + queue_limit
        self._under_way = 0
        self._threads = _DaemonPool(0, size, name)
        self._is_closed = False
        self._separate: dict[str, Pool] = {}

    @property
    def clock(self) -> Clock:
        return self._reactor

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call *function* in a thread; with the queue full or the pool closed the Deferred fails with `Unavailable`."""
        if self._is_closed:
            return fail(Unavailable(None, "The server is stopping"))
        if self._under_way >= self._limit:
            return fail(Unavailable(None, "Too much is waiting for the disk"))
        if not self._threads.started:
            self._threads.start()
        self._under_way += 1
        return deferToThreadPool(self._reactor, self._threads, self._counted, function, args, kwargs)  # type: ignore[arg-type]

    def separate(self, name: str) -> Pool:
        """Return the pool called *name*, as large as this one and made at its first mention; it is closed with this one."""
        if name not in self._separate:
            pool = self._separate[name] = Pool(self._reactor, f"{self._name}-{name}", self._size, _SEPARATE_QUEUE)
            if self._is_closed:
                pool.close()
        return self._separate[name]

    def close(self) -> None:
        """Take no more calls and let the threads end after the waiting ones."""
        if self._is_closed:
            return
        self._is_closed = True
        for pool in self._separate.values():
            pool.close()
        if self._threads.started:
            # ThreadPool.stop joins every thread, and one of them may be stuck in the kernel: let somebody else wait.
            threading.Thread(target=self._threads.stop, name=f"{self._name}-stop", daemon=True).start()

    def _counted(self, function: Callable[..., T], args: Any, kwargs: Any) -> T:
        try:
            return function(*args, **kwargs)
        finally:
            # Counted by the thread, not by the Deferred: a cancelled Deferred leaves its thread at work.
            self._reactor.callFromThread(self._ended)

    def _ended(self) -> None:
        self._under_way -= 1
