"""Table: text in columns of a terminal, whatever letters it is made of.

Apart from what is shown: here nothing is known of sessions, and nothing is printed.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile, zip_longest
from typing import Final

__all__ = ["clip", "columns", "cut", "width"]

_GAP: Final = "  "
_CUT: Final = "…"


def width(text: str) -> int:
    """Return how many cells of a terminal *text* takes: letters of East Asia take two, accents that combine none."""
    return len(text) if text.isascii() else sum(map(_cells, text))


def cut(text: str, most: int) -> str:
    """Shorten *text* to *most* cells by taking out its middle: a path ends with the name that matters."""
    if width(text) <= most:
        return text
    if most < 1:
        return ""
    tail = most // 2
    return clip(text, most - 1 - tail) + _CUT + clip(text[::-1], tail)[::-1]


def clip(text: str, most: int) -> str:
    """Return as much of the start of *text* as fits in *most* cells."""
    if len(text) <= most and text.isascii():
        return text
    return text[: len(list(takewhile(lambda sum: sum <= most, accumulate(map(_cells, text)))))]


def columns(rows: Sequence[Sequence[str]], rights: frozenset[int] = frozenset()) -> Iterator[str]:
    """Yield a line for each of *rows*, columns below one another; those of *rights* (counted from 0) are set to the right."""
    widths = [max(map(width, column)) for column in zip_longest(*rows, fillvalue="")]
    for row in rows:
        cells = [
            " " * (most - width(text)) + text if column in rights else text + " " * (most - width(text))
            for column, (text, most) in enumerate(zip(row, widths, strict=False))
        ]
        yield _GAP.join(cells).rstrip()


def _cells(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
