"""Reply: a reply of the control connection, and its bytes.

Apart because whatever text ends up in a reply, names chosen by strangers included, must not look like another reply; `encode` is the one
place that sees to it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

__all__ = ["Reply", "encode", "quote"]

# Clients read these with a pattern, and old devices choke on a greeting of several lines.
_SINGLE_LINE: Final = frozenset({220, 227, 228, 229, 234, 350})
# RFC 2640 3.1 would send CR as CR NUL; clients do not undo that, and many end the line at the CR.
_HARMLESS: Final = bytes.maketrans(b"\r\n\0", b"???")
_NOT_ENCODABLE: Final = re.compile("[\ud800-\udc7f\udd00-\udfff]")


class Reply(NamedTuple):
    """One complete reply (RFC 959 4.2).

    Without `lines` it is `code text`.  With them it is `code-text`, the lines, each behind one space so that none can be taken for the
    end, and `code last`.
    """

    code: int
    text: str = ""
    lines: tuple[str, ...] = ()
    last: str = "End"


def encode(reply: Reply) -> bytes:
    """Return the bytes of *reply*: UTF-8, names that are not UTF-8 as the bytes they came from (PEP 383).

    CR, LF, NUL and what no bytes give (lone surrogates) become `?`.  The byte FF is not doubled as Telnet asks: FTP clients do not undo it.
    """
    code, text, lines, last = reply
    if not lines:
        return f"{code} {text}\r\n".encode() if text.isprintable() else _line(f"{code} {text}")
    assert code not in _SINGLE_LINE, f"{code} has to fit one line"
    return b"".join((_line(f"{code}-{text}"), *[_line(f" {line}") for line in lines], _line(f"{code} {last}")))


def quote(text: str) -> str:
    """Put the path *text* between quotation marks, its own doubled, as 257 has it (RFC 959, appendix II)."""
    return '"' + text.replace('"', '""') + '"'


def _line(text: str) -> bytes:
    if text.isprintable():  # nearly every reply: what prints has bytes and no line ends (tests/bench: noop)
        return f"{text}\r\n".encode()
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = _NOT_ENCODABLE.sub("?", text).encode("utf-8", "surrogateescape")
    return raw.translate(_HARMLESS) + b"\r\n"
