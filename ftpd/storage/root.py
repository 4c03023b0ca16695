"""Root: what one account sees of the disk, as a directory descriptor, and how calls on it are made.

Apart from the operations (`local`), so that each of those is one plain function that may block, and where it runs is decided here:
on the reactor thread as long as it stays on a local disk, is short, and needs nothing that is not in memory; else in a thread.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, TypeVar, TypeVarTuple

from ftpd.disks import Disk
from ftpd.errors import FileTransferError, NotFound, NotPermitted, from_oserror
from ftpd.paths import VirtualPath
from ftpd.spi import StoreThreads
from ftpd.storage.familiar import Familiar
from ftpd.storage.lane import LONG_BYTES, Descriptor, Lane, LocalLane, Separate
from ftpd.storage.mount import Devices
from ftpd.storage.resolve import Crossing, Place, Resolver, Uncached, place

__all__ = ["Ground", "Lengthy", "Root", "View", "errors_about"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Lengthy(Exception):
    """The call would take long, so it has not begun: it shall be made again in a thread."""


class errors_about:  # reads as a statement
    """Turn `OSError` into its `FileTransferError`, and name *path* in errors that name none."""

    __slots__ = ("_path",)

    def __init__(self, path: VirtualPath) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise from_oserror(error, self._path) from error
        if isinstance(error, FileTransferError) and error.path is None:
            error.path = self._path


class Ground:
    """What the roots of one store stand on: how names are resolved, which disks there are, and which directories were read lately."""

    def __init__(self, resolver: Resolver, links: str, devices: Devices, threads: StoreThreads) -> None:
        self.resolver = resolver
        self.links = links
        self.devices = devices
        self.searched = Familiar()  # somebody looked for a name there
        self.listed = Familiar()  # all of its entries were described
        self._threads = threads
        self._lanes: dict[Disk, LocalLane] = {}

    def lane(self, disk: Disk) -> LocalLane:
        """Return the lane of a local disk."""
        lane = self._lanes.get(disk)
        if lane is None:
            lane = self._lanes[disk] = LocalLane(Separate(self._threads, f"disk-{disk.device:x}"), disk)
        return lane


class View:
    """The root as one call sees it.

    *is_inline*: on the reactor thread, so it neither leaves its *disk*, nor waits for it, nor takes long.  In a thread it stays on the
    disk unless that is None: then it goes anywhere, on threads for what may hang.
    """

    __slots__ = ("_disk", "_ground", "_root", "_searched", "_waits", "is_inline", "links")

    def __init__(self, root: Descriptor, ground: Ground, disk: Disk | None, *, is_inline: bool = False) -> None:
        is_memory = disk is not None and disk.is_memory
        self._root = root
        self._ground = ground
        self._disk = disk
        self._waits = is_memory or not is_inline  # where every name is in memory, nobody need ask whether this one is
        self._searched = None if is_memory else ground.searched
        self.links = ground.links
        self.is_inline = is_inline

    def open(self, raw: bytes, flags: int) -> int:
        """Open what *raw* leads to; the descriptor is the caller's."""
        follows, stays = self.links == "follow", self._disk is not None
        try:
            return self._ground.resolver.open(self._root.number, raw, flags, follows_links=follows, stays=stays, waits=self._waits)
        except OSError as error:
            raise self._translated(error) from error

    def place(self, raw: bytes, *, follows_last: bool) -> Place:
        """Return the directory and final name of *raw*; with *follows_last*, of what the link at its end leads to."""
        try:
            return place(
                self._ground.resolver,
                self._root.number,
                raw,
                self._searched,
                follows_last=follows_last,
                follows_links=self.links == "follow",
                stays=self._disk is not None,
                waits=self._waits,
            )
        except OSError as error:
            raise self._translated(error) from error

    def descend(self, directory: int, name: bytes) -> int:
        """Open the directory *name* in *directory* for reading; a link is no directory.  Raises `OSError`, and `Crossing` for another mount.

        In a thread: it may wait for the disk.
        """
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK
        return self._ground.resolver.open(directory, name, flags, follows_links=False, stays=True)

    def straight(self, raw: bytes) -> Place:
        """Return the directory and final name of *raw* as `place` does, where no link is on the way; else `NotPermitted`."""
        try:
            return place(
                self._ground.resolver,
                self._root.number,
                raw,
                self._searched,
                follows_last=False,
                follows_links=False,
                stays=self._disk is not None,
                waits=self._waits,
            )
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise NotPermitted(None, "The way there leads through a symbolic link") from error
            raise

    def disk(self, number: int) -> Disk | None:
        """Return the disk of the open file *number*, None for one that may hang."""
        return self._ground.devices.disk(number) if self._disk is None else self._disk

    def check_short(self, freed_bytes: int) -> None:
        """Raise :class:`Lengthy` where the call is about to free so much on the reactor thread."""
        if self.is_inline and freed_bytes > LONG_BYTES:
            raise Lengthy

    def check_thread(self) -> None:
        """Raise :class:`Lengthy` on the reactor thread."""
        if self.is_inline:
            raise Lengthy

    def _translated(self, error: OSError) -> Exception:
        if error.errno == errno.ELOOP and self.links == "deny":
            return NotPermitted(None, "Symbolic links are not followed here")
        if error.errno == errno.ELOOP and self.links == "hide":
            return NotFound()
        return error


