"""Root: what one account sees of the disk, as a directory descriptor, and how calls on it are made.

Apart from the operations (`local`), so that each of those is one plain function that may block, and where it runs is decided here:
on the reactor thread as long as it stays on a local disk and is short, else in a thread.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Coroutine
from functools import partial
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

from ftpd.errors import FileTransferError, NotFound, NotPermitted, from_oserror
from ftpd.paths import VirtualPath
from ftpd.storage.lane import Descriptor, Lane
from ftpd.storage.mount import Devices
from ftpd.storage.resolve import Crossing, Place, Resolver, place

__all__ = ["LONG_BYTES", "Lengthy", "Root", "View", "errors_about"]

P = ParamSpec("P")
T = TypeVar("T")

LONG_BYTES: Final = (
    16 * 1024 * 1024
)  # freeing the blocks of a larger file is no work for the reactor thread (ext4: 5 ms a GiB, ext3: 1 s)


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


class View:
    """The root as one call sees it.  *is_inline*: on the reactor thread, so it neither leaves the disk nor takes long."""

    __slots__ = ("_devices", "_resolver", "_root", "is_inline", "links")

    def __init__(self, root: Descriptor, resolver: Resolver, links: str, devices: Devices, *, is_inline: bool) -> None:
        self._root = root
        self._resolver = resolver
        self._devices = devices
        self.links = links
        self.is_inline = is_inline

    def open(self, raw: bytes, flags: int) -> int:
        """Open what *raw* leads to; the descriptor is the caller's."""
        try:
            return self._resolver.open(self._root.number, raw, flags, follows_links=self.links == "follow", stays=self.is_inline)
        except OSError as error:
            raise self._translated(error) from error

    def place(self, raw: bytes, *, follows_last: bool) -> Place:
        """Return the directory and final name of *raw*; with *follows_last*, of what the link at its end leads to."""
        follows = self.links == "follow"
        try:
            return place(
                self._resolver, self._root.number, raw, follows_last=follows_last, follows_links=follows, stays=self.is_inline
            )
        except OSError as error:
            raise self._translated(error) from error

    def may_hang(self, number: int) -> bool:
        """Whether the open file *number* is on a disk that may hang; whatever was reached inline is not."""
        return not self.is_inline and self._devices.may_hang(number)

    def check_short(self, freed_bytes: int) -> None:
        """Raise :class:`Lengthy` where the call is about to free so much on the reactor thread."""
        if self.is_inline and freed_bytes > LONG_BYTES:
            raise Lengthy

    def _translated(self, error: OSError) -> Exception:
        if error.errno == errno.ELOOP and self.links == "deny":
            return NotPermitted(None, "Symbolic links are not followed here")
        if error.errno == errno.ELOOP and self.links == "hide":
            return NotFound()
        return error


class Root:
    """A root and its lanes, for one session; *local* is the lane of a local disk, *slow* the one of a disk that may hang."""

    __slots__ = ("_inline", "_local", "_may_hang", "_slow", "_threaded", "descriptor")

    def __init__(
        self, descriptor: Descriptor, resolver: Resolver, links: str, devices: Devices, local: Lane, slow: Lane, *, may_hang: bool
    ) -> None:
        self.descriptor = descriptor
        self._local = local
        self._slow = slow
        self._may_hang = may_hang
        self._inline = View(descriptor, resolver, links, devices, is_inline=True)
        self._threaded = View(descriptor, resolver, links, devices, is_inline=False)

    def lane(self, may_hang: bool) -> Lane:
        """Return the lane for an open file; see `View.may_hang`."""
        return self._slow if may_hang else self._local

    def call(
        self,
        path: VirtualPath,
        function: Callable[Concatenate[View, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Coroutine[Any, Any, T]:
        """Call `function(view, ...)`, where it belongs; see :meth:`open` for functions whose result must not get lost."""
        return self.open(path, None, function, *args, **kwargs)

    async def open(
        self,
        path: VirtualPath,
        discard: Callable[[T], object] | None,
        function: Callable[Concatenate[View, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Like :meth:`call`; *discard* frees a result that comes when nobody waits for it any more."""
        with errors_about(path):
            lane = self._slow
            if not self._may_hang:
                try:
                    return function(self._inline, *args, **kwargs)
                except Lengthy:
                    lane = self._local
                except Crossing:
                    pass  # a mount point: what lies behind may hang
            threaded = partial(function, self._threaded, *args, **kwargs)
            return await lane.blocking(threaded, holding=self.descriptor, discard=discard)
