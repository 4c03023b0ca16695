"""LocalDirectory: a directory of the disk, open for listing, in batches.

A directory of 100,000 entries takes a quarter of a second to describe: the first batch of one that was listed lately is made
on the reactor thread (most directories end within it), all others in a thread, and never more than one batch is in memory.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from itertools import compress, islice
from operator import not_
from types import TracebackType
from typing import Final, Self, TypeVar

from ftpd.disks import Disk
from ftpd.paths import VirtualPath, decode_name
from ftpd.spi import RowFormat
from ftpd.storage import creation
from ftpd.storage.describe import Describe
from ftpd.storage.familiar import Familiar
from ftpd.storage.lane import Descriptor, Lane
from ftpd.storage.names import NameRules, is_staging
from ftpd.storage.root import View, errors_about
from ftpd.storage.rows import Entries, RowWriter
from ftpd.storage.statuses import AT_ONCE
from ftpd.values import FileInfo, FileKind

__all__ = ["LocalDirectory", "open_directory"]

T = TypeVar("T")

_FIRST_ENTRIES: Final = AT_ONCE  # about 0.6 ms
_ENTRIES: Final = 512  # as FileInfo, half a MiB; and where the disk may hang, what a call has to bring within its time
_LOCAL_ENTRIES: Final = (
    2048  # as rows, half a MiB, in some 5 ms: a hop to a thread costs 0.05 us an entry then (tests/bench: listing)
)
_MAX_STALE: Final = 1000  # staging names that one listing remembers for the sweep

# scandir of a descriptor gives text in the locale's encoding; ours is UTF-8, whatever the locale (paths.decode_name).
_IS_UTF8: Final = sys.getfilesystemencoding() == "utf-8" and sys.getfilesystemencodeerrors() == "surrogateescape"


def open_directory(view: View, raw: bytes) -> tuple[int, Disk | None]:
    """Open for listing; return the descriptor and its disk, None for one that may hang."""
    number = view.open(raw, os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK)
    return number, view.disk(number)


class LocalDirectory:
    """A `spi.RowDirectory`.  *sweep* is called at the end with the staging names seen, if any; in a thread.

    *listed* are the directories whose entries are in memory.
    """

    def __init__(
        self,
        path: VirtualPath,
        number: int,
        lane: Lane,
        describe: Describe,
        rules: NameRules,
        sweep: Callable[[int, Sequence[str]], object],
        listed: Familiar,
        *,
        hides_links: bool,
    ) -> None:
        self._path = path
        self._lane = lane
        self._describe = describe
        self._rules = rules
        self._sweep = sweep
        self._listed = listed
        self._hides_links = hides_links
        self._directory = Descriptor(number, self._dispose)
        self._entries: Iterator[os.DirEntry[str]] | None = None
        self._stale: list[str] = []
        self._growing = _FIRST_ENTRIES
        self._is_first = True
        self._is_described = True
        self._is_dated = False
        self._is_finished = False

    async def next_batch(self) -> Sequence[FileInfo]:
        return await self._next(self._infos, _ENTRIES)

    def rows(self, form: RowFormat) -> Callable[[], Awaitable[Sequence[str]]]:
        self._is_dated, self._is_described = form.tells_creation, form.from_name is None
        info = self._dated_info if self._is_dated else self._info
        write = RowWriter(form, info) if form.from_name is None else partial(self._names, form.from_name)
        return lambda: self._next(write, _LOCAL_ENTRIES if self._lane.is_local else _ENTRIES)

    async def close(self) -> None:
        self._directory.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._directory.close()

    async def _next(self, tell: Callable[[Entries], list[T]], at_most: int) -> Sequence[T]:
        with errors_about(self._path):
            while not self._is_finished:
                told = await self._read(tell, at_most)
                if told:
                    return told
            return ()

    async def _read(self, tell: Callable[[Entries], list[T]], at_most: int) -> list[T]:
        """Return what *tell* tells of the next entries: few, so that the client has the first soon, then more and more, for few hops."""
        at_most = min(at_most, self._growing)
        self._growing *= 2
        if self._is_first and self._lane.is_quick and not self._is_dated and self._listed.knows(self._directory.number):
            told = await self._lane.quick(self._tell, tell, at_most, holding=self._directory)
        else:
            told = await self._lane.blocking(self._tell, tell, at_most, holding=self._directory)
            self._note_listed()
        self._is_first = False
        if self._is_finished and self._stale:
            stale, self._stale = self._stale, []
            self._lane.blocking(self._sweep, self._directory.number, stale, holding=self._directory).addErrback(lambda _: None)
        return told

    def _note_listed(self) -> None:
        if self._is_finished and self._is_described and self._lane.is_local:
            self._listed.note(self._directory.number)

    def _tell(self, tell: Callable[[Entries], list[T]], at_most: int) -> list[T]:
        """Tell of the next entries, so many at a time that what the kernel has just read is in the processor's cache."""
        told: list[T] = []
        while at_most > 0 and not self._is_finished:
            told += tell(self._visible())
            at_most -= AT_ONCE
        return told

    def _visible(self) -> Entries:
        """Read the next entries, and give those that are no staging files and have no hidden names."""
        if self._entries is None:
            self._entries = os.scandir(self._directory.number)
        found = list(islice(self._entries, AT_ONCE))
        self._is_finished = len(found) < AT_ONCE
        names = [entry.name for entry in found]
        if not _IS_UTF8:
            names = [decode_name(os.fsencode(name)) for name in names]
        if self._rules.may_hide("/".join(names)):
            names, found = self._leave_out(names, found)
        return Entries(self._directory.number, names, found)

    def _leave_out(self, names: list[str], found: list[os.DirEntry[str]]) -> tuple[list[str], list[os.DirEntry[str]]]:
        is_seen = [not self._rules.hides(name) for name in names]
        for name in compress(names, map(not_, is_seen)):
            self._note(name)
        return list(compress(names, is_seen)), list(compress(found, is_seen))

    def _infos(self, entries: Entries) -> list[FileInfo]:
        return [info for info in map(self._info, entries.names, entries.found) if info is not None]

    def _names(self, write: Callable[[str], str], entries: Entries) -> list[str]:
        if not self._hides_links:
            return list(map(write, entries.names))
        return [write(name) for name, entry in zip(entries.names, entries.found, strict=True) if not entry.is_symlink()]

    def _info(self, name: str, entry: os.DirEntry[str]) -> FileInfo | None:
        """Describe one entry; None for one that vanished since, and for a link where links are hidden."""
        try:
            status = entry.stat(follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                return self._describe(name, status, None)
            return None if self._hides_links else self._describe(name, status, self._target(entry.name))
        except FileNotFoundError:
            return None
        except OSError:  # a directory that may be read but not searched (r--): the names are all there is to tell
            return FileInfo(name, FileKind.DIRECTORY if entry.is_dir(follow_symlinks=False) else FileKind.OTHER)

    def _dated_info(self, name: str, entry: os.DirEntry[str]) -> FileInfo | None:
        info = self._info(name, entry)
        return info and info._replace(created_ns=creation.created_ns(self._directory.number, os.fsencode(entry.name)))

    def _target(self, name: str) -> str:
        return decode_name(os.fsencode(os.readlink(name, dir_fd=self._directory.number)))

    def _note(self, name: str) -> None:
        if len(self._stale) < _MAX_STALE and is_staging(name):
            self._stale.append(name)

    def _dispose(self, number: int) -> None:
        if self._entries is not None:
            self._entries.close()  # type: ignore[attr-defined]  # scandir's iterator has a descriptor of its own
        self._lane.dispose(number)
