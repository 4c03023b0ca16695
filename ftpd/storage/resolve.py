"""Resolution of names below a root from which nothing leads out: no `..`, no symbolic link, no race with a rename.

Apart from the store, because this is what is trusted: every descriptor and every directory the store works in comes from here, and the
store adds at most one final name, never followed.  Two implementations with the same results: the kernel's (openat2 with
RESOLVE_IN_ROOT) and a walk that reads the links itself.  Inside a root an absolute link starts at the root, and `..` stops there.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Final, Protocol

from ftpd.errors import IsADirectory
from ftpd.storage import kernel

__all__ = ["Crossing", "KernelResolver", "Place", "Resolver", "WalkResolver", "place", "standard_resolver"]

O_PATH: Final = getattr(os, "O_PATH", os.O_RDONLY)  # elsewhere a directory must be readable to be walked through
MAX_LINKS: Final = 40  # what Linux follows in one path
_MAX_KERNEL_PATH: Final = 4095  # PATH_MAX without its NUL
_DIRECTORY: Final = O_PATH | os.O_DIRECTORY | os.O_CLOEXEC


class Crossing(Exception):
    """The path leads onto another mounted file system, where the caller did not want to go."""


class Resolver(Protocol):
    """Opens names below a root.  Paths are bytes, `b"."` for the root itself; errors are `OSError`s of open(2), and ELOOP for links."""

    def open(self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False) -> int:
        """Open *path*; the descriptor is the caller's.  *flags* may have O_NOFOLLOW (the last name) but not O_CREAT.

        Without *follows_links* every link on the way is ELOOP.  With *stays* a way onto another mount raises :class:`Crossing`.
        """


class KernelResolver:
    """openat2: one system call (about 2 us, ctypes included)."""

    def __init__(self) -> None:
        self._walk = WalkResolver()

    def open(self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False) -> int:
        if len(path) > _MAX_KERNEL_PATH:  # a tree may be deeper than one system call can say
            return self._walk.open(root, path, flags, follows_links=follows_links, stays=stays)
        resolve = kernel.RESOLVE_IN_ROOT | kernel.RESOLVE_NO_MAGICLINKS
        if not follows_links:
            resolve |= kernel.RESOLVE_NO_SYMLINKS
        if not stays:
            return kernel.openat2(root, path, flags, resolve)
        try:
            return kernel.openat2(root, path, flags, resolve | kernel.RESOLVE_NO_XDEV)
        except OSError as error:
            if error.errno == errno.EXDEV:
                raise Crossing from None
            raise


class WalkResolver:
    """One open per name, each O_NOFOLLOW, links read and resolved here.

    `..` (which only links contain) restarts from the root without the last name, so that a directory moved out of the root meanwhile
    cannot be climbed out of; and at most two descriptors are open however deep the path.
    """

    def open(self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False) -> int:
        return _Walk(root, path, flags, follows_links, os.fstat(root).st_dev if stays else None).open()


class _Walk:
    """One resolution under way."""

    def __init__(self, root: int, path: bytes, flags: int, follows_links: bool, device: int | None) -> None:
        self._root = root
        self._flags = flags | os.O_NOFOLLOW | os.O_CLOEXEC
        self._follows_links = follows_links
        self._follows_last = not flags & os.O_NOFOLLOW
        self._device = device
        self._todo = _names(path)[::-1]
        self._done: list[bytes] = []
        self._links = 0
        self._here = os.open(b".", _DIRECTORY, dir_fd=root)

    def open(self) -> int:
        try:
            self._descend_to_last()
            return self._last()
        finally:
            os.close(self._here)

    def _descend_to_last(self) -> None:
        while len(self._todo) > 1 or (self._todo and self._todo[-1] == b".."):
            self._step(self._todo.pop())

    def _step(self, name: bytes) -> None:
        if name == b"..":
            self._restart(self._done[:-1])
        elif name != b".":
            self._descend(name)

    def _descend(self, name: bytes) -> None:
        try:
            below = os.open(name, _DIRECTORY | os.O_NOFOLLOW, dir_fd=self._here)
        except OSError as error:
            if error.errno not in (errno.ENOTDIR, errno.ELOOP) or not self._follow(name):
                raise
            return
        try:
            self._check_device(below)
        except Crossing:
            os.close(below)
            raise
        os.close(self._here)
        self._here = below
        self._done.append(name)

    def _last(self) -> int:
        """Open the last name; every turn of the loop follows one link, of which there are at most :data:`MAX_LINKS`."""
        while True:
            name = self._todo.pop() if self._todo else b"."
            if self._follows_last and self._is_link(name) and self._follow(name):
                self._descend_to_last()
                continue
            number = os.open(name, self._flags, dir_fd=self._here)
            try:
                self._check_device(number)
            except Crossing:
                os.close(number)
                raise
            return number

    def _is_link(self, name: bytes) -> bool:
        try:
            return stat.S_ISLNK(os.stat(name, dir_fd=self._here, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return False

    def _follow(self, name: bytes) -> bool:
        """Put the target of the link *name* in its place; False where it is no link."""
        try:
            target = os.readlink(name, dir_fd=self._here)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return False
            raise
        self._links += 1
        if self._links > MAX_LINKS or not self._follows_links:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        self._todo.extend(_names(target)[::-1])
        if target.startswith(b"/"):
            self._restart([])
        return True

    def _restart(self, names: list[bytes]) -> None:
        """Go back to the root, with *names* to walk again before the rest."""
        top = os.open(b".", _DIRECTORY, dir_fd=self._root)
        os.close(self._here)
        self._here = top
        self._todo.extend(reversed(names))
        self._done = []

    def _check_device(self, number: int) -> None:
        if self._device is not None and os.fstat(number).st_dev != self._device:
            raise Crossing


def _names(path: bytes) -> list[bytes]:
    """Split *path*; a slash at the end stays as `.`, since it demands a directory."""
    names = [name for name in path.split(b"/") if name]
    return [*names, b"."] if path.endswith(b"/") or not names else names


def standard_resolver() -> Resolver:
    """Return the kernel's resolver where there is one, else the walk."""
    return KernelResolver() if kernel.has_openat2() else WalkResolver()


