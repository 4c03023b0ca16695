"""PassivePort: the client connects to us; and the listening socket that passive ports share where the range is small.

Apart from the factory, which chooses the port: here is who may come in, and when.
"""

from __future__ import annotations

import errno
import socket as sockets
from typing import Final, Protocol

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.data.appointment import Appointment
from ftpd.ftp.data.faults import DataFaults, Fault
from ftpd.ftp.deadlines import Deadlines
from ftpd.ftp.wire.addresses import plain_address
from ftpd.spi import DelayedCall, Reactor
from ftpd.transfer.accept import accepted
from ftpd.transfer.descriptor import SocketConnection
from ftpd.values import Peer

__all__ = ["BACKLOG", "Listener", "Owner", "PassivePort"]

BACKLOG: Final = (
    64  # strangers may take places before the rightful client comes; behind a full queue its SYN is retried after a second
)
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REST_SECONDS: Final = 0.25  # long enough to cost nothing, short beside any deadline


class Owner(Protocol):
    """What a listener tells whoever has made it."""

    def forget(self, listener: Listener) -> None:
        """*listener* is closed."""

    def vacated(self) -> None:
        """Somebody has left a listener on which others wait: there is room for one more."""

    def complain(self, error: OSError) -> None:
        """The machine lacks something for a connection."""


@implementer(IReadDescriptor)
class Listener:
    """A listening socket of *owner*, and the passive ports that wait on it by the address of their peer; "" waits for anybody.

    The last port to leave closes it.  `stranger` is the last one turned away while one port alone waited, and `strangers` their number: with
    several, nobody could say who was a stranger to whom.
    """

    __slots__ = (
        "_family",
        "_is_watched",
        "_owner",
        "_reactor",
        "_rest",
        "_socket",
        "_waiting",
        "address",
        "port",
        "stranger",
        "strangers",
    )

    def __init__(self, reactor: Reactor, socket: sockets.socket, address: str, port: int, owner: Owner) -> None:
        self._reactor = reactor
        self._socket: sockets.socket | None = socket
        self._owner = owner
        self._waiting: dict[str, PassivePort] = {}
        self._is_watched = False
        self._rest: DelayedCall | None = None
        self._family = int(sockets.AF_INET6 if ":" in address else sockets.AF_INET)
        self.address = address
        self.port = port
        self.stranger = ""
        self.strangers = 0

    def has_room_for(self, source: str) -> bool:
        """Whether connections could be told apart: one port for each address, and one for anybody waits alone."""
        if not source:
            return not self._waiting
        return source not in self._waiting and "" not in self._waiting

    def add(self, source: str, port: PassivePort) -> None:
        """Let *port* wait for *source*.  What *source* left in the queue was meant for an earlier port, and is turned away."""
        is_shared = bool(self._waiting)
        self._waiting[source] = port
        if is_shared:
            self.accept(refused=source)

    def discard(self, source: str) -> None:
        """Nobody waits for *source* any more."""
        self._waiting.pop(source, None)
        if self._waiting:
            self._owner.vacated()
        else:
            self.close()

    @property
    def is_open(self) -> bool:
        return self._socket is not None

    def watch(self) -> None:
        """Accept whenever somebody connects, from now on; before, connections wait in the kernel's queue and cost no wake-up."""
        if not self._is_watched and self._socket is not None:
            self._is_watched = True
            self._reactor.addReader(self)

    def accept(self, refused: str | None = None) -> None:
        """Take what stands in the queue: each connection goes to whom it belongs, a stranger's, or one from *refused*, is closed."""
        for _ in range(BACKLOG + 1):  # what a full queue holds; a flood of strangers delays nobody for longer
            if self._socket is None:
                return
            try:
                socket, source = accepted(self._socket, self._family)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    self._rest_a_while(error)
                    return
                continue  # accept(2): an error of that one connection, already gone
            self._deliver(socket, source[0], refused)

    def close(self) -> None:
        """Stop listening and close every port that waits here; may be called twice."""
        socket = self._socket
        if socket is None:
            return
        if self._rest is not None:
            self._rest.cancel()
        elif self._is_watched:
            self._reactor.removeReader(self)
        self._socket = None
        socket.close()
        self._owner.forget(self)
        for port in list(self._waiting.values()):
            port.close()

    def _deliver(self, socket: sockets.socket, source: str, refused: str | None) -> None:
        if ":" in source:
            source = plain_address(source)
        taker = None if source == refused else self._waiting.get(source) or self._waiting.get("")
        if taker is None:
            socket.close()
            if source != refused and len(self._waiting) == 1:
                self.stranger = source
                self.strangers += 1
        else:
            taker.arrived(SocketConnection(self._reactor, socket))

    def _rest_a_while(self, error: OSError) -> None:
        """The queue stays readable while no descriptor is left: without a rest the reactor would ask again at once, for ever."""
        self._owner.complain(error)
        if self._is_watched and self._rest is None:
            self._reactor.removeReader(self)
            self._rest = self._reactor.callLater(_REST_SECONDS, self._wake)

    def _wake(self) -> None:
        self._rest = None
        self._reactor.addReader(self)

    # IReadDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def doRead(self) -> None:
        self.accept()

    def connectionLost(self, reason: Failure) -> None:
        self._is_watched = False
        self.close()

    def logPrefix(self) -> str:
        return "data port"


