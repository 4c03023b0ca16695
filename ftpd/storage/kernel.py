"""The system calls that Python does not have: openat2, renameat2, statx and getxattrat.

Apart from the code that uses them, since ctypes is the one place where a wrong number corrupts memory.  They exist on Linux
only; elsewhere each says so or falls back.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from collections.abc import Sequence
from itertools import repeat
from typing import Any, Final

__all__ = [
    "RESOLVE_CACHED",
    "RESOLVE_IN_ROOT",
    "RESOLVE_NO_MAGICLINKS",
    "RESOLVE_NO_SYMLINKS",
    "RESOLVE_NO_XDEV",
    "StatusTable",
    "attribute",
    "birth_ns",
    "has_birth",
    "has_openat2",
    "has_statx",
    "likeness",
    "openat2",
    "rename_exclusive",
]

RESOLVE_NO_XDEV: Final = 0x01
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_IN_ROOT: Final = 0x10
RESOLVE_CACHED: Final = 0x20  # Linux 5.12: EAGAIN where a name is not in memory, and the disk would have to be asked

_OPENAT2: Final = 437  # the same on every architecture but Alpha: calls from 424 on are numbered alike
_GETXATTRAT: Final = 464
_RENAME_NOREPLACE: Final = 1
_STATX_BASIC_STATS: Final = 0x7FF  # what stat(2) tells
_STATX_BTIME: Final = 0x800
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_NO_AUTOMOUNT: Final = 0x800
_AT_EMPTY_PATH: Final = 0x1000
_STATX_BYTES: Final = 256  # struct statx, the same on every architecture: what it tells is the first word, the birth stands at 80
_BIRTH: Final = struct.Struct("=I76xqI")
# Of struct statx: links, user, group and mode as they stand there; the size; the seconds of the last change.
_STATUS: Final = struct.Struct("=16x16s8xQ64xq136x")
_LIKENESS: Final = struct.Struct("=IIIHxx")
_RETRIES: Final = (
    64  # openat2(2): EAGAIN says a rename raced with `..`; a client that renames without pause must not hold the reactor
)

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class _AttributeBuffer(ctypes.Structure):
    """`struct xattr_args`; of no size, it is asked how large the attribute is."""

    _fields_ = (("value", ctypes.c_uint64), ("size", ctypes.c_uint32), ("flags", ctypes.c_uint32))


_NO_BUFFER: Final = ctypes.byref(_AttributeBuffer(0, 0, 0))
_BUFFER_SIZE: Final = ctypes.c_size_t(ctypes.sizeof(_AttributeBuffer))
_OPEN_HOW_SIZE: Final = ctypes.c_size_t(ctypes.sizeof(_OpenHow))
_hows: dict[tuple[int, int], Any] = {}  # by flags, a few combinations; read-only for the kernel, so they can be shared


def openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    """Open *path* below *directory*; the descriptor is the caller's.  A negative result is an errno; ENOSYS where there is no such call.

    It raises nothing, since names are looked for that are mostly not there.  With RESOLVE_CACHED, which does not go with O_CREAT and
    O_TRUNC, EAGAIN says that the disk would have to be asked.
    """
    if _libc is None:
        return -errno.ENOSYS
    how = _hows.get((flags, resolve))
    if how is None:
        how = _hows[flags, resolve] = ctypes.byref(_OpenHow(flags | os.O_CLOEXEC, 0, resolve))
    for _ in range(_RETRIES):
        number: int = _libc.syscall(_OPENAT2, directory, path, how, _OPEN_HOW_SIZE)
        if number >= 0:
            return number
        error = ctypes.get_errno()
        if error != errno.EINTR and (error != errno.EAGAIN or resolve & RESOLVE_CACHED):
            break
    return -error


def has_openat2(resolve: int = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS) -> bool:
    """Whether this kernel, and this sandbox, has openat2 (Linux 5.6; older container runtimes answer EPERM), and knows *resolve*."""
    try:
        root = os.open(b"/", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        number = openat2(root, b".", os.O_RDONLY | os.O_DIRECTORY, resolve)
    finally:
        os.close(root)
    if number >= 0:
        os.close(number)
    return number >= 0


def rename_exclusive(directory: int, old: bytes, new: bytes) -> None:
    """Rename within *directory*; EEXIST where *new* is taken, and nothing is lost.

    renameat2(RENAME_NOREPLACE), which glibc has from 2.28; some file systems refuse the flag with EINVAL: link and unlink there.
    """
    renameat2 = getattr(_libc, "renameat2", None)
    if renameat2 is not None:
        if renameat2(directory, old, directory, new, _RENAME_NOREPLACE) == 0:
            return
        error = ctypes.get_errno()
        if error not in (errno.ENOSYS, errno.EINVAL, errno.EPERM):
            raise OSError(error, os.strerror(error))
    os.link(old, new, src_dir_fd=directory, dst_dir_fd=directory, follow_symlinks=False)
    os.unlink(old, dir_fd=directory)


def attribute(directory: int, name: bytes, key: bytes) -> bytes | None:
    """Return the extended attribute *key* of *name* in *directory*, not following it; None where there is none.  Raises `OSError` as getxattr(2).

    That there is none, as mostly, one getxattrat (Linux 6.13) says in a microsecond; by way of /proc it takes eight (tests/bench: stor).
    """
    if (
        _libc is not None
        and _libc.syscall(_GETXATTRAT, directory, name, _AT_SYMLINK_NOFOLLOW, key, _NO_BUFFER, _BUFFER_SIZE) < 0
        and ctypes.get_errno() == errno.ENODATA
    ):
        return None
    try:
        return os.getxattr(b"/proc/self/fd/%d/%s" % (directory, name), key, follow_symlinks=False)
    except OSError as error:
        if error.errno != errno.ENODATA:
            raise
        return None


def has_birth() -> bool:
    """Whether this system tells when files were created (Linux 4.11, glibc 2.28); what a file system knows of it is another question."""
    return hasattr(_libc, "statx")


def birth_ns(directory: int, name: bytes) -> int | None:
    """Return when *name* in *directory* was created, not following it; with no name, the open file *directory* itself.

    Nanoseconds since the epoch; None where nobody knows.  It may wait for a disk that is a network's.
    """
    statx = getattr(_libc, "statx", None)
    if statx is None:
        return None
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if statx(directory, name, _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT | _AT_EMPTY_PATH, _STATX_BTIME, found) != 0:
        return None
    told, seconds, nanoseconds = _BIRTH.unpack_from(found)
    return seconds * 1_000_000_000 + nanoseconds if told & _STATX_BTIME else None


def has_statx() -> bool:
    """Whether statx answers here; older container runtimes refuse it with EPERM."""
    statx = getattr(_libc, "statx", None)
    found = ctypes.create_string_buffer(_STATX_BYTES)
    return statx is not None and statx(-1, b"/", _AT_SYMLINK_NOFOLLOW, _STATX_BASIC_STATS, found) == 0


class StatusTable:
    """Room for what statx(2) tells of :data:`NAMES` files, one after the other; of use to one thread at a time.

    os.stat makes an object for each of a file's twenty numbers; here all that a listing wants is taken out in one go, for 0.4 us less a
    file.  Each call gives up the interpreter's lock.
    """

    NAMES: Final = 256  # 64 KiB: what readdir has just touched, and the answers, are in the processor's cache

    def __init__(self) -> None:
        memory = ctypes.create_string_buffer(self.NAMES * _STATX_BYTES)
        self._answers = memoryview(memory).cast("B")
        self._rooms = [ctypes.byref(memory, number * _STATX_BYTES) for number in range(self.NAMES)]

    def ask(self, directory: int, names: Sequence[bytes]) -> list[tuple[bytes, int, int] | None]:
        """Return of each of *names* in *directory*, not following links, its likeness, size and time of the last change, or None for a failure.

        There are :data:`NAMES` names at most, without NULs.  The size is in bytes, the time in whole seconds since the epoch.
        """
        assert _libc is not None
        assert len(names) <= self.NAMES
        flags = _AT_SYMLINK_NOFOLLOW | _AT_NO_AUTOMOUNT
        failures = list(map(_libc.statx, repeat(directory), names, repeat(flags), repeat(_STATX_BASIC_STATS), self._rooms))
        told: list[tuple[bytes, int, int] | None] = list(_STATUS.iter_unpack(self._answers[: len(names) * _STATX_BYTES]))
        if any(failures):  # in their rooms stands what was told of others before
            told = [None if failure else status for failure, status in zip(failures, told, strict=True)]
        return told


def likeness(status: os.stat_result) -> bytes:
    """Return what a :class:`StatusTable` tells of a file's type and mode, its links, user and group, in 16 bytes."""
    user, group = status.st_uid & 0xFFFFFFFF, status.st_gid & 0xFFFFFFFF  # os.stat tells the last number of all as -1
    return _LIKENESS.pack(status.st_nlink, user, group, status.st_mode)
