"""The reactor of the `ftpd` command: Twisted's epoll reactor with a leaner main loop, on a clock that nobody sets, and without a logging context
around every event.

Apart from the service, which runs on any reactor that it is given.  The context tells `twisted.python.log` whose event it was; our lines
name their session themselves, and it is a tenth of a login.  A turn of Twisted's loop is nine calls around the one that matters
(tests/bench: login, noop).
"""

from __future__ import annotations

import math
import select
import sys
import time
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.python import log

from ftpd.alarm import Alarm

__all__ = ["install"]

_UNKNOWN: Final = -1.0  # the alarm is set for no time that anything is due at
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

    _alarm: Alarm
    _alarm_descriptor = -1
    _rings_at: float
    _is_due: bool  # whether the alarm has rung

    def mainLoop(self) -> None:
        """Run until `stop`: as Twisted's, but Twisted is asked what is due only where an alarm has rung, or something new is there.

        So the kernel keeps one timer, and sets none for each wait: a twentieth of a block of TFTP in lock-step.
        """
        try:
            if not all(hasattr(self, name) for name in _READ):
                raise OSError("this Twisted is another one")
            self._alarm = Alarm()
        except OSError:
            super().mainLoop()
            return
        self._rings_at = _UNKNOWN
        self._is_due = False
        self._alarm_descriptor = self._alarm.descriptor
        self._poller.register(self._alarm_descriptor, _READABLE)
        while self._started:
            try:
                self._turn()
            except BaseException:  # as Twisted's: one fault ends no server
                log.err(None, "unhandled in the main loop")  # type: ignore[no-untyped-call]
        self._poller.unregister(self._alarm_descriptor)
        self._alarm_descriptor = -1
        self._alarm.close()

    def _turn(self) -> None:
        """Do what is due, then serve descriptors until something else is; once at least, or a call that begins another one would starve them."""
        poll = self.doPoll
        self.runUntilCurrent()
        if not self.running or self.timeout() == 0:
            poll(0)
            return
        while True:
            pending = self._pendingTimedCalls
            due_at = pending[0].time if pending else math.inf
            if due_at != self._rings_at:
                self._alarm.set(due_at)
                self._rings_at = due_at
            poll(None)
            if self._is_due or self.threadCallQueue or self._newTimedCalls or self._justStopped or not self.running:
                break
        if self._is_due:
            self._is_due = False
            self._rings_at = _UNKNOWN

    def doPoll(self, timeout: float | None) -> None:
        selectables = self._selectables
        # As many as there are, or a busy few would be served again and again before the rest; and the alarm.
        for descriptor, event in self._poller.poll(-1 if timeout is None else timeout, len(selectables) + 1):
            selectable = selectables.get(descriptor)
            if selectable is None:  # the alarm, or an earlier one of this round has closed it
                if descriptor == self._alarm_descriptor:
                    self._is_due = True
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
