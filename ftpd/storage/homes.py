"""Homes: the root of a store and the homes below it, open for as long as sessions have them.

Apart from the store, which says what it is to open one: here is when that is done, and on whose thread.  What many come for at a time is opened
once, and one that hangs keeps a single thread, and nobody whose home is another.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakValueDictionary

from ftpd.disks import Disk
from ftpd.errors import Busy
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import StoreThreads
from ftpd.storage.joint import Joint
from ftpd.storage.lane import Descriptor, Separate, SlowLane
from ftpd.storage.root import Ground, Root, View, errors_about

__all__ = ["Home", "Homes"]

_Opened: TypeAlias = tuple[int, tuple[int, int], Disk | None]  # descriptor, device and inode, disk: None where it may hang


class Home:
    """One open home and how many sessions have it."""

    __slots__ = ("descriptor", "disk", "key", "sessions")

    def __init__(self, key: tuple[int, int], descriptor: Descriptor, disk: Disk | None) -> None:
        self.key = key
        self.descriptor = descriptor
        self.disk = disk  # None: it may hang
        self.sessions = 0


class Homes:
    """Opens homes by *open_home*, below the root that *open_top* opens at the first login; a call to a disk that may hang takes *timeout_seconds*."""

    def __init__(
        self,
        ground: Ground,
        threads: StoreThreads,
        timeout_seconds: float,
        open_top: Callable[[], _Opened],
        open_home: Callable[[View, VirtualPath], _Opened],
    ) -> None:
        self._ground = ground
        self._threads = threads
        self._timeout_seconds = timeout_seconds
        self._open_top = open_top
        self._open_home = open_home
        self._top: Home | None = None
        self._open: dict[tuple[int, int], Home] = {}
        self._root_home: Home | None = None
        self._start_lane = self._slow_lane("root")
        # A lane is here as long as a call is in it, which may be for ever: whoever comes again for a home that hangs does not take another thread.
        self._lanes: WeakValueDictionary[VirtualPath, SlowLane] = WeakValueDictionary()
        self._opening_top = Joint(self._open_top_for_all)
        self._opening = Joint(self._open_for_all, self._entered, self.leave)
        self._is_closed = False

    async def top(self) -> Home:
        """Open the root at the first login: with its disk gone, the server starts all the same and says so to each login."""
        if self._is_closed:
            raise Busy(None, "The server is stopping")
        return self._top or await self._opening_top.result()

    async def open(self, path: VirtualPath) -> Home:
        """Open a home for one session, whose end is `leave`; the root's, which most accounts have, is kept as if by another (tests/bench: login)."""
        await self.top()
        if path.is_root and self._root_home is not None:
            return self._entered(self._root_home)
        return await self._opening.result(path)

    def leave(self, home: Home) -> None:
        """A session with *home* is over."""
        home.sessions -= 1
        if not home.sessions:
            del self._open[home.key]
            home.descriptor.close()

    def root(self, home: Home) -> Root:
        """Return what a session sees of *home*."""
        return self._root(home, self._slow_lane(_mount(f"{home.key[0]:x}", home.disk)))

    def close(self) -> None:
        """Let go of the root."""
        self._is_closed = True
        if self._root_home is not None:
            home, self._root_home = self._root_home, None
            self.leave(home)
        if self._top is not None:
            self._top.descriptor.close()

    async def _open_top_for_all(self) -> Home:
        with errors_about(ROOT):
            number, key, disk = await self._start_lane.blocking(self._open_top, discard=_close_first)
        top = Home(key, Descriptor(number, self._start_lane.dispose), disk)
        if self._is_closed:
            top.descriptor.close()
            raise Busy(None, "The server is stopping")
        self._top = top
        return top

    async def _open_for_all(self, path: VirtualPath) -> Home:
        home = self._shared(*await (await self._way(path)).open(path, _close_first, self._open_home, path))
        if path.is_root and self._is_closed:
            self.leave(home)
            raise Busy(None, "The server is stopping")
        if path.is_root:
            self._root_home = self._entered(home)
        return home

    async def _way(self, path: VirtualPath) -> Root:
        """Return the root with a lane for *path* alone, so that nobody waits behind who wants to go elsewhere."""
        top = await self.top()
        lane = self._lanes.get(path)
        if lane is None:
            lane = self._lanes[path] = self._slow_lane(_mount("root", top.disk))
        return self._root(top, lane)

    def _shared(self, number: int, key: tuple[int, int], disk: Disk | None) -> Home:
        home = self._open.get(key)
        lane = self._start_lane if disk is None else self._ground.lane(disk)
        if home is None:
            home = self._open[key] = Home(key, Descriptor(number, lane.dispose), disk)
        else:
            lane.dispose(number)
        return self._entered(home)

    def _entered(self, home: Home) -> Home:
        home.sessions += 1
        return home

    def _root(self, home: Home, lane: SlowLane) -> Root:
        return Root(home.descriptor, self._ground, home.disk, lane)

    def _slow_lane(self, mount: str) -> SlowLane:
        return SlowLane(Separate(self._threads, mount), self._threads.clock, self._timeout_seconds)


def _mount(name: str, disk: Disk | None) -> str:
    return name if disk is None else f"below-{name}"


def _close_first(opened: Any) -> None:
    """Free what was opened when nobody waits for it any more."""
    os.close(opened[0])
