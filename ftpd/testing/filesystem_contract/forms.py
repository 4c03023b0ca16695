"""Forms of rows in which a listing is asked for: all that is known of a file, what many files have in common, the name alone.

Apart from the promise about rows, which stores that can be changed keep as well as those that cannot.
"""

from __future__ import annotations

from collections.abc import Callable

from ftpd.values import FileInfo

__all__ = ["Alike", "NameAlone", "Whole"]


class Whole:
    """A `spi.RowFormat` that tells everything of each file."""

    from_name: Callable[[str], str] | None = None
    tells_creation = False

    def row(self, info: FileInfo) -> str:
        return repr(info)

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return None


class Alike(Whole):
    """A `spi.RowFormat` that tells everything but `unique`, the time of creation and fractions of seconds."""

    def row(self, info: FileInfo) -> str:
        return repr(info._replace(unique="", created_ns=None, modified_ns=info.modified * 10**9))

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        likeness = info._replace(unique="", created_ns=None)
        return lambda name, size, modified: repr(likeness._replace(name=name, size=size, modified_ns=modified * 10**9))


class NameAlone(Whole):
    """A `spi.RowFormat` that tells the name alone."""

    def __init__(self) -> None:
        self.from_name = repr

    def row(self, info: FileInfo) -> str:
        return repr(info.name)
