"""LocalDirectory: a directory of the disk, open for listing, in batches.

A directory of 100,000 entries takes a third of a second to describe: the first batch is made on the reactor thread (most directories
end within it), the others in a thread, and never more than one batch is in memory.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Final, Self

from ftpd.paths import VirtualPath, decode_name
from ftpd.storage.describe import Describe
from ftpd.storage.lane import Descriptor, Lane
from ftpd.storage.names import NameRules, is_staging
from ftpd.storage.root import View, errors_about
from ftpd.values import FileInfo, FileKind

__all__ = ["LocalDirectory", "open_directory"]

_FIRST_ENTRIES: Final = 256  # about 0.7 ms
_ENTRIES: Final = 512  # a hop to a thread costs 0.1 us an entry then
_MAX_STALE: Final = 1000  # staging names that one listing remembers for the sweep

# scandir of a descriptor gives text in the locale's encoding; ours is UTF-8, whatever the locale (paths.decode_name).
_IS_UTF8: Final = sys.getfilesystemencoding() == "utf-8" and sys.getfilesystemencodeerrors() == "surrogateescape"


def open_directory(view: View, raw: bytes) -> tuple[int, bool]:
    """Open for listing; return the descriptor and whether its disk may hang."""
    number = view.open(raw, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
    return number, view.may_hang(number)


class LocalDirectory:
    """A `spi.Directory`.  *sweep* is called at the end with the staging names seen, if any; in a thread."""

    def __init__(
        self,
        path: VirtualPath,
        number: int,
        lane: Lane,
        describe: Describe,
        rules: NameRules,
        sweep: Callable[[int, Sequence[str]], object],
        *,
        hides_links: bool,
    ) -> None:
        self._path = path
        self._lane = lane
        self._describe = describe
        self._rules = rules
        self._sweep = sweep
        self._hides_links = hides_links
        self._directory = Descriptor(number, self._dispose)
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._stale: list[str] = []
        self._is_first = True
        self._is_finished = False

    async def next_batch(self) -> Sequence[FileInfo]:
        with errors_about(self._path):
            while not self._is_finished:
                batch = await self._next()
                if batch:
                    return batch
            return ()

    async def close(self) -> None:
        self._directory.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._directory.close()

    async def _next(self) -> list[FileInfo]:
        if self._is_first and self._lane.is_local:
            batch = self._read(_FIRST_ENTRIES)
        else:
            batch = await self._lane.blocking(self._read, _ENTRIES, holding=self._directory)
        self._is_first = False
        if self._is_finished and self._stale:
            stale, self._stale = self._stale, []
            self._lane.blocking(self._sweep, self._directory.number, stale, holding=self._directory).addErrback(lambda _: None)
        return batch

    def _read(self, at_most: int) -> list[FileInfo]:
        """Describe the next entries.  One that vanished since is left out."""
        if self._entries is None:
            self._entries = os.scandir(self._directory.number)
        batch: list[FileInfo] = []
        hides, describe = self._rules.hides, self._describe
        for _ in range(at_most):
            entry = next(self._entries, None)
            if entry is None:
                self._is_finished = True
                break
            name = entry.name if _IS_UTF8 else decode_name(os.fsencode(entry.name))
            if hides(name):
                self._note(name)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
                is_link = status.st_mode & 0o170000 == 0o120000
                if is_link and self._hides_links:
                    continue
                batch.append(describe(name, status, self._target(entry.name) if is_link else None))
            except FileNotFoundError:
                continue
            except OSError:  # a directory that may be read but not searched (r--): the names are all there is to tell
                batch.append(FileInfo(name, FileKind.DIRECTORY if entry.is_dir(follow_symlinks=False) else FileKind.OTHER))
        return batch

    def _target(self, name: str) -> str:
        return decode_name(os.fsencode(os.readlink(name, dir_fd=self._directory.number)))

    def _note(self, name: str) -> None:
        if len(self._stale) < _MAX_STALE and is_staging(name):
            self._stale.append(name)

    def _dispose(self, number: int) -> None:
        if self._entries is not None:
            self._entries.close()  # type: ignore[attr-defined]  # scandir's iterator has a descriptor of its own
        self._lane.dispose(number)
