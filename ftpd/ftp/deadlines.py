"""Deadlines: many equal waits on one timer of the reactor.

Apart because a timer of its own for each data port is what a small file waits longest for in our own code: it is set at PASV and taken
back at the transfer, every time (tests/bench: retr, stor).
"""

from __future__ import annotations

from collections.abc import Callable

from ftpd.spi import DelayedCall, Reactor

__all__ = ["Deadlines"]


class Deadlines:
    """Waits of *seconds* each: whoever was set first is due first, so a dict in order of setting is all the queue there is."""

    __slots__ = ("_due", "_reactor", "_timer", "seconds")

    def __init__(self, reactor: Reactor, seconds: float) -> None:
        self._reactor = reactor
        self._due: dict[object, tuple[float, Callable[[], None]]] = {}
        self._timer: DelayedCall | None = None
        self.seconds = seconds

    def set(self, owner: object, expire: Callable[[], None]) -> None:
        """Call *expire* after the time, from now on; an earlier deadline of *owner* counts no more."""
        self._due.pop(owner, None)
        self._due[owner] = self._reactor.seconds() + self.seconds, expire
        if self._timer is None:
            self._timer = self._reactor.callLater(self.seconds, self._ring)

    def cancel(self, owner: object) -> None:
        """Without effect where *owner* has no deadline.  The timer goes on: the next deadline is likely to need it."""
        self._due.pop(owner, None)

    def close(self) -> None:
        """Forget them all; may be called twice, and what is set afterwards counts."""
        self._due.clear()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _ring(self) -> None:
        self._timer = None
        now = self._reactor.seconds()
        while self._due:
            owner, (due, expire) = next(iter(self._due.items()))
            if due > now:
                if self._timer is not None:  # what has expired has set a new one, which is due after this
                    self._timer.cancel()
                self._timer = self._reactor.callLater(due - now, self._ring)
                return
            del self._due[owner]
            expire()
