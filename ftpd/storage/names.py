"""Which names a store shows: hidden patterns, and the store's own staging names, which no protocol can reach.

Apart from the disk work, since every path of every operation passes here first.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from ftpd.errors import BadName, NotFound
from ftpd.paths import VirtualPath, encode_name

__all__ = ["HELD", "MAX_NAME_BYTES", "NameRules", "is_staging", "kept_name", "numbered", "reserving_name", "staging_name"]

_PREFIX: Final = ".ftpd."
HELD: Final = ".held"  # ends the staging name of an upload for which another file holds the final name
_STAGING: Final = re.compile(r"\.ftpd\.[0-9a-f]{32}\.(new|held|kept)")
# Names that no rule but the patterns can be about: none is empty, begins with a dot, or has a NUL in it.
_ORDINARY: Final = re.compile(r"[^./\0][^/\0]*(?:/[^./\0][^/\0]*)*").fullmatch
MAX_NAME_BYTES: Final = 255  # NAME_MAX of every Linux file system


def staging_name() -> bytes:
    """Return a new name for an upload under way.  Of fixed length: the final name may already have the 255 bytes a disk allows."""
    return f"{_PREFIX}{os.urandom(16).hex()}.new".encode()


def reserving_name(inode: int, modified_ns: int) -> bytes:
    """Return the name for an upload whose final name is held by an empty file with these numbers, of 64 bits each."""
    return f"{_PREFIX}{inode:016x}{modified_ns:016x}{HELD}".encode()


def kept_name(account: str, name: bytes) -> bytes:
    """Return the name under which the kept part of *account*'s cut upload to *name* waits, in the same directory."""
    digest = hashlib.sha256(encode_name(account) + b"\0" + name).hexdigest()[:32]
    return f"{_PREFIX}{digest}.kept".encode()


def is_staging(name: str) -> bool:
    """Whether *name* is the store's own."""
    return name.startswith(_PREFIX) and _STAGING.fullmatch(name) is not None


def numbered(name: bytes, number: int) -> bytes:
    """Return *name* with *number* before its extension, shortened to what a disk allows: `a.txt` -> `a.1.txt`."""
    stem, dot, extension = name.rpartition(b".")
    if not stem or len(extension) > 16:
        stem, dot, extension = name, b"", b""
    tail = b".%d%s%s" % (number, dot, extension)
    return stem[: MAX_NAME_BYTES - len(tail)] + tail


def _is_hidden(pattern: re.Pattern[str], name: str) -> bool:
    return is_staging(name) or pattern.match(name) is not None


class NameRules:
    """The names of one store: *patterns* (fnmatch, case-sensitive) are neither listed nor reachable.

    A pattern hides a name, not a file: a link with another name that leads to it still does.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        translated = "|".join(fnmatch.translate(pattern) for pattern in patterns)
        self._has_patterns = bool(translated)
        self.hides: Callable[[str], bool] = partial(_is_hidden, re.compile(translated)) if translated else is_staging
        """Whether a listing leaves a name out, asked for each of its entries."""

    def may_hide(self, text: str) -> bool:
        """Whether it may hide any of the names that stand in *text*: one look for a directory's, where most directories have none."""
        return self._has_patterns or _PREFIX in text

    def encode(self, path: VirtualPath) -> bytes:
        """Return *path* as bytes for the kernel, relative to the root.  Raises `NotFound` for hidden names, `BadName` for impossible ones."""
        parts = path.parts
        text = "/".join(parts)
        # Nearly every path is known in one look (tests/bench: retr, stor); a slash within a name makes it one too many.
        if not self._has_patterns and _ORDINARY(text) and text.count("/") < len(parts):
            return encode_name(text)
        for name in parts:
            if name in ("", ".", "..") or "/" in name or "\0" in name:
                raise BadName(path)
            if self.hides(name):
                raise NotFound(path)
        return encode_name(text) or b"."
