"""Several names in one argument: COMB and SITE SYMLINK take words, where every other command takes one path to the end of the line.

Apart from `arguments`, because there a space belongs to a name; here a name that has one stands between quotation marks.
"""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import BadArgument

__all__ = ["split_words"]

# A quotation mark in a quoted name is doubled, as in the 257 of RFC 959; one within a word that does not begin with it is part of the name.
_WORD: Final = re.compile(r'(?:"((?:[^"]|"")+)"|([^ "][^ ]*))(?: +|\Z)')


def split_words(text: str) -> tuple[str, ...]:
    """Split *text* at spaces into words, of which those with spaces are quoted.  `BadArgument` where that cannot be done."""
    words: list[str] = []
    end = 0
    while end < len(text):
        match = _WORD.match(text, end)
        if match is None:
            raise BadArgument("Names stand between quotation marks, with spaces between them")
        words.append(match[2] or match[1].replace('""', '"'))
        end = match.end()
    return tuple(words)
