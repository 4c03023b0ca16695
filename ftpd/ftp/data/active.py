"""ActivePort: we connect to the client, from the control connection's address, when the transfer command comes and not before.

Apart from passive ports, with which it shares only the deadline.
"""

from __future__ import annotations

import errno
import os
import socket as sockets
import sys
from typing import Final

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.data.appointment import Appointment
from ftpd.ftp.data.faults import DataFaults, Fault
from ftpd.ftp.deadlines import Deadlines
from ftpd.spi import Reactor
from ftpd.transfer.descriptor import SocketConnection
from ftpd.values import Peer

__all__ = ["ActivePort", "Origin", "forbidden_source_port", "tell_of_source_port"]

# Linux: choose the local port at connect, among those free for this one peer, and not at bind, among those free for all: after some
# 28,000 transfers in a minute none is (TIME_WAIT; datapath measurements).  Python has no name for it.
_IP_BIND_ADDRESS_NO_PORT: Final = 24
_FORBIDDEN: Final = (errno.EACCES, errno.EPERM)  # below 1024 without CAP_NET_BIND_SERVICE; systemd's SocketBindDeny=
_UNREACHED: Final = (  # what the network says, and not this machine; EPERM is a firewall of its own
    errno.ECONNREFUSED,
    errno.ECONNRESET,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EPERM,
    errno.ETIMEDOUT,
)
_NOT_TO_BE_HAD: Final = (*_FORBIDDEN, errno.EADDRINUSE, errno.EADDRNOTAVAIL)  # or now, for this peer


class Origin:
    """Where active connections come from: the source port, 0 for any, and the one warning where the system refuses it.

    Where this process has no right to the port, that is told now, unless its parent *has_told*.
    """

    __slots__ = ("_is_warned", "_log", "port")

    def __init__(self, port: int, log: Logger, *, has_told: bool = False) -> None:
        self._log = log
        self._is_warned = False
        self.port = port
        error = forbidden_source_port(port)
        if error is not None:
            self.port = 0
            if not has_told:
                tell_of_source_port(log, port, error)

    def refused(self, error: OSError) -> None:
        if not self._is_warned:
            self._is_warned = True
            tell_of_source_port(self._log, self.port, error)


def forbidden_source_port(port: int) -> OSError | None:
    """Return what keeps this process from connecting from *port* to anybody, None where nothing does."""
    if port == 0:
        return None
    try:
        with sockets.socket(sockets.AF_INET, sockets.SOCK_STREAM) as trial:
            trial.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            trial.bind(("", port))
    except OSError as error:
        return error if error.errno in _FORBIDDEN else None
    return None


def tell_of_source_port(log: Logger, port: int, error: OSError) -> None:
    """Warn that connections come from other ports than the set one, because of *error*."""
    log.warn(
        "active mode cannot use source port {port} ({error}): any port is used instead; this is said once",
        port=port,
        error=error.strerror or str(error),
    )


class ActivePort:
    """A `spi.DataPort`: *address* and *port*, to be connected to once for *peer*.

    It is in *connecting* while that is under way.  That it fails is told to *faults*.
    """

    __slots__ = (
        "_appointment",
        "_connecting",
        "_connection",
        "_faults",
        "_is_used",
        "_origin",
        "_peer",
        "_reactor",
        "address",
        "port",
    )

    def __init__(
        self,
        reactor: Reactor,
        peer: Peer,
        origin: Origin,
        address: str,
        port: int,
        deadlines: Deadlines,
        connecting: set[ActivePort],
        faults: DataFaults,
    ) -> None:
        self._reactor = reactor
        self._appointment = Appointment(deadlines)
        self._peer = peer
        self._faults = faults
        self._origin = origin
        self._connecting = connecting
        self._connection: SocketConnection | None = None
        self._is_used = False
        self.address = address
        self.port = port

    def open(self) -> Deferred[SocketConnection]:
        if self._is_used:
            return fail(DataConnectionFailed("The data port was used"))
        self._is_used = True
        try:
            socket = self._connect()
        except OSError as error:
            return fail(self._refusal(error))
        self._connecting.add(self)
        self._connection = SocketConnection(self._reactor, socket)
        self._connection.watch_writing(self._connected)
        self._appointment.set_deadline(self._expire)
        return self._appointment.wait(self.close)

    def close(self) -> None:
        self._is_used = True
        self._give_up("The data port is closed")

    def _expire(self) -> None:
        self._give_up(
            f"{self.address} port {self.port} did not answer within {self._appointment.deadline_seconds:g} seconds; NAT or a firewall may be in the way: use passive mode"
        )
        self._faults.tell(self._peer, Fault.TARGET_UNREACHABLE, self.address, self.port)

    def _give_up(self, words: str) -> None:
        connection = self._release()
        if connection is not None:
            connection.close()
            self._appointment.fail(DataConnectionFailed(words))

    def _release(self) -> SocketConnection | None:
        self._connecting.discard(self)
        connection, self._connection = self._connection, None
        return connection

    def _connect(self) -> sockets.socket:
        """Start connecting, from the set source port if the system lets us, from any otherwise."""
        try:
            return self._connect_from(self._origin.port)
        except OSError as error:
            if not self._origin.port or error.errno not in _NOT_TO_BE_HAD:
                raise
            self._origin.refused(error)
            return self._connect_from(0)

    def _connect_from(self, source_port: int) -> sockets.socket:
        family = _family(self.address)
        socket = sockets.socket(family, sockets.SOCK_STREAM | sockets.SOCK_NONBLOCK | sockets.SOCK_CLOEXEC)
        try:
            self._bind(socket, source_port)
            number = socket.connect_ex((self.address, self.port))
            if number not in (0, errno.EINPROGRESS):
                raise OSError(number, os.strerror(number))
        except OSError:
            socket.close()
            raise
        return socket

    def _bind(self, socket: sockets.socket, source_port: int) -> None:
        local_address = self._peer.local_address
        is_same_family = _family(local_address) == socket.family  # EPRT may name IPv6 on an IPv4 control connection
        if source_port:
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        elif not is_same_family:
            return
        elif sys.platform == "linux":
            socket.setsockopt(sockets.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        socket.bind((local_address if is_same_family else "", source_port))

    def _connected(self) -> None:
        connection = self._release()
        if connection is None:
            return
        connection.ignore_writing()
        error = connection.pending_error()
        if error is None:
            self._appointment.keep(connection)
        else:
            connection.close()
            self._appointment.fail(self._refusal(error))

    def _refusal(self, error: OSError) -> DataConnectionFailed:
        if error.errno in _UNREACHED:
            self._faults.tell(self._peer, Fault.TARGET_UNREACHABLE, self.address, self.port)
        return DataConnectionFailed(f"Cannot connect to {self.address} port {self.port}: {error.strerror or error}")


def _family(address: str) -> sockets.AddressFamily:
    return sockets.AF_INET6 if ":" in address else sockets.AF_INET
