"""DataPortFactory: where data connections come from (`spi.DataPorts`).

Passive ports are bound on the control connection's local address, taken at random from the range.  A listener belongs to the factory, not
to a session: where the range is small, sessions of different addresses wait on one port and the peer's address tells whose
connection it is.  Never port 0: thousands of TIME_WAITs make the kernel search for microseconds, then fail (datapath measurements).
"""

from __future__ import annotations

import errno
import random
import socket as sockets
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.wire.addresses import plain_address
from ftpd.spi import DelayedCall, Reactor
from ftpd.transfer.descriptor import SocketConnection
from ftpd.values import Peer

__all__ = ["DataPortFactory"]

_BACKLOG: Final = 16  # strangers may take places before the rightful client comes; the kernel retries the client's SYN
_MOST_ACCEPTS: Final = 32  # connections looked at in one turn of the reactor, so that a flood of strangers delays nobody else
_IN_USE: Final = (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL)


class DataPortFactory:
    """Give out data ports in the range *ports* (first and last), each good for *deadline_seconds*."""

    def __init__(
        self, reactor: Reactor, ports: tuple[int, int] = (49152, 65534), deadline_seconds: float = 30.0, source_port: int = 0
    ) -> None:
        self._reactor = reactor
        self._first, last = ports
        self._count = last - self._first + 1
        self._deadline_seconds = deadline_seconds
        self._source_port = source_port
        self._listeners: dict[tuple[str, int], _Listener] = {}
        self._random = random.SystemRandom()  # a guessable port is one that a stranger can race for

    def listen(self, peer: Peer, *, from_anywhere: bool = False) -> PassivePort:
        start = self._random.randrange(self._count)
        shareable: _Listener | None = None
        for index in range(self._count):
            number = self._first + (start + index) % self._count
            standing = self._listeners.get((peer.local_address, number))
            if standing is None:
                listener = self._bind(peer.local_address, number)
                if listener is not None:
                    return PassivePort(self._reactor, listener, peer.address, from_anywhere, self._deadline_seconds)
            elif shareable is None and not from_anywhere and standing.has_room_for(peer.address):
                shareable = standing
        if shareable is not None:
            return PassivePort(self._reactor, shareable, peer.address, False, self._deadline_seconds)
        raise DataConnectionFailed("No free port for a data connection; try again later")

    def target(self, peer: Peer, address: str, port: int) -> ActivePort:
        return ActivePort(self._reactor, peer.local_address, self._source_port, address, port, self._deadline_seconds)

    def close(self) -> None:
        for listener in list(self._listeners.values()):
            listener.close()

    def _bind(self, address: str, port: int) -> _Listener | None:
        """Return a listener, or None where the port is busy, at bind or at listen (two binders may both have passed SO_REUSEADDR)."""
        family = sockets.AF_INET6 if ":" in address else sockets.AF_INET
        try:
            socket = sockets.socket(family, sockets.SOCK_STREAM | sockets.SOCK_NONBLOCK | sockets.SOCK_CLOEXEC)
        except OSError as error:
            raise DataConnectionFailed("No free descriptor for a data connection; try again later") from error
        try:
            socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            socket.bind((address, port))
            socket.listen(_BACKLOG)
        except OSError as error:
            socket.close()
            if error.errno in _IN_USE:
                return None
            raise DataConnectionFailed("A data connection cannot be listened for; the operator's log tells more") from error
        listener = self._listeners[address, port] = _Listener(
            self._reactor, socket, address, port, lambda: self._listeners.pop((address, port), None)
        )
        return listener


class _Listener:
    """A listening socket, and the data ports that wait on it, by the address of their peer; "" waits for anybody."""

    __slots__ = ("_forget", "_is_reading", "_reactor", "_socket", "_waiting", "address", "port")

    def __init__(self, reactor: Reactor, socket: sockets.socket, address: str, port: int, forget: Callable[[], object]) -> None:
        self._reactor = reactor
        self._socket: sockets.socket | None = socket
        self._forget = forget
        self._waiting: dict[str, PassivePort] = {}
        self._is_reading = False
        self.address = address
        self.port = port

    def has_room_for(self, address: str) -> bool:
        return address not in self._waiting and "" not in self._waiting

    def add(self, address: str, port: PassivePort) -> None:
        self._waiting[address] = port

    def discard(self, address: str) -> None:
        """Nobody waits for *address* any more; the last to go closes the socket."""
        self._waiting.pop(address, None)
        if not self._waiting:
            self.close()

    def watch(self) -> None:
        if not self._is_reading and self._socket is not None:
            self._is_reading = True
            self._reactor.addReader(self)

    def accept(self) -> None:
        """Take what stands in the queue: each connection goes to whom it belongs, a stranger's is closed."""
        for _ in range(_MOST_ACCEPTS):
            if self._socket is None:
                return
            try:
                socket, source = self._socket.accept()
            except OSError:  # nothing there, or the client is gone again, or no descriptor is left: the deadline judges
                return
            taker = self._waiting.get(plain_address(source[0])) or self._waiting.get("")
            if taker is None:
                socket.close()
            else:
                socket.setblocking(False)
                taker.arrived(SocketConnection(self._reactor, socket))

    def close(self) -> None:
        socket, self._socket = self._socket, None
        if socket is None:
            return
        if self._is_reading:
            self._reactor.removeReader(self)
        socket.close()
        self._forget()

    # IReadDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def doRead(self) -> None:
        self.accept()

    def connectionLost(self, reason: object) -> None:
        self._is_reading = False
        self.close()

    def logPrefix(self) -> str:
        return "data port"


