"""STRU R in stream mode: control codes of two bytes, the first of them FF, tell where records and the file end (RFC 959 3.4.1).

Apart because it is the one framing that changes the data itself: FF is sent twice.  A record is a line of the stored file, and the code for
its end takes the place of the line end, so that a file whose last line has none survives as well.
Speed is that of `bytes.replace` (benchmark: codecs).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ftpd.errors import TransferCut
from ftpd.values import Mark

__all__ = ["RecordFraming", "RecordUnframing"]

_ESCAPE: Final = b"\xff"
_DATA: Final = b"\xff\xff"
_END_OF_RECORD: Final = b"\xff\x01"
_END_OF_FILE: Final = b"\xff\x02"
_END_OF_BOTH: Final = b"\xff\x03"
_OTHER_CODE: Final = re.compile(rb"\xff[^\x01]", re.DOTALL)
_STEP_BYTES: Final = 64 * 1024  # of the worst that can come, escapes alone, some 2 ms


class RecordFraming:
    """Put control codes in the place of *line_end*, one byte."""

    def __init__(self, line_end: bytes) -> None:
        self._line_end = line_end

    def frame(self, data: bytes) -> bytes:
        return data.replace(_ESCAPE, _DATA).replace(self._line_end, _END_OF_RECORD)

    def end(self) -> bytes:
        return _END_OF_FILE


class RecordUnframing:
    """Put *line_end* in the place of the control codes that end records."""

    def __init__(self, line_end: bytes) -> None:
        self._line_end = line_end
        self._held = b""  # the first half of a control code
        self.is_ended = False

    def unframe(self, data: bytes) -> Iterator[bytes | Mark]:
        for start in range(0, len(data), _STEP_BYTES):
            yield self._unframed(self._held + data[start : start + _STEP_BYTES])

    def end(self) -> None:
        if not self.is_ended:
            raise TransferCut("The connection ended before the control code that ends a file of records")

    def _unframed(self, data: bytes) -> bytes:
        if self.is_ended:
            raise TransferCut("Bytes came behind the end of the file")
        # In a run of FFs each two are one byte of data, counted from its first: cutting at pairs, from the left, cuts at data only.
        stretches = data.split(_DATA)
        self._held = _ESCAPE if stretches[-1].endswith(_ESCAPE) else b""
        stretches[-1] = stretches[-1].removesuffix(_ESCAPE)
        lines = [stretch.replace(_END_OF_RECORD, self._line_end) for stretch in stretches]
        if _ESCAPE in b"".join(lines):
            return self._last(stretches)
        return _ESCAPE.join(lines)

    def _last(self, stretches: list[bytes]) -> bytes:
        """Return what stands before the end of the file, which is the first control code that is neither data nor the end of a record."""
        number, code = next((number, code) for number, stretch in enumerate(stretches) if (code := _OTHER_CODE.search(stretch)))
        ending = stretches[number]
        if code[0] not in (_END_OF_FILE, _END_OF_BOTH):
            raise TransferCut(f"A control code is {code[0][1]}, which RFC 959 does not define")
        if self._held or code.end() < len(ending) or number + 1 < len(stretches):
            raise TransferCut("Bytes came behind the end of the file")
        self.is_ended = True
        lines = [stretch.replace(_END_OF_RECORD, self._line_end) for stretch in [*stretches[:number], ending[: code.start()]]]
        return _ESCAPE.join(lines) + (self._line_end if code[0] == _END_OF_BOTH else b"")
