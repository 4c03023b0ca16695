"""MODE B: headers cut anywhere, descriptors that lie, markers."""

from __future__ import annotations

import pytest

from ftpd.errors import TransferCut
from ftpd.ftp.wire.blocks import BlockFraming, BlockUnframing
from ftpd.values import Mark


def unframed(*pieces: bytes, line_end: bytes | None = b"\n") -> list[bytes | Mark]:
    unframing = BlockUnframing(line_end)
    parts = [part for piece in pieces for part in unframing.unframe(piece) if part]
    unframing.end()
    return parts


def test_a_file_without_records_is_cut_into_the_largest_blocks() -> None:
    framing = BlockFraming(None)
    framed = framing.frame(b"a" * 65_535 + b"\nb")
    assert framed == b"\0\xff\xff" + b"a" * 65_535 + b"\0\0\x02\nb"
    assert framing.end() == b"\x40\0\0"


def test_a_record_is_a_block_that_says_so() -> None:
    framing = BlockFraming(b"\n")
    assert framing.frame(b"one\n\ntwo") == b"\x80\0\x03one\x80\0\0\0\0\x03two"
    assert framing.frame(b"\n") == b"\x80\0\0"
    assert framing.end() == b"\x40\0\0"


def test_only_the_last_block_of_a_long_record_says_that_it_ends() -> None:
    assert BlockFraming(b"\n").frame(b"a" * 65_536 + b"\n") == b"\0\xff\xff" + b"a" * 65_535 + b"\x80\0\x01a"


@pytest.mark.parametrize("length", [255, 256, 257, 65_535])
def test_a_record_of_any_length_has_its_count(length: int) -> None:
    assert BlockFraming(b"\n").frame(b"a" * length + b"\n")[:3] == b"\x80" + length.to_bytes(2, "big")


def test_a_marker_is_a_block_of_its_own() -> None:
    assert BlockFraming(None).mark(b"65536") == b"\x10\0\x0565536"


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        ([b"\x40\0\0"], []),
        ([b"\x40\0\x01a"], [b"a"]),
        ([b"\xc0\0\x01a"], [b"a", b"\n"]),
        ([b"\x80\0\x01a\x80\0\0\x40\0\0"], [b"a\n\n"]),
        ([b"\0", b"\0\x03a", b"b", b"c\x40", b"\0", b"\0"], [b"a", b"b", b"c"]),
        ([b"\x10\0\x03one\x40\0\x01a"], [Mark("one"), b"a"]),
        ([b"\0\0\x01a\x10\0", b"\x03o", b"n", b"e\x40\0\0"], [b"a", Mark("one")]),
        ([b"\x50\0\x04last"], [Mark("last")]),
        ([b"\x80\0\x02a", b"b\x40\0\0"], [b"a", b"b", b"\n"]),
    ],
)
def test_blocks_are_put_together(pieces: list[bytes], parts: list[bytes | Mark]) -> None:
    assert unframed(*pieces) == parts


@pytest.mark.parametrize("wire", [b"\x40\0\0\x40\0\0", b"\x40\0\0a", b"\xc0\0\x01a\0"])
def test_nothing_may_stand_behind_the_end_of_the_file(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="Bytes came behind the end of the file"):
        unframed(wire)


@pytest.mark.parametrize("wire", [b"", b"\0\0\x01a", b"\x40", b"\x40\0", b"\x40\0\x02a", b"\x80\0\0"])
def test_a_file_without_its_end_is_cut(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="The connection ended before the block that ends the file"):
        unframed(wire)


@pytest.mark.parametrize("descriptor", [1, 2, 4, 8, 0x8F])
def test_an_undefined_descriptor_is_refused(descriptor: int) -> None:
    with pytest.raises(TransferCut, match=f"A descriptor says {descriptor}, which RFC 959 does not define"):
        unframed(bytes([descriptor, 0, 1]) + b"a\x40\0\0")


def test_suspect_data_is_refused() -> None:
    with pytest.raises(TransferCut, match="marks data as suspect"):
        unframed(b"\0\0\x01a\x20\0\x01b\x40\0\0")


def test_records_are_refused_where_the_file_has_none() -> None:
    with pytest.raises(TransferCut, match="say STRU R"):
        unframed(b"\x80\0\x01a\x40\0\0", line_end=None)


def test_a_marker_of_65535_bytes_is_refused_before_it_comes() -> None:
    unframing = BlockUnframing(None)
    with pytest.raises(TransferCut, match="A restart marker is longer than 255 bytes"):
        list(unframing.unframe(b"\x10\xff\xff"))


@pytest.mark.parametrize("text", [b"", b"a b", b"a\r\n226 Done", b"\xe4", b"\0", b"\x7f"])
def test_a_marker_that_no_reply_can_repeat_is_refused(text: bytes) -> None:
    with pytest.raises(TransferCut, match="not printable text without spaces"):
        unframed(b"\x10\0" + bytes([len(text)]) + text)


def test_empty_blocks_are_gone_through_in_steps() -> None:
    steps = list(BlockUnframing(None).unframe(b"\0\0\0" * 87_381))
    assert len(steps) >= 87_381 // 4096
    assert not any(steps)
