"""Turn: a check in a thread, which is left out where nobody waits for it any more when its turn has come.

Apart from the sources that check so.  Clients that give up come again, and a check may take half a second (bcrypt): if those of the ones who have
gone were made as well, each storm would keep everybody out for minutes after it, and be followed by the next.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpd.spi import Threads

__all__ = ["in_turn"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def in_turn(threads: Threads, function: Callable[[*Ts], T], *args: *Ts) -> Deferred[T]:
    """Call *function* in one of *threads*, unless the Deferred has been cancelled by then."""
    answer: Deferred[T] = Deferred(lambda _: None)

    def check() -> T:
        if answer.called:
            raise CancelledError
        return function(*args)

    def tell(result: T | Failure) -> None:
        if not answer.called:
            answer.callback(result)

    threads.run(check).addBoth(tell)
    return answer
