"""LocalFile: a file of the disk, open for reading."""

from __future__ import annotations

import os
import stat
from types import TracebackType
from typing import Self

from ftpd.disks import Disk
from ftpd.errors import IsADirectory, Unsupported
from ftpd.paths import VirtualPath
from ftpd.storage.lane import LONG_BYTES, Descriptor, Lane
from ftpd.storage.root import View, errors_about
from ftpd.values import FileInfo

__all__ = ["LocalFile", "open_regular"]


def open_regular(view: View, raw: bytes) -> tuple[int, os.stat_result, Disk | None]:
    """Open for reading; return descriptor, status, and disk, None for one that may hang.  Only regular files pass.

    O_NONBLOCK, or a FIFO without a writer would hang here; O_NOCTTY, or a terminal could become ours.
    """
    number = view.open(raw, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    try:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode):
            raise IsADirectory if stat.S_ISDIR(status.st_mode) else Unsupported(None, "Not a regular file")
        return number, status, view.disk(number)
    except BaseException:
        os.close(number)
        raise


class LocalFile:
    """A `spi.ReadableFile`.  Of a local disk, what is in the page cache is read on the reactor thread."""

    __slots__ = ("_file", "_lane", "_path", "disk", "info")

    def __init__(self, path: VirtualPath, info: FileInfo, number: int, lane: Lane, disk: Disk | None) -> None:
        self.info = info
        self.disk = disk
        self._path = path
        self._lane = lane
        self._file = Descriptor(number, lane.dispose if info.size > LONG_BYTES else lane.dispose_small)

    def descriptor(self) -> int | None:
        return self._file.number if self._lane.is_local else None

    async def read_at(self, offset: int, length: int) -> bytes:
        with errors_about(self._path):
            within = max(1, min(length, self.info.size - offset))
            ask = self._lane.quick if self._lane.has_cached(self._file.number, offset, within) else self._lane.blocking
            return await ask(os.pread, self._file.number, length, offset, holding=self._file)

    async def close(self) -> None:
        self._file.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
