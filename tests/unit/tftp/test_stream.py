"""Streams as frames: netascii, and files that tell their end only when it is there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftpd.errors import IntegrityLost
from ftpd.testing.fakes import finish
from ftpd.tftp.frames import Geometry
from ftpd.tftp.stream import StreamFrames, pieces_of
from ftpd.tftp.wire.netascii import Encoder
from tests.unit.tftp.exchanges import PATH, FakeFile, blocks_of, pattern


def stream_of(pieces: list[bytes], block_size: int = 8, window: int = 4, rollover: int = 0, encode=None) -> StreamFrames:
    source = iter([*pieces, b""])

    async def piece() -> bytes:
        return next(source)

    return StreamFrames(piece, Geometry(block_size, window, rollover), encode)


def everything(frames: StreamFrames, window: int = 4, stride: int = 12) -> list[bytes]:
    found: list[bytes] = []
    while frames.last is None or len(found) < frames.last:
        some_frames = frames.frames(len(found) + 1, window)
        if some_frames is None:
            finish(frames.fetch(len(found) + 1, window))
            continue
        found += [some_frames[start : start + stride] for start in range(0, len(some_frames), stride)]
    return found


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 32, 33, 800])
def test_stream_is_cut_into_blocks(size):
    frames = stream_of([pattern(size)] if size else [])
    assert everything(frames) == blocks_of(pattern(size), 8)
    assert (frames.last, frames.size) == (size // 8 + 1, size)


def test_end_on_a_border_is_an_empty_block():
    frames = stream_of([b"12345678"])
    finish(frames.fetch(1, 1))
    assert (frames.frames(1, 1), frames.last) == (b"\0\3\0\x0112345678", None)
    finish(frames.fetch(2, 1))
    assert (frames.frames(2, 1), frames.last, frames.size) == (b"\0\3\0\2", 2, 8)


@given(content=some.binary(max_size=300), cuts=some.lists(some.integers(1, 40), max_size=20), window=some.integers(1, 9))
def test_borders_of_pieces_do_not_matter(content, cuts, window):
    pieces, rest = [], content
    for cut in cuts:
        if rest:
            pieces.append(rest[:cut])
            rest = rest[cut:]
    frames = stream_of(pieces + ([rest] if rest else []), window=window)
    assert everything(frames, window) == blocks_of(content, 8)


def test_rollover_is_that_of_the_terms():
    content = pattern(8 * 65_540)
    assert everything(stream_of([content], rollover=1)) == blocks_of(content, 8, rollover=1)


def test_text_is_encoded_and_counted_as_it_goes_over_the_wire():
    frames = stream_of([b"a\n", b"b\r", b"\nc"], encode=Encoder().encode)
    assert everything(frames) == blocks_of(b"a\r\nb\r\0\r\nc", 8)
    assert frames.size == 9


def test_window_can_be_had_again_and_what_is_before_it_goes():
    content = pattern(8 * 40)
    frames = stream_of([content[:160], content[160:]])
    finish(frames.fetch(1, 4))
    finish(frames.fetch(21, 4))
    assert frames.frames(17, 4) == b"".join(blocks_of(content, 8)[16:20])
    assert min(frames._blocks) == 17


def test_file_is_read_piece_by_piece():
    file = FakeFile(pattern(100_000))
    piece = pieces_of(file, PATH)
    assert [len(finish(piece())) for _ in range(3)] == [65536, 34464, 0]


def test_file_that_shrinks_is_no_whole_one():
    file = FakeFile(pattern(100_000))
    piece = pieces_of(file, PATH)
    finish(piece())
    file.content = file.content[:70_000]
    finish(piece())
    with pytest.raises(IntegrityLost):
        finish(piece())


def test_file_that_grows_ends_where_it_did():
    file = FakeFile(pattern(1000))
    piece = pieces_of(file, PATH)
    file.content = pattern(2000)
    assert [len(finish(piece())) for _ in range(2)] == [1000, 0]


def test_streamed_file_tells_its_end_itself():
    class Streamed(FakeFile):
        def pieces(self, start):
            source = iter([b"more than ", b"was guessed", b""])

            async def piece():
                return next(source)

            return piece

    piece = pieces_of(Streamed(b"guess"), PATH)
    assert [finish(piece()) for _ in range(3)] == [b"more than ", b"was guessed", b""]
