"""MODE Z: what stream mode would send, as one zlib stream (draft-preston-ftpext-deflate; RFC 1950).

Apart because it stands around another framing, and because few bytes may become very many: what comes out is bounded, at a time and in all.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from ftpd.errors import TransferCut
from ftpd.ftp.wire.framing import Framing, Unframing
from ftpd.values import Mark

__all__ = ["DeflateFraming", "DeflateUnframing"]

_OUTPUT_BYTES: Final = 256 * 1024  # at a time
_INPUT_BYTES: Final = 64 * 1024  # at a time: zlib copies what it has not used yet
_FREE_BYTES: Final = 16 * 1024 * 1024  # that an upload may unpack to from however few: small files of one byte are harmless


class DeflateFraming:
    """Compress what *inner* frames, with effort *level*, 0 to 9."""

    def __init__(self, inner: Framing, level: int) -> None:
        self._inner = inner
        self._deflate = zlib.compressobj(level)

    def frame(self, data: bytes) -> bytes:
        return self._deflate.compress(self._inner.frame(data))

    def end(self) -> bytes:
        return self._deflate.compress(self._inner.end()) + self._deflate.flush()


class DeflateUnframing:
    """Unpack for *inner*; more than *max_ratio* times the bytes that came is `TransferCut`, 0: any number."""

    def __init__(self, inner: Unframing, max_ratio: int) -> None:
        self._inner = inner
        self._max_ratio = max_ratio
        self._inflate = zlib.decompressobj()
        self._came = 0
        self._unpacked = 0

    @property
    def is_ended(self) -> bool:
        return self._inflate.eof

    def unframe(self, data: bytes) -> Iterator[bytes | Mark]:
        for start in range(0, len(data), _INPUT_BYTES):
            packed = data[start : start + _INPUT_BYTES]
            self._came += len(packed)
            yield from self._unpacked_from(packed)
        if self._inflate.eof:
            self._inner.end()

    def end(self) -> None:
        if not self._inflate.eof:
            raise TransferCut("The connection ended before the deflate stream")

    def _unpacked_from(self, packed: bytes) -> Iterator[bytes | Mark]:
        is_more = True
        while is_more:
            unpacked = self._unpack(packed)
            yield from self._inner.unframe(unpacked)
            packed = self._inflate.unconsumed_tail
            is_more = bool(packed) or len(unpacked) == _OUTPUT_BYTES  # then zlib may hold more, without a byte to come

    def _unpack(self, packed: bytes) -> bytes:
        try:
            unpacked = self._inflate.decompress(packed, _OUTPUT_BYTES)
        except zlib.error as error:
            raise TransferCut("The deflate stream is damaged, or none") from error
        if self._inflate.unused_data:
            raise TransferCut("Bytes came behind the end of the deflate stream")
        self._unpacked += len(unpacked)
        if self._max_ratio and self._unpacked > max(_FREE_BYTES, self._max_ratio * self._came):
            raise TransferCut(f"The deflate stream unpacks to more than {self._max_ratio} times its size")
        return unpacked
