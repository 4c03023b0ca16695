"""Familiar: directories that were read lately, so that looking into them again needs no disk.

Apart from the resolution that asks the kernel about single names: whether the blocks of a directory are in memory it does not say, and
a new file's name is nowhere but in the blocks it would have to be missing from.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

__all__ = ["Familiar"]

_SECONDS: Final = 60.0  # what was used within a minute is the last to leave the page cache
_MOST: Final = 1024  # directories remembered: 100 KiB


class Familiar:
    """Told of a directory by whoever read it in a thread, and asked on the reactor thread."""

    __slots__ = ("_seconds", "_used_at")

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._used_at: dict[tuple[int, int], float] = {}

    def note(self, directory: int) -> None:
        """The open *directory* was read; called in any thread."""
        status = os.fstat(directory)
        if len(self._used_at) >= _MOST:
            self._used_at = {}  # in one step, for the threads' sake; each costs one hop to be known again
        self._used_at[status.st_dev, status.st_ino] = self._seconds()

    def knows(self, directory: int) -> bool:
        """Whether the open *directory* was read, or asked for here, within the last minute."""
        status = os.fstat(directory)
        key, now = (status.st_dev, status.st_ino), self._seconds()
        is_known = now - self._used_at.get(key, now - _SECONDS) < _SECONDS
        if is_known:
            self._used_at[key] = now
        return is_known
