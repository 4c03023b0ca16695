"""MemoryStore: files in memory, with everything the contract promises; and MEMORY, its kind.

Apart from the disk, for the tests of every protocol (nothing here ever waits) and for embedders who want a scratch area.  All accounts
share one tree; it is gone with the process.
"""

from __future__ import annotations

import itertools
from typing import Final

import attrs
from zope.interface import implementer

from ftpd.errors import (
    AlreadyExists,
    BadName,
    BadOffset,
    Busy,
    IntegrityLost,
    IsADirectory,
    NoSpace,
    NotADirectory,
    NotEmpty,
    NotFound,
    NotPermitted,
    Unsupported,
)
from ftpd.interfaces import IStoreKind
from ftpd.paths import VirtualPath, encode_name
from ftpd.schema import Size, setting
from ftpd.spi import Threads
from ftpd.storage.memory_files import File, Folder, MemoryDirectory, MemoryReadable, MemoryUpload, Node, describe
from ftpd.storage.names import MAX_NAME_BYTES, numbered
from ftpd.values import Ability, Account, Attributes, FileInfo, WriteMode

__all__ = ["MEMORY", "MemoryFilesystem", "MemorySettings", "MemoryStore"]


@attrs.frozen
class MemorySettings:
    """The `[storage.memory]` table."""

    capacity: Size = setting(Size(64 * 1024 * 1024), help="Bytes that all files together may take.", unit="bytes", minimum=0)


class MemoryStore:
    """A `spi.Store`.  Homes are made as accounts open them: there is no operator who could."""

    def __init__(self, settings: MemorySettings | None = None) -> None:
        self.capacity = (settings or MemorySettings()).capacity
        self.used = 0
        self._numbers = itertools.count(1)
        self._top = Folder(0, 0o755)

    async def open(self, account: Account) -> MemoryFilesystem:
        home = self._top
        for name in account.home.parts:
            below = home.entries.get(name)
            if below is None:
                below = home.entries[name] = self.new_folder()
            if not isinstance(below, Folder):
                raise NotADirectory(account.home)
            home = below
        return MemoryFilesystem(self, home if account.is_confined else self._top, account)

    async def sweep(self) -> None:
        """Nothing: what is in memory outlives no process, and kept parts are the account's until then."""

    async def close(self) -> None:
        """Nothing to free."""

    def new_file(self, permissions: int | None = None) -> File:
        return File(next(self._numbers), 0o644 if permissions is None else permissions & 0o777)

    def new_folder(self, permissions: int | None = None) -> Folder:
        return Folder(next(self._numbers), 0o755 if permissions is None else permissions & 0o777)

    def reserve(self, size: int) -> None:
        """Count *size* more bytes (less, if negative) as used.  Raises `NoSpace`."""
        if size > 0 and self.used + size > self.capacity:
            raise NoSpace
        self.used += size

    def release(self, file: File | None) -> None:
        """Count the bytes of *file*, which nobody can reach any more, as free."""
        if file is not None:
            self.used -= len(file.data)


