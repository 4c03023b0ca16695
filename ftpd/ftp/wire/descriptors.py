"""The descriptor codes of MODE B and MODE C (RFC 959 3.4.2), and what may stand in a restart marker (3.5).

Apart because both modes have them in common, each with framing of its own.
"""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import TransferCut
from ftpd.values import Mark

__all__ = ["END_OF_FILE", "END_OF_RECORD", "LONGEST_MARKER", "RESTART_MARKER", "check_descriptor", "mark_of"]

END_OF_RECORD: Final = 128
END_OF_FILE: Final = 64
RESTART_MARKER: Final = 16

LONGEST_MARKER: Final = 255  # bytes; it has to fit into a reply and into a REST

_SUSPECT: Final = 32
_UNDEFINED: Final = 0x0F
_MARKER: Final = re.compile(rb"[!-~]+")  # printable, and no space within (RFC 959 3.4.2)


def check_descriptor(descriptor: int, has_records: bool) -> None:
    """Raise `TransferCut` where *descriptor* says something that cannot be stored."""
    if descriptor & _UNDEFINED:
        raise TransferCut(f"A descriptor says {descriptor}, which RFC 959 does not define")
    if descriptor & _SUSPECT:
        raise TransferCut("The sender marks data as suspect, so that the file would be")
    if descriptor & END_OF_RECORD and not has_records:
        raise TransferCut("The data has ends of records, which STRU F does not keep: say STRU R")


def mark_of(raw: bytes) -> Mark:
    """Return the marker that *raw* is; `TransferCut` where no reply could repeat it."""
    if len(raw) > LONGEST_MARKER:
        raise TransferCut(f"A restart marker is longer than {LONGEST_MARKER} bytes")
    if not _MARKER.fullmatch(raw):
        raise TransferCut("A restart marker is not printable text without spaces")
    return Mark(raw.decode("ascii"))
