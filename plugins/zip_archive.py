"""A store: `[storage] kind = "zip"` serves the archive that `[storage.zip]` names as a tree of files, read-only.

Nothing is unpacked to the disk, so that no name in the archive leads anywhere.  Members are decompressed in threads, a piece at a time.
"""

from __future__ import annotations

import calendar
import threading
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Final, NoReturn, Self

import attrs
from zope.interface import implementer

from ftpd.errors import BadName, IntegrityLost, IsADirectory, NotADirectory, NotFound, NotPermitted, Unsupported
from ftpd.interfaces import IStoreKind
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import ConfigError, FilePath, Problem, setting
from ftpd.spi import Threads
from ftpd.values import Ability, Account, FileInfo, FileKind

_BATCH: Final = 256
_UNREADABLE: Final = 0x1 | 0x20 | 0x40  # encrypted, a patch, strongly encrypted: general purpose bits, APPNOTE.TXT 4.4.4
# The other methods are decompressed by the block, and a block may be of any size.
_SERVED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@attrs.frozen
class ZipSettings:
    """The `[storage.zip]` table."""

    archive: FilePath = setting(FilePath(""), help="ZIP archive to serve; its index is read once, at start.")


class ZipStore:
    """A `spi.Store` over one archive.  To serve another, rename it over the old one and restart: what is open must not be written to."""

    def __init__(self, os_path: str, threads: Threads) -> None:
        """Read the index.  Raises `ConfigError`."""
        try:
            self._archive = zipfile.ZipFile(os_path)
        except (OSError, zipfile.BadZipFile) as error:
            raise ConfigError([Problem("", "archive", f"cannot be read: {error}", "a ZIP archive")]) from error
        self.threads = threads
        self.members = _index(self._archive.infolist())
        self.infos = {path: _describe(path, member) for path, member in self.members.items()}
        self.folders: dict[VirtualPath, list[FileInfo]] = {path: [] for path, member in self.members.items() if member is None}
        for path, info in self.infos.items():
            if not path.is_root:
                self.folders[path.parent].append(info)
        self._lock = threading.Lock()  # ZipFile counts its open members, and not in a way made for threads

    async def open(self, account: Account) -> ZipFilesystem:
        await ZipFilesystem(self, ROOT).open_directory(account.home)  # raises where there is none
        return ZipFilesystem(self, account.home if account.is_confined else ROOT)

    async def sweep(self) -> None:
        """Nothing is left over: nothing is written."""

    async def close(self) -> None:
        self._archive.close()

    def open_content(self, member: zipfile.ZipInfo) -> IO[bytes]:
        """Begin to read *member*; called in a thread, as is `close_content`."""
        with self._lock:
            return self._archive.open(member)

    def close_content(self, content: IO[bytes]) -> None:
        with self._lock:
            content.close()


class ZipFilesystem:
    """A `spi.Filesystem`: what lies below *home*."""

    abilities = Ability.NONE

    def __init__(self, store: ZipStore, home: VirtualPath) -> None:
        self._store = store
        self._home = home

    async def stat(self, path: VirtualPath) -> FileInfo:
        info = self._store.infos.get(path.under(self._home))
        if info is None:
            raise NotADirectory(path) if self._is_below_a_file(path) else NotFound(path)
        return info if path.parts else info._replace(name="")

    async def open_directory(self, path: VirtualPath) -> ZipDirectory:
        if (await self.stat(path)).kind is not FileKind.DIRECTORY:
            raise NotADirectory(path)
        return ZipDirectory(self._store.folders[path.under(self._home)])

    async def open_read(self, path: VirtualPath) -> ZipMember:
        info = await self.stat(path)
        member = self._store.members[path.under(self._home)]
        if member is None:
            raise IsADirectory(path)
        if member.flag_bits & _UNREADABLE or member.compress_type not in _SERVED:
            raise Unsupported(path, "Packed in a way that is not served here")
        return ZipMember(self._store, path, info, member)

    def _is_below_a_file(self, path: VirtualPath) -> bool:
        for depth in range(1, len(path.parts)):  # from the top: a path as long as a line may be is then left at its first name
            info = self._store.infos.get(VirtualPath(path.parts[:depth]).under(self._home))
            if info is None or info.kind is FileKind.FILE:
                return info is not None
        return False

    async def _refuse(self, *paths: Any, **options: Any) -> NoReturn:
        raise NotPermitted(paths[0], "An archive cannot be changed")

    open_write = make_directory = remove_directory = remove_file = rename = set_attributes = _refuse

    async def close(self) -> None:
        """Nothing is held for a session."""


