"""FTP over a ZIP archive: `python docs/examples/zip_files.py release.zip` serves it on loopback, read-only.

Nothing is unpacked to the disk; members are decompressed in threads, as far as clients read them.
"""

from __future__ import annotations

import calendar
import sys
import threading
import zipfile
import zlib
from collections import defaultdict
from contextlib import suppress
from typing import IO

from ftpd.errors import BadName, Unsupported
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import ReadableFile, Threads
from ftpd.storage.content import OpenedContent
from ftpd.storage.shared import SharedStore
from ftpd.storage.simple import SimpleFilesystem
from ftpd.values import FileInfo, FileKind

DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile)
SERVED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)  # other methods are decompressed by the block, which may be of any size
UNREADABLE = 0x1 | 0x20 | 0x40  # encrypted, a patch, strongly encrypted: APPNOTE.TXT 4.4.4


class ZipFiles(SimpleFilesystem):
    """What is in *archive*; it must not be changed while it is served, only replaced before a restart."""

    refusal = "An archive cannot be changed"

    def __init__(self, archive: zipfile.ZipFile, threads: Threads) -> None:
        self._archive = archive
        self._threads = threads
        self._lock = threading.Lock()  # ZipFile counts its open members, and not in a way made for threads
        self._members: dict[VirtualPath, zipfile.ZipInfo | None] = {ROOT: None}  # None: a directory
        self._folders: defaultdict[VirtualPath, list[VirtualPath]] = defaultdict(list)
        for member in archive.infolist():
            with suppress(BadName):  # a line feed in a name: no client could ask for it
                self._add(VirtualPath.parse(member.filename), None if member.is_dir() else member)

    def _add(self, path: VirtualPath, member: zipfile.ZipInfo | None) -> None:
        """Take note of *path* and the directories above it, of which the archive need not say anything; a directory wins over a file."""
        while path not in self._members or self._members[path] is not None:
            if path not in self._members:
                self._folders[path.parent].append(path)
            self._members[path] = member
            path, member = path.parent, None

    async def find(self, path: VirtualPath) -> FileInfo | None:
        return self._described(path) if path in self._members else None

    async def entries(self, directory: VirtualPath) -> list[FileInfo]:
        return [self._described(path) for path in self._folders.get(directory, ())]

    async def open_file(self, path: VirtualPath, info: FileInfo) -> ReadableFile:
        member = self._members[path]
        assert member is not None, "the base has seen that it is a file"
        if member.flag_bits & UNREADABLE or member.compress_type not in SERVED:
            raise Unsupported(path, "Packed in a way that is not served here")
        return OpenedContent(path, info, lambda: self._begin(member), self._threads, damage=DAMAGE, end=self._end)

    def _begin(self, member: zipfile.ZipInfo) -> IO[bytes]:
        with self._lock:
            return self._archive.open(member)

    def _end(self, content: IO[bytes]) -> None:
        with self._lock:
            content.close()

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


if __name__ == "__main__":
    from serving import serve
    from twisted.internet import reactor

    from ftpd.threads import Pool

    serve(SharedStore(ZipFiles(zipfile.ZipFile(sys.argv[1]), Pool(reactor, "zip"))))
