"""Reservations: names that an empty file holds for an upload under way, since a client was told them at once (STOU, RFC 959 4.1.3).

Apart from the staging file, whose name tells which file that is: a process that is killed leaves both, and an empty file that says nothing
of itself could be anybody's.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from typing import Final

from ftpd.storage.names import HELD, reserving_name

__all__ = ["free", "is_reserving", "staging_name_of"]

_WORD: Final = (1 << 64) - 1


def staging_name_of(reserved: os.stat_result) -> bytes:
    """Return the staging name for the upload that has *reserved* a name by an empty file of this status."""
    return reserving_name(reserved.st_ino & _WORD, reserved.st_mtime_ns & _WORD)


def is_reserving(name: str) -> bool:
    """Whether the staging *name* is one of `staging_name_of`."""
    return name.endswith(HELD)


def free(directory: int, name: str) -> None:
    """Remove the empty file that the upload with the staging *name*, which is dead, has reserved; not one that was changed since."""
    words = name.removesuffix(HELD)[-32:]
    inode, modified_ns = int(words[:16], 16), int(words[16:], 16)
    with os.scandir(directory) as entries:
        found = [entry for entry in entries if entry.inode() & _WORD == inode]
    for entry in found:
        with suppress(FileNotFoundError):
            status = os.stat(entry.name, dir_fd=directory, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode) and not status.st_size and status.st_mtime_ns & _WORD == modified_ns:
                os.unlink(entry.name, dir_fd=directory)
