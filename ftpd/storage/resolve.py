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
from ftpd.storage.familiar import Familiar

__all__ = ["Crossing", "KernelResolver", "Place", "Resolver", "Uncached", "WalkResolver", "place", "standard_resolver"]

O_PATH: Final = getattr(os, "O_PATH", os.O_RDONLY)  # elsewhere a directory must be readable to be walked through
MAX_LINKS: Final = 40  # what Linux follows in one path
_MAX_KERNEL_PATH: Final = 4095  # PATH_MAX without its NUL
_DIRECTORY: Final = O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_WITHIN: Final = kernel.RESOLVE_IN_ROOT | kernel.RESOLVE_NO_MAGICLINKS


class Crossing(Exception):
    """The path leads onto another mounted file system, where the caller did not want to go."""


class Uncached(Exception):
    """A name on the path is not in memory, and the caller did not want to wait for the disk."""


class Resolver(Protocol):
    """Opens names below a root.  Paths are bytes, `b"."` for the root itself; errors are `OSError`s of open(2), and ELOOP for links.

    With *stays* a way onto another mount raises :class:`Crossing`.  Without *waits* a name that is not in memory raises
    :class:`Uncached`, as far as this machine can tell.
    """

    def open(
        self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False, waits: bool = True
    ) -> int:
        """Open *path*; the descriptor is the caller's.  *flags* may have O_NOFOLLOW (the last name) but not O_CREAT or O_TRUNC.

        Without *follows_links* every link on the way is ELOOP.
        """

    def look(self, directory: int, name: bytes, *, stays: bool = False, waits: bool = True) -> os.stat_result | None:
        """Describe *name* in *directory*, not following it; None where there is nothing."""


class KernelResolver:
    """openat2: one system call (about 2 us, ctypes included)."""

    def __init__(self) -> None:
        self._walk = WalkResolver()
        self._cached = kernel.RESOLVE_CACHED if kernel.has_openat2(kernel.RESOLVE_CACHED) else 0

    def open(
        self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False, waits: bool = True
    ) -> int:
        if len(path) > _MAX_KERNEL_PATH:  # a tree may be deeper than one system call can say
            if not waits:
                raise Uncached
            return self._walk.open(root, path, flags, follows_links=follows_links, stays=stays)
        resolve = _WITHIN if follows_links else _WITHIN | kernel.RESOLVE_NO_SYMLINKS
        if stays:
            resolve |= kernel.RESOLVE_NO_XDEV
        number = kernel.openat2(root, path, flags, resolve if waits else resolve | self._cached)
        if number < 0:
            raise self._fault(-number, stays, waits)
        return number

    def look(self, directory: int, name: bytes, *, stays: bool = False, waits: bool = True) -> os.stat_result | None:
        if not stays and waits:
            return _look(directory, name)
        # Not stat(2): it cannot be told to stay, and asks whatever is mounted there.
        resolve = kernel.RESOLVE_NO_XDEV if stays else 0
        number = kernel.openat2(directory, name, O_PATH | os.O_NOFOLLOW, resolve if waits else resolve | self._cached)
        if number == -errno.ENOENT:
            return None
        if number < 0:
            raise self._fault(-number, stays, waits)
        try:
            return os.fstat(number)
        finally:
            os.close(number)

    def _fault(self, error: int, stays: bool, waits: bool) -> Exception:
        if error == errno.EXDEV and stays:
            return Crossing()
        if error == errno.EAGAIN and not waits and self._cached:
            return Uncached()
        return OSError(error, os.strerror(error))


class WalkResolver:
    """One open per name, each O_NOFOLLOW, links read and resolved here.

    `..` (which only links contain) restarts from the root without the last name, so that a directory moved out of the root meanwhile
    cannot be climbed out of; and at most two descriptors are open however deep the path.  Where there is no openat2 nobody can be asked
    what is in memory.
    """

    def open(
        self, root: int, path: bytes, flags: int, *, follows_links: bool = True, stays: bool = False, waits: bool = True
    ) -> int:
        return _Walk(root, path, flags, follows_links, os.fstat(root).st_dev if stays else None).open()

    def look(self, directory: int, name: bytes, *, stays: bool = False, waits: bool = True) -> os.stat_result | None:
        seen = _look(directory, name)
        if stays and seen is not None and seen.st_dev != os.fstat(directory).st_dev:
            raise Crossing
        return seen


def _look(directory: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return None


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
        return _look(self.directory, self.name)

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
    resolver: Resolver,
    root: int,
    path: bytes,
    searched: Familiar | None,
    *,
    follows_last: bool,
    follows_links: bool = True,
    stays: bool = False,
    waits: bool = True,
) -> Place:
    """Return where *path* is; with *follows_last*, where the link at its end leads, which need not exist.

    *searched* are the directories whose blocks are in memory, None where all are.  Raises `OSError` for the directories on the way, `IsADirectory` for a
    link to the root, and what a `Resolver` does.
    """
    for _ in range(MAX_LINKS):
        head, _, name = path.rpartition(b"/")
        number = resolver.open(root, head or b".", _DIRECTORY, follows_links=follows_links, stays=stays, waits=waits)
        found = Place(number, name)
        try:
            found.seen = _seen(resolver, found, searched, stays, waits)
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


def _seen(resolver: Resolver, found: Place, searched: Familiar | None, stays: bool, waits: bool) -> os.stat_result | None:
    try:
        seen = resolver.look(found.directory, found.name, stays=stays, waits=waits)
    except Uncached:
        # The kernel knows no such name, as of every new file; where the directory was searched lately, looking costs no disk.
        # It cannot be a mount point: the names of those are always in memory.
        if searched is not None and not searched.knows(found.directory):
            raise
        return found.stat()
    if searched is not None and waits and stays:
        searched.note(found.directory)
    return seen
