"""Appointment: the one waiter of a data port for its connection, and the one deadline.

Apart because passive and active ports keep it in the same way, whoever makes the connection.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ftpd.errors import DataConnectionFailed
from ftpd.spi import DelayedCall, Reactor
from ftpd.transfer.descriptor import SocketConnection

__all__ = ["Appointment"]


class Appointment:
    """A wait of *deadline_seconds* from the last `set_deadline` on, unless it is kept, failed or cancelled before.

    It holds no method of its port: the cycle would keep every data port until the garbage collector runs (tests/bench: stor).
    """

    __slots__ = ("_reactor", "_timer", "_waiter", "deadline_seconds")

    def __init__(self, reactor: Reactor, deadline_seconds: float) -> None:
        self._reactor = reactor
        self._timer: DelayedCall | None = None
        self._waiter: Deferred[SocketConnection] | None = None
        self.deadline_seconds = deadline_seconds

    def set_deadline(self, expire: Callable[[], None]) -> None:
        """Let the deadline run from now; *expire* is called once, when it has passed."""
        self.cancel_deadline()
        self._timer = self._reactor.callLater(self.deadline_seconds, self._ring, expire)

    def cancel_deadline(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def wait(self, close: Callable[[], None]) -> Deferred[SocketConnection]:
        """Return what `keep` or `fail` will fire; cancelling it calls *close*."""

        def cancel(_: Deferred[SocketConnection]) -> None:
            self._waiter = None
            close()

        self._waiter = Deferred(cancel)
        return self._waiter

    def keep(self, connection: SocketConnection) -> bool:
        """Hand *connection* to the waiter; False where nobody waits yet."""
        self.cancel_deadline()
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        waiter.callback(connection)
        return True

    def fail(self, error: DataConnectionFailed) -> None:
        """Tell the waiter, if there is one, that no connection will come."""
        self.cancel_deadline()
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.errback(error)

    def _ring(self, expire: Callable[[], None]) -> None:
        self._timer = None
        expire()
