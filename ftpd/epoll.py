"""The reactor of the `ftpd` command: Twisted's epoll reactor with a leaner main loop, on a clock that nobody sets, and without a logging context
around every event.

Apart from the service, which runs on any reactor that it is given.  The context tells `twisted.python.log` whose event it was; our lines
name their session themselves, and it is a tenth of a login.  A turn of Twisted's loop is nine calls around the one that matters
(tests/bench: login, noop).
"""

from __future__ import annotations

import select
import sys
import time
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log

__all__ = ["install"]

_LONGEST_SECONDS: Final = 2147483  # what epoll_wait takes: 2 ** 31 milliseconds
_READABLE: Final = select.EPOLLIN

# What the loop below reads of Twisted's reactor besides its public interface; where one of them is missing Twisted's own loop runs.
_READ: Final = ("_justStopped", "_newTimedCalls", "_pendingTimedCalls", "_started", "running", "threadCallQueue")


class ContextFreeReactor(EPollReactor):
    """`doPoll` is Twisted's but for the context, and that nobody is asked whether he is still open: who has closed is no longer here.  What a
    descriptor raises is logged, and the descriptor disconnected.

    `seconds` are those of the monotonic clock.  Twisted's are the time of day: where that is set forward every timeout is over at once, and every
    session with it; where it is set back no timer rings until it is that time again.
    """

    seconds = staticmethod(time.monotonic)

    _poller: Any
    _selectables: dict[int, Any]
    _newTimedCalls: list[Any]
    _pendingTimedCalls: list[Any]
    _justStopped: bool
    _started: bool
    running: bool
    threadCallQueue: list[Any]

    def mainLoop(self) -> None:
        """Run until `stop`: as Twisted's, but what is due is looked for here, and Twisted asked only where something is."""
        if not all(hasattr(self, name) for name in _READ):
            super().mainLoop()
            return
        while self._started:
            try:
                self._turn()
            except BaseException:  # as Twisted's: one fault ends no server
                log.err(None, "unhandled in the main loop")  # type: ignore[no-untyped-call]

    def _turn(self) -> None:
        """Wait for descriptors until something else is due, serve them, and begin again until there is something else to do."""
        seconds, poll = self.seconds, self.doPoll
        while self.running and not (self.threadCallQueue or self._newTimedCalls or self._justStopped):
            pending = self._pendingTimedCalls
            if not pending:
                poll(None)
                continue
            left = pending[0].time - seconds()
            if left <= 0:
                break
            poll(min(left, _LONGEST_SECONDS))
        self.runUntilCurrent()
        poll(self.timeout() if self.running else 0)

    def doPoll(self, timeout: float | None) -> None:
        selectables = self._selectables
        # As many as there are, or a busy few would be served again and again before the rest.
        for descriptor, event in self._poller.poll(-1 if timeout is None else timeout, len(selectables)):
            selectable = selectables.get(descriptor)
            if selectable is None:  # an earlier one of this round may have closed it
                continue
            if event != _READABLE:
                self._doReadOrWrite(selectable, descriptor, event)  # type: ignore[no-untyped-call]
                continue
            try:
                failure = selectable.doRead()
            except BaseException:
                failure = sys.exc_info()[1]
                log.err()  # type: ignore[no-untyped-call]
            if failure:
                self._disconnectSelectable(selectable, failure, True)  # type: ignore[no-untyped-call]

    doIteration = doPoll


def install() -> None:
    """Make it the process's reactor.  Raises `twisted.internet.error.ReactorAlreadyInstalledError`."""
    installReactor(ContextFreeReactor())  # type: ignore[no-untyped-call]
