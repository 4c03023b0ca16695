"""Regular files: what a configuration names is opened here, so that a FIFO, a directory or a device is refused and not waited for.

Apart from who reads what: open(2) of a FIFO waits for a writer, of a device for whatever it likes, and a start, a check or a login would
wait along.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import BinaryIO, Final

__all__ = ["NotRegular", "open_regular"]

_FLAGS: Final = (
    os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
)  # the last in case it has become a FIFO since it was looked at
_KINDS: Final = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class NotRegular(OSError):
    """There is something of the name that is no regular file; `strerror` says what."""

    def __init__(self, os_path: str, mode: int) -> None:
        kind = next((words for is_kind, words in _KINDS if is_kind(mode)), "something else")
        super().__init__(errno.EINVAL, f"it is {kind}, not a regular file", os_path)


def open_regular(os_path: str | os.PathLike[str]) -> BinaryIO:
    """Open the regular file at *os_path*, or at the end of its symbolic links, for reading; the caller closes it.

    Raises `OSError`, which is `NotRegular` for anything else, without having opened that: to open a device may do something.
    """
    name = os.fspath(os_path)
    _demand_regular(name, os.stat(name))
    descriptor = os.open(name, _FLAGS)
    try:
        _demand_regular(name, os.fstat(descriptor))
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "rb")


def _demand_regular(name: str, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotRegular(name, status.st_mode)
