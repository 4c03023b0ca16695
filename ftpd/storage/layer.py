"""Layer and LayeredUpload: a filesystem over another one, which hands everything on until a subclass says otherwise.

Apart from the filesystems, because what a program wants is often one thing more at one place: a call when an upload is whole, a refusal, a
line in a log.  Public, as `storage.simple` is.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from ftpd.errors import FileTransferError
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import DatedFilesystem, Directory, EnteredFilesystem, Filesystem, ReadableFile, WritableFile
from ftpd.storage.lane import shielded
from ftpd.values import Ability, Attributes, FileInfo, WriteMode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Layer", "LayeredUpload"]


class Layer:
    """A `spi.Filesystem` over *files*, whose root is *home* there; what leads out of *home* does not exist here.

    Files keep their descriptors, so that transfers are as fast as without it.  Optional abilities (links, room left) are not handed on: a
    subclass that restricts something cannot be passed by them.  Times of creation are, of what `stat` shows.
    """

    def __init__(self, files: Filesystem, home: VirtualPath = ROOT) -> None:
        self._files = files
        self._home = home

    @property
    def abilities(self) -> Ability:
        return self._files.abilities

    async def stat(self, path: VirtualPath) -> FileInfo:
        with self._named_from_here():
            info = await self._files.stat(path.under(self._home))
        return info if path.parts else info._replace(name="")

    async def enter(self, path: VirtualPath) -> None:
        if isinstance(self._files, EnteredFilesystem):
            with self._named_from_here():
                await self._files.enter(path.under(self._home))

    async def created_ns(self, path: VirtualPath) -> int | None:
        info = await self.stat(path)  # a subclass may not show what there is below
        if info.created_ns is not None or not isinstance(self._files, DatedFilesystem):
            return info.created_ns
        with self._named_from_here():
            return await self._files.created_ns(path.under(self._home))

    async def open_directory(self, path: VirtualPath) -> Directory:
        with self._named_from_here():
            return await self._files.open_directory(path.under(self._home))

    async def open_read(self, path: VirtualPath) -> ReadableFile:
        with self._named_from_here():
            return await self._files.open_read(path.under(self._home))

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        with self._named_from_here():
            file = await self._files.open_write(
                path.under(self._home), mode=mode, offset=offset, expected_size=expected_size, permissions=permissions
            )
        return LayeredUpload(file, file.path.below(self._home))

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        with self._named_from_here():
            await self._files.make_directory(path.under(self._home), permissions=permissions)

    async def remove_directory(self, path: VirtualPath) -> None:
        with self._named_from_here():
            await self._files.remove_directory(path.under(self._home))

    async def remove_file(self, path: VirtualPath) -> None:
        with self._named_from_here():
            await self._files.remove_file(path.under(self._home))

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        with self._named_from_here():
            await self._files.rename(old.under(self._home), new.under(self._home))

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        with self._named_from_here():
            await self._files.set_attributes(path.under(self._home), changes)

    async def close(self) -> None:
        await self._files.close()

    @contextmanager
    def _named_from_here(self) -> Iterator[None]:
        """Let errors name what the client sees."""
        try:
            yield
        except FileTransferError as error:
            if error.path is not None and error.path.is_within(self._home):
                error.path = error.path.below(self._home)
            raise


class LayeredUpload:
    """A `spi.WritableFile` over *file*, under the name *path*; `published` is what a subclass is for."""

    def __init__(self, file: WritableFile, path: VirtualPath) -> None:
        self.path = path
        self._file = file
        self._is_ended = False

    async def published(self, info: FileInfo) -> None:
        """Do what has to be done before the upload is a success, of which *info* tells; the client hears what this raises.

        Called once, when the file has its name; a client that cancels or vanishes meanwhile does not stop it.
        """

    @property
    def start(self) -> int:
        return self._file.start

    @property
    def ceiling(self) -> int | None:
        return self._file.ceiling

    def descriptor(self) -> int | None:
        return self._file.descriptor()

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        await self._file.write_at(offset, data)

    async def commit(self) -> FileInfo:
        is_first, self._is_ended = not self._is_ended, True
        info = await self._file.commit()
        if is_first:
            await shielded(Deferred.fromCoroutine(self.published(info)))
        return info

    async def abandon(self, *, keeps: bool = True) -> None:
        self._is_ended = True
        await self._file.abandon(keeps=keeps)