class _Deadlined:
    """The one deadline of a data port, and the one waiter for its connection."""

    __slots__ = ("_deadline_seconds", "_failure", "_reactor", "_timer", "_waiter")

    def __init__(self, reactor: Reactor, deadline_seconds: float) -> None:
        self._reactor = reactor
        self._deadline_seconds = deadline_seconds
        self._waiter: Deferred[SocketConnection] | None = None
        self._failure: DataConnectionFailed | None = None
        self._timer: DelayedCall | None = reactor.callLater(deadline_seconds, self._expire)

    def close(self) -> None:
        raise AssertionError("each kind knows what to free")

    def _restart_deadline(self) -> None:
        self._cancel_deadline()
        self._timer = self._reactor.callLater(self._deadline_seconds, self._expire)

    def _cancel_deadline(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _expire(self) -> None:
        self._timer = None
        self._fail(f"No data connection within {self._deadline_seconds:g} seconds")

    def _wait(self) -> Deferred[SocketConnection]:
        self._waiter = Deferred(lambda _: self.close())
        return self._waiter

    def _fail(self, words: str) -> None:
        self._failure = DataConnectionFailed(words)
        self.close()
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.errback(self._failure)


class PassivePort(_Deadlined):
    """A place on a listener, for connections from one address (from any, where *from_anywhere*); the first one is taken.

    The deadline runs from PASV, and again from the transfer command: whoever connects in between waits in the kernel's queue.
    """

    __slots__ = ("_connection", "_listener", "_source", "address", "port")

    def __init__(self, reactor: Reactor, listener: _Listener, source: str, from_anywhere: bool, deadline_seconds: float) -> None:
        super().__init__(reactor, deadline_seconds)
        self._listener: _Listener | None = listener
        self._source = "" if from_anywhere else source
        self._connection: SocketConnection | None = None
        self.address = listener.address
        self.port = listener.port
        listener.add(self._source, self)

    def open(self) -> Deferred[SocketConnection]:
        if self._listener is not None:
            self._listener.accept()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self.close()
            return succeed(connection)
        if self._listener is None:
            return fail(self._failure or DataConnectionFailed("The data port is closed"))
        self._restart_deadline()
        self._listener.watch()
        return self._wait()

    def arrived(self, connection: SocketConnection) -> None:
        """The listener accepted a connection for this port: the port leaves it, so that a second one is a stranger's."""
        self._leave()
        waiter, self._waiter = self._waiter, None
        if waiter is None:
            self._connection = connection
            return
        self._cancel_deadline()
        waiter.callback(connection)

    def close(self) -> None:
        self._cancel_deadline()
        self._leave()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _expire(self) -> None:
        """A client that has connected and not yet sent its transfer command stands in the queue: it is not too late."""
        self._timer = None
        if self._listener is not None:
            self._listener.accept()
        if self._connection is None and self._listener is not None:
            super()._expire()

    def _leave(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.discard(self._source)


class ActivePort(_Deadlined):
    """An address to connect to, from the control connection's local address, when the transfer command comes and not before."""

    __slots__ = ("_connection", "_local_address", "_source_port", "address", "port")

    _log = Logger()

    def __init__(
        self, reactor: Reactor, local_address: str, source_port: int, address: str, port: int, deadline_seconds: float
    ) -> None:
        super().__init__(reactor, deadline_seconds)
        self._cancel_deadline()  # nothing is held open until `open`
        self._local_address = local_address
        self._source_port = source_port
        self._connection: SocketConnection | None = None
        self.address = address
        self.port = port

    def open(self) -> Deferred[SocketConnection]:
        try:
            socket = self._connect()
        except OSError as error:
            return fail(self._refused(error))
        self._connection = SocketConnection(self._reactor, socket)
        self._restart_deadline()
        waiting = self._wait()
        self._connection.watch_writing(self._connected)
        return waiting

    def close(self) -> None:
        self._cancel_deadline()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _connect(self) -> sockets.socket:
        """Start connecting, from the set source port if the system lets us, from any otherwise."""
        try:
            return self._connect_from(self._source_port)
        except OSError as error:
            if not self._source_port or error.errno not in _IN_USE:
                raise
            self._log.warn(
                "active mode cannot use source port {port}: {error}; any port is used", port=self._source_port, error=error
            )
            return self._connect_from(0)

    def _connect_from(self, source_port: int) -> sockets.socket:
        family = sockets.AF_INET6 if ":" in self.address else sockets.AF_INET
        socket = sockets.socket(family, sockets.SOCK_STREAM | sockets.SOCK_NONBLOCK | sockets.SOCK_CLOEXEC)
        try:
            if source_port:
                socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
            if source_port or (":" in self._local_address) == (":" in self.address):
                socket.bind((self._local_address, source_port))
            number = socket.connect_ex((self.address, self.port))
            if number not in (0, errno.EINPROGRESS):
                raise OSError(number, errno.errorcode.get(number, "error"))
        except OSError:
            socket.close()
            raise
        return socket

    def _connected(self) -> None:
        connection, self._connection = self._connection, None
        waiter, self._waiter = self._waiter, None
        if connection is None or waiter is None or connection.socket is None:
            return
        self._cancel_deadline()
        connection.ignore_writing()
        number = connection.socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR)
        if number:
            connection.close()
            waiter.errback(self._refused(OSError(number, errno.errorcode.get(number, "error"))))
        else:
            waiter.callback(connection)

    def _refused(self, error: OSError) -> DataConnectionFailed:
        reason = errno.errorcode.get(error.errno or 0, "error")
        return DataConnectionFailed(f"Cannot connect to {self.address} port {self.port} ({reason})")