class MemoryFilesystem:
    """A `spi.MeasuredFilesystem`: what one account sees of a :class:`MemoryStore`.  Cut uploads are kept for it, unless it is anonymous."""

    abilities = Ability.MODES | Ability.TIMES | Ability.RESUME | Ability.STAGING | Ability.CREATION_TOLD | Ability.CREATION_SET

    def __init__(self, store: MemoryStore, top: Folder, account: Account) -> None:
        self._store = store
        self._top = top
        self._account = account

    async def stat(self, path: VirtualPath) -> FileInfo:
        return describe(path.name, self._visible(path))

    async def open_directory(self, path: VirtualPath) -> MemoryDirectory:
        return MemoryDirectory(self._folder(path))

    async def open_read(self, path: VirtualPath) -> MemoryReadable:
        node = self._node(path)
        if isinstance(node, Folder):
            raise IsADirectory(path)
        return MemoryReadable(node, describe(path.name, node))

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> MemoryUpload:
        if path.is_root:
            raise IsADirectory(path)
        if expected_size is not None and self._store.used + expected_size > self._store.capacity:
            raise NoSpace(path)
        folder = self._parent(path)
        _check_name(path)
        if mode is WriteMode.UNIQUE:
            return self._begin_unique(folder, path, permissions)
        node = folder.entries.get(path.name)
        if node is not None and mode is WriteMode.CREATE:
            raise AlreadyExists(path)
        if isinstance(node, Folder):
            raise IsADirectory(path)
        if mode in (WriteMode.APPEND, WriteMode.RESUME):
            return self._begin_resumed(folder, path, node, None if mode is WriteMode.APPEND else offset, permissions)
        return self._begin(folder, path, self._store.new_file(permissions), 0, is_exclusive=mode is WriteMode.CREATE)

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        if path.is_root or path.name in (folder := self._parent(path)).entries:
            raise AlreadyExists(path)
        _check_name(path)
        folder.entries[path.name] = self._store.new_folder(permissions)

    async def remove_directory(self, path: VirtualPath) -> None:
        if path.is_root:
            raise NotPermitted(path)
        gone = self._folder(path)
        if gone.entries:
            raise NotEmpty(path)
        if any(file.is_being_written for file in gone.kept.values()):
            raise NotEmpty(path)
        for file in gone.kept.values():
            self._store.release(file)
        gone.is_removed = True
        del self._parent(path).entries[path.name]

    async def remove_file(self, path: VirtualPath) -> None:
        if isinstance(self._visible(path), Folder):
            raise IsADirectory(path)
        folder = self._parent(path)
        key = (self._account.name, path.name)
        kept = folder.kept.get(key)
        node = folder.entries.get(path.name)
        if kept is not None and kept.is_being_written and node is None:
            raise Busy(path, "Another session is resuming this upload")
        if kept is not None and not kept.is_being_written:
            self._store.release(folder.kept.pop(key))
        if isinstance(node, File):
            self._store.release(node)
            del folder.entries[path.name]

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        if old.is_root or new.is_root:
            raise NotPermitted(old if old.is_root else new)
        node = self._node(old)
        if old == new:
            return
        if new.is_within(old):
            raise BadName(new, "Not a valid name or operation here")
        source, target = self._parent(old), self._parent(new)
        _check_name(new)
        self._replace(target, new, node)
        del source.entries[old.name]
        self._store.release(target.kept.pop((self._account.name, new.name), None))
        kept = source.kept.pop((self._account.name, old.name), None)
        if kept is not None:
            target.kept[self._account.name, new.name] = kept

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        """Change mode, time of the content and time of creation; there are no owners and no times of reading here."""
        node = self._node(path)
        if changes.owner is not None or changes.group is not None:
            raise Unsupported(path)
        if changes.mode is not None:
            node.mode = changes.mode & 0o7777
        if changes.modified_ns is not None:
            node.modified_ns = changes.modified_ns
        if changes.created_ns is not None:
            node.created_ns = changes.created_ns

    async def available_bytes(self, path: VirtualPath) -> int:
        self._folder(path)
        return self._store.capacity - self._store.used

    async def close(self) -> None:
        """Nothing to free."""

    def _node(self, path: VirtualPath, about: VirtualPath | None = None) -> Node:
        """Return what has the name *path*; errors are about *about*, which it may be only the way to."""
        node: Node = self._top
        for name in path.parts:
            if not isinstance(node, Folder):
                raise NotADirectory(about or path)
            below = node.entries.get(name)
            if below is None:
                raise NotFound(about or path)
            node = below
        return node

    def _folder(self, path: VirtualPath) -> Folder:
        return self._as_folder(path, path)

    def _parent(self, path: VirtualPath) -> Folder:
        return self._as_folder(path.parent, path)

    def _as_folder(self, path: VirtualPath, about: VirtualPath) -> Folder:
        node = self._node(path, about)
        if not isinstance(node, Folder):
            raise NotADirectory(about)
        return node

    def _visible(self, path: VirtualPath) -> Node:
        """Return what *path* means to this account: the kept part of its own cut upload before the published file."""
        if path.is_root:
            return self._top
        folder = self._parent(path)
        _check_name(path)
        return folder.kept.get((self._account.name, path.name)) or self._node(path)

    def _begin(self, folder: Folder, path: VirtualPath, file: File, start: int, *, is_exclusive: bool = False) -> MemoryUpload:
        def publish(file: File) -> None:
            key = (self._account.name, path.name)
            if is_exclusive and path.name in folder.entries:
                self._store.release(file)
                raise AlreadyExists(path)
            self._replace(folder, path, file)
            kept = folder.kept.get(key)
            if kept is not None and not kept.is_being_written:
                del folder.kept[key]
                if kept is not file:
                    self._store.release(kept)

        def drop(file: File, keeps: bool) -> None:
            self._cut(folder, path, file, keeps)

        return MemoryUpload(path, file, start, publish, drop, self._store.reserve)

    def _begin_unique(self, folder: Folder, path: VirtualPath, permissions: int | None) -> MemoryUpload:
        wanted = encode_name(path.name)
        names = itertools.chain([path.name], (numbered(wanted, n).decode("utf-8", "surrogateescape") for n in itertools.count(1)))
        name = next(name for name in names if name not in folder.entries)
        reserved = folder.entries[name] = self._store.new_file(permissions)
        taken = path.parent.child(name)

        def drop(file: File, keeps: bool) -> None:
            if folder.entries.get(name) is reserved:
                del folder.entries[name]
            self._cut(folder, taken, file, keeps)

        def publish(file: File) -> None:
            self._replace(folder, taken, file)

        return MemoryUpload(taken, self._store.new_file(permissions), 0, publish, drop, self._store.reserve)

    def _begin_resumed(
        self, folder: Folder, path: VirtualPath, node: File | None, offset: int | None, permissions: int | None
    ) -> MemoryUpload:
        """Go on in the kept part, else in the published file, else anew; *offset* None: at the end."""
        kept = folder.kept.get((self._account.name, path.name))
        file = kept or node
        size = 0 if file is None else len(file.data)
        start = size if offset is None else offset
        if file is not None and file.is_being_written:
            raise Busy(path, "Another upload is writing to this file")
        if start > size:
            raise BadOffset(path, f"Only {size} bytes are there to resume")
        if file is None or file is kept:
            if kept is not None:
                self._store.reserve(start - size)
                del kept.data[start:]
            return self._begin(folder, path, file or self._store.new_file(permissions), start)

        def publish(file: File) -> None:
            if folder.entries.get(path.name) is not file:
                raise IntegrityLost(path, "The file was replaced or deleted while it was written to")

        return MemoryUpload(path, file, start, publish, lambda *_: None, self._store.reserve)

    def _replace(self, folder: Folder, path: VirtualPath, node: Node) -> None:
        """Give *node* the name *path* in *folder*, as rename(2) does."""
        old = folder.entries.get(path.name)
        if folder.is_removed:  # while the upload was under way
            if isinstance(node, File):
                self._store.release(node)
            raise NotFound(path)
        if isinstance(old, Folder):
            if isinstance(node, File):
                self._store.release(node)
                raise IsADirectory(path)
            if old.entries:
                raise NotEmpty(path)
        if isinstance(old, File):
            if isinstance(node, Folder):
                raise NotADirectory(path)
            self._store.release(old)
            node.mode = old.mode
        folder.entries[path.name] = node

    def _cut(self, folder: Folder, path: VirtualPath, file: File, keeps: bool) -> None:
        """Keep what came of a cut upload for its account, or free it."""
        key = (self._account.name, path.name)
        kept = folder.kept.get(key)
        keeps = keeps and bool(file.data)
        if kept is file:
            if not keeps:
                self._store.release(folder.kept.pop(key))
        elif not keeps or self._account.is_anonymous or (kept is not None and kept.is_being_written):
            self._store.release(file)
        else:
            self._store.release(kept)
            folder.kept[key] = file


def _check_name(path: VirtualPath) -> None:
    if path.name in ("", ".", "..") or "/" in path.name or "\0" in path.name:
        raise BadName(path)
    if len(encode_name(path.name)) > MAX_NAME_BYTES:
        raise BadName(path, "Name too long")


@implementer(IStoreKind)
class _MemoryKind:
    name = "memory"
    settings = MemorySettings
    is_in_memory = True

    def make(self, settings: MemorySettings, threads: Threads) -> MemoryStore:
        return MemoryStore(settings)


MEMORY: Final = _MemoryKind()
