"""PortableRemoval: the removal of a tree in any store, by the means that every store has.

Apart from the stores, for those that have no faster way of their own (`spi.TreeFilesystem`): it works by paths, one entry after the other.
"""

from __future__ import annotations

from typing import Final

from ftpd.errors import FileTransferError, NotADirectory, NotFound, NotPermitted, Unsupported
from ftpd.paths import VirtualPath
from ftpd.spi import Filesystem, RemovalRules
from ftpd.values import Ability, FileKind, Removed

__all__ = ["PortableRemoval"]

_ENTRIES: Final = 256  # of a batch


class _Level:
    """One directory on the way down, and which of its entries are still to be looked at: names, and whether they are directories."""

    __slots__ = ("entries", "keeps", "path")

    def __init__(self, path: VirtualPath) -> None:
        self.path = path
        self.entries: list[tuple[str, bool]] | None = None  # not read yet
        self.keeps = False


class PortableRemoval:
    """A `spi.TreeRemoval` over *files*.  A store with links has to do it by itself: here nobody could tell a link to a directory from it."""

    def __init__(self, files: Filesystem, path: VirtualPath, rules: RemovalRules) -> None:
        self._files = files
        self._rules = rules
        self._levels = [_Level(path)]
        self._files_gone = self._directories_gone = 0
        self._kept: list[FileTransferError] = []

    @classmethod
    async def begin(cls, files: Filesystem, path: VirtualPath, rules: RemovalRules) -> PortableRemoval:
        """Look whether there is such a tree; see `spi.TreeFilesystem.remove_tree`."""
        if Ability.LINKS in files.abilities:
            raise Unsupported(path, "This storage cannot remove a tree")
        if (await files.stat(path)).kind is not FileKind.DIRECTORY:
            raise NotADirectory(path)
        if path.is_root or not rules.may_enter(path):
            raise NotPermitted(path)
        return cls(files, path, rules)

    async def next_batch(self) -> Removed:
        self._files_gone = self._directories_gone = 0
        self._kept = []
        for _ in range(_ENTRIES):
            if not self._levels:
                break
            await self._step(self._levels[-1])
        return Removed(self._files_gone, self._directories_gone, tuple(self._kept), is_over=not self._levels)

    async def close(self) -> None:
        self._levels.clear()

    async def _step(self, level: _Level) -> None:
        try:
            if level.entries is None:
                level.entries = await self._read(level.path)
            elif not level.entries:
                await self._ascend(level)
            else:
                name, is_directory = level.entries.pop()
                await (self._descend if is_directory else self._remove)(level.path.child(name))
        except NotFound:  # somebody else was quicker
            if level.entries is None:
                self._levels.pop()
        except FileTransferError as error:
            self._keep(error)
            if level.entries is None:
                self._leave()

    async def _read(self, path: VirtualPath) -> list[tuple[str, bool]]:
        entries: list[tuple[str, bool]] = []
        async with await self._files.open_directory(path) as directory:
            while batch := await directory.next_batch():
                entries += ((info.name, info.kind is FileKind.DIRECTORY) for info in batch)
        return entries

    async def _remove(self, path: VirtualPath) -> None:
        if not self._rules.may_remove(path, is_directory=False):
            raise NotPermitted(path)
        await self._files.remove_file(path)
        self._files_gone += 1

    async def _descend(self, path: VirtualPath) -> None:
        if not self._rules.may_enter(path):
            raise NotPermitted(path)
        self._levels.append(_Level(path))

    async def _ascend(self, level: _Level) -> None:
        self._leave()
        if level.keeps:
            return
        if not self._rules.may_remove(level.path, is_directory=True):
            raise NotPermitted(level.path)
        await self._files.remove_directory(level.path)
        self._directories_gone += 1

    def _leave(self) -> None:
        level = self._levels.pop()
        if level.keeps and self._levels:
            self._levels[-1].keeps = True

    def _keep(self, error: FileTransferError) -> None:
        self._kept.append(error)
        if self._levels:
            self._levels[-1].keeps = True
