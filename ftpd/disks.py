"""Disks of this machine as the reactor thread meets them: what they answer without a wait, and which of them are slow.

Apart from the store and the pumps, which both use the reactor thread for what is quick, and do not know each other.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final, TypeVar, TypeVarTuple

from twisted.logger import Logger

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["HELD_SECONDS", "SLOW_SECONDS", "Disk", "disk_of", "file_system_type"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

HELD_SECONDS: Final = 0.02  # a healthy disk takes microseconds, a busy machine (time slices, 5 ms of the interpreter lock) some ms
SLOW_SECONDS: Final = 30.0  # what has been dirty for so long Linux writes back: a disk that was busy with it is then busy no more
_FIRST_SECONDS: Final = 1.0  # so long a disk counts as slow at first: the machine may have been busy, and not the disk

_NOTABLE_SECONDS: Final = 0.001  # shorter calls are the work itself
_BEARABLE_SHARE: Final = 0.01  # of the time may be spent in longer ones: less than the one in a hundred that a p99 sees
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)  # Linux 4.14; elsewhere the read is made at once, and only its time tells
_CANNOT_ASK: Final = (errno.EOPNOTSUPP, errno.ENOSYS)
_IN_MEMORY: Final = frozenset({0x01021994, 0x858458F6})  # statfs(2) f_type: tmpfs, ramfs; they answer EOPNOTSUPP, and never wait
_STATFS_BYTES: Final = 256  # struct statfs is at most 120 bytes (64-bit); f_type is its first long

_RUSAGE_THREAD: Final = getattr(resource, "RUSAGE_THREAD", None)  # Linux and FreeBSD
_PAGE_BYTES: Final = 4096
_byte: Final = bytearray(1)  # what a probe reads: nobody looks at it
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Disk:
    """One device, quick until its calls held the reactor thread for :data:`HELD_SECONDS`, in one go or in many, then slow for a while.

    For what cannot be asked beforehand: a create, a rename, a write while the kernel throttles writers.  A slow disk's calls belong in
    threads, where `timed` sees whether it still is: it is left there for a second at first, and twice as long each time, up to
    :data:`SLOW_SECONDS`.  A busy machine may look the same; that costs hops to threads (50 us), for as long.

    *is_memory*: there is no device behind it, and it is never slow.
    """

    __slots__ = ("_held", "_held_at", "_period", "_seconds", "_slow_until", "device", "is_memory")

    _log = Logger()

    def __init__(self, device: int, seconds: Callable[[], float] = time.monotonic, *, is_memory: bool = False) -> None:
        self.is_memory = is_memory
        self.device = device
        self._seconds = seconds
        self._slow_until = -SLOW_SECONDS
        self._period = _FIRST_SECONDS
        self._held = 0.0  # seconds beyond what is bearable
        self._held_at = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether nothing that might wait for it shall be called on the reactor thread now."""
        return self._seconds() < self._slow_until

    def read_cached(self, descriptor: int, buffer: WriteableBuffer, offset: int) -> int | None:
        """Fill *buffer* from *offset* of an open file with what is in the page cache, and return how many bytes that was.

        0 is the end of the file.  None: the disk would have to be waited for, or cannot be asked, so that a thread shall read; the kernel
        has begun to.  Fewer than *buffer* holds: the file ends there, or the cache does; the next call tells.  Raises `OSError` as pread(2).
        """
        return self.scatter_cached(descriptor, (buffer,), offset)

    def scatter_cached(self, descriptor: int, buffers: Sequence[WriteableBuffer], offset: int) -> int | None:
        """As `read_cached`, into one of *buffers* after the other."""
        try:
            return os.preadv(descriptor, buffers, offset, 0 if self.is_memory else _NOWAIT)
        except BlockingIOError:
            return None
        except OSError as error:
            if error.errno not in _CANNOT_ASK:
                raise
            return None

    def is_cached(self, descriptor: int, offset: int, length: int) -> bool:
        """Whether *length* bytes from *offset* can be read or sent without a wait.  They are judged by the first and the last of them.

        Read-ahead goes in order, so that what lies between is mostly there too; a probe of all of it would cost as much as reading it.
        """
        if self.read_cached(descriptor, _byte, offset) is None:
            return False
        return length <= _PAGE_BYTES or self.read_cached(descriptor, _byte, offset + length - 1) is not None

    def timed(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call *function*, in whatever thread this is, and judge the disk by how long it takes."""
        began = self._seconds()
        try:
            return function(*args)
        finally:
            now = self._seconds()
            if now - began >= _NOTABLE_SECONDS:
                self._judge(now - began, now)

    def _judge(self, took: float, now: float) -> None:
        if _lost_processor() and took < HELD_SECONDS:  # that may be all there was to it
            return
        self._held = max(0.0, self._held - (now - self._held_at) * _BEARABLE_SHARE) + took
        self._held_at = now
        if self._held >= HELD_SECONDS and not self.is_memory:
            self._turn_slow(now)

    def _turn_slow(self, now: float) -> None:
        if now - self._slow_until >= SLOW_SECONDS:
            self._period = _FIRST_SECONDS
            self._log.warn(
                "the disk {disk} held the server up for {seconds:.3f} s: it is used through threads until it is quick again",
                disk=_name(self.device),
                seconds=self._held,
            )
        else:
            self._period = min(SLOW_SECONDS, 2 * self._period)
        self._slow_until = now + self._period
        self._held = 0.0


_switches: Final = threading.local()


def _lost_processor() -> bool:
    """Whether this thread may have had to wait for a processor since it was asked last.  Waiting for a disk is another kind of switch."""
    if _RUSAGE_THREAD is None:
        return True
    count = resource.getrusage(_RUSAGE_THREAD).ru_nivcsw
    before, _switches.count = getattr(_switches, "count", None), count
    return before != count


_disks: Final[dict[int, Disk]] = {}  # the machine's, whichever store or pump uses them


def disk_of(descriptor: int) -> Disk:
    """Return the disk on which the open file *descriptor* is."""
    device = os.fstat(descriptor).st_dev
    disk = _disks.get(device)
    if disk is None:
        disk = _disks[device] = Disk(device, is_memory=file_system_type(descriptor) in _IN_MEMORY)
    return disk


def file_system_type(descriptor: int) -> int | None:
    """Return the magic number of statfs(2) `f_type` for the file system of *descriptor*, None where it cannot be told."""
    if _libc is None:
        return None
    buffer = (ctypes.c_long * (_STATFS_BYTES // ctypes.sizeof(ctypes.c_long)))()
    if _libc.fstatfs(descriptor, ctypes.byref(buffer)) != 0:
        return None
    return int(buffer[0]) & 0xFFFFFFFF


def _name(device: int) -> str:
    """Return the number of *device*, as in /proc/self/mountinfo, and where it is mounted if that says so."""
    number = f"{os.major(device)}:{os.minor(device)}"
    with suppress(OSError), open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as mounts:
        for line in mounts:
            fields = line.split(" ")
            if fields[2] == number:
                return f"{number} at {fields[4]}"
    return number
