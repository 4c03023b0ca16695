"""Stand-ins that let a test run without threads, sockets or waiting, and what asks for results that are there already.

Apart from `reactors`, which really wait.
"""

from __future__ import annotations

import queue
from collections.abc import Awaitable, Callable, Collection, Coroutine
from functools import partial
from typing import Any, ParamSpec, Self, TypeVar

from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpd.disks import Disk
from ftpd.paths import VirtualPath
from ftpd.spi import Directory, Filesystem, Reactor, ReadableFile, Store, WritableFile
from ftpd.transfer.crew import Computing, Crew, Crews, Load
from ftpd.values import Ability, Account, Attributes, FileInfo, WriteMode

__all__ = ["HeldThreads", "InlineCrews", "InlineThreads", "SlowStore", "ThreadedClock", "begin", "finish", "result_of", "unwrapped"]

P = ParamSpec("P")
T = TypeVar("T")


class InlineThreads:
    """A `spi.StoreThreads` that calls the function at once, in the caller's thread; its clock stands still.  `calls` counts what it was asked."""

    calls = 0

    def __init__(self) -> None:
        self._clock = Clock()

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        self.calls += 1
        return execute(function, *args, **kwargs)

    @property
    def clock(self) -> Clock:
        return self._clock

    def separate(self, name: str) -> Self:
        return self


class HeldThreads:
    """A `spi.Threads` whose calls begin and end when the test says: `calls` are those that wait, oldest first, each with its Deferred."""

    def __init__(self) -> None:
        self.calls: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        call: Deferred[T] = Deferred()
        self.calls.append((partial(function, *args, **kwargs), call))
        return call

    def finish(self) -> None:
        """Make the oldest call."""
        function, call = self.calls.pop(0)
        call.callback(function())


class InlineCrews(Crews):
    """Crews that carry a load, or compute, at once, in the caller's thread: for a reactor that is Twisted's test clock."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(reactor)
        self._crew = _InlineCrew(reactor, "inline")
        self.compute = _InlineComputing(self._crew)

    def of(self, disk: Disk) -> Crew:
        return self._crew


class _InlineCrew(Crew):
    def take(self, load: Load) -> None:
        load.carry(self)
        load.carried()


class _InlineComputing(Computing):
    def __init__(self, crew: Crew) -> None:
        self._crew = crew


class SlowStore:
    """A `spi.Store` that does what *store* does, once the test lets it: each call to it, or to its filesystems, waits.

    `waiting` holds the names of the calls that wait, oldest first, such as "open_read"; `let_go` lets the oldest begin.  Where *slow* names
    calls, only these wait.
    """

    def __init__(self, store: Store, slow: Collection[str] | None = None) -> None:
        self._store = store
        self._slow = slow
        self._calls: list[tuple[str, Deferred[None]]] = []

    @property
    def waiting(self) -> list[str]:
        return [name for name, _ in self._calls]

    def let_go(self, error: Exception | None = None) -> None:
        """Let the oldest waiting call begin, or fail with *error*."""
        _, call = self._calls.pop(0)
        if error is None:
            call.callback(None)
        else:
            call.errback(error)

    async def hold(self, name: str, call: Callable[[], Awaitable[T]]) -> T:
        """Wait under *name* until let go, if it is slow, then make *call*.  A cancelled call is never made."""
        if self._slow is not None and name not in self._slow:
            return await call()
        entry: tuple[str, Deferred[None]] = (name, Deferred())
        self._calls.append(entry)
        try:
            await entry[1]
        except CancelledError:
            self._calls.remove(entry)
            raise
        return await call()

    async def open(self, account: Account) -> Filesystem:
        files = await self.hold("open", lambda: self._store.open(account))
        return _SlowFilesystem(self, files)

    async def sweep(self) -> None:
        await self._store.sweep()

    async def close(self) -> None:
        await self._store.close()


class _SlowFilesystem:
    def __init__(self, store: SlowStore, files: Filesystem) -> None:
        self._hold = store.hold
        self._files = files

    @property
    def abilities(self) -> Ability:
        return self._files.abilities

    async def stat(self, path: VirtualPath) -> FileInfo:
        return await self._hold("stat", lambda: self._files.stat(path))

    async def open_directory(self, path: VirtualPath) -> Directory:
        return await self._hold("open_directory", lambda: self._files.open_directory(path))

    async def open_read(self, path: VirtualPath) -> ReadableFile:
        return await self._hold("open_read", lambda: self._files.open_read(path))

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        return await self._hold(
            "open_write",
            lambda: self._files.open_write(path, mode=mode, offset=offset, expected_size=expected_size, permissions=permissions),
        )

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        await self._hold("make_directory", lambda: self._files.make_directory(path, permissions=permissions))

    async def remove_directory(self, path: VirtualPath) -> None:
        await self._hold("remove_directory", lambda: self._files.remove_directory(path))

    async def remove_file(self, path: VirtualPath) -> None:
        await self._hold("remove_file", lambda: self._files.remove_file(path))

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        await self._hold("rename", lambda: self._files.rename(old, new))

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        await self._hold("set_attributes", lambda: self._files.set_attributes(path, changes))

    async def close(self) -> None:
        await self._files.close()


class ThreadedClock(Clock):
    """Twisted's test clock, for parts with a thread of their own: time stands still, and what threads ask of the reactor is done in `wait`."""

    def __init__(self) -> None:
        super().__init__()
        self._asked: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        self._asked.put(partial(callable, *args, **kwargs))

    def wait(self, awaited: Deferred[T] | Coroutine[Any, Any, T], at_most_seconds: float = 30.0) -> T:
        """Do what threads ask until *awaited* has its result; return it or raise its error."""
        results: list[T | Failure] = []
        begin(awaited).addBoth(results.append)
        while not results:
            self.serve(at_most_seconds)
        return unwrapped(results[0])

    def serve(self, at_most_seconds: float = 30.0) -> None:
        """Do the next thing that a thread asks."""
        try:
            asked = self._asked.get(timeout=at_most_seconds)
        except queue.Empty:
            raise AssertionError(f"no thread asked for anything within {at_most_seconds} s") from None
        asked()


def finish(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run *coroutine*, which must not have to wait, and return its result or raise its error."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise AssertionError("the coroutine waits for something")


def begin(awaited: Coroutine[Any, Any, T] | Deferred[T]) -> Deferred[T]:
    """Begin a call without waiting for it."""
    return awaited if isinstance(awaited, Deferred) else Deferred.fromCoroutine(awaited)


def result_of(awaited: Deferred[T]) -> T:
    """Return the result that *awaited* has by now, or raise its error."""
    results: list[T | Failure] = []
    awaited.addBoth(results.append)
    assert results, "it waits for something"
    return unwrapped(results[0])


def unwrapped(result: T | Failure) -> T:
    """Return *result*, or raise the error that it is instead."""
    if isinstance(result, Failure):
        result.raiseException()
    return result
