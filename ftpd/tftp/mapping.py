"""MappedFrames: the blocks of a large file, sent from where the page cache has them.

Apart from `frames`, which lay blocks out in memory of ours, so that the kernel can cut many out of one call.  Blocks of which no two fit one call
gain nothing by that, and a copy of 64 KiB is a seventh of their time (tests/bench: tftp-65464-*).
"""

from __future__ import annotations

import errno
import mmap
import os
from time import monotonic
from typing import Final

from ftpd.disks import disk_of
from ftpd.errors import IntegrityLost
from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile
from ftpd.tftp.frames import FileFrames, Geometry, HotFiles
from ftpd.tftp.line import Line

__all__ = ["MappedFrames", "can_map"]

_LEAST_BLOCK: Final = 32 * 1024
_LEAST_FILE: Final = 1024 * 1024
_PART_BYTES: Final = 8 * 1024 * 1024  # mapped at a time: all of a file would look as if it were the server's memory
_LOOK_BYTES: Final = 256 * 1024  # of a part whose first and last byte tell whether the page cache has them
_TRUSTED_SECONDS: Final = 1.0  # for so long what was found in the page cache, or missed there, is taken to be so still
_FLAGS: Final = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
_NOWHERE: Final = -(1 << 62)
_SECTOR: Final = 512  # bytes, in which stat(2) counts what a file takes
_NO_ROOM: Final = frozenset((errno.EAGAIN, errno.ENOBUFS))


def can_map(file: ReadableFile, geometry: Geometry) -> bool:
    """Whether *file*, cut by *geometry*, is one for `MappedFrames`.  One with holes is not: in a map of tmpfs they turn into memory, for good."""
    if geometry.block_size < _LEAST_BLOCK or file.info.size < _LEAST_FILE:
        return False
    number = file.descriptor()
    return number is not None and os.fstat(number).st_blocks * _SECTOR >= file.info.size


class MappedFrames(FileFrames):
    """The frames of *file*, which `can_map`; as `FileFrames` has them where the page cache has not got them, or nothing more can be mapped.

    Nothing here looks into what is mapped: of a file that was cut short since, the kernel would send a signal, where its own calls fail with
    EFAULT.  Behind its new end it reads as zeros up to the end of a page, so that the last block is sent only while the file still has its size:
    no client takes zeros for the file.
    """

    __slots__ = ("_begin", "_number", "_parts", "_until")

    def __init__(self, file: ReadableFile, path: VirtualPath, geometry: Geometry, hot: HotFiles) -> None:
        super().__init__(file, path, geometry, hot)
        number = file.descriptor()
        assert number is not None
        self._number = number
        self._begin = _NOWHERE  # the first block that is mapped
        self._parts: list[tuple[bytes, memoryview]] = []  # header and payload of each
        self._until = 0.0  # when to look into the page cache again

    def send(self, line: Line, first: int, count: int) -> int | None:
        assert self.last is not None
        if first >= self.last:
            if os.fstat(self._number).st_size < self.size:
                raise IntegrityLost(self._path)
            return super().send(line, first, count)
        place = first - self._begin
        if not 0 <= place < len(self._parts) or monotonic() >= self._until:
            if not self._map(first, self.last):
                return super().send(line, first, count)
            place = 0
        sent = 0
        try:
            for part in self._parts[place : place + count]:
                line.burst(part)
                sent += 1
        except OSError as error:
            if error.errno == errno.EFAULT:
                raise IntegrityLost(self._path) from error
            if not sent or error.errno not in _NO_ROOM:
                raise
        return sent * self._stride

    def close(self) -> None:
        self._unmap()
        super().close()

    def _map(self, first: int, last: int) -> bool:
        """Map block *first* and those behind it; the last, which may be short, is not among them.  False: they cannot be had without a wait."""
        now = monotonic()
        if not self._parts and now < self._until:  # each look fills the place that is looked at, and nothing between them
            return False
        self._unmap()
        self._until = now + _TRUSTED_SECONDS
        size = self._block_size
        count = min(_PART_BYTES // size, last - first)
        start = (first - 1) * size
        end = start + count * size
        page = start - start % mmap.ALLOCATIONGRANULARITY
        disk = self._disk = self._disk or disk_of(self._number)
        try:
            if not all(disk.is_cached(self._number, look, min(_LOOK_BYTES, end - look)) for look in range(start, end, _LOOK_BYTES)):
                return False
            mapped = memoryview(mmap.mmap(self._number, end - page, _FLAGS, mmap.PROT_READ, offset=page))
        except (
            OSError,
            ValueError,
        ):  # nothing more can be mapped, not from there, or the file is shorter now: to read it will tell
            return False
        highs, lows = self._geometry.headers(first, count)
        places = range(start - page, end - page, size)
        self._parts = [
            (b"\0\3%c%c" % (high, low), mapped[place : place + size]) for high, low, place in zip(highs, lows, places, strict=True)
        ]
        self._begin = first
        return True

    def _unmap(self) -> None:
        """Let go of what is mapped: with the last view of it the kernel unmaps it."""
        self._begin = _NOWHERE
        self._parts = []
