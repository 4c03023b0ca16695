"""What a store opens: files to read and to write, and directories to list.

Apart from the filesystems that open them, since pumps, formats and conversions meet these alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from ftpd.paths import VirtualPath
from ftpd.values import FileInfo

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Directory", "ReadableFile", "RowDirectory", "RowFormat", "StreamedFile", "WritableFile"]


class Directory(Protocol):
    """An open directory; an async context manager, so that an abandoned listing closes its descriptor."""

    async def next_batch(self) -> Sequence[FileInfo]:
        """Return the next entries, a few hundred at most, in any order; empty means the end.  `.` and `..` never appear."""

    async def close(self) -> None:
        """Free it; may be called twice."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class RowFormat(Protocol):
    """How one listing writes the files of a directory: a row each, without a line end.

    It remembers what repeats, so that it belongs to one listing; a store may call it in a thread, one call at a time.
    """

    def row(self, info: FileInfo) -> str: ...

    @property
    def tells_creation(self) -> bool:
        """Whether rows tell `FileInfo.created_ns`, so that a store looks for it that has to: nobody else pays for that."""

    @property
    def from_name(self) -> Callable[[str], str] | None:
        """What writes a row from the name alone; None where rows tell more, so that somebody has to look at the file."""

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        """Return what writes *info*, and all that differ from it in name, size, time and `unique` only, from the first three of these.

        The size is in bytes, the time of the last change in whole seconds since the epoch.  *info* is no link.  None where rows tell more.
        """


@runtime_checkable
class RowDirectory(Directory, Protocol):
    """A directory whose entries can be written where they are read: off the reactor, and without a :class:`FileInfo` for each."""

    def rows(self, form: RowFormat) -> Callable[[], Awaitable[Sequence[str]]]:
        """Return a function that gives the rows of the next entries, a few thousand at most; empty means the end.

        It stands in the place of `next_batch`, which tells the same entries: use the one or the other.
        """


class ReadableFile(Protocol):
    """A file open for reading; an async context manager.

    One with a descriptor may have an attribute `disk`, the `ftpd.disks.Disk` that it is on, or None: then pumps need not ask.  So may a
    `WritableFile`.
    """

    @property
    def info(self) -> FileInfo:
        """The file as it was when opened: `info.size` is what a download promises."""

    def descriptor(self) -> int | None:
        """The descriptor a fast pump may read with offsets of its own, or None: then `read_at` is used."""

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return up to *length* bytes from *offset*; fewer only at the end of the file, `b""` behind it."""

    async def close(self) -> None:
        """Free it, after any thread still reading it; may be called twice."""

    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class StreamedFile(ReadableFile, Protocol):
    """A file that can only be read from start to end, and whose `info.size` is a guess: its end is where its bytes end."""

    def pieces(self, start: int) -> Callable[[], Awaitable[bytes]]:
        """Return a function that gives the next piece from offset *start* on, of a size that suits the file; `b""` at the end."""


class WritableFile(Protocol):
    """An upload under way.  Exactly one of `commit` and `abandon` ends it, once; a second call of either does nothing."""

    @property
    def path(self) -> VirtualPath:
        """The name it is published under; of use with `WriteMode.UNIQUE`."""

    @property
    def start(self) -> int:
        """The offset of the first byte to write: the end of the file for APPEND, the asked offset for RESUME, else 0."""

    @property
    def ceiling(self) -> int | None:
        """The most bytes it takes from `start` on, None for no bound; a pump that writes to the descriptor must keep to it."""

    def descriptor(self) -> int | None:
        """The descriptor a fast pump may write with offsets of its own, or None: then `write_at` is used."""

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        """Write all of *data* at *offset*."""

    async def commit(self) -> FileInfo:
        """Make it durable as the settings demand, publish it, free it; a cancel that arrives meanwhile lets it finish."""

    async def abandon(self, *, keeps: bool = True) -> None:
        """Free it unpublished, after any thread still writing it; what is kept for a resumption is the store's setting.

        With *keeps* False nothing that this upload made stays, whatever the setting: on a full disk a kept part would be room that nobody
        sees and nobody can free.  A published file written in place stays as it is now.
        """
