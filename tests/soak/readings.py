"""Readings: memory and descriptors of the server's processes over time, and whether the memory has come to a level.  Linux only."""

from __future__ import annotations

import os
import statistics
import time
from contextlib import suppress
from typing import Final

import attrs

__all__ = ["Life", "open_descriptors"]

_LONG_ENOUGH: Final = 12  # samples, before a third of them tells of a level
_WARM_SECONDS: Final = (
    60.0  # and as long a process may still be warming up: threads, buffers and code that is used for the first time
)
_MOST_GROWTH: Final = 1.1
_NOISE_BYTES: Final = 2 * 1024 * 1024


@attrs.define
class Life:
    """One process of the server, *name*, from its first sample to its last: seconds since the epoch, and bytes of memory (PSS)."""

    name: str
    pid: int
    samples: list[tuple[float, int]] = attrs.Factory(list)

    def sample(self) -> None:
        """Take one more; none where it has ended."""
        with suppress(OSError):
            self.samples.append((time.time(), _memory(self.pid)))

    @property
    def seconds(self) -> float:
        return self.samples[-1][0] - self.samples[0][0] if self.samples else 0.0

    def thirds(self) -> list[float]:
        """Return the mean of each third of its life; nothing where it was too short."""
        sizes = [size for _, size in self.samples]
        third = len(sizes) // 3
        if len(sizes) < _LONG_ENOUGH:
            return []
        return [statistics.fmean(sizes[start : start + third]) for start in (0, third, len(sizes) - third)]

    @property
    def is_level(self) -> bool:
        """Whether the last third of its life took as much as the one before: what the first one took is warm-up.

        Nothing is said of a life that was too short.
        """
        thirds = self.thirds()
        return not thirds or self.seconds < _WARM_SECONDS or thirds[2] <= thirds[1] * _MOST_GROWTH + _NOISE_BYTES


def open_descriptors(pid: int) -> list[str]:
    """Return what the descriptors of *pid* are open to, sockets and pipes without their numbers, sorted."""
    found = []
    for number in os.listdir(f"/proc/{pid}/fd"):
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"/proc/{pid}/fd/{number}").partition(":[")[0])
    return sorted(found)


def _memory(pid: int) -> int:
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
