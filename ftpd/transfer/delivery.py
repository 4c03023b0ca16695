"""The wait for the last acknowledgement of a download: what makes 226 mean that the peer's machine has every byte.

Apart from the connection because it is a small machine of its own, with a timer: the kernel tells nobody when its queue runs empty, so it
has to be asked.  On a fast network the queue is empty when a download ends, and none of this is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred

from ftpd.spi import Reactor

if TYPE_CHECKING:
    from ftpd.transfer.descriptor import SocketConnection

__all__ = ["Delivery"]

_FIRST_POLL_SECONDS: Final = 0.001  # a round trip in one building
_LAST_POLL_SECONDS: Final = 0.25  # one around the earth


class Delivery:
    """Wait until the peer's kernel has acknowledged all that *connection*, whose sending side is shut, has sent.

    The peer's own close or reset wakes us while it *may_say_more*, and a timer asks the kernel meanwhile, since a client may keep its
    side open until it hears the 226.  `done` fails with the `OSError` of a broken connection; cancelling it stops the wait.
    """

    def __init__(self, reactor: Reactor, connection: SocketConnection, may_say_more: bool) -> None:
        self._reactor = reactor
        self._connection = connection
        self._pause = _FIRST_POLL_SECONDS
        self._timer = reactor.callLater(self._pause, self._poll)
        self.done: Deferred[None] = Deferred(lambda _: self._stop())
        if may_say_more:
            connection.watch_reading(self._readable)

    def _poll(self) -> None:
        if not self._is_over():
            self._pause = min(self._pause * 2, _LAST_POLL_SECONDS)
            self._timer = self._reactor.callLater(self._pause, self._poll)

    def _readable(self) -> None:
        """The peer said something: its end or reset counts, anything else is dropped."""
        try:
            may_say_more = self._connection.drop_input()
        except OSError as error:
            self._end(error)
            return
        if not self._is_over() and not may_say_more:
            self._connection.ignore_reading()  # it closed its sending side only: the timer goes on

    def _is_over(self) -> bool:
        error = self._connection.pending_error()
        if error is None and self._connection.unacknowledged():
            return False
        self._end(error)
        return True

    def _stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._connection.ignore_reading()

    def _end(self, error: OSError | None) -> None:
        self._stop()
        if error is None:
            self.done.callback(None)
        else:
            self.done.errback(error)
