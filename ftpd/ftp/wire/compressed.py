"""MODE C: strings of bytes as they are, runs of one byte in two, runs of filler in one (RFC 959 3.4.3).

Apart because it is a compression and a framing at once: an escape puts a descriptor, as in MODE B, before the string it applies to.
Runs are found by pattern, the rest is cut into strings (benchmark: codecs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ftpd.errors import TransferCut
from ftpd.ftp.wire.descriptors import END_OF_FILE, END_OF_RECORD, RESTART_MARKER, check_descriptor, mark_of
from ftpd.values import Mark

__all__ = ["CompressedFraming", "CompressedUnframing"]

_LONGEST_STRING: Final = 127
_LONGEST_RUN: Final = 63
_REPEAT: Final = 0x80
_FILL: Final = 0xC0
_STRINGS_PER_STEP: Final = 2048  # 254 KiB at most, in about a millisecond
_BYTES: Final = tuple(bytes([byte]) for byte in range(256))
# The headers of strings by their length.  An empty one is a run of no filler, since the header of no bytes would be an escape.
_HEADERS: Final = (_BYTES[_FILL], *_BYTES[1 : _LONGEST_STRING + 1])
_ENDS_RECORD: Final = bytes([0, END_OF_RECORD])
_ENDS_FILE: Final = bytes([0, END_OF_FILE])
_IS_MARKER: Final = bytes([0, RESTART_MARKER])

_SAME: Final = b"\0\0\0"  # three times no difference: four bytes that are one; a shorter run would save nothing between two strings
_RUNS: Final = re.compile(_SAME + rb"\0*")


class CompressedFraming:
    """Frame in strings and runs; with a *line_end*, one byte, each string that ends at one ends a record in its place."""

    def __init__(self, filler: bytes, line_end: bytes | None) -> None:
        self._filler = filler[0]
        self._line_end = line_end

    def frame(self, data: bytes) -> bytes:
        differences = _differences(data)
        if self._line_end is None:
            return b"".join(self._strings(data, differences, 0, len(data)))
        framed: list[bytes] = []
        place = 0
        for record in data.split(self._line_end)[:-1]:
            end = place + len(record)
            if len(record) <= _LONGEST_STRING and differences.find(_SAME, place, end) < 0:
                framed += (_ENDS_RECORD, _HEADERS[len(record)], record)
            else:
                *strings, last = self._strings(data, differences, place, end)
                framed += (*strings, _ENDS_RECORD, last)
            place = end + 1
        return b"".join([*framed, *self._strings(data, differences, place, len(data))])

    def mark(self, text: bytes) -> bytes:
        return _IS_MARKER + _HEADERS[len(text)] + text

    def end(self) -> bytes:
        return _ENDS_FILE + _HEADERS[0]

    def _strings(self, data: bytes, differences: bytes, place: int, end: int) -> list[bytes]:
        """Return *data* from *place* to *end* as strings and runs, each with its header."""
        strings: list[bytes] = []
        for run in _RUNS.finditer(differences, place, end):
            start, last = run.span()
            if place < start:
                strings += _literals(data[place:start])
            place = last + 1
            strings += self._repeated(data[start], place - start)
        if place < end:
            strings += _literals(data[place:end])
        return strings

    def _repeated(self, byte: int, count: int) -> list[bytes]:
        kind, what = (_FILL, b"") if byte == self._filler else (_REPEAT, _BYTES[byte])
        if count <= _LONGEST_RUN:
            return [_BYTES[kind + count] + what]
        full, rest = divmod(count, _LONGEST_RUN)
        runs = [_BYTES[kind + _LONGEST_RUN] + what] * full
        return [*runs, _BYTES[kind + rest] + what] if rest else runs


def _literals(data: bytes) -> list[bytes]:
    if len(data) <= _LONGEST_STRING:
        return [_HEADERS[len(data)] + data]
    starts = range(0, len(data), _LONGEST_STRING)
    strings = [data[start : start + _LONGEST_STRING] for start in starts]
    return [_HEADERS[len(string)] + string for string in strings]


def _differences(data: bytes) -> bytes:
    """Return by how much, as XOR, each byte of *data* differs from the one behind it: one byte less than *data* has."""
    # As one large number: a pattern with a back reference would take ten times as long.
    number = int.from_bytes(data, "little")
    return (number ^ number >> 8).to_bytes(len(data), "little")[:-1]


class CompressedUnframing:
    """Undo the framing; with a *line_end* it stands for the end of each record, without one a record is an error."""

    def __init__(self, filler: bytes, line_end: bytes | None) -> None:
        self._fillers = tuple(filler * count for count in range(_LONGEST_RUN + 1))
        self._line_end = line_end or b""
        self._has_records = line_end is not None
        self._held = b""  # a string that is not whole, with the descriptor before it
        self.is_ended = False

    def unframe(self, data: bytes) -> Iterator[bytes | Mark]:
        data, self._held = self._held + data, b""
        place = 0
        while place < len(data):
            if self.is_ended:
                raise TransferCut("Bytes came behind the end of the file")
            plain, place = self._plain(data, place)
            yield plain
            if place < len(data):
                described, place = self._described(data, place)
                yield from described

    def end(self) -> None:
        if not self.is_ended:
            raise TransferCut("The connection ended before the string that ends the file")

    def _plain(self, data: bytes, place: int) -> tuple[bytes, int]:
        """Return what the strings say that are here from *place* on, and where the next one begins, or one with a descriptor."""
        parts = []
        for _ in range(_STRINGS_PER_STEP):
            ends_record = self._has_records and data.startswith(_ENDS_RECORD, place)
            found = self._string(data, place + 2 if ends_record else place)
            if found is None:
                break
            part, place = found
            parts.append(part)
            if ends_record:
                parts.append(self._line_end)
        return b"".join(parts), place

    def _string(self, data: bytes, place: int) -> tuple[bytes, int] | None:
        """Return what the string at *place* says, and where it ends; None where it is not whole, or an escape."""
        if place >= len(data):
            return None
        header = data[place]
        start = place + 1
        if header >= _FILL:
            return self._fillers[header - _FILL], start
        end = start + 1 if header >= _REPEAT else start + header
        if not header or end > len(data):
            return None
        return (data[start:end] if header < _REPEAT else data[start:end] * (header - _REPEAT)), end

    def _described(self, data: bytes, place: int) -> tuple[list[bytes | Mark], int]:
        """Return what the string at *place* says with the descriptor before it, and where it ends; keep it where it is not whole."""
        is_escape = data[place] == 0
        descriptor = data[place + 1] if is_escape and place + 1 < len(data) else 0
        check_descriptor(descriptor, self._has_records)
        start = place + 2 if is_escape else place
        if is_escape and data.startswith(b"\0", start):
            raise TransferCut("A descriptor has no string behind it to describe")
        found = self._string(data, start)
        if found is None:
            self._held = data[place:]
            return [], len(data)
        part, end = found
        said: list[bytes | Mark] = [mark_of(part) if descriptor & RESTART_MARKER else part]
        if descriptor & END_OF_RECORD:
            said.append(self._line_end)
        self.is_ended = bool(descriptor & END_OF_FILE)
        return said, end
