"""When a file was created: the time that a client has set, or else the birth that its file system tells.

Apart from the store, because Linux tells the birth of a file (statx(2)) and lets nobody set it: what is set stands in an extended
attribute beside it, goes with the file through renames, and outlives the server.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Final

from ftpd.errors import Unsupported
from ftpd.storage import kernel

__all__ = ["ATTRIBUTE", "IS_TOLD", "attribute", "can_set", "created_ns", "put_back", "set_created_ns"]

# `user.` is what those may write who may write the file (xattr(7)); `ftpd.` keeps it apart from what other programs mean.  Not Samba's
# `user.DOSATTRIB`, which has a time of creation among other things, in a format that is Samba's to change.
ATTRIBUTE: Final = "user.ftpd.created"
IS_TOLD: Final = kernel.has_birth() and os.path.isdir("/proc/self/fd")  # elsewhere nothing is known and nothing can be set

# Seconds since the epoch, as `stat -c %.9W` writes a birth and `date -d @...` reads it.  Whoever may write to the file may write
# anything here: what is no time of this form from the year 1 to 9999 counts as nothing.
_SECONDS: Final = re.compile(rb"(-?)([0-9]{1,12})\.([0-9]{9})")
_FIRST_NS: Final = -62_135_596_800 * 10**9
_END_NS: Final = 253_402_300_800 * 10**9
_NEVER_SET: Final = (errno.EOPNOTSUPP, errno.ENOSYS)  # by the file system, by the sandbox
_UNSET: Final = (errno.ENODATA, *_NEVER_SET)


def can_set(number: int) -> bool:
    """Whether a time can be set in the file system of *number*, any open file or directory of it."""
    if not IS_TOLD:
        return False
    try:
        os.getxattr(_os_path(number), ATTRIBUTE)
    except OSError as error:
        return error.errno not in _NEVER_SET
    return True


def created_ns(directory: int, name: bytes = b"") -> int | None:
    """Return when *name* in the open *directory* was created, not following it; without *name*, the open file itself.

    Nanoseconds since the epoch; None where nobody knows.  It raises nothing, since one file must not break a listing; it may wait for the
    disk, and reads 64 KiB at most.
    """
    if not IS_TOLD:
        return None
    try:
        set_ns = _read(os.getxattr(_os_path(directory, name), ATTRIBUTE, follow_symlinks=not name))
    except OSError as error:
        if error.errno not in _UNSET:  # a file that may not be read, or is gone: what was set may be another time than its birth
            return None
        set_ns = None
    return kernel.birth_ns(directory, name) if set_ns is None else set_ns


def set_created_ns(number: int, nanoseconds: int) -> None:
    """Set when the open file *number* was created.  Raises `OSError`, and `Unsupported` where that cannot be."""
    if not (IS_TOLD and _FIRST_NS <= nanoseconds < _END_NS):
        raise Unsupported(None, "No such time of creation can be kept here")
    seconds, fraction = divmod(abs(nanoseconds), 10**9)
    value = b"%s%d.%09d" % (b"-" if nanoseconds < 0 else b"", seconds, fraction)
    try:
        os.setxattr(_os_path(number), ATTRIBUTE, value)
    except OSError as error:
        if error.errno in _NEVER_SET:
            raise Unsupported(None, "This file system keeps no time of creation") from error
        raise


def attribute(number: int) -> bytes | None:
    """Return what stands in the attribute of the open file *number*, for `put_back`; None for nothing.  Raises `OSError` where that may not be read."""
    if not IS_TOLD:
        return None
    try:
        return os.getxattr(_os_path(number), ATTRIBUTE)
    except OSError as error:
        if error.errno not in _UNSET:
            raise
        return None


def put_back(number: int, value: bytes | None) -> None:
    """Let the `attribute` of the open file *number* be what it was; None: take it away.  Raises `OSError`."""
    if value is None:
        os.removexattr(_os_path(number), ATTRIBUTE)
    else:
        os.setxattr(_os_path(number), ATTRIBUTE, value)


def _read(value: bytes) -> int | None:
    match = _SECONDS.fullmatch(value)
    if match is None:
        return None
    nanoseconds = (int(match[2]) * 10**9 + int(match[3])) * (-1 if match[1] else 1)
    return nanoseconds if _FIRST_NS <= nanoseconds < _END_NS else None


def _os_path(number: int, name: bytes = b"") -> bytes:
    # fgetxattr(2) takes no O_PATH descriptor, and there is no getxattrat(2) before Linux 6.13; /proc leads to the very same file.
    return b"/proc/self/fd/%d/%s" % (number, name) if name else b"/proc/self/fd/%d" % number
