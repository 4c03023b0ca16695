"""CountedPace: a `spi.Pace` that grants what a test says, and keeps the books.

Apart from the pumps' contract, since tests of one pump alone want it too.
"""

from __future__ import annotations

import threading
from typing import Final

__all__ = ["CountedPace"]

_PAUSE_SECONDS: Final = 0.001


class CountedPace:
    """Grant *grant* bytes at most at every other question, and nothing at those between, from the first on: every way to wait is met.

    `allowed` is what was taken and not given back: what may have moved.  `questions` counts `take`.
    """

    def __init__(self, grant: int, pause_seconds: float = _PAUSE_SECONDS) -> None:
        self.grant = grant
        self.allowed = 0
        self.questions = 0
        self._pause_seconds = pause_seconds
        self._thread = threading.current_thread()

    def take(self, most: int) -> int:
        self._check_thread()
        assert most > 0, "nobody asks for nothing"
        self.questions += 1
        if self.questions % 2:
            return 0
        granted = min(self.grant, most)
        self.allowed += granted
        return granted

    def give_back(self, count: int) -> None:
        self._check_thread()
        assert 0 < count <= self.allowed, "nobody gives back what was not taken"
        self.allowed -= count

    def pause(self) -> float:
        self._check_thread()
        return self._pause_seconds

    def _check_thread(self) -> None:
        assert threading.current_thread() is self._thread, "a pace is asked on the reactor thread only"
