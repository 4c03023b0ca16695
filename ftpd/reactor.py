"""The reactor of the `ftpd` command: Twisted's epoll reactor, without a logging context around every event.

Apart from the service, which runs on any reactor that it is given.  The context tells `twisted.python.log` whose event it was; our lines
name their session themselves, and it is a tenth of a login (tests/bench: login, noop).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor

__all__ = ["install"]


class ContextFreeReactor(EPollReactor):
    """`doPoll` is Twisted's but for the context; what a descriptor raises is logged by `_doReadOrWrite`."""

    _poller: Any
    _selectables: dict[int, Any]

    def doPoll(self, timeout: float | None) -> None:
        # As many as there are, or a busy few would be served again and again before the rest.
        for descriptor, event in self._poller.poll(-1 if timeout is None else timeout, len(self._selectables)):
            selectable = self._selectables.get(descriptor)
            if selectable is not None:  # an earlier one of this round may have closed it
                self._doReadOrWrite(selectable, descriptor, event)  # type: ignore[no-untyped-call]

    doIteration = doPoll


def install() -> None:
    """Make it the process's reactor.  Raises `twisted.internet.error.ReactorAlreadyInstalledError`."""
    installReactor(ContextFreeReactor())  # type: ignore[no-untyped-call]
