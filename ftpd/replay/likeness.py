"""Likeness: when two replies say the same, although addresses, times, sizes and names of sessions differ.

Apart from playing and showing: this is the judgement, and it is made of a few patterns.
"""

from __future__ import annotations

import re
from typing import Final

from ftpd.replay.recording import Answer

__all__ = ["are_alike", "plain"]

_PATTERNS: Final = (
    (re.compile(r"\b[0-9]{1,3}(?:,[0-9]{1,3}){5}\b"), "ADDRESS"),  # 227
    (re.compile(r"\|\|\|[0-9]+\|"), "PORT"),  # 229
    (re.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"(?<![0-9A-Za-z])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z])"), "ADDRESS"),
    (re.compile(r"\b[0-9]{14}(?:\.[0-9]+)?\b"), "TIME"),  # MDTM, facts
    (re.compile(r"\b(?:[A-Z][a-z]{2} [ 0-9][0-9]) +(?:[0-9]{2}:[0-9]{2}|[0-9]{4})\b"), "TIME"),  # rows of LIST
    (re.compile(r"\b(?=[a-v]*[0-9])[0-9a-v]{16}\b"), "SESSION"),
    (re.compile(r"(?<=unique=)[^;]+"), "FILE"),
    # Sizes, seconds, rates; a number that belongs to a name (SHA-256, TLSv1.3, UTF8) is not one.
    (re.compile(r"(?<![A-Za-z0-9_./-])[0-9]+(?:[.,][0-9]+)*(?![A-Za-z0-9_-])"), "NUMBER"),
)


def plain(text: str) -> str:
    """Return *text* with a word in the place of what varies; the code in front of it stays."""
    code, rest = text[:3], text[3:]
    for pattern, word in _PATTERNS:
        rest = pattern.sub(word, rest)
    return code + rest


def are_alike(recorded: Answer, heard: Answer, *, only_codes: bool) -> bool:
    """Whether *heard* says what was *recorded*: the same code, and with it the same words, as far as they were written down."""
    if recorded.code != heard.code:
        return False
    if only_codes or recorded.is_cut:
        return True
    return [plain(line) for line in recorded.lines] == [plain(line) for line in heard.lines]
