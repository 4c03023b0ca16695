"""Netascii, across the borders of blocks."""

from __future__ import annotations

import pytest

from ftpd.tftp.wire.netascii import Decoder, Encoder


def encoded(*blocks: bytes) -> bytes:
    encoder = Encoder()
    return b"".join([encoder.encode(block, False) for block in blocks]) + encoder.encode(b"", True)


def decoded(*blocks: bytes) -> bytes:
    decoder = Decoder()
    return b"".join([decoder.decode(block, False) for block in blocks]) + decoder.decode(b"", True)


@pytest.mark.parametrize(
    ("blocks", "sent"),
    [
        ([], b""),
        ([b"a\nb\n"], b"a\r\nb\r\n"),
        ([b"a\rb"], b"a\r\0b"),
        ([b"a\r\nb"], b"a\r\0\r\nb"),
        ([b"a\r", b"\nb"], b"a\r\0\r\nb"),
        ([b"\n\r"], b"\r\n\r\0"),
        ([b"a\r\0b"], b"a\r\0\0b"),
        ([b"\0\xff\x80"], b"\0\xff\x80"),
    ],
)
def test_lf_is_sent_as_cr_lf_and_cr_as_cr_nul(blocks: list[bytes], sent: bytes) -> None:
    assert encoded(*blocks) == sent


@pytest.mark.parametrize(
    ("blocks", "stored"),
    [
        ([], b""),
        ([b"a\r\nb\r\n"], b"a\nb\n"),
        ([b"a\r\0b"], b"a\rb"),
        ([b"a\r\0\r\nb"], b"a\r\nb"),
        ([b"a\r", b"\nb"], b"a\nb"),
        ([b"a\r", b"\0b"], b"a\rb"),
        ([b"a\r", b"", b"\nb"], b"a\nb"),
        ([b"\r\0\0"], b"\r\0"),
        ([b"\r\0\n"], b"\r\n"),
        ([b"\r\n\0"], b"\n\0"),
        ([b"\0\xff\x80"], b"\0\xff\x80"),
    ],
)
def test_cr_lf_is_stored_as_lf_and_cr_nul_as_cr(blocks: list[bytes], stored: bytes) -> None:
    assert decoded(*blocks) == stored


@pytest.mark.parametrize(
    ("blocks", "stored"),
    [
        ([b"a\nb"], b"a\nb"),
        ([b"a\rb"], b"a\rb"),
        ([b"a\r", b"b"], b"a\rb"),
        ([b"\r\r\n"], b"\r\n"),
        ([b"\r", b"\r", b"\n"], b"\r\n"),
        ([b"\r\r\0"], b"\r\r"),
        ([b"a\r"], b"a\r"),
        ([b"a\r", b"\r"], b"a\r\r"),
    ],
)
def test_what_no_encoder_sends_is_kept(blocks: list[bytes], stored: bytes) -> None:
    assert decoded(*blocks) == stored


def test_cr_is_held_back_until_it_is_known_what_follows() -> None:
    decoder = Decoder()
    assert [decoder.decode(b"a\r", False), decoder.decode(b"\n", False), decoder.decode(b"b\r", True)] == [b"a", b"\n", b"b\r"]


def test_last_cr_is_not_lost() -> None:
    decoder = Decoder()
    assert [decoder.decode(b"a\r", False), decoder.decode(b"", True)] == [b"a", b"\r"]


def test_two_uploads_do_not_share_state() -> None:
    first, second = Decoder(), Decoder()
    first.decode(b"a\r", False)
    assert second.decode(b"\n", False) == b"\n"


def test_block_without_line_ends_is_not_copied() -> None:
    block = b"x" * 1000
    assert Encoder().encode(block, False) is block
    assert Decoder().decode(block, False) is block