class Place:
    """Where a name is: an open directory, owned by this object, and one final name in it that is never followed.

    `seen` is what stood there when it was resolved, None for nothing: good for a decision taken at once, `stat` for any later one.
    """

    __slots__ = ("directory", "name", "seen")

    def __init__(self, directory: int, name: bytes) -> None:
        self.directory = directory
        self.name = name
        self.seen: os.stat_result | None = None

    def stat(self) -> os.stat_result | None:
        """Describe the name itself, None where there is nothing."""
        try:
            return os.stat(self.name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def close(self) -> None:
        """Free the directory; may be called twice."""
        if self.directory >= 0:
            number, self.directory = self.directory, -1
            os.close(number)

    def __enter__(self) -> Place:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def place(
    resolver: Resolver, root: int, path: bytes, *, follows_last: bool, follows_links: bool = True, stays: bool = False
) -> Place:
    """Return where *path* is; with *follows_last*, where the link at its end leads, which need not exist.

    Raises `OSError` for the directories on the way, and `IsADirectory` for a link to the root.
    """
    for _ in range(MAX_LINKS):
        head, _, name = path.rpartition(b"/")
        found = Place(resolver.open(root, head or b".", _DIRECTORY, follows_links=follows_links, stays=stays), name)
        try:
            found.seen = found.stat()
            if not follows_last or not follows_links or found.seen is None or not stat.S_ISLNK(found.seen.st_mode):
                return found
            target = os.readlink(name, dir_fd=found.directory)
        except BaseException:
            found.close()
            raise
        found.close()
        path = target if target.startswith(b"/") else head + b"/" + target
        path = path.rstrip(b"/")
        if path.rpartition(b"/")[2] in (b"", b".", b".."):
            raise IsADirectory
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
