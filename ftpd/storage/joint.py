"""Joint: one call for all who want its result while it is under way.

Apart from the store's homes, which have two such calls: what the first login opens, all that come with it wait for.  If each opened it in its turn,
the last of a boot storm would wait for hundreds of threads (tests/bench: tftp-storm2000).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpd.stepping import stepped

__all__ = ["Joint"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Joint(Generic[*Ts, T]):
    """Calls *call* when somebody wants its result and it is not under way with the same arguments; a failure is everybody's who waited, and the
    next one tries again.

    Where a result has to be given back, each caller owns what `result` returns: *share* makes that of one who waited, and what *call* returned is
    given to *release* when all have theirs.
    """

    def __init__(
        self,
        call: Callable[[*Ts], Coroutine[Any, Any, T]],
        share: Callable[[T], T] = lambda result: result,
        release: Callable[[T], object] = lambda result: None,
    ) -> None:
        self._call = call
        self._share = share
        self._release = release
        self._waiting: dict[tuple[*Ts], list[Deferred[T]]] = {}

    async def result(self, *args: *Ts) -> T:
        """Return the result; to be cancelled disturbs nobody else, nor the call."""
        every = self._waiting.get(args)
        if every is None:
            outcome = stepped(self._call(*args))
            if not isinstance(outcome, Deferred):
                return outcome
            every = self._waiting[args] = []
            outcome.addBoth(self._ended, args)
        waiting: Deferred[T] = Deferred()
        every.append(waiting)
        return self._share(await waiting)

    def _ended(self, result: T | Failure, args: tuple[*Ts]) -> None:
        for waiting in self._waiting.pop(args):
            waiting.callback(result)
        if not isinstance(result, Failure):
            self._release(result)
