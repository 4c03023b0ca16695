"""MODE Z: streams that are damaged, do not end, or unpack to more than there is room for."""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from ftpd.errors import TransferCut
from ftpd.ftp.wire.deflate import DeflateFraming, DeflateUnframing
from ftpd.ftp.wire.framing import PlainFraming, PlainUnframing
from ftpd.ftp.wire.records import RecordFraming, RecordUnframing

MIB = 1024 * 1024
BOMB = zlib.compress(bytes(20 * MIB), 9)


def framed(*pieces: bytes, level: int = 6) -> bytes:
    framing = DeflateFraming(PlainFraming(), level)
    return b"".join([framing.frame(piece) for piece in pieces]) + framing.end()


def unframed(*pieces: bytes, max_ratio: int = 0) -> bytes:
    unframing = DeflateUnframing(PlainUnframing(), max_ratio)
    content = b"".join([part for piece in pieces for part in unframing.unframe(piece) if isinstance(part, bytes)])
    unframing.end()
    return content


@pytest.mark.parametrize("level", range(10))
def test_each_level_makes_a_zlib_stream(level: int) -> None:
    assert zlib.decompress(framed(b"one\n", b"two\n" * 1000, level=level)) == b"one\n" + b"two\n" * 1000


def test_an_empty_file_is_a_stream_too() -> None:
    assert zlib.decompress(framed()) == b""
    assert unframed(zlib.compress(b"")) == b""


def test_records_are_framed_before_they_are_compressed() -> None:
    framing = DeflateFraming(RecordFraming(b"\n"), 6)
    assert zlib.decompress(framing.frame(b"a\n") + framing.end()) == b"a\xff\x01\xff\x02"


@pytest.mark.parametrize("size", [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 3 * MIB])
def test_a_stream_is_unpacked_whole_whatever_its_size(size: int) -> None:
    packed = zlib.compress(b"a" * size)
    assert unframed(packed) == b"a" * size
    assert unframed(*[packed[place : place + 1] for place in range(len(packed))]) == b"a" * size


def test_the_end_is_seen_when_it_comes() -> None:
    packed = zlib.compress(b"abc")
    unframing = DeflateUnframing(PlainUnframing(), 0)
    list(unframing.unframe(packed[:-1]))
    assert not unframing.is_ended
    list(unframing.unframe(packed[-1:]))
    assert unframing.is_ended


@pytest.mark.parametrize("kept", [0, 1, 2, 10, -5, -4, -1])
def test_a_stream_that_does_not_end_is_cut(kept: int) -> None:
    with pytest.raises(TransferCut, match="The connection ended before the deflate stream"):
        unframed(zlib.compress(b"abcdefghijk")[:kept])


@pytest.mark.parametrize("pieces", [[zlib.compress(b"abc") + b"d"], [zlib.compress(b"abc") * 2], [zlib.compress(b"abc"), b"d"]])
def test_nothing_may_stand_behind_the_end_of_the_stream(pieces: list[bytes]) -> None:
    with pytest.raises(TransferCut, match="Bytes came behind the end of the deflate stream"):
        unframed(*pieces)


def test_much_behind_the_end_is_refused_as_well() -> None:
    with pytest.raises(TransferCut, match="Bytes came behind the end of the deflate stream"):
        unframed(zlib.compress(b"abc").ljust(64 * 1024, b"\0") + b"d" * MIB)


def with_dictionary() -> bytes:
    packing = zlib.compressobj(zdict=b"abc")
    return packing.compress(b"abcabc") + packing.flush()


@pytest.mark.parametrize(
    "wire",
    [
        b"plain text, no zlib",
        zlib.compress(b"abc")[2:],
        zlib.compress(b"abc")[:-4] + b"\0\0\0\0",
        b"\x78\x9c\x07",
        with_dictionary(),
    ],
    ids=["text", "raw deflate", "checksum", "reserved block", "dictionary"],
)
def test_what_is_no_whole_stream_is_refused(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="The deflate stream is damaged, or none"):
        unframed(wire)


def test_an_end_of_records_that_is_missing_is_missed_in_a_stream_that_ends() -> None:
    unframing = DeflateUnframing(RecordUnframing(b"\n"), 0)
    with pytest.raises(TransferCut, match="before the control code"):
        list(unframing.unframe(zlib.compress(b"a\xff\x01")))


def test_a_bomb_is_refused_by_its_ratio() -> None:
    with pytest.raises(TransferCut, match="The deflate stream unpacks to more than 100 times its size"):
        unframed(BOMB, max_ratio=100)


def test_the_first_16_mebibytes_are_free() -> None:
    assert unframed(zlib.compress(bytes(16 * MIB), 9), max_ratio=1) == bytes(16 * MIB)


def test_a_stream_within_the_ratio_is_stored() -> None:
    assert unframed(BOMB, max_ratio=1100) == bytes(20 * MIB)


def test_a_bomb_in_a_bomb_is_unpacked_once() -> None:
    assert unframed(zlib.compress(BOMB, 9), max_ratio=100) == BOMB


def test_a_bomb_takes_no_more_memory_than_a_file() -> None:
    unframing = DeflateUnframing(PlainUnframing(), 0)
    tracemalloc.start()
    try:
        sizes = [len(part) for part in unframing.unframe(BOMB) if isinstance(part, bytes)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 20 * MIB
    assert max(sizes) == 256 * 1024
    assert peak < 2 * MIB
