"""A store: `[storage] kind = "zip"` serves the archive that `[storage.zip]` names, read-only and without unpacking it to the disk."""

import calendar
import threading
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import IO, Any, Final

import attrs
from zope.interface import implementer

from ftpd.errors import BadName, Unsupported
from ftpd.interfaces import IStoreKind
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import ConfigError, FilePath, Problem, setting
from ftpd.spi import ReadableFile, Threads
from ftpd.storage.content import OpenedContent
from ftpd.storage.shared import SharedStore
from ftpd.storage.simple import SimpleFilesystem
from ftpd.values import FileInfo, FileKind

_DAMAGE: Final = (OSError, EOFError, zlib.error, zipfile.BadZipFile, UnicodeDecodeError)
_LONGEST_NAME: Final = 4096  # characters, PATH_MAX: one of 60,000, a directory for every two, would take gigabytes
_SERVED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other methods are decompressed by the block, which may be of any size
_UNREADABLE: Final = 0x1 | 0x20 | 0x40  # encrypted, a patch, strongly encrypted: general purpose bits, APPNOTE.TXT 4.4.4


class ZipFiles(SimpleFilesystem):
    """What is in *archive*.  To serve another, rename it over the old one and restart: what is open must not be written to."""

    refusal = "An archive cannot be changed"

    def __init__(self, archive: zipfile.ZipFile, threads: Threads) -> None:
        self._archive, self._threads = archive, threads
        self._lock = threading.Lock()  # ZipFile counts its open members, and not in a way made for threads
        self._members: dict[VirtualPath, zipfile.ZipInfo | None] = {ROOT: None}  # None: a directory
        self._folders: dict[VirtualPath, list[VirtualPath]] = {}
        for member in (member for member in archive.infolist() if len(member.filename) <= _LONGEST_NAME):
            with suppress(BadName):  # a line feed in a name: no client could ask for it
                self._add(VirtualPath.parse(member.filename), None if member.is_dir() else member)

    def _add(self, path: VirtualPath, member: zipfile.ZipInfo | None) -> None:
        """Take note of *path* and the directories above it, of which the archive need not say anything; a directory wins over a file."""
        while path not in self._members or self._members[path] is not None:
            if path not in self._members:
                self._folders.setdefault(path.parent, []).append(path)
            self._members[path] = member
            path, member = path.parent, None

    async def find(self, path: VirtualPath) -> FileInfo | None:
        return self._described(path) if path in self._members else None

    async def entries(self, directory: VirtualPath) -> list[FileInfo]:
        return [self._described(path) for path in self._folders.get(directory, ())]

    async def open_file(self, path: VirtualPath, info: FileInfo) -> ReadableFile:
        member = self._members[path]
        if member is None or member.flag_bits & _UNREADABLE or member.compress_type not in _SERVED:
            raise Unsupported(path, "Packed in a way that is not served here")
        begin: Callable[[], IO[bytes]] = partial(self._locked, self._archive.open, member)
        return OpenedContent(path, info, begin, self._threads, damage=_DAMAGE, end=lambda content: self._locked(content.close))

    def _locked(self, call: Callable[..., Any], *arguments: object) -> Any:
        with self._lock:
            return call(*arguments)

    def _described(self, path: VirtualPath) -> FileInfo:
        member = self._members[path]
        if member is None:
            return FileInfo(path.name, FileKind.DIRECTORY, mode=0o555)
        seconds = 0
        with suppress(ValueError):  # reproducible builds write month 0, which is no date
            seconds = calendar.timegm((*member.date_time, 0, 0, 0))
        return FileInfo(path.name, FileKind.FILE, member.file_size, seconds * 10**9, mode=0o444)

    async def close(self) -> None:
        self._archive.close()


@attrs.frozen
class ZipSettings:
    archive: FilePath = setting(FilePath(""), help="ZIP archive to serve; its index is read once, at start.")


@implementer(IStoreKind)
class _ZipKind:
    name = "zip"
    settings = ZipSettings

    def make(self, settings: ZipSettings, threads: Threads) -> SharedStore:
        try:
            return SharedStore(ZipFiles(zipfile.ZipFile(settings.archive), threads))
        except (*_DAMAGE, NotImplementedError) as error:  # the last one: a later version of the format
            raise ConfigError([Problem("", "archive", f"cannot be read: {error}", "a ZIP archive")]) from error


ZIP = _ZipKind()
