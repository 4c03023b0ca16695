"""Appointment: the one waiter of a data port for its connection, and the one deadline.

Apart because passive and active ports keep it in the same way, whoever makes the connection.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.deadlines import Deadlines
from ftpd.transfer.descriptor import SocketConnection

__all__ = ["Appointment"]


class Appointment:
    """A wait until a deadline, counted from the last `set_deadline` on, unless it is kept, failed or cancelled before.

    It holds no method of its port while nobody waits: the cycle would keep every data port until the garbage collector runs (tests/bench:
    stor).
    """

    __slots__ = ("_deadlines", "_waiter")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._waiter: Deferred[SocketConnection] | None = None

    @property
    def deadline_seconds(self) -> float:
        return self._deadlines.seconds

    def set_deadline(self, expire: Callable[[], None]) -> None:
        """Let the deadline run from now; *expire* is called once, when it has passed."""
        self._deadlines.set(self, expire)

    def cancel_deadline(self) -> None:
        self._deadlines.cancel(self)

    def wait(self, close: Callable[[], None]) -> Deferred[SocketConnection]:
        """Return what `keep` or `fail` will fire; cancelling it calls *close*."""

        def cancel(_: Deferred[SocketConnection]) -> None:
            self._waiter = None
            close()

        self._waiter = Deferred(cancel)
        return self._waiter

    def keep(self, connection: SocketConnection) -> bool:
        """Hand *connection* to the waiter; False where nobody waits yet."""
        self._deadlines.cancel(self)
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            return False
        waiter.callback(connection)
        return True

    def fail(self, error: DataConnectionFailed) -> None:
        """Tell the waiter, if there is one, that no connection will come."""
        self._deadlines.cancel(self)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.errback(error)
