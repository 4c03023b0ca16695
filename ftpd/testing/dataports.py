"""MemoryDataPorts: a `spi.DataPorts` without sockets, whose other end the test holds.

Apart from the real ones, so that a test reaches every transfer through the copy pump and decides byte by byte what the client takes, gives,
and when it goes away.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail, succeed

from ftpd.errors import DataConnectionFailed
from ftpd.values import Peer

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["MemoryConnection", "MemoryDataPort", "MemoryDataPorts"]


class MemoryConnection:
    """A `spi.DataConnection`, and below it what the client at its other end does.

    `sent` is all that the server has sent, `taken` how much of it the client has read.  A client reads at once, until `stop_reading`.
    """

    socket = None

    def __init__(self) -> None:
        self.sent = bytearray()
        self.taken = 0
        self.is_closed = False
        self.is_finished = False
        self._fed = bytearray()
        self._is_ended = False
        self._is_reset = False
        self._is_reading = True
        self._sending: Deferred[None] | None = None
        self._receiving: Deferred[bytes] | None = None
        self._most = 0

    # spi.DataConnection: the server's side.

    def send(self, data: ReadableBuffer) -> Deferred[None]:
        if self._is_reset:
            return fail(_reset())
        if self.is_closed:
            return fail(_closed())
        self.sent += data
        return self._until_taken()

    def receive(self, most: int = 256 * 1024) -> Deferred[bytes]:
        if self._is_reset:
            return fail(_reset())
        if self.is_closed:
            return fail(_closed())
        if self._fed or self._is_ended:
            return succeed(self._take_fed(most))
        self._receiving, self._most = Deferred(self._forget_receiving), most
        return self._receiving

    def finish(self) -> Deferred[None]:
        if self._is_reset:
            return fail(_reset())
        self.is_finished = True
        return self._until_taken()

    def unacknowledged(self) -> int:
        return len(self.sent) - self.taken

    def close(self) -> None:
        self.is_closed = True

    # The client's side.

    @property
    def received(self) -> bytes:
        """What the client has read."""
        return bytes(self.sent[: self.taken])

    def feed(self, data: bytes) -> None:
        """Send *data* to the server."""
        self._fed += data
        self._wake_receiver()

    def end(self) -> None:
        """Close the sending side as TCP does with a FIN: a truthful end."""
        self._is_ended = True
        self._wake_receiver()

    def reset(self) -> None:
        """Break the connection; what was under way is lost, as with a TCP reset."""
        self._is_reset = True
        self._fed.clear()
        sending, self._sending = self._sending, None
        receiving, self._receiving = self._receiving, None
        for waiting in (sending, receiving):
            if waiting is not None:
                waiting.errback(_reset())

    def stop_reading(self) -> None:
        """From now on the client takes nothing: a `send` waits, as with a full socket buffer."""
        self._is_reading = False

    def take(self, count: int) -> None:
        """Read *count* bytes more, without going on to read."""
        self.taken = min(len(self.sent), self.taken + count)
        self._wake_sender()

    def read_on(self) -> None:
        """Read everything, now and from now on."""
        self._is_reading = True
        self.take(len(self.sent))

    def _until_taken(self) -> Deferred[None]:
        if self._is_reading:
            self.taken = len(self.sent)
        if self.taken == len(self.sent):
            return succeed(None)
        self._sending = Deferred(self._forget_sending)
        return self._sending

    def _take_fed(self, most: int) -> bytes:
        data = bytes(self._fed[:most])
        del self._fed[:most]
        return data

    def _wake_sender(self) -> None:
        sending = self._sending
        if sending is not None and self.taken == len(self.sent):
            self._sending = None
            sending.callback(None)

    def _wake_receiver(self) -> None:
        receiving, self._receiving = self._receiving, None
        if receiving is not None:
            receiving.callback(self._take_fed(self._most))

    def _forget_sending(self, _: Deferred[None]) -> None:
        self._sending = None

    def _forget_receiving(self, _: Deferred[bytes]) -> None:
        self._receiving = None


class MemoryDataPort:
    """A `spi.DataPort`; `connect` is the client's part, whichever side it is that connects.

    `connection` is None until then, `is_opened` says that the server asked for it.  There is no deadline: `expire` is one.
    """

    def __init__(self, peer: Peer, address: str, port: int, *, is_passive: bool, from_anywhere: bool = False) -> None:
        self.peer = peer
        self.address = address
        self.port = port
        self.is_passive = is_passive
        self.from_anywhere = from_anywhere
        self.is_opened = False
        self.is_closed = False
        self.connection: MemoryConnection | None = None
        self._waiting: Deferred[MemoryConnection] | None = None
        self._failure: DataConnectionFailed | None = None

    # spi.DataPort.

    def open(self) -> Deferred[MemoryConnection]:
        self.is_opened = True
        if self._failure is not None:
            return fail(self._failure)
        if self.connection is not None:
            return succeed(self.connection)
        self._waiting = Deferred(lambda _: self.close())
        return self._waiting

    def close(self) -> None:
        self.is_closed = True
        self._waiting = None
        if self.connection is not None and not self.is_opened:
            self.connection.close()

    # The client's side.

    def connect(self) -> MemoryConnection:
        """Establish the connection and return it; a second call returns the same."""
        if self.connection is None:
            self.connection = MemoryConnection()
            waiting, self._waiting = self._waiting, None
            if waiting is not None:
                waiting.callback(self.connection)
        return self.connection

    def expire(self, words: str = "No data connection in time") -> None:
        """Let the deadline pass, or the client refuse: `open` fails with `DataConnectionFailed` and these *words*."""
        self._failure = DataConnectionFailed(words)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.errback(self._failure)


class MemoryDataPorts:
    """A `spi.DataPorts` that remembers every port it gave, oldest first, in `given`; `is_exhausted` makes `listen` fail."""

    def __init__(self) -> None:
        self.given: list[MemoryDataPort] = []
        self.is_exhausted = False
        self.is_closed = False

    def listen(self, peer: Peer, *, from_anywhere: bool = False) -> MemoryDataPort:
        """Give the next port, counted from 50000, on the address the client reached."""
        if self.is_exhausted:
            raise DataConnectionFailed("No free port for a data connection; try again later")
        number = 50000 + sum(port.is_passive for port in self.given)
        return self._give(MemoryDataPort(peer, peer.local_address, number, is_passive=True, from_anywhere=from_anywhere))

    def target(self, peer: Peer, address: str, port: int) -> MemoryDataPort:
        return self._give(MemoryDataPort(peer, address, port, is_passive=False))

    def close(self) -> None:
        self.is_closed = True

    def _give(self, port: MemoryDataPort) -> MemoryDataPort:
        self.given.append(port)
        return port


def _reset() -> ConnectionResetError:
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def _closed() -> ConnectionAbortedError:
    return ConnectionAbortedError(errno.ECONNABORTED, "the data connection is closed")
