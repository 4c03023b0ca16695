"""Sources: where the portable pump gets what it sends, piece by piece, until `b""`.

Apart from the pump, which does not know whether a piece was read, listed, cut short or converted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Final, TypeAlias

from ftpd.errors import IntegrityLost
from ftpd.spi import Conversion, ReadableFile, StreamedFile, Threads
from ftpd.values import Mark

__all__ = ["Source", "converted", "pieces_of"]

Source: TypeAlias = Callable[[], Awaitable[bytes]]

_PIECE_BYTES: Final = 256 * 1024


def pieces_of(file: ReadableFile, start: int, end: int | None = None) -> Source:
    """Return a source of *file* from offset *start* to *end*, or to the size it had when opened; a file that shrinks is `IntegrityLost`.

    A file that can only be read from start to end ends where its bytes end, if that is before *end*.
    """
    if isinstance(file, StreamedFile):
        pieces = file.pieces(start)
        return pieces if end is None else _cut(pieces, max(end - start, 0))
    offset, last = start, file.info.size if end is None else min(end, file.info.size)

    async def next_piece() -> bytes:
        nonlocal offset
        if offset >= last:
            return b""
        piece = await file.read_at(offset, min(_PIECE_BYTES, last - offset))
        if not piece:
            raise IntegrityLost(None, "The file became shorter while it was sent")
        offset += len(piece)
        return piece

    return next_piece


def _cut(source: Source, left: int) -> Source:
    async def next_piece() -> bytes:
        nonlocal left
        piece = (await source())[:left] if left else b""
        left -= len(piece)
        return piece

    return next_piece


def converted(source: Source, conversion: Conversion, threads: Threads) -> Source:
    """Return a source of what *conversion* makes of *source*, in *threads* where that is costly."""
    parts: Iterator[bytes | Mark] = iter(())
    is_ended = False

    async def next_part() -> bytes | Mark | None:
        return await threads.run(next, parts, None) if conversion.is_costly else next(parts, None)

    async def next_piece() -> bytes:
        nonlocal parts, is_ended
        is_swallowed = False
        while True:
            while (part := await next_part()) is not None:
                if isinstance(part, bytes) and part:
                    return part
            if is_ended:
                return b""
            if is_swallowed:
                await threads.run(_nothing)  # a turn of the reactor: what is left out, behind REST, can be any number of pieces
            is_swallowed = True
            piece = await source()
            is_ended = not piece
            parts = conversion.end() if is_ended else conversion.convert(piece)

    return next_piece


def _nothing() -> None:
    pass
