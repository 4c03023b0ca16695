"""LineReader: bytes of a control connection -> command lines.

Apart because here, before any command is known, untrusted bytes meet their limits.  A line feed ends a line whatever stands before it,
so one line is decoded without regard to its neighbours, and all state is the piece of a line that has not ended yet.
"""

from __future__ import annotations

import enum
import re
from typing import Final

__all__ = ["TOO_LONG", "LineReader", "TooLong"]


class TooLong(enum.Enum):
    """The type of :data:`TOO_LONG`; an enum, so that type checkers narrow on `is`."""

    TOO_LONG = "line too long"


TOO_LONG: Final = TooLong.TOO_LONG

# RFC 854: FF FF is the byte FF, FB to FE take one option byte, F0 to FA stand alone.  FF before anything else is no command: it is the
# y-diaeresis of a latin-1 client that does not know Telnet.
_TELNET: Final = re.compile(rb"\xff(?:(\xff)|([\xfb\xfd])([^\r])|[\xfb-\xfe].?|[\xf0-\xfa])", re.DOTALL)
_REFUSALS: Final = {b"\xfb": b"\xff\xfe", b"\xfd": b"\xff\xfc"}  # WILL is answered by DONT, DO by WONT
# One whole line without anything special is what nearly always arrives, and is known in one call (tests/bench: noop).
_PLAIN_LINE: Final = re.compile(rb"[^\n\0\x80-\xff]*\r\n").fullmatch
# What may be left of FF F4 FF F2 (IP, Synch) when the urgent byte is lost on the way: out-of-band delivery takes one byte out of the stream.
_REST_OF_SYNCH: Final = b"\xf2\xf4\xff"


class LineReader:
    """Cuts what arrives into lines; how the bytes were chunked never shows in the lines.

    CRLF or a bare LF ends a line, CR NUL inside one means CR (RFC 854), Telnet commands vanish, and so does what a lost urgent byte
    leaves of them before ABOR.  At most *limit* bytes are kept; *limit* counts bytes on the wire before the LF.

    `refusals` is what has to be answered to Telnet options asked for in the lines given so far (RFC 1123 4.1.2.12); whoever sends it empties it.
    """

    __slots__ = ("_is_skipping", "_limit", "_partial", "refusals")

    def __init__(self, limit: int = 8192) -> None:
        self._limit = limit
        self._partial = b""
        self._is_skipping = False
        self.refusals = b""

    def feed(self, data: bytes) -> list[bytes | TooLong]:
        """Return the lines that *data* completes, without their ends.

        A line over the limit is :data:`TOO_LONG`, once, as soon as that is known; the rest of it is skipped.
        """
        if not self._partial and not self._is_skipping and len(data) <= self._limit and _PLAIN_LINE(data):
            return [data[:-2]]
        return self._split(data)

    def clear(self) -> None:
        """Forget the unfinished line: after AUTH nothing that arrived in clear may count (RFC 4217, plaintext injection)."""
        self._partial = b""
        self._is_skipping = False

    def _split(self, data: bytes) -> list[bytes | TooLong]:
        pieces = (self._partial + data).split(b"\n")
        if self._is_skipping and len(pieces) > 1:
            del pieces[0]
            self._is_skipping = False
        rest = pieces.pop()
        lines: list[bytes | TooLong] = [TOO_LONG if len(piece) > self._limit else self._decode(piece) for piece in pieces]
        if self._is_skipping:
            rest = b""
        elif len(rest) > self._limit:
            lines.append(TOO_LONG)
            self._is_skipping = True
            rest = b""
        self._partial = rest
        return lines

    def _decode(self, raw: bytes) -> bytes:
        """Turn what stood before a LF into the line that is meant."""
        if b"\xff" in raw:
            asked = (found.group(2, 3) for found in _TELNET.finditer(raw))
            self.refusals += b"".join(_REFUSALS[verb] + option for verb, option in asked if verb)
            raw = _TELNET.sub(rb"\1", raw)
        line = raw.removesuffix(b"\r").replace(b"\r\0", b"\r")
        if line and line[0] in _REST_OF_SYNCH:
            command = line.lstrip(_REST_OF_SYNCH)
            if command.upper() == b"ABOR":
                return command
        return line
