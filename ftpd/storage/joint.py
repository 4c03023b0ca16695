"""Joint: one call for all who want its result while it is under way.

Apart from the store, which has two such calls: what the first login opens, all that come with it wait for.  If each opened it in its turn, the last
of a boot storm would wait for hundreds of threads (tests/bench: tftp-storm2000).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

__all__ = ["Joint"]

T = TypeVar("T")


class Joint(Generic[T]):
    """Calls *call* when somebody wants its result and it is not under way; a failure is everybody's who waited, and the next one tries again."""

    def __init__(self, call: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self._call = call
        self._waiting: list[Deferred[T]] = []

    def result(self) -> Deferred[T]:
        """Return a Deferred of one's own: to cancel it disturbs nobody else, nor the call."""
        waiting: Deferred[T] = Deferred()
        self._waiting.append(waiting)
        if len(self._waiting) == 1:
            Deferred.fromCoroutine(self._call()).addBoth(self._ended)
        return waiting

    def _ended(self, result: T | Failure) -> None:
        every, self._waiting = self._waiting, []
        for waiting in every:
            waiting.callback(result)