class _Opened:
    """What is entered with `async with` and closed at its end."""

    async def close(self) -> None:
        """Nothing to free."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


class ZipDirectory(_Opened):
    """A `spi.Directory`."""

    def __init__(self, infos: Sequence[FileInfo]) -> None:
        self._batches = iter([infos[start : start + _BATCH] for start in range(0, len(infos), _BATCH)])

    async def next_batch(self) -> Sequence[FileInfo]:
        return next(self._batches, ())


class ZipMember(_Opened):
    """A `spi.ReadableFile`.  Going back, or far ahead (REST), decompresses what lies before: that is how ZIP is."""

    def __init__(self, store: ZipStore, path: VirtualPath, info: FileInfo, member: zipfile.ZipInfo) -> None:
        self.info = info
        self._store = store
        self._path = path
        self._member = member
        self._content: IO[bytes] | None = None
        self._is_begun = self._is_closed = False
        self._lock = threading.Lock()  # a cancelled read goes on in its thread: closing waits for it, in a thread as well

    def descriptor(self) -> int | None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        self._is_begun = True
        return await self._store.threads.run(self._read, offset, length)

    async def close(self) -> None:
        if self._is_begun:
            await self._store.threads.run(self._close)

    def _read(self, offset: int, length: int) -> bytes:
        with self._lock:
            if self._is_closed:  # cancelled before a thread was free for it
                return b""
            try:
                if self._content is None:
                    self._content = self._store.open_content(self._member)
                self._content.seek(offset)
                return self._content.read(length)
            except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
                raise IntegrityLost(self._path, "The archive is damaged") from error

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._content is not None:
                self._store.close_content(self._content)
                self._content = None


def _index(members: Sequence[zipfile.ZipInfo]) -> dict[VirtualPath, zipfile.ZipInfo | None]:
    """Return the tree: None stands for a directory, also for one that the archive has no entry for; a directory wins over a file."""
    tree: dict[VirtualPath, zipfile.ZipInfo | None] = {ROOT: None}
    for member in members:
        with suppress(BadName):  # a line feed in a name: no client could ask for it
            path = VirtualPath.parse(member.filename)
            folder = path if member.is_dir() else path.parent
            while tree.get(folder, member) is not None:
                tree[folder] = None
                folder = folder.parent
            if tree.get(path, member) is not None:
                tree[path] = member
    return tree


def _describe(path: VirtualPath, member: zipfile.ZipInfo | None) -> FileInfo:
    if member is None:
        return FileInfo(path.name, FileKind.DIRECTORY, mode=0o555)
    return FileInfo(path.name, FileKind.FILE, member.file_size, _seconds(member) * 1_000_000_000, mode=0o444)


def _seconds(member: zipfile.ZipInfo) -> int:
    """Read the time without zone of MS-DOS as UTC; reproducible builds write month 0, which is no date."""
    try:
        return calendar.timegm((*member.date_time, 0, 0, 0))
    except ValueError:
        return 0


@implementer(IStoreKind)
class _ZipKind:
    name = "zip"
    settings = ZipSettings

    def make(self, settings: ZipSettings, threads: Threads) -> ZipStore:
        return ZipStore(settings.archive, threads)


ZIP = _ZipKind()
