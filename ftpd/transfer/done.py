"""Done: the end of what a thread may be at work on.

Apart from pumps and scans, which both have such an end.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred

__all__ = ["Done"]

T = TypeVar("T")


class Done(Deferred[T]):
    """Its cancel asks for the end, which a thread that is at work may have to be waited for."""

    def __init__(self, cancel: Callable[[], None]) -> None:
        super().__init__()
        self._cancel = cancel

    def cancel(self) -> None:
        if not self.called:
            self._cancel()
