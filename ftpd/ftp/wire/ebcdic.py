"""EBCDIC: the bytes of TYPE E (RFC 959 3.1.1.2).

Apart because there is more than one code page, and only those will do by which every byte of a file survives the way there and back.
"""

from __future__ import annotations

from functools import cache
from typing import Final

__all__ = ["CODE_PAGES", "NEW_LINE", "SPACE", "from_ebcdic", "to_ebcdic"]

# Codecs of the standard library with one EBCDIC byte for each byte of Latin-1.  Two have one character in the place of another: cp273 an overline
# for the macron, as IBM draws it, and cp1140 the euro for the currency sign, which is where Latin-9 has it too.
CODE_PAGES: Final = ("cp037", "cp273", "cp500", "cp1140")

NEW_LINE: Final = b"\x15"  # what ends a line on the mainframe, where Latin-1 has LF
SPACE: Final = b"\x40"

_LINE_FEED: Final = 0x25
_SUBSTITUTES: Final = str.maketrans("\u203e\u20ac", "\u00af\u00a4")


@cache
def from_ebcdic(code_page: str) -> bytes:
    """Return the table for `bytes.translate` from *code_page*, one of CODE_PAGES, to the bytes of a file: Latin-1, lines end in LF."""
    table = bytearray(bytes(range(256)).decode(code_page).translate(_SUBSTITUTES).encode("latin-1"))
    # The codecs have NL as U+0085 and EBCDIC's own LF as LF; a file's lines end in LF and a mainframe's in NL, so the two change places.
    table[NEW_LINE[0]], table[_LINE_FEED] = table[_LINE_FEED], table[NEW_LINE[0]]
    return bytes(table)


@cache
def to_ebcdic(code_page: str) -> bytes:
    """Return the table for `bytes.translate` that undoes :func:`from_ebcdic`."""
    table = bytearray(256)
    for ebcdic, latin in enumerate(from_ebcdic(code_page)):
        table[latin] = ebcdic
    return bytes(table)
