"""Patterns of LIST, NLST and STAT: `*`, `?`, `[a-z]`, `[!a-z]`.

Apart because a pattern is a program that a stranger runs here: its length is bounded, and matching takes time proportional to pattern
times name, whatever the pattern (a star never gives back what it took).  A pattern is one part of a path; `/` has no part in it.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from typing import Final

from ftpd.errors import BadArgument

__all__ = ["has_magic", "matcher"]

_LONGEST: Final = 255  # characters: NAME_MAX of Linux file systems


def has_magic(text: str) -> bool:
    """Whether *text* is a pattern.  `a[1].txt` is one, and a common file name: try the name itself first."""
    bracket = text.find("[")
    return "*" in text or "?" in text or (bracket >= 0 and text.find("]", bracket + 2) >= 0)


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return the test whether a name matches *pattern*; longer than 255 characters is :class:`BadArgument`.

    As in a shell, case counts, and a leading dot is matched by a dot only.  A backslash is an ordinary character; `[*]` stands for a star.
    """
    if len(pattern) > _LONGEST:
        raise BadArgument("The pattern is too long")
    match = re.compile(fnmatch.translate(pattern)).match
    if pattern.startswith("."):
        return lambda name: match(name) is not None
    return lambda name: not name.startswith(".") and match(name) is not None