class Root:
    """A root for one session, on a *disk*, or None where it may hang; *slow* is the lane for whatever may hang, here or below."""

    __slots__ = ("_disk", "_ground", "_inline", "_own", "_slow", "descriptor")

    def __init__(self, descriptor: Descriptor, ground: Ground, disk: Disk | None, slow: Lane) -> None:
        self.descriptor = descriptor
        self._ground = ground
        self._disk = disk
        self._slow = slow
        self._own = slow if disk is None else ground.lane(disk)
        self._inline = View(descriptor, ground, disk, is_inline=True)

    def lane(self, disk: Disk | None) -> Lane:
        """Return the lane for an open file; see `View.disk`."""
        if disk is self._disk:
            return self._own
        return self._slow if disk is None else self._ground.lane(disk)

    def call(self, path: VirtualPath, function: Callable[[View, *Ts], T], *args: *Ts) -> Coroutine[Any, Any, T]:
        """Call `function(view, ...)`, where it belongs; see :meth:`open` for functions whose result must not get lost."""
        return self.open(path, None, function, *args)

    async def open(
        self, path: VirtualPath, discard: Callable[[T], object] | None, function: Callable[[View, *Ts], T], *args: *Ts
    ) -> T:
        """Like :meth:`call`; *discard* frees a result that comes when nobody waits for it any more."""
        disk = self._disk
        try:
            if disk is not None:
                try:
                    if not disk.is_slow:
                        return disk.timed(function, self._inline, *args)
                except (Lengthy, Uncached):
                    pass
                except Crossing:
                    disk = None  # a mount point: what lies behind may hang
            if disk is not None:
                try:
                    return await self._threaded(disk, discard, function, *args)
                except Crossing:
                    pass
            return await self._threaded(None, discard, function, *args)
        except OSError as error:  # as `errors_about`, without its three calls (tests/bench: retr, stor)
            raise from_oserror(error, path) from error
        except FileTransferError as error:
            if error.path is None:
                error.path = path
            raise

    def _threaded(
        self, disk: Disk | None, discard: Callable[[T], object] | None, function: Callable[[View, *Ts], T], *args: *Ts
    ) -> Awaitable[T]:
        call = partial(function, View(self.descriptor, self._ground, disk), *args)
        if disk is not None and disk.is_slow:  # it proves itself in threads
            call = partial(disk.timed, call)
        return self.lane(disk).blocking(call, holding=self.descriptor, discard=discard)
