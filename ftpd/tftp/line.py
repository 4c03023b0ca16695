"""Line: the way to one client and back, over a socket of its own or over the listening one.

Apart from the exchange, which knows what to say: here is how it leaves, many blocks at once where the kernel cuts them (UDP segmentation
offload), and what a socket's errors mean.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, Protocol

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

from ftpd.spi import Reactor
from ftpd.tftp.crowd import crowd_of
from ftpd.tftp.endpoint import IS_LINUX, Address, SocketOption, connected_endpoint, family_of, mtu_block
from ftpd.tftp.path import PathProbe
from ftpd.tftp.port import Ancillary, RequestPort

__all__ = ["LEAST_RECEIVED", "ConnectedLine", "Line", "Listener", "SharedLine", "offload"]

_UDP_SEGMENT: Final = 103  # linux/udp.h; Linux 4.18
_MOST_SEGMENTS: Final = 64  # UDP_MAX_SEGMENTS
_MOST_BYTES: Final = 65487  # of one call: an IPv4 packet without its headers, less what IPv6's take more
_TFTP_HEADER: Final = 4
_MOST_READ: Final = 64  # datagrams in one turn of the reactor
_ROOM: Final = 4 * 1024 * 1024  # for a window in the kernel, as far as the system lets us

LEAST_RECEIVED: Final = 256
"""Bytes of a datagram that are always read: an ACK has 4, and of an ERROR's message half as many are looked at."""


class Listener(Protocol):
    """What a line tells: an exchange."""

    def received(self, datagram: bytes) -> None:
        """The client sent *datagram*."""

    def writable(self) -> None:
        """There is room to send again."""

    def broken(self, error: OSError) -> None:
        """The client cannot be reached; mostly its port is closed."""

    def fail(self, error: Exception) -> None:
        """A fault of ours, met over what the client sent."""


class Line(Protocol):
    """The way to one client.  What `send` and `burst` raise is an `OSError`; `BlockingIOError`: call `await_room`, and wait for `writable`."""

    segments: int
    """How many blocks one `burst` may have; 1: there is no offload."""

    def send(self, datagram: Any) -> object:
        """Send one datagram."""

    def burst(self, pieces: Sequence[Any]) -> object:
        """Send what *pieces* have, one behind the other, in datagrams of the size that `cut_at` was told, but for the last."""

    def tell(self, listener: Listener) -> None:
        """Tell *listener* what comes, from now on."""

    def read(self) -> None:
        """Tell the listener now what has come."""

    def await_room(self) -> None: ...
    def cut_at(self, size: int, receives: int) -> None:
        """Datagrams have *size* bytes from now on, and those that come *receives* at most."""

    def close(self) -> None: ...


