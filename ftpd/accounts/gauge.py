"""Gauge: how much goes through a bucket, and whether that is all that could.

Apart from `portion`, which decides what follows from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ftpd.transfer.pace import Bucket

__all__ = ["Gauge"]

_SPARE: Final = 1 / 64  # of what came in may be left where all was used, and what waits for a whole grant


class Gauge:
    """What went through *bucket* since it was read last.  Only here is its rate set; *now* tells seconds."""

    __slots__ = ("_bucket", "_moved", "_now", "_read_at", "_supplied", "_supplied_at", "_tokens")

    def __init__(self, bucket: Bucket, now: Callable[[], float]) -> None:
        self._bucket = bucket
        self._now = now
        self._read_at = self._supplied_at = now()
        self._moved = bucket.spent
        self._supplied = 0.0
        self._tokens = 0.0

    @property
    def moved(self) -> int:
        """Bytes since the last time."""
        return self._bucket.spent - self._moved

    @property
    def seconds(self) -> float:
        """How long ago the last time was."""
        return self._now() - self._read_at

    def allow(self, rate: int) -> None:
        """Let so many bytes through in a second from now on, 0 for any number."""
        tokens = self._supply()
        self._bucket.rate = rate
        self._tokens -= tokens - self._bucket.fill(self._supplied_at)  # what a smaller bucket cannot hold

    def read(self) -> tuple[float, bool]:
        """Return how many bytes went through in a second, and whether more could not have; begin anew.

        Where more could have, the bucket is fuller than before, or has run over.
        """
        tokens = self._supply()
        lost = self._tokens + self._supplied - self.moved - tokens
        left = lost + max(0.0, tokens - self._tokens)
        found = (self.moved / max(self.seconds, 0.001), left <= self._supplied * _SPARE + self._bucket.grant(1))
        self._moved, self._read_at, self._tokens, self._supplied = self._bucket.spent, self._supplied_at, tokens, 0.0
        return found

    def _supply(self) -> float:
        """Let in what came since the last time, and return what is there."""
        now = self._now()
        self._supplied += self._bucket.rate * max(0.0, now - self._supplied_at)
        self._supplied_at = now
        return self._bucket.fill(now)
