"""MODE C: strings, runs and fillers, cut anywhere; descriptors that lie."""

from __future__ import annotations

import pytest

from ftpd.errors import TransferCut
from ftpd.ftp.wire.compressed import CompressedFraming, CompressedUnframing
from ftpd.values import Mark


def framed(data: bytes, line_end: bytes | None = None) -> bytes:
    return CompressedFraming(b" ", line_end).frame(data)


def unframed(*pieces: bytes, line_end: bytes | None = b"\n") -> list[bytes | Mark]:
    unframing = CompressedUnframing(b" ", line_end)
    parts = [part for piece in pieces for part in unframing.unframe(piece) if part]
    unframing.end()
    return parts


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"", b""),
        (b"abc", b"\x03abc"),
        (b"abb bc", b"\x06abb bc"),
        (b"aaa", b"\x03aaa"),
        (b"aaaa", b"\x84a"),
        (b"    ", b"\xc4"),
        (b"ab    cd", b"\x02ab\xc4\x02cd"),
        (b"aaaabbbb", b"\x84a\x84b"),
        (b"\0\0\0\0", b"\x84\0"),
        (b"abc\0", b"\x04abc\0"),
        (b"abc\0\0\0\0", b"\x03abc\x84\0"),
        (b"a" * 64, b"\xbfa\x81a"),
        (b" " * 126, b"\xff\xff"),
        (b"ab" * 63 + b"a", b"\x7f" + b"ab" * 63 + b"a"),
        (b"ab" * 64, b"\x7f" + b"ab" * 63 + b"a\x01b"),
    ],
)
def test_runs_are_compressed(data: bytes, wire: bytes) -> None:
    assert framed(data) == wire


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        (b"a\n", b"\0\x80\x01a"),
        (b"\n", b"\0\x80\xc0"),
        (b"a\nb", b"\0\x80\x01a\x01b"),
        (b"aaaab\n", b"\x84a\0\x80\x01b"),
        (b"aaaa\n", b"\0\x80\x84a"),
        (b"ab" * 64 + b"\n", b"\x7f" + b"ab" * 63 + b"a\0\x80\x01b"),
        (b"\n\n\n\n", b"\0\x80\xc0" * 4),
    ],
)
def test_the_last_string_of_a_record_says_that_it_ends(data: bytes, wire: bytes) -> None:
    assert framed(data, b"\n") == wire


def test_the_file_ends_in_an_empty_string() -> None:
    assert CompressedFraming(b" ", None).end() == b"\0\x40\xc0"


def test_a_marker_is_a_string_of_its_own() -> None:
    assert CompressedFraming(b" ", None).mark(b"65536") == b"\0\x10\x0565536"


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        ([b"\0\x40\xc0"], []),
        ([b"\0\x40\x80a"], []),
        ([b"\0\x40\x01a"], [b"a"]),
        ([b"\0\xc0\x01a"], [b"a", b"\n"]),
        ([b"\x02ab\x83c\xc2\0\x40\xc0"], [b"abccc  "]),
        ([b"\0\x80\x01a\0\x80\xc0\0\x40\xc0"], [b"a\n\n"]),
        ([b"\0", b"\x80", b"\x02", b"a", b"b\x83", b"c\0\x40", b"\xc0"], [b"ab\n", b"ccc"]),
        ([b"\0\x10\x03one\0\x40\x01a"], [Mark("one"), b"a"]),
        ([b"\x01a\0\x10\x03o", b"ne\0\x40\xc0"], [b"a", Mark("one")]),
        ([b"\0\x10\x83x\0\x40\xc0"], [Mark("xxx")]),
        ([b"\0\0\x01a\0\x40\xc0"], [b"a"]),
    ],
)
def test_strings_are_put_together(pieces: list[bytes], parts: list[bytes | Mark]) -> None:
    assert unframed(*pieces) == parts


def test_filler_is_what_the_type_says() -> None:
    assert list(CompressedUnframing(b"\x40", None).unframe(b"\xff")) == [b"\x40" * 63]


@pytest.mark.parametrize("wire", [b"\0\x40\xc0\0\x40\xc0", b"\0\x40\xc0a", b"\0\xc0\x01a\0"])
def test_nothing_may_stand_behind_the_end_of_the_file(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="Bytes came behind the end of the file"):
        unframed(wire)


@pytest.mark.parametrize("wire", [b"", b"\x01a", b"\x02a", b"\0", b"\0\x40", b"\0\x40\x02a", b"\0\x40\x83", b"\0\x80\x01a"])
def test_a_file_without_its_end_is_cut(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="The connection ended before the string that ends the file"):
        unframed(wire)


@pytest.mark.parametrize("wire", [b"\0\x80\0\x40\xc0", b"\0\x40\0\x40\xc0", b"\0\x80\0", b"\0\0\0\0"])
def test_a_descriptor_describes_a_string_and_not_another_descriptor(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="A descriptor has no string behind it"):
        unframed(wire)


@pytest.mark.parametrize("descriptor", [1, 2, 4, 8, 0x4F])
def test_an_undefined_descriptor_is_refused(descriptor: int) -> None:
    with pytest.raises(TransferCut, match=f"A descriptor says {descriptor}, which RFC 959 does not define"):
        unframed(bytes([0, descriptor]) + b"\x01a\0\x40\xc0")


def test_suspect_data_is_refused() -> None:
    with pytest.raises(TransferCut, match="marks data as suspect"):
        unframed(b"\0\x20\x01a\0\x40\xc0")


def test_records_are_refused_where_the_file_has_none() -> None:
    with pytest.raises(TransferCut, match="say STRU R"):
        unframed(b"\0\x80\x01a\0\x40\xc0", line_end=None)


@pytest.mark.parametrize("text", [b"\xc0", b"\xc3", b"\x03a b", b"\x05\r\n226", b"\x01\xe4"])
def test_a_marker_that_no_reply_can_repeat_is_refused(text: bytes) -> None:
    with pytest.raises(TransferCut, match="not printable text without spaces"):
        unframed(b"\0\x10" + text)


def test_empty_strings_are_gone_through_in_steps() -> None:
    steps = list(CompressedUnframing(b" ", None).unframe(b"\xc0" * 262_144))
    assert len(steps) >= 128
    assert not any(steps)


def test_the_longest_runs_are_stored_in_bounded_pieces() -> None:
    steps = list(CompressedUnframing(b" ", None).unframe(b"\xff" * 262_144))
    assert max(map(len, steps)) <= 127 * 2048
    assert sum(map(len, steps)) == 63 * 262_144