class PassivePort:
    """A `spi.DataPort`: a place on *listener* for one connection from *source*, "" for anybody's; the first one is taken.

    The deadline runs from PASV, and again from the transfer command.  Whoever connects in between waits in the kernel's queue, and is
    in time.  That nobody does is told to *faults*.
    """

    __slots__ = (
        "_appointment",
        "_connection",
        "_faults",
        "_listener",
        "_peer",
        "_refusal",
        "_source",
        "_strangers",
        "address",
        "port",
    )

    def __init__(self, listener: Listener, source: str, deadlines: Deadlines, peer: Peer, faults: DataFaults) -> None:
        self._appointment = Appointment(deadlines)
        self._peer = peer
        self._faults = faults
        self._strangers = listener.strangers
        self._listener: Listener | None = listener
        self._source = source
        self._connection: SocketConnection | None = None
        self._refusal = "The data port was used"
        self.address = listener.address
        self.port = listener.port
        listener.add(source, self)
        self._appointment.set_deadline(self._expire)

    def open(self) -> Deferred[SocketConnection]:
        if self._listener is not None:
            self._listener.accept()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            return succeed(connection)
        if self._listener is None:
            return fail(DataConnectionFailed(self._refusal))
        self._appointment.set_deadline(self._expire)
        self._listener.watch()
        return self._appointment.wait(self.close)

    def arrived(self, connection: SocketConnection) -> None:
        """The listener accepted *connection* for this port, which leaves it: a second one is a stranger's."""
        self._leave()
        if self._faults.given_up:
            self._faults.connected(self._peer)
        if not self._appointment.keep(connection):
            self._connection = connection

    def close(self) -> None:
        if self._listener is not None:
            self._drop(self._listener)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _drop(self, listener: Listener) -> None:
        """Leave *listener*; whoever stands in its queue has come through, and only the end of the listener itself says nothing of clients."""
        listener.accept()
        if self._listener is not None:
            if listener.is_open:
                self._faults.give_up(self._peer, self.address, self.port)
            self._give_up("The data port is closed")

    def _expire(self) -> None:
        if self._listener is not None:
            self._listener.accept()
        listener = self._listener
        if listener is not None:
            within = f"to port {self.port} within {self._appointment.deadline_seconds:g} seconds"
            if listener.strangers > self._strangers:
                self._give_up(
                    f"Only another address than yours connected {within}; data has to come from the one that commands come from"
                )
                self._faults.tell(self._peer, Fault.STRANGER_CONNECTED, self.address, self.port, listener.stranger)
            else:
                self._give_up(f"Nobody connected {within}; NAT or a firewall may be in the way")
                self._faults.tell(self._peer, Fault.NOBODY_CONNECTED, self.address, self.port)

    def _give_up(self, words: str) -> None:
        if self._listener is None:
            return
        self._refusal = words
        self._leave()
        self._appointment.fail(DataConnectionFailed(words))

    def _leave(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.discard(self._source)
