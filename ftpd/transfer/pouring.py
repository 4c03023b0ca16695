"""Pouring: the bytes of one open file into another, on this machine.

Apart from the pumps, which have a client at one end: here nobody is waited for, and the kernel may share the blocks of both files, or
copy them without a process seeing them (copy_file_range; Btrfs and XFS make reflinks of it).
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred

from ftpd.disks import disk_of
from ftpd.errors import IntegrityLost, OverQuota, from_oserror
from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile, StreamedFile, WritableFile
from ftpd.transfer.crew import Crew, Crews

__all__ = ["pour"]

_STEP_BYTES: Final = 4 * 1024 * 1024  # a cancel is seen in between
_TURN_BYTES: Final = 64 * 1024 * 1024  # for whoever else waits for a thread
_PIECE_BYTES: Final = 256 * 1024
_CANNOT: Final = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM)
_copy_file_range: Final = getattr(os, "copy_file_range", None)  # Linux


async def pour(crews: Crews, source: ReadableFile, target: WritableFile, offset: int, advance: Callable[[int], None]) -> int:
    """Write all of *source* into *target* from *offset* on, and return how many bytes that was.

    *advance* is told of each piece how long it was, perhaps in a thread.  Off the reactor where both have descriptors.  Raises `IntegrityLost` where *source* is shorter than it was when opened, `OverQuota`
    beyond the target's ceiling, and what the disks say.  After a cancel nothing more is written.
    """
    ceiling = None if target.ceiling is None else target.start + target.ceiling
    if isinstance(source, StreamedFile):
        return await _pour_stream(source, target, offset, ceiling, advance)
    if ceiling is not None and offset + source.info.size > ceiling:
        raise OverQuota(target.path)
    here, there = source.descriptor(), target.descriptor()
    if here is not None and there is not None:
        moved = await _pour_descriptors(crews, target.path, here, there, offset, source.info.size, advance)
    else:
        moved = await _pour_pieces(source, target, offset, advance)
    if moved != source.info.size:
        raise IntegrityLost(target.path, "A source was cut short meanwhile")
    return moved


async def _pour_descriptors(
    crews: Crews, path: VirtualPath, source: int, target: int, offset: int, length: int, advance: Callable[[int], None]
) -> int:
    try:
        return await _Pour(crews.of(disk_of(target)), source, target, offset, length, advance).begin()
    except OSError as error:
        raise from_oserror(error, path) from error


async def _pour_stream(
    source: StreamedFile, target: WritableFile, offset: int, ceiling: int | None, advance: Callable[[int], None]
) -> int:
    """The size is a guess: what counts is where the bytes end."""
    next_piece, moved = source.pieces(0), 0
    while piece := await next_piece():
        if ceiling is not None and offset + moved + len(piece) > ceiling:
            raise OverQuota(target.path)
        await target.write_at(offset + moved, piece)
        moved += len(piece)
        advance(len(piece))
    return moved


async def _pour_pieces(source: ReadableFile, target: WritableFile, offset: int, advance: Callable[[int], None]) -> int:
    moved, size = 0, source.info.size
    while moved < size and (piece := await source.read_at(moved, min(_PIECE_BYTES, size - moved))):
        await target.write_at(offset + moved, piece)
        moved += len(piece)
        advance(len(piece))
    return moved


class _Poured(Deferred[int]):
    """A cancel stops the thread, and whoever waits is told when it has stopped: until then no descriptor may be closed."""

    def __init__(self, load: _Pour) -> None:
        super().__init__()
        self._load = load

    def cancel(self) -> None:
        self._load.stop()


class _Pour:
    """A `Load`: *length* bytes from the start of one descriptor to *offset* of another."""

    def __init__(self, crew: Crew, source: int, target: int, offset: int, length: int, advance: Callable[[int], None]) -> None:
        self._crew = crew
        self._advance = advance
        self._source = source
        self._target = target
        self._offset = offset
        self._length = length
        self._moved = 0
        self._copies_in_kernel = _copy_file_range is not None
        self._is_at_end = length == 0
        self._is_stopped = False
        self._error: OSError | None = None
        self._done = _Poured(self)

    def begin(self) -> Deferred[int]:
        self._crew.take(self)
        return self._done

    def stop(self) -> None:
        self._is_stopped = True
        if self._crew.withdraw(self):
            self.carried()

    def carry(self, crew: Crew) -> None:
        until = self._moved + _TURN_BYTES
        try:
            while not (self._is_at_end or self._is_stopped or (self._moved >= until and crew.is_awaited)):
                self._step(min(_STEP_BYTES, self._length - self._moved))
        except OSError as error:
            self._error = error

    def carried(self) -> None:
        if self._error is not None:
            self._done.errback(self._error)
        elif self._is_at_end:
            self._done.callback(self._moved)
        elif self._is_stopped:
            self._done.errback(CancelledError())
        else:
            self._crew.take(self)

    def _step(self, count: int) -> None:
        moved = self._copied(count) if self._copies_in_kernel else 0
        if not moved:  # the end, or a file that the kernel takes for empty, as it may those of FUSE and /proc
            moved = self._carried_over(count)
        self._moved += moved
        self._advance(moved)
        self._is_at_end = not moved or self._moved == self._length

    def _copied(self, count: int) -> int:
        try:
            return os.copy_file_range(self._source, self._target, count, self._moved, self._offset + self._moved)
        except OSError as error:
            if error.errno not in _CANNOT:
                raise
            self._copies_in_kernel = False
            return 0

    def _carried_over(self, count: int) -> int:
        rest = memoryview(os.pread(self._source, min(count, _PIECE_BYTES), self._moved))
        moved = len(rest)
        offset = self._offset + self._moved
        while rest:
            written = os.pwrite(self._target, rest, offset)
            rest, offset = rest[written:], offset + written
        return moved
