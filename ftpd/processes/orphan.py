"""Orphan: a process that is to end with its parent until it has a reactor that hears of that end.

Apart from the worker and the examiner, which both read what others have written, and on disks that may hang, before they hear anything.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
from typing import Final

__all__ = ["end_with_parent", "outlive_parent"]

_SET_PDEATHSIG: Final = 1  # <linux/prctl.h>


def end_with_parent(descriptor: int) -> None:
    """Have the kernel kill this process when its parent is gone, also where it is stuck; the parent has the other end of *descriptor*.

    Elsewhere than on Linux only a parent that is gone already is noticed: such a process ends when it gets as far as its reactor.
    """
    _on_end_of_parent(signal.SIGKILL)
    poll = select.poll()
    poll.register(descriptor, 0)  # that it has no other end is told unasked
    if poll.poll(0):
        os._exit(1)


def outlive_parent() -> None:
    """Take `end_with_parent` back."""
    _on_end_of_parent(0)


def _on_end_of_parent(number: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, ctypes.c_ulong(number))  # cannot fail: the number is one of a signal, or 0
