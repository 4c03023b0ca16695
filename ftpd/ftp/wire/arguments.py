"""Arguments of LIST and NLST: what clients put before the path as if they were calling `ls`.

Apart because RFC 959 knows no flags: this is a concession to clients (`NLST -CF` of ncftp, `LIST -a` of many), in one place.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["split_list_flags"]

# Letters only: a name such as `-x.txt` is no flag.  A digit is one: `-1`.
_FLAGS: Final = re.compile(r"-([A-Za-z0-9]+)(?: |\Z)")
_END_OF_FLAGS: Final = re.compile(r"--(?: |\Z)")


def split_list_flags(text: str) -> tuple[str, str]:
    """Split `-la dir` into the flag letters, in order, and the path, `""` if there is none.

    `--` ends the flags; a file whose name looks like flags is reachable behind it, and as `./-x`.  One space separates two words, so that
    a name may begin and end with spaces.
    """
    letters: list[str] = []
    start = 0
    while match := _FLAGS.match(text, start):
        letters.append(match[1])
        start = match.end()
    if match := _END_OF_FLAGS.match(text, start):
        start = match.end()
    return "".join(letters), text[start:]
