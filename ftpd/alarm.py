"""Alarm: a timer of the kernel's that is waited for as any other descriptor is, timerfd_create(2).

Apart from the reactor that waits.  A timeout handed to epoll_wait(2) has the kernel set a timer for each sleep and take it off again, though the
time at which something is due mostly stays the same.  Python has the call since 3.13.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
import time
from typing import Final

__all__ = ["Alarm"]

_ABSOLUTE: Final = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class _Times(ctypes.Structure):
    """`struct itimerspec`: the interval, and when it rings first."""

    _fields_ = (
        ("interval_seconds", ctypes.c_long),
        ("interval_nanoseconds", ctypes.c_long),
        ("seconds", ctypes.c_long),
        ("nanoseconds", ctypes.c_long),
    )


class Alarm:
    """`descriptor` is readable from the time on that was `set` last, by `time.monotonic`, until it is set anew.

    Raises `OSError` where there is no such timer.
    """

    def __init__(self) -> None:
        if _libc is None:
            raise OSError("timerfd is Linux's")
        self.descriptor: int = _checked(_libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK))
        self._times = _Times()
        self._address = ctypes.byref(self._times)
        self._settime = _libc.timerfd_settime

    def set(self, at: float) -> None:
        """Have it ring *at*; at once if that is past, and never if it is infinite."""
        times = self._times
        if at == math.inf:
            times.seconds = times.nanoseconds = 0
        else:
            times.seconds = int(at)
            times.nanoseconds = int(at % 1 * 1e9)
        _checked(self._settime(self.descriptor, _ABSOLUTE, self._address, None))

    def close(self) -> None:
        os.close(self.descriptor)


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
