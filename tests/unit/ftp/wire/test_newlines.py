"""Line ends of TYPE A, across the borders of blocks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ftpd.ftp.wire.newlines import from_network, to_network


def convert(transform: Callable[[bytes], bytes], *blocks: bytes) -> bytes:
    return b"".join([transform(block) for block in (*blocks, b"")])


@pytest.mark.parametrize(
    ("blocks", "sent"),
    [
        ([], b""),
        ([b"a\nb\n"], b"a\r\nb\r\n"),
        ([b"a\r\nb"], b"a\r\nb"),
        ([b"a\r", b"\nb"], b"a\r\nb"),
        ([b"a\r", b"b\n"], b"a\rb\r\n"),
        ([b"\r", b"\r", b"\n"], b"\r\r\n"),
        ([b"\n", b"\n"], b"\r\n\r\n"),
        ([b"a\r"], b"a\r"),
        ([b"a\rb"], b"a\rb"),
        ([b"\r\r\n\n"], b"\r\r\n\r\n"),
    ],
)
def test_lf_is_sent_as_crlf(blocks: list[bytes], sent: bytes) -> None:
    assert convert(to_network(), *blocks) == sent


@pytest.mark.parametrize(
    ("blocks", "stored"),
    [
        ([], b""),
        ([b"a\r\nb\r\n"], b"a\nb\n"),
        ([b"a\r", b"\nb"], b"a\nb"),
        ([b"a\r", b"b"], b"a\rb"),
        ([b"a\r"], b"a\r"),
        ([b"\r", b"\r", b"\n"], b"\r\n"),
        ([b"a\nb"], b"a\nb"),
        ([b"a\rb"], b"a\rb"),
    ],
)
def test_crlf_is_stored_as_lf(blocks: list[bytes], stored: bytes) -> None:
    assert convert(from_network(), *blocks) == stored


def test_a_cr_is_held_back_until_it_is_known_what_follows() -> None:
    transform = from_network()
    assert [transform(b"a\r"), transform(b"\n"), transform(b"")] == [b"a", b"\n", b""]


def test_the_last_cr_is_not_lost() -> None:
    transform = from_network()
    assert [transform(b"a\r"), transform(b"")] == [b"a", b"\r"]


def test_two_transfers_do_not_share_state() -> None:
    first, second = from_network(), from_network()
    first(b"a\r")
    assert second(b"\n") == b"\n"


def test_a_block_without_line_ends_is_not_copied() -> None:
    block = b"x" * 1000
    assert to_network()(block) is block
    assert from_network()(block) is block


@pytest.mark.parametrize("line", [b"", b"ab", b"x" * 30, b"x" * 5000])
@pytest.mark.parametrize("odd", [b"", b"\r", b"a\rb\r\r\n", b"\n"])
def test_lines_of_any_length_are_stored_alike(line: bytes, odd: bytes) -> None:
    assert convert(from_network(), (line + b"\r\n") * 1000 + odd) == ((line + b"\r\n") * 1000 + odd).replace(b"\r\n", b"\n")
