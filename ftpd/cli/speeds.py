"""Speeds: how fast transfers are, from looking at them now and then.

Apart from showing them: a worker reports once a second, so that two looks a second apart may see no progress or twice of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from ftpd.values import SessionRow

__all__ = ["Speeds"]

_WINDOW_SECONDS: Final = 5.0


class Speeds:
    """Bytes a second of each transfer over the last five seconds, or since its start, or since the look before this where that is longer ago."""

    def __init__(self) -> None:
        self._looks: dict[tuple[str, float], deque[tuple[float, int]]] = {}  # of each transfer: when, and the bytes moved by then

    def observe(self, rows: Iterable[SessionRow], now: float) -> dict[str, float]:
        """Look at all sessions, *now* in seconds since the epoch; return the speeds of those with a transfer, by session."""
        looks: dict[tuple[str, float], deque[tuple[float, int]]] = {}
        speeds = {}
        for row in rows:
            if row.transfer_since is None:
                continue
            key = row.session, row.transfer_since
            seen = looks[key] = self._looks.get(key) or deque([(row.transfer_since, 0)])
            seen.append((now, row.moved))
            while len(seen) > 2 and seen[1][0] <= now - _WINDOW_SECONDS:
                seen.popleft()
            then, moved = seen[0]
            speeds[row.session] = max(0.0, (row.moved - moved) / (now - then)) if now > then else 0.0
        self._looks = looks
        return speeds
