"""DataPortFactory: where data connections come from (`spi.DataPorts`).

Passive ports are bound on the control connection's local address, taken at random from the range.  A listener belongs to the factory, not
to a session: where the range is small, sessions of different addresses wait on one port and the peer's address tells whose
connection it is; who finds no room waits for it a while.  Never port 0: thousands of TIME_WAITs make the kernel search for microseconds, then fail (datapath measurements).
"""

from __future__ import annotations

import errno
import os
import socket as sockets
from typing import Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ftpd.errors import DataConnectionFailed, NoFreePort
from ftpd.events import Events
from ftpd.ftp.data.active import ActivePort, Origin
from ftpd.ftp.data.faults import DataFaults
from ftpd.ftp.data.passive import BACKLOG, Listener, PassivePort
from ftpd.ftp.data.vacancies import Vacancies
from ftpd.ftp.deadlines import Deadlines
from ftpd.spi import Reactor
from ftpd.values import Peer

__all__ = ["DataPortFactory"]

_MOST_BINDS: Final = 1024  # ports tried for one command: some 6 ms where all are taken, in which no other session is served
_NO_PORT: Final = "No free port for a data connection; try again later"
_QUIET_SECONDS: Final = 60.0  # between two complaints: a machine without descriptors needs no flooded log on top
_STREAM: Final = sockets.SOCK_STREAM | sockets.SOCK_NONBLOCK | sockets.SOCK_CLOEXEC
_BUSY: Final = (errno.EADDRINUSE, errno.EACCES)


class DataPortFactory:
    """Give out data ports, passive ones in the range *ports* (first and last), each good for *deadline_seconds*.

    *source_port* is the local port of active ones, 0 for any; that this process has no right to it is told, unless its parent *has_told*.
    *faults* hear of connections that do not come into being.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        ports: tuple[int, int] = (49152, 65534),
        deadline_seconds: float = 30.0,
        source_port: int = 0,
        *,
        has_told: bool = False,
        faults: DataFaults | None = None,
    ) -> None:
        self._reactor = reactor
        self._faults = faults or DataFaults(Events(), reactor.seconds)
        self._first, last = ports
        self._count = last - self._first + 1
        self._deadlines = Deadlines(reactor, deadline_seconds)
        self._origin = Origin(source_port, self._log, has_told=has_told)
        self._listeners: dict[tuple[str, int], Listener] = {}
        self._connecting: set[ActivePort] = set()
        self._vacancies = Vacancies(reactor, self._listen, self._faults)
        self._quiet_until = 0.0

    def listen(self, peer: Peer, *, from_anywhere: bool = False) -> PassivePort:
        if self._vacancies.are_for_others(peer, from_anywhere):
            raise NoFreePort(_NO_PORT)
        return self._listen(peer, from_anywhere)

    def listen_soon(self, peer: Peer, *, from_anywhere: bool = False) -> Deferred[PassivePort]:
        """See `spi.PatientDataPorts`."""
        return self._vacancies.wait(peer, from_anywhere)

    def target(self, peer: Peer, address: str, port: int) -> ActivePort:
        return ActivePort(self._reactor, peer, self._origin, address, port, self._deadlines, self._connecting, self._faults)

    def close(self) -> None:
        self._vacancies.close()
        for listener in list(self._listeners.values()):
            listener.close()
        for port in list(self._connecting):
            port.close()
        self._deadlines.close()

    # passive.Owner.

    def forget(self, listener: Listener) -> None:
        del self._listeners[listener.address, listener.port]
        self._vacancies.vacated()

    def vacated(self) -> None:
        self._vacancies.vacated()

    def complain(self, error: OSError) -> None:
        now = self._reactor.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            self._log.error("data connections fail: {error}", error=error.strerror or str(error))

    def _listen(self, peer: Peer, from_anywhere: bool) -> PassivePort:
        source = "" if from_anywhere else peer.address
        listener = self._listen_alone(peer.local_address) or self._shared(peer.local_address, source)
        if listener is None:
            raise NoFreePort(_NO_PORT)
        return PassivePort(listener, source, self._deadlines, peer, self._faults)

    def _listen_alone(self, address: str) -> Listener | None:
        """Return a new listener on a random port that is free, None where there is none; each port is tried once at most."""
        start = int.from_bytes(os.urandom(8)) % self._count  # a guessable port is one that a stranger can race for
        binds = 0
        for index in range(self._count):
            number = self._first + (start + index) % self._count
            if (address, number) in self._listeners:
                continue
            listener = self._bind(address, number)
            if listener is not None:
                return listener
            binds += 1
            if binds == _MOST_BINDS:
                break
        return None

    def _shared(self, address: str, source: str) -> Listener | None:
        """Return a standing listener on which *source* can be told from all who wait."""
        standing = (listener for listener in self._listeners.values() if listener.address == address)
        return next((listener for listener in standing if listener.has_room_for(source)), None)

    def _bind(self, address: str, number: int) -> Listener | None:
        """Return a listener on port *number*, or None where it is busy."""
        try:
            socket = _bound(address, number)
        except OSError as error:
            self.complain(error)
            raise DataConnectionFailed(
                "This server cannot listen for a data connection now; the operator's log tells why"
            ) from error
        if socket is None:
            return None
        listener = Listener(self._reactor, socket, address, number, self)
        self._listeners[address, number] = listener
        return listener


def _bound(address: str, number: int) -> sockets.socket | None:
    """Return a listening socket, or None where the port is busy: at bind, or at listen, since two may pass the bind (SO_REUSEADDR)."""
    family = sockets.AF_INET6 if ":" in address else sockets.AF_INET
    socket = sockets.socket(family, _STREAM)
    try:
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)  # our own TIME_WAITs keep no port from us
        socket.bind((address, number))
        socket.listen(BACKLOG)
    except OSError as error:
        socket.close()
        if error.errno in _BUSY:
            return None
        raise
    return socket
