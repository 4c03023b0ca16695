"""SimpleFilesystem and StoringFilesystem: bases of a `spi.Filesystem` over whatever a program has, a few methods each.

Apart from our own stores, which need every freedom of the contract: most embedders have named pieces of content and want to show them, and
what the contract asks beside is the same for all of them.  Public: `docs/examples` stands on it.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NoReturn

from ftpd.errors import AlreadyExists, IsADirectory, NotADirectory, NotFound, NotPermitted, OverQuota, Unsupported
from ftpd.paths import VirtualPath, decode_name, encode_name
from ftpd.spi import Directory, ReadableFile, WritableFile
from ftpd.storage.content import Entries, Gathering
from ftpd.storage.names import numbered
from ftpd.values import Ability, FileInfo, FileKind, WriteMode

__all__ = ["SimpleFilesystem", "StoringFilesystem"]

_MOST_NAMES_TRIED: Final = 1000


class SimpleFilesystem(ABC):
    """A `spi.Filesystem` that cannot be changed, but for what a subclass overrides.

    A subclass says what there is by `find`, `entries` and `open_file`; each may wait, and none may block.  Whatever changes something is
    `NotPermitted`, in the words of `refusal`.
    """

    abilities: Ability = Ability.NONE
    refusal: ClassVar[str] = "This cannot be changed here"

    @abstractmethod
    async def find(self, path: VirtualPath) -> FileInfo | None:
        """Describe *path*, the root included; None where nothing is there."""

    @abstractmethod
    async def entries(self, directory: VirtualPath) -> Iterable[FileInfo]:
        """Describe what is in *directory*, which `find` has shown to be one; taken a few hundred at a time."""

    @abstractmethod
    async def open_file(self, path: VirtualPath, info: FileInfo) -> ReadableFile:
        """Open the file *path*, of which `find` has just told *info*."""

    async def stat(self, path: VirtualPath) -> FileInfo:
        info = await self.find(path)
        if info is not None:
            return info
        raise NotADirectory(path) if await self._is_below_a_file(path) else NotFound(path)

    async def open_directory(self, path: VirtualPath) -> Directory:
        if (await self.stat(path)).kind is not FileKind.DIRECTORY:
            raise NotADirectory(path)
        return Entries(await self.entries(path))

    async def open_read(self, path: VirtualPath) -> ReadableFile:
        info = await self.stat(path)
        if info.kind is FileKind.DIRECTORY:
            raise IsADirectory(path)
        return await self.open_file(path, info)

    async def _refuse(self, *paths: Any, **options: Any) -> NoReturn:
        raise NotPermitted(paths[0], self.refusal)

    open_write: Any = _refuse
    make_directory: Any = _refuse
    remove_directory: Any = _refuse
    remove_file: Any = _refuse
    rename: Any = _refuse
    set_attributes: Any = _refuse

    async def close(self) -> None:  # noqa: B027  # most have nothing to free
        """Nothing is held for a session."""

    async def _is_below_a_file(self, path: VirtualPath) -> bool:
        for depth in range(1, len(path.parts)):  # from the top: a path as long as a line may be is then left at its first name
            info = await self.find(VirtualPath(path.parts[:depth]))
            if info is None or info.kind is not FileKind.DIRECTORY:
                return info is not None
        return False


class StoringFilesystem(SimpleFilesystem):
    """A `SimpleFilesystem` that takes whole files too: a subclass has a `store` beside.

    An upload is gathered in memory, up to `most_bytes`, and handed over when it is whole: what a client cuts off is nowhere.  Nothing can be
    appended or resumed.
    """

    most_bytes: int = 16 * 1024 * 1024

    @abstractmethod
    async def store(self, path: VirtualPath, data: bytes) -> None:
        """Keep *data* under *path*, in the place of what is there: the client hears 226 when this is done, and what it raises otherwise."""

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        if permissions is not None:
            raise Unsupported(path, "There are no permission bits here")
        if expected_size is not None and expected_size > self.most_bytes:
            raise OverQuota(path, f"Larger than the {self.most_bytes} bytes that one file may have")
        return Gathering(await self._chosen(path, mode), self._publish, self.most_bytes, is_new=mode is WriteMode.CREATE)

    async def _chosen(self, path: VirtualPath, mode: WriteMode) -> VirtualPath:
        """Return the name to publish under, of which `mode` allows that it is there, or not."""
        if path.is_root or (await self.stat(path.parent)).kind is not FileKind.DIRECTORY:
            raise IsADirectory(path) if path.is_root else NotADirectory(path)
        found = await self.find(path)
        if mode is WriteMode.UNIQUE:
            return path if found is None else await self._free(path)
        if found is not None and found.kind is FileKind.DIRECTORY:
            raise IsADirectory(path)
        if mode is WriteMode.RESUME or (mode is WriteMode.APPEND and found is not None):
            raise Unsupported(path, "This store takes whole files only")
        if mode is WriteMode.CREATE and found is not None:
            raise AlreadyExists(path)
        return path

    async def _free(self, path: VirtualPath) -> VirtualPath:
        for number in range(1, _MOST_NAMES_TRIED):
            candidate = path.parent.child(decode_name(numbered(encode_name(path.name), number)))
            if await self.find(candidate) is None:
                return candidate
        raise AlreadyExists(path)

    async def _publish(self, path: VirtualPath, data: bytes, is_new: bool) -> FileInfo:
        found = await self.find(path)
        if found is not None and (is_new or found.kind is FileKind.DIRECTORY):  # it came meanwhile
            raise AlreadyExists(path) if is_new else IsADirectory(path)
        await self.store(path, data)
        return await self.find(path) or FileInfo(path.name, FileKind.FILE, len(data), time.time_ns())
