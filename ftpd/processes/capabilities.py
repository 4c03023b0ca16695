"""Capabilities: Linux's calls for what is left of root (capabilities(7)), which Python has none of.

Apart from `privileges`, which knows what has to go.  All of them are about the calling thread: they are for a process that has no other yet.
"""

from __future__ import annotations

import ctypes
import os
import sys
from typing import Any, Final

__all__ = ["NET_BIND_SERVICE", "Capabilities"]

NET_BIND_SERVICE: Final = 10  # to bind ports below 1024
_SETPCAP: Final = 8  # to give up what programs that are started could gain

# <linux/prctl.h> and <linux/capability.h>
_SET_KEEPCAPS: Final = 8
_CAPBSET_READ: Final = 23
_CAPBSET_DROP: Final = 24
_SET_NO_NEW_PRIVS: Final = 38
_AMBIENT: Final = 47
_AMBIENT_RAISE: Final = 2
_AMBIENT_CLEAR_ALL: Final = 4
_VERSION_3: Final = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("process", ctypes.c_int))


class _Half(ctypes.Structure):
    """32 of the 64 bits of each set; the calls take two."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


class Capabilities:
    """The capabilities of this process, as the kernel has them; a set is a number, bit N for capability N.  All raise `OSError`.

    Elsewhere than on Linux there are none, and nothing to do.
    """

    def __init__(self) -> None:
        self._libc: Any = None
        if sys.platform == "linux":
            self._libc = ctypes.CDLL(None, use_errno=True)
            self._libc.prctl.argtypes = [
                ctypes.c_int,
                *[ctypes.c_ulong] * 4,
            ]  # variadic in C: an int would leave half a register as it was

    def permitted(self) -> int:
        """Return what this process may do."""
        if self._libc is None:
            return 0
        low, high = halves = (_Half * 2)()
        self._checked(self._libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), halves))
        return int(low.permitted | high.permitted << 32)

    def bound(self, kept: int) -> None:
        """Take all but *kept* out of what programs that we start could gain, where we may; `forbid_gains` does without that right."""
        if self._libc is None or not self.permitted() >> _SETPCAP & 1:
            return
        number = 0
        while self._libc.prctl(_CAPBSET_READ, number, 0, 0, 0) >= 0:  # an error for the first that this kernel does not know
            if not kept >> number & 1:
                self._prctl(_CAPBSET_DROP, number)
            number += 1

    def outlive_root(self) -> None:
        """Keep what is permitted when this process becomes another user."""
        self._prctl(_SET_KEEPCAPS, 1)

    def limit(self, kept: int) -> None:
        """Have *kept* and no more, also in programs that are started from here."""
        if self._libc is None:
            return
        self._prctl(_AMBIENT, _AMBIENT_CLEAR_ALL)
        halves = (_Half * 2)(*(_Half(bits, bits, bits) for bits in (kept & 0xFFFFFFFF, kept >> 32)))
        self._checked(self._libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), halves))
        for number in range(kept.bit_length()):
            if kept >> number & 1:
                self._prctl(_AMBIENT, _AMBIENT_RAISE, number)

    def forbid_gains(self) -> None:
        """Make set-user-ID programs and capabilities of files without effect, here and in all that is started from here (no_new_privs)."""
        self._prctl(_SET_NO_NEW_PRIVS, 1)

    def _prctl(self, option: int, argument: int, more: int = 0) -> None:
        if self._libc is not None:
            self._checked(self._libc.prctl(option, argument, more, 0, 0))

    def _checked(self, result: int) -> None:
        if result != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
