"""Staging files on the disk: made, locked, kept, dropped, swept.

Apart from the uploads that fill them.  A staging file has a name, rather than being an O_TMPFILE, because only a rename replaces an old
file in one step, and a rename needs a name.  Whoever works on one holds flock(2) on it, and the kernel lets go of that when a process
dies, however it dies: so a file that can be locked belongs to nobody.  (A process number in the name would belong to somebody else some
day.)  On a disk without locks, or with locks that other machines may not see, only age tells.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final

from ftpd.errors import Busy
from ftpd.storage import reservation
from ftpd.storage.names import is_staging, staging_name

__all__ = ["create", "drop_unused", "empty_of_staging", "lock", "open_kept", "size_of", "sweep", "unlock"]

_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NO_LOCKS: Final = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
_DEAD_SECONDS: Final = 3600.0  # an upload without a byte for so long, on a disk whose locks tell nothing, is taken for dead
_MOST_TRIES: Final = 8  # sweeps that come at the wrong moment, one after the other: nobody will see the second


def create(directory: int, mode: int, new_name: Callable[[], bytes] = staging_name) -> tuple[bytes, int, os.stat_result]:
    """Make a staging file and lock it; return its name, its descriptor and its status.  *mode* is subject to the umask."""
    for _ in range(_MOST_TRIES):
        name = new_name()
        number = os.open(name, _FLAGS | os.O_CREAT | os.O_EXCL, mode, dir_fd=directory)
        try:
            if lock(number):
                status = os.fstat(number)
                if not _is_swept(directory, name, status):
                    return name, number, status
        except BaseException:
            os.close(number)
            raise
        os.close(number)  # a sweep came between the two calls: what it found was a file without a lock
    raise Busy(None, "No file can be locked here")


def _is_swept(directory: int, name: bytes, status: os.stat_result) -> bool:
    """Whether the new file has lost its name.  There are FUSE file systems that count no links."""
    return not status.st_nlink and size_of(directory, name) is None


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
        if lock(number) and _is_called(directory, name, number):
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


def drop_unused(directory: int, name: bytes, *, older_than_seconds: float = 0.0, locks: Callable[[int], bool] = lock) -> bool:
    """Remove the staging file *name* unless somebody works on it, so that it cannot be locked, or it is younger; return whether it is gone."""
    try:
        number = os.open(name, _FLAGS, dir_fd=directory)
    except FileNotFoundError:
        return True
    try:
        # The age again once nobody else can work on it, for it may have been resumed since; the name, since another part may have taken it.
        if not (_is_older(number, older_than_seconds) and locks(number) and _is_older(number, older_than_seconds)):
            return False
        if not _is_called(directory, name, number):
            return False
        os.unlink(name, dir_fd=directory)
        return True
    except FileNotFoundError:
        return True
    finally:
        os.close(number)


def sweep(directory: int, names: Iterable[str], kept_seconds: float, trusts_locks: Callable[[int], bool]) -> None:
    """Remove those of the staging *names* that nobody wants: kept parts after *kept_seconds*, leftovers of dead processes and the names they held.

    *trusts_locks* tells of an open file whether locks on its disk are seen by all who use it: then what has no lock is dead.
    """
    is_told = trusts_locks(directory) and _has_locks(directory)
    dead_seconds, locks = (0.0, _lock_out_all) if is_told else (_DEAD_SECONDS, lock)
    for name in names:
        age = kept_seconds if name.endswith(".kept") else dead_seconds
        try:
            if drop_unused(directory, name.encode(), older_than_seconds=age, locks=locks) and reservation.is_reserving(name):
                reservation.free(directory, name)
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


def _has_locks(number: int) -> bool:
    """Whether there is flock(2) on the disk of an open file."""
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(number, fcntl.LOCK_UN)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return True


def _lock_out_all(number: int) -> bool:
    """Take the lock, and the other kind as well: as such the kernel's NFS server holds the locks of other machines (nfs(5), `local_lock`).

    Not to be called on NFS itself, where the two are one, and stand in each other's way.
    """
    if not lock(number):
        return False
    try:
        fcntl.lockf(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_older(number: int, seconds: float) -> bool:
    return seconds <= 0 or time.time() - os.fstat(number).st_mtime >= seconds


def _is_called(directory: int, name: bytes, number: int) -> bool:
    """Whether the open file still has the *name*.  Raises `FileNotFoundError` where nothing has it."""
    return os.path.samestat(os.fstat(number), os.stat(name, dir_fd=directory, follow_symlinks=False))
