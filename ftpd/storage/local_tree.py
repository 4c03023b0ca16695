"""LocalTreeRemoval: a tree of the disk being removed, entry by entry, from descriptors and never from paths.

Apart from the store, because what else it does is about one name.  Each step goes from an open directory to an entry of it that is no
link, or back by `..` to the directory that it came from, known by its inode: so whoever renames, links or mounts meanwhile leads it
nowhere else, and a tree of any depth costs two descriptors and one system call a step.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from ftpd.disks import Disk
from ftpd.errors import Busy, FileTransferError, NotADirectory, NotEmpty, NotFound, NotPermitted, from_oserror
from ftpd.paths import VirtualPath, decode_name
from ftpd.spi import RemovalRules
from ftpd.storage import staging
from ftpd.storage.lane import Descriptor, Lane, shielded
from ftpd.storage.names import NameRules, is_staging
from ftpd.storage.resolve import Crossing, Place
from ftpd.storage.root import View, errors_about
from ftpd.values import Removed

__all__ = ["LocalTreeRemoval", "Removing", "begin_removal"]

_BATCH_SECONDS: Final = 0.1  # an ABOR is heard in between
_NAMES_AT_ONCE: Final = 4096  # read before any of them is removed: not every file system lists well what is shrinking
_READ: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_CHANGED: Final = (errno.ENOTDIR, errno.ELOOP)


class _Level:
    """One directory on the way down: `names` are still to be looked at, `kept` stay, and are not looked at again; `staged` come last."""

    __slots__ = ("has_more", "kept", "key", "name", "names", "staged")

    def __init__(self, name: bytes, key: tuple[int, int]) -> None:
        self.name = name
        self.key = key
        self.names: list[tuple[bytes, bool]] = []
        self.kept: set[bytes] = set()
        self.staged: set[bytes] = set()
        self.has_more = True


class Removing:
    """The blocking half: plain functions, one call at a time, in threads; `stop` from anywhere."""

    def __init__(self, view: View, path: VirtualPath, place: Place, number: int, names: NameRules, rules: RemovalRules) -> None:
        self.number = number  # of the directory that it is in
        self.disk: Disk | None = view.disk(number)
        self._view = view
        self._path = path
        self._place = place
        self._hides = names.hides
        self._rules = rules
        self._levels = [_Level(place.name, _key(number))]
        self._names: list[str] = []  # of the levels below the first, as text
        self._is_stopped = False
        self._files = self._directories = 0
        self._kept: list[FileTransferError] = []

    def stop(self) -> None:
        """Remove nothing more, though a call is under way that nobody waits for."""
        self._is_stopped = True

    def batch(self) -> Removed:
        self._files = self._directories = 0
        self._kept = []
        end = time.monotonic() + _BATCH_SECONDS
        while self._levels and not self._is_stopped and time.monotonic() < end:
            self._step(self._levels[-1])
        return Removed(self._files, self._directories, tuple(self._kept), is_over=not self._levels)

    def close(self, dispose: Callable[[int], object] = os.close) -> None:
        self._place.close()
        if self.number >= 0:
            number, self.number = self.number, -1
            dispose(number)

    def _step(self, level: _Level) -> None:
        if level.names:
            name, is_directory = level.names.pop()
            if is_directory:
                self._descend(name)
            else:
                self._remove(name)
        elif level.has_more:
            self._read(level)
        else:
            self._ascend(level)

    def _read(self, level: _Level) -> None:
        """Read the next names, those that stay left out: for them there is no second look."""
        with os.scandir(self.number) as entries:
            for entry in entries:
                name = os.fsencode(entry.name)
                if is_staging(entry.name):
                    level.staged.add(name)
                elif name not in level.kept:
                    level.names.append((name, entry.is_dir(follow_symlinks=False)))
                if len(level.names) == _NAMES_AT_ONCE:
                    break
        level.has_more = len(level.names) == _NAMES_AT_ONCE

    def _remove(self, name: bytes) -> None:
        text = decode_name(name)
        try:
            if self._hides(text):
                self._keep(name, NotEmpty(self._path_of()))  # what nobody can see cannot be named either
            elif not self._rules.may_remove(path := self._path_of(text), is_directory=False):
                self._keep(name, NotPermitted(path))
            else:
                os.unlink(name, dir_fd=self.number)
                self._files += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            self._keep(name, from_oserror(error, self._path_of(text)))

    def _descend(self, name: bytes) -> None:
        text = decode_name(name)
        if self._hides(text):
            self._keep(name, NotEmpty(self._path_of()))
            return
        path = self._path_of(text)
        if not self._rules.may_enter(path):
            self._keep(name, NotPermitted(path))
            return
        try:
            number = self._view.descend(self.number, name)
        except FileNotFoundError:
            return
        except Crossing:
            self._keep(name, Busy(path, "Another file system is mounted there"))
            return
        except OSError as error:
            changed = error.errno in _CHANGED
            self._keep(name, Busy(path, "It changed meanwhile") if changed else from_oserror(error, path))
            return
        self._move_to(number)
        self._levels.append(_Level(name, _key(number)))
        self._names.append(text)

    def _ascend(self, level: _Level) -> None:
        """Go back up, and remove the directory that is done with."""
        path = self._path_of()
        obstacle = None if level.kept else self._obstacle(level, path)
        directory = self._place.directory if len(self._levels) == 1 else self._back_to(self._levels[-2].key)
        self._levels.pop()
        if self._names:
            self._names.pop()
        if obstacle is not None:
            self._keep(level.name, obstacle)
        elif not level.kept:
            self._remove_empty(directory, level.name, path)
        elif self._levels:
            self._levels[-1].kept.add(level.name)

    def _obstacle(self, level: _Level, path: VirtualPath) -> FileTransferError | None:
        """Say what keeps the directory that it is in, and in which nothing is left to be seen.

        Only now do the kept parts of cut uploads go: while their directory stays they are there to be resumed, and some are other accounts'.
        """
        if not self._rules.may_remove(path, is_directory=True):
            return NotPermitted(path)
        try:
            dropped = [staging.drop_unused(self.number, name) for name in level.staged]
        except OSError as error:
            return from_oserror(error, path)
        return None if all(dropped) else Busy(path, "An upload into it is under way")

    def _remove_empty(self, directory: int, name: bytes, path: VirtualPath) -> None:
        try:
            os.rmdir(name, dir_fd=directory)
            self._directories += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            self._keep(name, from_oserror(error, path))

    def _back_to(self, key: tuple[int, int]) -> int:
        number = os.open(b"..", _READ, dir_fd=self.number)
        if _key(number) != key:
            os.close(number)
            raise Busy(self._path, "The tree was moved while it was being removed")
        self._move_to(number)
        return number

    def _move_to(self, number: int) -> None:
        old, self.number = self.number, number
        os.close(old)

    def _keep(self, name: bytes, error: FileTransferError) -> None:
        """Note why an entry of the directory that it is in stays."""
        self._kept.append(error)
        if self._levels:
            self._levels[-1].kept.add(name)

    def _path_of(self, *below: str) -> VirtualPath:
        """The path of the directory that it is in, or of an entry.  Made when asked for: at a depth of thousands it is long."""
        return VirtualPath((*self._path.parts, *self._names, *below))


def begin_removal(view: View, raw: bytes, path: VirtualPath, names: NameRules, rules: RemovalRules) -> Removing:
    """Open the tree *path*; a link, or a file, is `NotADirectory`, and the mount point of another file system `Busy`."""
    place = view.place(raw, follows_last=False)
    try:
        if place.seen is None:
            raise NotFound
        if not stat.S_ISDIR(place.seen.st_mode):
            raise NotADirectory
        if not rules.may_enter(path):
            raise NotPermitted
        number = view.descend(place.directory, place.name)
        try:
            return Removing(view, path, place, number, names, rules)
        except BaseException:
            os.close(number)
            raise
    except Crossing:
        place.close()
        raise Busy(None, "Another file system is mounted here") from None
    except BaseException:
        place.close()
        raise


class LocalTreeRemoval:
    """A `spi.TreeRemoval`: the half that sessions see."""

    def __init__(self, path: VirtualPath, removing: Removing, lane: Lane) -> None:
        self._path = path
        self._removing = removing
        self._lane = lane
        # Held by each call, so that nothing is closed under a thread that hangs.
        self._hold = Descriptor(removing.number, partial(_close, removing, lane))

    async def next_batch(self) -> Removed:
        with errors_about(self._path):
            return await shielded(self._lane.blocking(self._removing.batch, holding=self._hold))

    async def close(self) -> None:
        self._removing.stop()
        self._hold.close()


def _close(removing: Removing, lane: Lane, _: int) -> None:
    removing.close(lane.dispose)


def _key(number: int) -> tuple[int, int]:
    status = os.fstat(number)
    return status.st_dev, status.st_ino
