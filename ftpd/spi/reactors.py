"""What of Twisted the house is handed: time, descriptors to be watched, threads.

Apart from Twisted's own interfaces, since each names only what is used: a test's clock is enough for most.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, Protocol, TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Clock", "DelayedCall", "Reactor", "StoreThreads", "Threads"]

P = ParamSpec("P")
T = TypeVar("T")


class Threads(Protocol):
    """A bounded pool of threads.  Nothing else in the house may block."""

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        """Call *function* in a thread.  Cancelling the Deferred does not stop the thread: its result is dropped, not its effect."""


class DelayedCall(Protocol):
    """What `Reactor.callLater` gives."""

    def active(self) -> bool: ...
    def cancel(self) -> None: ...


class Clock(Protocol):
    """IReactorTime, which every reactor and Twisted's test clock is."""

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> DelayedCall: ...
    def seconds(self) -> float: ...


class StoreThreads(Threads, Protocol):
    """What a store is given: threads, the time, and pools of their own for disks that may hang."""

    @property
    def clock(self) -> Clock: ...
    def separate(self, name: str) -> Threads:
        """Return a further pool, which shares no thread with this one and ends with it; *name* is for thread lists."""


class Reactor(Protocol):
    """What data sockets need of Twisted's reactor: IReactorFDSet and IReactorTime, which every selectable reactor is."""

    def addReader(self, reader: Any) -> None: ...
    def removeReader(self, reader: Any) -> None: ...
    def addWriter(self, writer: Any) -> None: ...
    def removeWriter(self, writer: Any) -> None: ...
    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> DelayedCall: ...
    def seconds(self) -> float: ...
