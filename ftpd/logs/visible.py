"""Text made safe to show on one line: whatever a client named, it can neither forge a line nor steer a terminal.

Apart, because every target and the xferlog need the same rule.
"""

from __future__ import annotations

__all__ = ["readable", "visible"]

_SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str) -> str:
    r"""Return *text* with everything that does not print as itself escaped, and backslashes doubled, so that it can be read back.

    Bytes that were not UTF-8 (lone surrogates, PEP 383) and C0 and C1 controls are `\xNN`; line separators, bidirectional overrides and
    the like `\uNNNN`.
    """
    if text.isprintable() and "\\" not in text:  # one pass in C: nearly every name
        return text
    return "".join(_SHORT.get(letter) or (letter if letter.isprintable() else _escape(letter)) for letter in text)


def readable(text: str) -> str:
    r"""Return *text* with the bytes that were not UTF-8 as `\xNN`, and nothing else changed: for JSON, which escapes the rest itself."""
    if text.isascii():
        return text
    return "".join(_escape(letter) if "\ud800" <= letter <= "\udfff" else letter for letter in text)


def _escape(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
