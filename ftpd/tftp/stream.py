"""StreamFrames: the blocks of a file whose bytes come in order only, or change on their way: netascii, and stores without random access.

Apart from `frames`, which goes anywhere in a file and knows its end beforehand.  Here the end is where the bytes end, and what a window may
want again is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, TypeGuard

from ftpd.errors import IntegrityLost
from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile, StreamedFile
from ftpd.tftp.frames import Geometry, depart
from ftpd.tftp.line import Line
from ftpd.tftp.numbers import wire_number
from ftpd.tftp.wire.packets import data_header

__all__ = ["StreamFrames", "is_streamed", "pieces_of"]

_PIECE_BYTES: Final = 64 * 1024


class StreamFrames:
    """The frames of what *pieces* gives, piece after piece until an empty one; *encode*, if any, converts it, and is told of the end."""

    __slots__ = ("_blocks", "_encode", "_geometry", "_is_at_end", "_made", "_pieces", "_rest", "last", "size")

    def __init__(
        self, pieces: Callable[[], Awaitable[bytes]], geometry: Geometry, encode: Callable[[bytes, bool], bytes] | None = None
    ) -> None:
        self._pieces = pieces
        self._geometry = geometry
        self._encode = encode
        self._blocks: dict[int, bytes] = {}
        self._made = 0  # the number of the last block that there is
        self._rest = b""
        self._is_at_end = False
        self.last: int | None = None
        self.size: int | None = None

    def send(self, line: Line, first: int, count: int) -> int | None:
        """Send as many of *count* blocks as leave in one call; see `FileFrames.send`."""
        frames = self.frames(first, min(count, line.segments))
        return None if frames is None else depart(line, frames, self._geometry.stride)

    def frames(self, first: int, count: int) -> bytes | None:
        """Return the datagrams of *count* blocks from *first* on, fewer at the end; None: `fetch` them first."""
        end = first + count
        if self.last is not None:
            end = min(end, self.last + 1)
        elif end > self._made + 1:
            return None
        return b"".join([self._blocks[number] for number in range(first, end)])

    async def fetch(self, first: int, count: int) -> None:
        """Have *count* blocks from *first* on ready; those more than a window before *first* are wanted no more.  Raises `FileTransferError`."""
        for number in [number for number in self._blocks if number < first - self._geometry.window]:
            del self._blocks[number]
        while self.last is None and self._made + 1 < first + count:
            piece = await self._pieces()
            is_end = not piece
            if self._encode is not None:
                piece = self._encode(piece, is_end)
            self._cut(self._rest + piece, is_end)

    def close(self) -> None:
        """Nothing is shared."""

    def _cut(self, data: bytes, is_end: bool) -> None:
        size = self._geometry.block_size
        whole = len(data) // size
        for place in range(whole):
            self._add(data[place * size : (place + 1) * size])
        self._rest = data[whole * size :]
        if is_end:
            self._add(self._rest)
            self.last = self._made
            self.size = (self._made - 1) * size + len(self._rest)

    def _add(self, payload: bytes) -> None:
        self._made += 1
        self._blocks[self._made] = data_header(wire_number(self._made, self._geometry.rollover)) + payload


def is_streamed(file: ReadableFile) -> TypeGuard[StreamedFile]:
    """Whether the end of *file* is where its bytes end, and its size a guess."""
    return hasattr(file, "pieces")  # isinstance() asks for each member of the protocol: 18 us, on the path of every request


def pieces_of(file: ReadableFile, path: VirtualPath) -> Callable[[], Awaitable[bytes]]:
    """Return a function that gives *file*, known as *path*, piece by piece from its start, `b""` at the end: at the size that it had when opened.

    It raises `IntegrityLost` where there is less by then, so that no client takes a part for the whole.
    """
    if is_streamed(file):
        return file.pieces(0)
    offset, size = 0, file.info.size

    async def piece() -> bytes:
        nonlocal offset
        if offset == size:
            return b""
        data = await file.read_at(offset, min(_PIECE_BYTES, size - offset))
        if not data:
            raise IntegrityLost(path)
        offset += len(data)
        return data

    return piece
