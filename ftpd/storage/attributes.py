"""Changes of a file's attributes on the disk: all of them, or, as far as the disk lets us back, none.

Apart from the filesystem, which finds the file.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from ftpd.storage import creation
from ftpd.storage.resolve import O_PATH
from ftpd.values import Attributes

__all__ = ["FLAGS", "change"]

_HAS_PROC: Final = os.path.isdir("/proc/self/fd")
FLAGS: Final = O_PATH if _HAS_PROC else os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY  # how a file is opened to be changed


def change(number: int, status: os.stat_result, changes: Attributes) -> None:
    """Change the file of *number*, whatever name it has by now.

    /proc/self/fd/N names the very file that was opened, so that no rename can put another in its place, and needs no right to read it.
    """
    target: str | int = f"/proc/self/fd/{number}" if _HAS_PROC else number
    attribute = None if changes.created_ns is None else creation.attribute(number)
    try:
        if changes.created_ns is not None:  # first, as long as the mode lets us write
            creation.set_created_ns(number, changes.created_ns)
        _apply(target, status, changes)
    except OSError:  # all or nothing, as far as the disk lets us back
        with suppress(OSError):
            _apply(target, status, _as_before(status, changes))
        with suppress(OSError):
            if changes.created_ns is not None:
                creation.put_back(number, attribute)
        raise


def _apply(target: str | int, status: os.stat_result, changes: Attributes) -> None:
    if changes.owner is not None or changes.group is not None:
        os.chown(target, -1 if changes.owner is None else changes.owner, -1 if changes.group is None else changes.group)
    if changes.mode is not None:
        os.chmod(target, changes.mode & 0o7777)
    if changes.modified_ns is not None or changes.accessed_ns is not None:
        accessed = status.st_atime_ns if changes.accessed_ns is None else changes.accessed_ns
        modified = status.st_mtime_ns if changes.modified_ns is None else changes.modified_ns
        os.utime(target, ns=(accessed, modified))


def _as_before(status: os.stat_result, changes: Attributes) -> Attributes:
    """What undoes *changes*; the mode in any case, for a change of owner takes bits of it away."""
    return Attributes(
        mode=stat.S_IMODE(status.st_mode),
        modified_ns=status.st_mtime_ns,
        owner=None if changes.owner is None else status.st_uid,
        group=None if changes.group is None else status.st_gid,
    )
