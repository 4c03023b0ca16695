"""Sources: what the portable pump is given to send."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from ftpd.errors import IntegrityLost
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.transfer.source import Source, converted, pieces_of
from ftpd.values import FileInfo, FileKind, Mark


class File:
    """As much of a `spi.ReadableFile` as a source uses; it may be shorter than it promises."""

    def __init__(self, data: bytes, promised: int | None = None) -> None:
        self.data = data
        self.info = FileInfo("file", FileKind.FILE, len(data) if promised is None else promised)

    async def read_at(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]


class Stream(File):
    """As much of a `spi.StreamedFile`: three bytes a piece."""

    def descriptor(self) -> None:
        return None

    async def close(self) -> None: ...
    async def __aenter__(self) -> Any: ...
    async def __aexit__(self, *_: object) -> None: ...

    def pieces(self, start: int) -> Callable[[], Awaitable[bytes]]:
        places = iter(range(start, len(self.data), 3))

        async def next_piece() -> bytes:
            place = next(places, None)
            return b"" if place is None else self.data[place : place + 3]

        return next_piece


class Upper:
    """A conversion to upper case, which says how it was begun and ended."""

    is_costly = False
    is_complete = False

    def convert(self, piece: bytes) -> Iterator[bytes | Mark]:
        yield b""  # nothing to send yet is not the end
        yield piece.upper()

    def end(self) -> Iterator[bytes | Mark]:
        yield b"."


def drained(source: Source) -> bytes:
    async def drain() -> bytes:
        data = b""
        while piece := await source():
            data += piece
        return data

    return finish(drain())


@pytest.mark.parametrize("kind", [File, Stream])
@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, None, b"0123456789"),
        (4, None, b"456789"),
        (0, 4, b"0123"),
        (2, 5, b"234"),
        (7, 99, b"789"),
        (10, None, b""),
        (5, 5, b""),
    ],
)
def test_file_is_sent_from_start_to_end(kind: type[File], start: int, end: int | None, expected: bytes) -> None:
    assert drained(pieces_of(kind(b"0123456789"), start, end)) == expected  # type: ignore[arg-type]


def test_file_that_shrinks_is_an_error() -> None:
    with pytest.raises(IntegrityLost):
        drained(pieces_of(File(b"short", promised=10), 0))  # type: ignore[arg-type]


def test_range_that_lies_before_the_shrinking_end_is_whole() -> None:
    assert drained(pieces_of(File(b"short", promised=10), 0, 5)) == b"short"  # type: ignore[arg-type]


def test_conversion_is_ended_once() -> None:
    source = converted(pieces_of(File(b"abc"), 0), Upper(), InlineThreads())  # type: ignore[arg-type]
    assert drained(source) == b"ABC."
    assert drained(source) == b""


def test_costly_conversion_is_called_in_threads() -> None:
    class Costly(Upper):
        is_costly = True

    threads = InlineThreads()
    assert drained(converted(pieces_of(File(b"abc"), 0), Costly(), threads)) == b"ABC."  # type: ignore[arg-type]
    assert threads.calls > 3


def test_what_is_left_out_lets_the_reactor_turn() -> None:
    class Silent(Upper):
        def convert(self, piece: bytes) -> Iterator[bytes | Mark]:
            return iter(())

    threads = InlineThreads()
    assert drained(converted(pieces_of(Stream(b"abcdefghi"), 0), Silent(), threads)) == b"."  # type: ignore[arg-type]
    assert threads.calls == 3
