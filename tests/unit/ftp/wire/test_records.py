"""STRU R in stream mode: control codes, cut anywhere."""

from __future__ import annotations

import pytest

from ftpd.errors import TransferCut
from ftpd.ftp.wire.records import RecordFraming, RecordUnframing


def framed(*pieces: bytes) -> bytes:
    framing = RecordFraming(b"\n")
    return b"".join([framing.frame(piece) for piece in pieces]) + framing.end()


def unframed(*pieces: bytes) -> bytes:
    unframing = RecordUnframing(b"\n")
    content = b"".join([part for piece in pieces for part in unframing.unframe(piece) if isinstance(part, bytes)])
    unframing.end()
    return content


@pytest.mark.parametrize(
    ("pieces", "wire"),
    [
        ([], b"\xff\x02"),
        ([b"a\n"], b"a\xff\x01\xff\x02"),
        ([b"a"], b"a\xff\x02"),
        ([b"\n\n"], b"\xff\x01\xff\x01\xff\x02"),
        ([b"a\xffb\n"], b"a\xff\xffb\xff\x01\xff\x02"),
        ([b"\xff", b"\n"], b"\xff\xff\xff\x01\xff\x02"),
        ([b"\r\n"], b"\r\xff\x01\xff\x02"),
    ],
)
def test_a_line_is_sent_as_a_record(pieces: list[bytes], wire: bytes) -> None:
    assert framed(*pieces) == wire


@pytest.mark.parametrize(
    ("pieces", "content"),
    [
        ([b"\xff\x02"], b""),
        ([b"\xff\x03"], b"\n"),
        ([b"a\xff\x01\xff\x02"], b"a\n"),
        ([b"a\xff\x03"], b"a\n"),
        ([b"a\xff\x02"], b"a"),
        ([b"a\xff", b"\x01b\xff", b"\x02"], b"a\nb"),
        ([b"\xff\xff\xff\xff\xff\x03"], b"\xff\xff\n"),
        ([b"\xff\xff\xff", b"\x01\xff\x02"], b"\xff\n"),
        ([b"\xff", b"\xff\x01\xff\x02"], b"\xff\x01"),
        ([b"\x01\x02\x03\xff\x02"], b"\x01\x02\x03"),
        ([b"\xff\xff\x02\xff\x02"], b"\xff\x02"),
    ],
)
def test_a_record_is_stored_as_a_line(pieces: list[bytes], content: bytes) -> None:
    assert unframed(*pieces) == content


@pytest.mark.parametrize("code", [b"\0", b"\x04", b"a", b"\n", b"\xfe"])
def test_an_unknown_control_code_is_refused(code: bytes) -> None:
    with pytest.raises(TransferCut, match=f"A control code is {code[0]}, which RFC 959 does not define"):
        unframed(b"abc\xff" + code + b"\xff\x02")


@pytest.mark.parametrize(
    "wire", [b"\xff\x02a", b"\xff\x02\xff\x02", b"\xff\x03\xff\xff", b"\xff\x02\xff", b"\xff\xff\xff\x02\xff\xffa"]
)
def test_nothing_may_stand_behind_the_end_of_the_file(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="Bytes came behind the end of the file"):
        unframed(wire)


def test_nothing_may_come_behind_the_end_of_the_file() -> None:
    with pytest.raises(TransferCut, match="Bytes came behind the end of the file"):
        unframed(b"\xff\x02", b"a")


@pytest.mark.parametrize("wire", [b"", b"a", b"a\xff\x01", b"a\xff", b"a\xff\xff"])
def test_a_file_without_its_end_is_cut(wire: bytes) -> None:
    with pytest.raises(TransferCut, match="The connection ended before the control code that ends a file of records"):
        unframed(wire)


def test_the_end_is_seen_when_it_comes() -> None:
    unframing = RecordUnframing(b"\n")
    assert list(unframing.unframe(b"a\xff")) == [b"a"]
    assert not unframing.is_ended
    assert list(unframing.unframe(b"\x03")) == [b"\n"]
    assert unframing.is_ended
