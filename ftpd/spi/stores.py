"""Stores, and the filesystems that they open for accounts.

Apart from what they open.  What not every store can do is a contract of its own, so that no store has to refuse it.  It is found by its methods,
which the filesystem or its class must have: from Python 3.12 on those that only `__getattr__` answers for are not found.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from ftpd.paths import VirtualPath
from ftpd.spi.files import Directory, ReadableFile, WritableFile
from ftpd.values import Ability, Account, Attributes, FileInfo, Removed, WriteMode

__all__ = [
    "DatedFilesystem",
    "EnteredFilesystem",
    "Filesystem",
    "LinkingFilesystem",
    "MeasuredFilesystem",
    "RemovalRules",
    "Store",
    "TreeFilesystem",
    "TreeRemoval",
]


@runtime_checkable
class Filesystem(Protocol):
    """What one account sees.  Paths are absolute :class:`VirtualPath`s."""

    @property
    def abilities(self) -> Ability: ...
    async def stat(self, path: VirtualPath) -> FileInfo:
        """Describe *path*, following a symbolic link that stays inside; a kept part of a cut upload counts for its owner."""

    async def open_directory(self, path: VirtualPath) -> Directory: ...
    async def open_read(self, path: VirtualPath) -> ReadableFile:
        """Open a regular file; a directory is `IsADirectory`, anything else `Unsupported`."""

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        """Begin an upload; see :class:`WriteMode`.  An *offset* beyond the end of what is there is `BadOffset`.

        *permissions* are the mode bits of a new file, instead of the store's own rule; one that is there keeps its own.
        """

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        """Make a directory, with these mode bits instead of the store's own rule."""

    async def remove_directory(self, path: VirtualPath) -> None: ...
    async def remove_file(self, path: VirtualPath) -> None:
        """Remove a file or a link; a directory is `IsADirectory`."""

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        """Give *old* the name *new*, replacing a file there as POSIX does."""

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        """Make all *changes* or none; what this store cannot change is `Unsupported`."""

    async def close(self) -> None:
        """The session ended: free what is held for it, without waiting for a hung disk; may be called twice."""


@runtime_checkable
class EnteredFilesystem(Protocol):
    """A filesystem that has a say in what a working directory may be, beyond what `stat` tells."""

    async def enter(self, path: VirtualPath) -> None:
        """Return where the directory *path* may be entered; raises where it may not."""


@runtime_checkable
class DatedFilesystem(Filesystem, Protocol):
    """A filesystem that has to look further to tell when a file was created than `stat` and `next_batch` look.

    Its :class:`RowDirectory` does so for a format that `tells_creation`.
    """

    async def created_ns(self, path: VirtualPath) -> int | None:
        """Return when *path*, followed as by `stat`, was created, nanoseconds since the epoch; None where nobody knows.  Raises what `stat` raises."""


@runtime_checkable
class LinkingFilesystem(Filesystem, Protocol):
    """A filesystem in which symbolic links can be made."""

    async def make_link(self, path: VirtualPath, target: VirtualPath) -> None:
        """Make *path* a link to *target*, which need not be there.  What is written on the disk leads to it for every program, not only for this store.

        Raises `AlreadyExists`, and `NotPermitted` where the way to *path* leads through a link: then nobody could tell that for all programs.
        """


@runtime_checkable
class MeasuredFilesystem(Filesystem, Protocol):
    """A filesystem that knows how much room is left."""

    async def available_bytes(self, path: VirtualPath) -> int:
        """Return how many bytes more can be stored in the directory *path*; anything else is `NotADirectory`."""


class RemovalRules(Protocol):
    """What the removal of a tree may touch; a store asks it in a thread."""

    def may_enter(self, directory: VirtualPath) -> bool:
        """Whether what is in *directory* may be seen at all, and so be removed."""

    def may_remove(self, path: VirtualPath, *, is_directory: bool) -> bool: ...


class TreeRemoval(Protocol):
    """The removal of a tree under way.  Nothing is removed but within `next_batch`, which a cancel lets finish."""

    async def next_batch(self) -> Removed:
        """Remove some entries, for a tenth of a second at most, and tell what became of them.  Not to be called again once it `is_over`.

        Raises only what ends the whole removal; what is gone by then stays gone.
        """

    async def close(self) -> None:
        """Free it; may be called twice."""


@runtime_checkable
class TreeFilesystem(Filesystem, Protocol):
    """A filesystem that removes trees by itself: off the reactor, and never by way of a link."""

    async def remove_tree(self, path: VirtualPath, rules: RemovalRules) -> TreeRemoval:
        """Begin to remove *path* with all that is in it, as far as *rules* allow; what they do not, or cannot be removed, stays.

        Raises `NotFound`, `NotADirectory`, for a link as well, and `NotPermitted` for the root.
        """


class Store(Protocol):
    """Where files are: it opens one filesystem for each login."""

    async def open(self, account: Account) -> Filesystem:
        """Return what *account* sees, its home as the root where `account.is_confined`: nothing leads out of it, no link either.

        Raises `NotFound` or `NotADirectory` where the home is missing.
        """

    async def sweep(self) -> None:
        """Remove what is outdated, off the reactor thread: kept parts of cut uploads, leftovers of dead processes.  Called about daily."""

    async def close(self) -> None:
        """The service stops; may be called twice."""
