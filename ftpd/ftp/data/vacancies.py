"""Vacancies: who waits for a passive port to become free, where all are taken.

Apart from the factory, whose ports they are.  A port is taken from PASV until its client has connected, mostly for one round trip, so that
a short wait makes a small range serve what would have been 425: several sessions of one address on its only port.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from ftpd.errors import DataConnectionFailed, NoFreePort
from ftpd.ftp.data.faults import DataFaults, Fault
from ftpd.ftp.data.passive import PassivePort
from ftpd.spi import DelayedCall, Reactor
from ftpd.values import Peer

__all__ = ["Find", "Vacancies"]

Find = Callable[[Peer, bool], PassivePort]
_PATIENCE_SECONDS: Final = 10.0  # clients wait 20 s and more for a reply, and would try again later than that
_MOST_LOOKS: Final = 16  # for one vacancy, each with all ports of the range at worst


class Vacancies:
    """The queue.  *find* returns a port, or raises `NoFreePort`; that somebody has waited in vain is told to *faults*."""

    def __init__(self, reactor: Reactor, find: Find, faults: DataFaults) -> None:
        self._reactor = reactor
        self._find = find
        self._faults = faults
        self._queue: dict[Deferred[PassivePort], tuple[Peer, bool, DelayedCall]] = {}
        self._looking: DelayedCall | None = None

    def are_for_others(self, peer: Peer, from_anywhere: bool) -> bool:
        """Whether somebody waits for just what *peer* wants, and came first."""
        return bool(self._queue) and any(
            _wish(earlier, its_right) == _wish(peer, from_anywhere) for earlier, its_right, _ in self._queue.values()
        )

    def wait(self, peer: Peer, from_anywhere: bool) -> Deferred[PassivePort]:
        """Return what fires with a port for *peer*, or fails with `NoFreePort` after ten seconds; it may be cancelled."""
        waiting: Deferred[PassivePort] = Deferred(self._leave)
        timer = self._reactor.callLater(_PATIENCE_SECONDS, self._give_up, waiting, peer)
        self._queue[waiting] = peer, from_anywhere, timer
        return waiting

    def vacated(self) -> None:
        """A port may be free: look soon, and not from within the session that has left it."""
        if self._queue and self._looking is None:
            self._looking = self._reactor.callLater(0, self._look)

    def close(self) -> None:
        """Let nobody wait any longer; may be called twice."""
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
        for waiting in list(self._queue):
            self._leave(waiting)
            waiting.errback(DataConnectionFailed("The data port is closed"))

    def _look(self) -> None:
        """Serve who has waited longest, then others as far as there is room; where one of an address finds none, its next would not either."""
        self._looking = None
        tried: set[tuple[str, str, bool]] = set()
        for waiting, (peer, from_anywhere, _) in list(self._queue.items()):
            wish = _wish(peer, from_anywhere)
            if wish not in tried and len(tried) < _MOST_LOOKS and waiting in self._queue and not self._serve(waiting):
                tried.add(wish)

    def _serve(self, waiting: Deferred[PassivePort]) -> bool:
        """Whether *waiting* need wait no longer."""
        peer, from_anywhere, _ = self._queue[waiting]
        try:
            port = self._find(peer, from_anywhere)
        except NoFreePort:
            return False
        except DataConnectionFailed as error:
            self._leave(waiting)
            waiting.errback(error)
            return True
        self._leave(waiting)
        waiting.callback(port)
        return True

    def _give_up(self, waiting: Deferred[PassivePort], peer: Peer) -> None:
        del self._queue[waiting]
        self._faults.tell(peer, Fault.NO_FREE_PORT)
        waiting.errback(NoFreePort("No free port for a data connection; try again later"))

    def _leave(self, waiting: Deferred[PassivePort]) -> None:
        self._queue.pop(waiting)[2].cancel()


def _wish(peer: Peer, from_anywhere: bool) -> tuple[str, str, bool]:
    """Two that are alike find room at the same ports."""
    return peer.local_address, peer.address, from_anywhere
