"""Staging files on the disk: made, locked, kept, dropped, swept.

Apart from the uploads that fill them.  A staging file has a name, rather than being an O_TMPFILE, because only a rename replaces an old
file in one step, and a rename needs a name.  Whoever works on one holds flock(2) on it, and the kernel lets go of that when a process
dies, however it dies: so a file that can be locked belongs to nobody.  (A process number in the name would belong to somebody else some
day.)  On a disk without locks only age tells.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from ftpd.errors import Busy
from ftpd.storage.names import is_staging

__all__ = ["create", "drop_unused", "empty_of_staging", "lock", "open_kept", "size_of", "sweep", "unlock"]

_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_DEAD_SECONDS: Final = 3600.0  # an upload without a byte for so long, on a disk without locks, is taken for dead


def create(directory: int, name: bytes, mode: int) -> int:
    """Make the file *name*, which must be new, and lock it; *mode* is subject to the umask."""
    number = os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL, mode, dir_fd=directory)
    lock(number)
    return number


def lock(number: int) -> bool:
    """Take the lock, for as long as the descriptor is open; False where somebody else has it."""
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
    return True


def unlock(number: int) -> None:
    """Give the lock back before the descriptor is closed: on a disk that may hang, that happens later, in a thread."""
    with suppress(OSError):
        fcntl.flock(number, fcntl.LOCK_UN)


def open_kept(directory: int, name: bytes) -> int | None:
    """Open and lock the kept part *name*; None where there is none.  Raises `Busy` where another session is resuming it."""
    try:
        number = os.open(name, _FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return None
    try:
        if lock(number) and os.path.samestat(os.fstat(number), os.stat(name, dir_fd=directory, follow_symlinks=False)):
            return number
    except BaseException:
        os.close(number)
        raise
    os.close(number)  # in use, or published or replaced between the open and the lock
    raise Busy(None, "Another session is resuming this upload")


def size_of(directory: int, name: bytes | None) -> int | None:
    """Return the size of the staging file *name*, None where there is none."""
    try:
        return None if name is None else os.stat(name, dir_fd=directory, follow_symlinks=False).st_size
    except FileNotFoundError:
        return None


def drop_unused(directory: int, name: bytes, *, older_than_seconds: float = 0.0) -> bool:
    """Remove the staging file *name* unless somebody works on it or it is younger; return whether it is gone."""
    try:
        number = os.open(name, _FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return True
    try:
        if time.time() - os.fstat(number).st_mtime < older_than_seconds or not lock(number):
            return False
        os.unlink(name, dir_fd=directory)
        return True
    except FileNotFoundError:
        return True
    finally:
        os.close(number)


def sweep(directory: int, names: Iterable[str], kept_seconds: float) -> None:
    """Remove those of the staging *names* that nobody wants: kept parts after *kept_seconds*, leftovers of dead processes."""
    for name in names:
        age = kept_seconds if name.endswith(".kept") else _DEAD_SECONDS
        try:
            drop_unused(directory, name.encode(), older_than_seconds=age)
        except OSError:
            continue  # not ours to remove; the next sweep may have more luck


def empty_of_staging(directory: int) -> bool:
    """Remove the staging files in *directory* if it holds nothing else; return whether it is empty now."""
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries]
    if not all(map(is_staging, names)):
        return False
    dropped = [drop_unused(directory, name.encode()) for name in names]
    return all(dropped)
