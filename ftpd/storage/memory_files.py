"""Files and folders in memory, and what is open of them: directories, files that are read, uploads.

Apart from the store, which has the tree, counts the bytes and knows accounts.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TypeAlias

from ftpd.errors import NoSpace, Unsupported
from ftpd.paths import VirtualPath
from ftpd.values import FileInfo, FileKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["File", "Folder", "MemoryDirectory", "MemoryReadable", "MemoryUpload", "Node", "describe"]

_BATCH: Final = 256


class File:
    """The content and attributes of a file; open files hold on to it as to an inode."""

    __slots__ = ("created_ns", "data", "is_being_written", "mode", "modified_ns", "number")

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.data = bytearray()
        self.mode = mode
        self.created_ns = self.modified_ns = time.time_ns()
        self.is_being_written = False


class Folder:
    """A directory: what is published in it, and the kept parts of cut uploads, by account and name."""

    __slots__ = ("created_ns", "entries", "is_removed", "kept", "mode", "modified_ns", "number")

    def __init__(self, number: int, mode: int) -> None:
        self.number = number
        self.is_removed = False
        self.entries: dict[str, Node] = {}
        self.kept: dict[tuple[str, str], File] = {}
        self.mode = mode
        self.created_ns = self.modified_ns = time.time_ns()


Node: TypeAlias = File | Folder


def describe(name: str, node: Node) -> FileInfo:
    kind, size, links = (FileKind.FILE, len(node.data), 1) if isinstance(node, File) else (FileKind.DIRECTORY, 0, 2)
    unique = f"m{node.number:x}"
    return FileInfo(name, kind, size, node.modified_ns, node.mode, links, unique=unique, created_ns=node.created_ns)


class MemoryDirectory:
    """A `spi.Directory` over the names there were when it was opened."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._names: Iterator[str] = iter(tuple(folder.entries))

    async def next_batch(self) -> Sequence[FileInfo]:
        names = itertools.islice(self._names, _BATCH)
        return [describe(name, self._folder.entries[name]) for name in names if name in self._folder.entries]

    async def close(self) -> None:
        self._names = iter(())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


class MemoryReadable:
    """A `spi.ReadableFile`."""

    def __init__(self, file: File, info: FileInfo) -> None:
        self._file = file
        self.info = info

    def descriptor(self) -> int | None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        return bytes(self._file.data[offset : offset + length])

    async def close(self) -> None:
        """Nothing to free."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Nothing to free."""


class MemoryUpload:
    """A `spi.WritableFile`: writes into *file*; *publish* and *drop* end it in the folder, *reserve* counts its bytes."""

    def __init__(
        self,
        path: VirtualPath,
        file: File,
        start: int,
        publish: Callable[[File], None],
        drop: Callable[[File, bool], None],
        reserve: Callable[[int], None],
    ) -> None:
        self.path = path
        self.start = start
        self._file = file
        self._publish = publish
        self._drop = drop
        self._reserve = reserve
        self._is_ended = False
        file.is_being_written = True

    @property
    def ceiling(self) -> int | None:
        return None

    def descriptor(self) -> int | None:
        return None

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        if self._is_ended:
            raise Unsupported(self.path, "The upload has ended")
        content = self._file.data
        piece = memoryview(data).cast("B")
        try:
            self._reserve(max(0, offset + len(piece) - len(content)))
        except NoSpace:
            raise NoSpace(self.path) from None
        if offset > len(content):
            content.extend(bytes(offset - len(content)))  # a hole, as on a disk
        content[offset : offset + len(piece)] = piece
        self._file.modified_ns = time.time_ns()

    async def commit(self) -> FileInfo:
        if not self._is_ended:
            self._end()
            self._publish(self._file)
        return describe(self.path.name, self._file)

    async def abandon(self, *, keeps: bool = True) -> None:
        if not self._is_ended:
            self._end()
            self._drop(self._file, keeps)

    def _end(self) -> None:
        self._is_ended = True
        self._file.is_being_written = False
