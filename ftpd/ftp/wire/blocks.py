"""MODE B: blocks behind headers of three bytes (RFC 959 3.4.2).

Apart because here, and in MODE C, bits beside the data tell where records and the file end, and markers stand between the data.
Blocks of a file without records are cut from it whole (benchmark: codecs).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

from ftpd.errors import TransferCut
from ftpd.ftp.wire.descriptors import END_OF_FILE, END_OF_RECORD, LONGEST_MARKER, RESTART_MARKER, check_descriptor, mark_of
from ftpd.values import Mark

__all__ = ["BlockFraming", "BlockUnframing"]

_HEADER: Final = struct.Struct(">BH")  # descriptor, count of the bytes that follow
_HEADER_BYTES: Final = 3
_LARGEST: Final = 65_535
_SHORT: Final = tuple(_HEADER.pack(END_OF_RECORD, count) for count in range(256))  # of the records that most are
_BLOCKS_PER_STEP: Final = 4096  # about a millisecond of headers


class BlockFraming:
    """Frame in blocks; with a *line_end*, one byte, each block that ends at one ends a record in its place."""

    def __init__(self, line_end: bytes | None) -> None:
        self._line_end = line_end

    def frame(self, data: bytes) -> bytes:
        if self._line_end is None:
            return b"".join(_blocks(data))
        *records, rest = data.split(self._line_end)
        framed: list[bytes | memoryview] = []
        for record in records:
            if len(record) < 256:
                framed += (_SHORT[len(record)], record)
            else:
                framed += _blocks(record, END_OF_RECORD)
        return b"".join([*framed, *_blocks(rest)])

    def mark(self, text: bytes) -> bytes:
        return _HEADER.pack(RESTART_MARKER, len(text)) + text

    def end(self) -> bytes:
        return _HEADER.pack(END_OF_FILE, 0)


def _blocks(data: bytes, last: int = 0) -> Iterator[bytes | memoryview]:
    """Yield *data* in blocks, the last of which says *last*."""
    view = memoryview(data)
    for start in range(0, len(view), _LARGEST):
        block = view[start : start + _LARGEST]
        yield _HEADER.pack(last if start + _LARGEST >= len(view) else 0, len(block))
        yield block


class BlockUnframing:
    """Undo the framing; with a *line_end* it stands for the end of each record, without one a record is an error."""

    def __init__(self, line_end: bytes | None) -> None:
        self._line_end = line_end or b""
        self._has_records = line_end is not None
        self._header = b""  # of a header that was cut
        self._descriptor = 0
        self._left: int | None = None  # bytes to come of a block whose header was read
        self._marker = b""
        self.is_ended = False

    def unframe(self, data: bytes) -> Iterator[bytes | Mark]:
        data, self._header = self._header + data, b""
        place = 0
        while place < len(data):
            if self.is_ended:
                raise TransferCut("Bytes came behind the end of the file")
            if self._left is None:
                whole, place = self._whole_blocks(data, place)
                yield whole
                place = self._begin(data, place)
            if self._left is not None:
                part, place = self._part_of_block(data, place)
                yield part
                if not self._left:
                    yield from self._finish()

    def end(self) -> None:
        if not self.is_ended:
            raise TransferCut("The connection ended before the block that ends the file")

    def _whole_blocks(self, data: bytes, place: int) -> tuple[bytes, int]:
        """Return the data of the plain blocks that are here from *place* on, and where the next one begins, or another kind."""
        parts = []
        size = len(data)
        for _ in range(_BLOCKS_PER_STEP):
            start = place + _HEADER_BYTES
            if start > size:
                break
            descriptor, count = _HEADER.unpack_from(data, place)
            if start + count > size or (descriptor and (descriptor != END_OF_RECORD or not self._has_records)):
                break
            place = start + count
            parts.append(data[start:place])
            if descriptor:
                parts.append(self._line_end)
        return b"".join(parts), place

    def _begin(self, data: bytes, place: int) -> int:
        """Read the header at *place*, or keep what there is of it; return where the block's data begins."""
        start = place + _HEADER_BYTES
        if start > len(data):
            self._header = data[place:]
            return len(data)
        self._descriptor, self._left = _HEADER.unpack_from(data, place)
        check_descriptor(self._descriptor, self._has_records)
        if self._descriptor & RESTART_MARKER and self._left > LONGEST_MARKER:
            raise TransferCut(f"A restart marker is longer than {LONGEST_MARKER} bytes")
        return start

    def _part_of_block(self, data: bytes, place: int) -> tuple[bytes, int]:
        """Return what is here of the block that has begun, and where that ends; of a marker nothing is data."""
        assert self._left is not None
        part = data[place : place + self._left]
        self._left -= len(part)
        if not self._descriptor & RESTART_MARKER:
            return part, place + len(part)
        self._marker += part
        return b"", place + len(part)

    def _finish(self) -> Iterator[bytes | Mark]:
        """Do what the descriptor of the block says that has come whole."""
        if self._descriptor & RESTART_MARKER:
            yield mark_of(self._marker)
        if self._descriptor & END_OF_RECORD:
            yield self._line_end
        self.is_ended = bool(self._descriptor & END_OF_FILE)
        self._left, self._marker = None, b""
