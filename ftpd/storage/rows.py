"""RowWriter: entries of a directory -> rows of a listing, at 2.2 us each.

Apart from the directory, because this is the inner loop of LIST and MLSD (tests/bench: listing): half of it is the kernel's
stat(2), and of the rest what files have in common is worked out once for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from ftpd.paths import encode_name
from ftpd.spi import RowFormat
from ftpd.storage import statuses
from ftpd.storage.kernel import likeness
from ftpd.values import FileInfo, FileKind

__all__ = ["Entries", "RowWriter"]

_MOST_REMEMBERED: Final = 1024  # kinds of files; a directory that has more of them costs time, not memory


class Entries(NamedTuple):
    """Some entries of the open *directory*, `statuses.AT_ONCE` at most, and the name of each as text."""

    directory: int
    names: Sequence[str]
    found: Sequence[os.DirEntry[str]]


class RowWriter:
    """Write entries in *form*.  *describe* is asked once for files that are alike, and for each that is like no other: a link, for one.

    It may answer None for an entry that is not to be seen.
    """

    __slots__ = ("_alike", "_describe", "_form", "_tells_more")

    def __init__(self, form: RowFormat, describe: Callable[[str, os.DirEntry[str]], FileInfo | None]) -> None:
        self._form = form
        self._describe = describe
        self._alike: dict[bytes, Callable[[str, int, int], str]] = {}
        self._tells_more = False

    def __call__(self, entries: Entries) -> list[str]:
        if self._tells_more:
            return self._described(entries)
        rows: list[str] = []
        alike = self._alike
        told = statuses.ask(entries.directory, encode_name("/".join(entries.names)).split(b"/")) if entries.names else ()
        for name, entry, status in zip(entries.names, entries.found, told, strict=True):
            if status is not None:
                kind, size, modified = status
                write = alike.get(kind)
                if write is not None:
                    rows.append(write(name, size, modified))
                    continue
            rows += self._first(name, entry)
        return rows

    def _described(self, entries: Entries) -> list[str]:
        return [self._form.row(info) for info in map(self._describe, entries.names, entries.found) if info is not None]

    def _first(self, name: str, entry: os.DirEntry[str]) -> Sequence[str]:
        """Return the row, if any, of an entry whose like was not met yet."""
        kind = _likeness(entry)  # of the status that is described, which the entry keeps
        info = self._describe(name, entry)
        if info is None:
            return ()
        if kind is None or info.kind is FileKind.LINK:
            return (self._form.row(info),)
        write = self._form.alike(info)
        if write is None:
            self._tells_more = True  # of the others as well: there is no use in asking for what will not do
            return (self._form.row(info),)
        if len(self._alike) >= _MOST_REMEMBERED:
            self._alike.clear()
        self._alike[kind] = write
        return (write(name, info.size, info.modified),)


def _likeness(entry: os.DirEntry[str]) -> bytes | None:
    try:
        return likeness(entry.stat(follow_symlinks=False))
    except OSError:
        return None
