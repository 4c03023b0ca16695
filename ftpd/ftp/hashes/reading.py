"""Reading: one file, or part of it, as it is read to be hashed, and whether what was read all stood there at one time.

Apart from the digests of a server, which know whose turn it is and what is remembered.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple, TypeAlias

from ftpd.errors import BadOffset, IntegrityLost, OverLimit
from ftpd.ftp.hashes.algorithms import Algorithm, Digest
from ftpd.ftp.settings import HashSettings
from ftpd.spi import Pace, ReadableFile, StreamedFile
from ftpd.transfer.crew import Crews
from ftpd.transfer.scan import Scan
from ftpd.transfer.source import pieces_of

__all__ = ["Allowance", "Key", "Opener", "Part", "Progress", "Reading", "Span", "part_of", "whole"]

Opener: TypeAlias = Callable[[], Awaitable[ReadableFile]]
Span: TypeAlias = Callable[[int | None], tuple[int, int | None]]

_INLINE_BYTES: Final = 64 * 1024  # up to here a hop to a thread costs more than the work


class Progress:
    """How far a digest is: `moved` of `total` bytes, None where nobody knows.  It stands where a transfer has its pump, and no rate holds it."""

    __slots__ = ("moved", "total")

    def __init__(self, total: int | None) -> None:
        self.total = total
        self.moved = 0

    def advance(self, count: int) -> None:
        self.moved += count

    def hold_to(self, pace: Pace) -> None:
        """Rates are for what goes over the network."""


class Allowance:
    """What one request may read, of however many files: bytes, and seconds of the clock that `Digests` asks."""

    __slots__ = ("_bytes", "_ends_at")

    def __init__(self, settings: HashSettings, now: float) -> None:
        self._bytes: int = settings.max_bytes
        self._ends_at = now + settings.max_time

    def spend(self, count: int) -> None:
        """Take *count* bytes; `OverLimit` where there are not so many left."""
        if count > self._bytes:
            raise OverLimit(None, f"More than the {self._bytes} bytes that one request may have hashed here")
        self._bytes -= count

    def seconds_left(self, now: float) -> float:
        """Return the seconds that are left at *now*; `OverLimit` where there are none."""
        if now >= self._ends_at:
            raise OverLimit(None, "Reading it takes longer than this server allows")
        return self._ends_at - now


class Part(NamedTuple):
    """Offsets of the first byte and of the one after the last, None where only reading tells it."""

    start: int
    end: int | None


class _State(NamedTuple):
    """A file's content as far as it can be told without reading it."""

    unique: object
    size: int
    modified_ns: int


class Key(NamedTuple):
    """What a remembered digest is of.

    With the time of the last change of the inode, which nobody can set back: a client that replaces a file often gives it its old time.
    """

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int
    start: int
    end: int
    algorithm: Algorithm


class Reading:
    """One file that is read, again where it has grown meanwhile."""

    def __init__(
        self,
        crews: Crews,
        file: ReadableFile,
        opens: Opener,
        algorithm: Algorithm,
        part: Part,
        allowance: Allowance,
    ) -> None:
        self.progress = Progress(None if part.end is None else part.end - part.start)
        self._file = file
        self._algorithm = algorithm
        self._part = part
        self._crews = crews
        self._opens = opens
        self._allowance = allowance

    def key(self) -> Key | None:
        """Return what its digest is remembered by, as the file is now; None for one without a descriptor."""
        descriptor, (start, end) = self._file.descriptor(), self._part
        if descriptor is None or end is None:
            return None
        status = os.fstat(descriptor)
        times = status.st_mtime_ns, status.st_ctime_ns
        return Key(status.st_dev, status.st_ino, status.st_size, *times, start, end, self._algorithm)

    def device(self) -> int | None:
        """Return the device that its file is on; None for one without a descriptor: all of those share what a disk has."""
        descriptor = self._file.descriptor()
        return None if descriptor is None else os.fstat(descriptor).st_dev

    async def digest(self) -> str:
        """Read the bytes; `IntegrityLost` where nobody can say that they all stood there at one time.

        A file that has only grown may have been written anew from its start as well: it has to give the same digest twice.
        """
        before = _state_of(self._file)
        value = await self._read()
        after = await self._look_again()
        if after == before:
            return value
        has_grown = after.unique == before.unique and after.size > before.size
        if has_grown and not isinstance(self._file, StreamedFile):  # which cannot be read again
            self.progress.moved = 0
            if await self._read() == value:
                return value
        raise IntegrityLost(None, "The file changed while it was read; try again later")

    async def _look_again(self) -> _State:
        if self._file.descriptor() is not None:
            return _state_of(self._file)
        async with await self._opens() as again:  # what a store without descriptors tells of a file is how it was when opened
            return _state_of(again)

    async def _read(self) -> str:
        digest = self._algorithm.begin()
        descriptor, (start, end) = self._file.descriptor(), self._part
        if descriptor is None or end is None:
            await self._read_pieces(digest)
        else:
            seconds = self._allowance.seconds_left(self._crews.reactor.seconds())
            await Scan(self._crews, descriptor, start, end - start, digest.update, self.progress.advance, seconds).start()
        return digest.hexdigest()

    async def _read_pieces(self, digest: Digest) -> None:
        next_piece = pieces_of(self._file, *self._part)
        while piece := await next_piece():
            self._allowance.seconds_left(self._crews.reactor.seconds())
            if self._part.end is None:
                self._allowance.spend(len(piece))
            if len(piece) > _INLINE_BYTES:
                await self._crews.compute.run(digest.update, piece)
            else:
                digest.update(piece)
            self.progress.advance(len(piece))
        if self.progress.total not in (None, self.progress.moved):
            raise _no_such_bytes()


def _state_of(file: ReadableFile) -> _State:
    descriptor = file.descriptor()
    if descriptor is None:
        return _State(file.info.unique, file.info.size, file.info.modified_ns)
    status = os.fstat(descriptor)
    return _State(None, status.st_size, status.st_mtime_ns)


def whole(size: int | None) -> tuple[int, int | None]:
    """A `Span`: all of a file."""
    return 0, None


def part_of(file: ReadableFile, span: Span) -> Part:
    """Return the part of *file* that *span* says; `end` is None where only reading tells it."""
    size = None if isinstance(file, StreamedFile) else file.info.size
    start, end = span(size)
    if size is not None:
        end = size if end is None else end
        if not 0 <= start <= end <= size:
            raise _no_such_bytes()
    return Part(start, end)


def _no_such_bytes() -> BadOffset:
    return BadOffset(None, "The file has no such bytes")
