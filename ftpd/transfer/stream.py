"""Stream: a control connection's socket as a transport, one small slotted object (`ITransport`, `IConsumer`, `IPushProducer`).

Beside Twisted's own TCP transport, which any endpoint gives and every protocol here works over as well: this one writes a reply at once
instead of in the next turn of the reactor, and an idle session costs a third (tests/bench: noop, login, idle).
"""

from __future__ import annotations

import socket as sockets
import struct
from contextlib import suppress
from typing import Any, Final

from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IAddress, IConsumer, IPushProducer, IReadWriteDescriptor, ITransport
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.spi import Reactor

__all__ = ["Stream"]

_READ_BYTES: Final = 8192  # at once: more than any command line
_MOST_UNSENT: Final = 64 * 1024  # bytes; then the protocol is told to pause, since the peer does not read
_MOST_DROPPED: Final = (
    64 * 1024
)  # bytes read for nothing at the end: what is left unread makes `close` a reset, which eats the last reply
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close at once, without delivery
_DONE: Final = Failure(CONNECTION_DONE)  # type: ignore[no-untyped-call]
_LOST: Final = Failure(CONNECTION_LOST)  # type: ignore[no-untyped-call]
_ABORTED: Final = Failure(ConnectionAborted())  # type: ignore[no-untyped-call]


@implementer(ITransport, IConsumer, IPushProducer, IReadWriteDescriptor)
class Stream:
    """Carry *protocol* over *socket*, connected and non-blocking; `host` and `peer` are its two ends."""

    __slots__ = (
        "_host",
        "_is_closing",
        "_is_delivering",
        "_is_full",
        "_is_reading",
        "_is_writing",
        "_peer",
        "_producer",
        "_protocol",
        "_reactor",
        "_socket",
        "_unsent",
        "fileno",
    )

    disconnecting = False  # what Twisted's own protocols look at

    def __init__(self, reactor: Reactor, socket: sockets.socket, protocol: Any, host: IAddress, peer: IAddress) -> None:
        self._reactor = reactor
        self._socket: sockets.socket | None = socket
        self.fileno = socket.fileno  # no method of ours: the reactor asks before each event; -1 once it is closed
        self._protocol = protocol
        self._host = host
        self._peer = peer
        self._producer: Any = None
        self._unsent = b""
        self._is_reading = False
        self._is_writing = False
        self._is_full = False
        self._is_closing = False
        self._is_delivering = False

    def start(self) -> None:
        """Begin: the protocol hears `makeConnection`, then what the peer sends."""
        self._protocol.makeConnection(self)
        if not self._is_closing:
            self.resumeProducing()

    # ITransport.

    def write(self, data: bytes) -> None:
        if self._is_closing or self._socket is None:
            return
        if not self._unsent:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._reactor.callLater(0, self._lose, _LOST)
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._unsent += data
        self._watch_writing()
        if len(self._unsent) > _MOST_UNSENT and self._producer is not None and not self._is_full:
            self._is_full = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Close once everything written is sent."""
        if self._is_closing:
            return
        self._is_closing = True
        if self._is_delivering:
            return  # `doRead` ends it: a timed call would cost another turn of the reactor (tests/bench: login)
        self.pauseProducing()
        if not self._unsent:
            # Not here: whoever closes is in the middle of something, and does not expect to be told that it is closed.
            self._reactor.callLater(0, self._lose, _DONE)

    def abortConnection(self) -> None:
        """Close at once, with a reset."""
        self._is_closing = True
        self._is_delivering = False
        if self._socket is not None:
            with suppress(OSError):
                self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _RESET)
        self._reactor.callLater(0, self._lose, _ABORTED)

    def getPeer(self) -> IAddress:
        return self._peer

    def getHost(self) -> IAddress:
        return self._host

    # IConsumer: who writes is told when the peer does not read.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer = producer

    def unregisterProducer(self) -> None:
        self._producer = None

    # IPushProducer: whether the protocol wants to hear more.

    def pauseProducing(self) -> None:
        if self._is_reading:
            self._is_reading = False
            self._reactor.removeReader(self)

    def resumeProducing(self) -> None:
        if not self._is_reading and not self._is_closing and self._socket is not None:
            self._is_reading = True
            self._reactor.addReader(self)

    def stopProducing(self) -> None:
        self.loseConnection()

    # IReadWriteDescriptor: what the reactor calls.  A returned error makes it call `connectionLost`.

    def logPrefix(self) -> str:
        return "control"

    def doRead(self) -> Exception | None:  # type: ignore[override]  # an exception, whatever the interface says
        try:
            data = self._socket.recv(_READ_BYTES) if self._socket is not None else b""
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        if not data:
            return CONNECTION_DONE
        self._is_delivering = True
        self._protocol.dataReceived(data)
        if not self._is_delivering:  # aborted
            return None
        self._is_delivering = False
        if not self._is_closing:
            return None
        if self._unsent:
            self.pauseProducing()
        else:
            self._lose(_DONE)  # here, and not by way of the reactor: 3 us of a login (tests/bench: login)
        return None

    def doWrite(self) -> Exception | None:  # type: ignore[override]
        try:
            sent = self._socket.send(self._unsent) if self._socket is not None else 0
        except BlockingIOError:
            return None
        except OSError:
            return CONNECTION_LOST
        self._unsent = self._unsent[sent:]
        if self._unsent:
            return None
        if self._is_closing:
            return CONNECTION_DONE
        self._ignore_writing()
        if self._is_full:
            self._is_full = False
            if self._producer is not None:
                self._producer.resumeProducing()
        return None

    def connectionLost(self, reason: Failure) -> None:
        """The reactor saw the end and has dropped us from its sets."""
        self._is_reading = self._is_writing = False
        self._lose(reason)

    def _watch_writing(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._reactor.addWriter(self)

    def _ignore_writing(self) -> None:
        if self._is_writing:
            self._is_writing = False
            self._reactor.removeWriter(self)

    def _lose(self, reason: Failure) -> None:
        socket = self._socket
        if socket is None:
            return
        self._is_closing = True
        self.pauseProducing()
        self._ignore_writing()
        self._socket = None
        if reason is not _ABORTED:
            _drain(socket)
        socket.close()
        protocol, self._protocol, self._producer = self._protocol, None, None
        protocol.connectionLost(reason)


def _drain(socket: sockets.socket) -> None:
    """Read what is there before the socket is closed, so that the last reply is not lost to a reset."""
    dropped = 0
    with suppress(OSError):  # nothing more there, or the peer is gone
        while dropped < _MOST_DROPPED and (data := socket.recv(_READ_BYTES)):
            dropped += len(data)
