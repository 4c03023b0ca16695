"""Where restart markers stand."""

from __future__ import annotations

import pytest

from ftpd.ftp.wire.markers import Markers


def cut(*pieces: bytes, start: int = 0, every_bytes: int = 3, minds_cr: bool = False) -> list[tuple[bytes, bytes]]:
    markers = Markers(lambda text: b"<" + text + b">", start, every_bytes, minds_cr=minds_cr)
    return [part for piece in pieces for part in markers.cut(piece)]


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        ([], []),
        ([b"ab"], [(b"ab", b"")]),
        ([b"abc"], [(b"abc", b"<3>")]),
        ([b"abcdefgh"], [(b"abc", b"<3>"), (b"def", b"<6>"), (b"gh", b"")]),
        ([b"ab", b"cd", b"ef"], [(b"ab", b""), (b"c", b"<3>"), (b"d", b""), (b"ef", b"<6>")]),
    ],
)
def test_a_marker_follows_each_so_many_bytes(pieces: list[bytes], parts: list[tuple[bytes, bytes]]) -> None:
    assert cut(*pieces) == parts


def test_markers_count_from_the_start_of_the_file() -> None:
    assert cut(b"abcd", start=1000) == [(b"abc", b"<1003>"), (b"d", b"")]


@pytest.mark.parametrize(
    ("pieces", "parts"),
    [
        ([b"ab\r\ncdef"], [(b"ab\r\n", b"<4>"), (b"cde", b"<7>"), (b"f", b"")]),
        ([b"ab\r", b"\ncd"], [(b"ab\r", b""), (b"\n", b"<4>"), (b"cd", b"")]),
        ([b"ab\r\r\rcd"], [(b"ab\r\r\rc", b"<6>"), (b"d", b"")]),
        ([b"ab\r\r", b"\r", b"cd"], [(b"ab\r\r", b""), (b"\r", b""), (b"c", b"<6>"), (b"d", b"")]),
    ],
)
def test_a_marker_waits_for_what_follows_a_cr(pieces: list[bytes], parts: list[tuple[bytes, bytes]]) -> None:
    assert cut(*pieces, minds_cr=True) == parts
