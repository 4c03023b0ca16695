"""ReadOnly: another store, of which nothing can be changed.

Apart from permissions: an operator's "read-only" holds whatever the accounts say.
"""

from __future__ import annotations

from ftpd.errors import NotADirectory, NotPermitted
from ftpd.paths import VirtualPath
from ftpd.spi import (
    DatedFilesystem,
    Directory,
    EnteredFilesystem,
    Filesystem,
    ReadableFile,
    RemovalRules,
    Store,
    TreeRemoval,
    WritableFile,
)
from ftpd.values import Ability, Account, Attributes, FileInfo, FileKind, WriteMode

__all__ = ["ReadOnly", "ReadOnlyFilesystem"]

_CAUSE = "This server is read-only"


class ReadOnly:
    """A `spi.Store` that opens the filesystems of *store* for reading."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def open(self, account: Account) -> ReadOnlyFilesystem:
        return ReadOnlyFilesystem(await self._store.open(account))

    async def sweep(self) -> None:
        """Nothing: not even leftovers are changed."""

    async def close(self) -> None:
        await self._store.close()


class ReadOnlyFilesystem:
    """A `spi.Filesystem` whose changes are all `NotPermitted`."""

    def __init__(self, files: Filesystem) -> None:
        self._files = files

    @property
    def abilities(self) -> Ability:
        return self._files.abilities & Ability.CREATION_TOLD

    async def stat(self, path: VirtualPath) -> FileInfo:
        return await self._files.stat(path)

    async def enter(self, path: VirtualPath) -> None:
        if isinstance(self._files, EnteredFilesystem):
            await self._files.enter(path)

    async def created_ns(self, path: VirtualPath) -> int | None:
        return await self._files.created_ns(path) if isinstance(self._files, DatedFilesystem) else None

    async def open_directory(self, path: VirtualPath) -> Directory:
        return await self._files.open_directory(path)

    async def open_read(self, path: VirtualPath) -> ReadableFile:
        return await self._files.open_read(path)

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> WritableFile:
        raise NotPermitted(path, _CAUSE)

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        raise NotPermitted(path, _CAUSE)

    async def remove_directory(self, path: VirtualPath) -> None:
        raise NotPermitted(path, _CAUSE)

    async def remove_file(self, path: VirtualPath) -> None:
        raise NotPermitted(path, _CAUSE)

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        raise NotPermitted(old, _CAUSE)

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        raise NotPermitted(path, _CAUSE)

    async def available_bytes(self, path: VirtualPath) -> int:
        """None, in any directory that is there."""
        if (await self._files.stat(path)).kind is not FileKind.DIRECTORY:
            raise NotADirectory(path)
        return 0

    async def make_link(self, path: VirtualPath, target: VirtualPath) -> None:
        raise NotPermitted(path, _CAUSE)

    async def remove_tree(self, path: VirtualPath, rules: RemovalRules) -> TreeRemoval:
        raise NotPermitted(path, _CAUSE)

    async def close(self) -> None:
        await self._files.close()
