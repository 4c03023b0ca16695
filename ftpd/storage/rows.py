"""RowWriter: entries of a directory -> rows of a listing, at 2.7 us each.

Apart from the directory, because this is the inner loop of LIST and MLSD (tests/bench: listing): three quarters of it are the kernel's
stat(2), and of the rest what files have in common is worked out once for all of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from ftpd.spi import RowFormat
from ftpd.values import FileInfo, FileKind

__all__ = ["Entries", "RowWriter"]

Entries: TypeAlias = Iterable[tuple[str, os.DirEntry[str]]]  # each with its name as text
_Likeness: TypeAlias = tuple[int, int, int, int]  # mode with type, links, user, group

_MOST_REMEMBERED: Final = 1024  # kinds of files; a directory that has more of them costs time, not memory


class RowWriter:
    """Write entries in *form*.  *describe* is asked once for files that are alike, and for each that is like no other: a link, for one.

    It may answer None for an entry that is not to be seen.
    """

    __slots__ = ("_alike", "_describe", "_form")

    def __init__(self, form: RowFormat, describe: Callable[[str, os.DirEntry[str]], FileInfo | None]) -> None:
        self._form = form
        self._describe = describe
        self._alike: dict[_Likeness, Callable[[str, int, int], str]] = {}

    def __call__(self, entries: Entries) -> list[str]:
        rows: list[str] = []
        alike = self._alike
        for name, entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError:
                rows += self._first(name, entry, None)
                continue
            mode, _, _, links, user, group, size, _, modified, _ = status
            write = alike.get((mode, links, user, group))
            if write is not None:
                rows.append(write(name, size, modified))  # type: ignore[arg-type]  # by position the times are whole seconds
            else:
                rows += self._first(name, entry, (mode, links, user, group))
        return rows

    def _first(self, name: str, entry: os.DirEntry[str], likeness: _Likeness | None) -> Sequence[str]:
        """Return the row, if any, of an entry whose like was not met yet."""
        info = self._describe(name, entry)
        if info is None:
            return ()
        write = None if likeness is None or info.kind is FileKind.LINK else self._form.alike(info)
        if write is not None and likeness is not None:
            if len(self._alike) >= _MOST_REMEMBERED:
                self._alike.clear()
            self._alike[likeness] = write
        return (self._form.row(info),)