@implementer(IReadWriteDescriptor)
class ConnectedLine:
    """A socket of its own, connected: the kernel keeps everybody else's datagrams away from it.

    It leaves from *local*, the address that the client has asked, and a port of *ports* (0-0: any); *options* are set before it is bound.
    Raises `OSError` where there is no port.  Slots, and few objects of its own: for each of 2,000 they have to come back into the processor's
    cache for each block (tests/bench: tftp-storm).
    """

    __slots__ = (
        "_descriptor",
        "_is_writing",
        "_listener",
        "_most",
        "_reactor",
        "_segment",
        "_socket",
        "local",
        "peer",
        "segments",
        "send",
    )

    send: Callable[[Any], object]
    _listener: Listener

    def __init__(
        self, reactor: Reactor, local: Address, peer: Address, ports: tuple[int, int], options: Iterable[SocketOption] = ()
    ) -> None:
        self.local = local
        self.peer = peer
        self._reactor = reactor
        self._most = LEAST_RECEIVED
        self._is_writing = False
        self.segments = 1
        self._segment: Ancillary = []
        self._socket = connected_endpoint(local, peer, ports, options)
        self._descriptor = self._socket.fileno()
        self.send = self._socket.send

    def tell(self, listener: Listener) -> None:
        self._listener = listener
        crowd_of(self._reactor).enter(self._reactor, self)

    def burst(self, pieces: Sequence[Any]) -> object:
        return self._socket.sendmsg(pieces, self._segment)

    def read(self) -> None:
        if self._descriptor >= 0:
            self._read_many()

    def await_room(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._reactor.addWriter(self)

    def cut_at(self, size: int, receives: int) -> None:
        self._most = max(LEAST_RECEIVED, receives)
        if self._most > LEAST_RECEIVED:
            _make_room(self._socket, socket.SO_RCVBUF)
        self.segments, self._segment = offload(size, mtu_block(self._socket, family_of(self.peer)))

    def share_port(self) -> int:
        """Let other lines that set SO_REUSEADDR answer from the same port, to other clients; return its number."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Linux looks at it when the next one is bound
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        """Free the port; may be called twice."""
        if self._descriptor >= 0:
            if hasattr(self, "_listener"):
                crowd_of(self._reactor).leave(self._reactor, self)
                del self._listener  # it has us: without this each exchange, and its buffers, would wait for the collector
            if self._is_writing:
                self._reactor.removeWriter(self)
            self._socket.close()
            self._descriptor = -1

    # IReadWriteDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "tftp"

    def doRead(self) -> None:
        """Take what is there: one acknowledgement, or the blocks of an upload."""
        if self._most > LEAST_RECEIVED:
            self._read_many()
            return
        try:
            datagram = self._socket.recv(LEAST_RECEIVED)
        except BlockingIOError:
            return
        except OSError as error:
            self._listener.broken(error)
            return
        self._listener.received(datagram)

    def _read_many(self) -> None:
        for _ in range(_MOST_READ):
            try:
                datagram = self._socket.recv(self._most)
            except BlockingIOError:
                return
            except OSError as error:
                self._listener.broken(error)
                return
            self._listener.received(datagram)
            if self._descriptor < 0:
                return

    def doWrite(self) -> None:
        if self._descriptor >= 0:  # what was read in the same turn may have ended it
            self._is_writing = False
            self._reactor.removeWriter(self)
            self._listener.writable()

    def connectionLost(self, reason: object) -> None:
        """The reactor met an error, and nothing to read beside it: what it is the socket knows.  It also says so of a line that was closed."""
        if self._descriptor >= 0:
            number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) or errno.ECONNRESET
            self._listener.broken(OSError(number, os.strerror(number)))


class SharedLine:
    """The listening socket, as the way to one of many clients: the port dispatches what they send.  It has no path, for which *probe* is asked."""

    segments = 1

    def __init__(
        self, port: RequestPort, probe: PathProbe, local: Address, peer: Address, ancillary: list[tuple[int, int, bytes]]
    ) -> None:
        self._port = port
        self._probe = probe
        self._local = local
        self._peer = peer
        self._ancillary = ancillary
        self._burst = ancillary

    def tell(self, listener: Listener) -> None:
        """The port knows whose datagrams are whose."""

    def send(self, datagram: Any) -> object:
        return self._port.sendmsg((datagram,), self._ancillary, 0, self._peer)

    def burst(self, pieces: Sequence[Any]) -> object:
        return self._port.sendmsg(pieces, self._burst, 0, self._peer)

    def read(self) -> None:
        """All has come in the order in which it is read."""

    def await_room(self) -> None:
        self._port.await_room(self._peer)

    def cut_at(self, size: int, receives: int) -> None:
        self.segments, segment = offload(size, self._probe.path_block(self._local, self._peer))
        self._burst = [*self._ancillary, *segment]

    def close(self) -> None:
        """Nothing is its own."""


def offload(size: int, path: int | None) -> tuple[int, Ancillary]:
    """Return how many datagrams of *size* bytes the kernel cuts out of one call, and what tells it to; on a path for blocks of *path* bytes."""
    if not IS_LINUX or path is None or size > path + _TFTP_HEADER:
        return 1, []
    most = min(_MOST_SEGMENTS, _MOST_BYTES // size)
    return most, [] if most == 1 else [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("H", size))]


def _make_room(one: socket.socket, option: int) -> None:
    one.setsockopt(socket.SOL_SOCKET, option, _ROOM)
