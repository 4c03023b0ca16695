"""Line ends of TYPE A: LF in the file, CRLF on the wire.

Apart because it is the only conversion of content, and it has to be right across the borders of blocks.  Each transfer takes a function of
its own, from a block to its converted bytes, called once more with `b""` at the end.  Speed is that of `bytes.replace`: no loop over
lines (benchmark: ascii).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

__all__ = ["from_network", "to_network"]

_LONE_CR: Final = re.compile(rb"\r(?!\n)")
_SAMPLE_BYTES: Final = 4096
_LONG_LINE_BYTES: Final = 24


def to_network() -> Callable[[bytes], bytes]:
    """Return the conversion of one download: LF becomes CRLF, a CRLF that stands in the file is not doubled, a lone CR is kept."""
    ends_in_cr = False

    def convert(data: bytes) -> bytes:
        nonlocal ends_in_cr
        if not data:
            return b""
        starts_in_crlf = ends_in_cr and data.startswith(b"\n")
        ends_in_cr = data.endswith(b"\r")
        if b"\r" in data:
            data = _bare(data)
        data = data.replace(b"\n", b"\r\n")
        return data[1:] if starts_in_crlf else data

    return convert


def from_network() -> Callable[[bytes], bytes]:
    """Return the conversion of one upload: CRLF becomes LF, a lone CR or LF is kept; a CR at the end of a block waits for the next."""
    waiting = b""

    def convert(data: bytes) -> bytes:
        nonlocal waiting
        if not data:
            data, waiting = waiting, b""
            return data
        if waiting:
            data = waiting + data
        if b"\r" not in data:
            return data
        waiting = b"\r" if data.endswith(b"\r") else b""
        if waiting:
            data = data[:-1]
        return _bare(data)

    return convert


def _bare(data: bytes) -> bytes:
    """Make each CRLF an LF.  Where no CR stands by itself, as in nearly every text, leaving out all CRs is many times as fast.

    It is the faster in a copy between CRs where lines are long, and byte by byte where they are short.
    """
    if _LONE_CR.search(data):
        return data.replace(b"\r\n", b"\n")
    has_long_lines = data.count(b"\r", 0, _SAMPLE_BYTES) < _SAMPLE_BYTES // _LONG_LINE_BYTES
    return data.replace(b"\r", b"") if has_long_lines else data.translate(None, b"\r")
