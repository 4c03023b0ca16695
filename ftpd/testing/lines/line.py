"""Line: a TCP connection on loopback, the server's end for a pump and the client's in the hands of the test.

Apart from what runs over it: TLS, files, transfers.
"""

from __future__ import annotations

import select
import socket as sockets
import struct
import time
from contextlib import nullcontext, suppress
from typing import Any, Final

from ftpd.testing.reactors import AT_MOST_SECONDS
from ftpd.transfer.descriptor import SocketConnection

__all__ = ["MIB", "CountingConnection", "Line", "pattern"]

MIB: Final = 1024 * 1024
_SMALL_BUFFER: Final = 4096


def pattern(size: int) -> bytes:
    """Return *size* bytes in which no block is like its neighbour, so that a slip of one byte shows."""
    return b"".join(struct.pack(">I", number) for number in range(size // 4 + 1))[:size]


class CountingConnection(SocketConnection):
    """A connection that counts how often the reactor woke it."""

    __slots__ = ("wakeups",)

    def __init__(self, reactor: Any, socket: sockets.socket) -> None:
        super().__init__(reactor, socket)
        self.wakeups = 0

    def doRead(self) -> None:
        self.wakeups += 1
        super().doRead()

    def doWrite(self) -> None:
        self.wakeups += 1
        super().doWrite()


class Line:
    """A TCP connection on loopback: `connection` is the server's end, `client` the raw socket of the other, both non-blocking.

    `below` is the server's socket, and `connection` too where no TLS lies between.  With *is_narrow* both kernels buffer a few KiB only,
    so that little data suffices to fill them.  Thousands of lines share a *listener*, or the kernel would run out of ports to listen on.
    """

    def __init__(self, reactor: Any, *, is_narrow: bool = False, listener: sockets.socket | None = None) -> None:
        with sockets.create_server(("127.0.0.1", 0)) if listener is None else nullcontext(listener) as listener:
            self.client = sockets.socket()
            if is_narrow:
                self.client.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, _SMALL_BUFFER)
            self.client.connect(listener.getsockname())
            server, _ = listener.accept()
        if is_narrow:
            server.setsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF, _SMALL_BUFFER)
        self.client.setblocking(False)
        server.setblocking(False)
        self.below = CountingConnection(reactor, server)
        self.connection: Any = self.below
        self.received: Any = bytearray()  # or what else takes `+= data`
        self.unsent = b""
        self.has_seen_end = False

    def read(self, count: int = MIB) -> None:
        """Take up to *count* bytes of what is there; a reset raises."""
        with suppress(BlockingIOError):
            data = self.client.recv(count)
            self.received += data
            self.has_seen_end = not data

    def read_all(self) -> bytes:
        """Return everything up to the end, which must be there already."""
        self.read_to_end()
        return bytes(self.received)

    def read_to_end(self) -> None:
        end = time.monotonic() + AT_MOST_SECONDS
        while not self.has_seen_end:
            assert time.monotonic() < end, "the end does not come"
            self.read()

    def write(self, data: bytes = b"", count: int = MIB) -> None:
        """Send *data* after what is unsent, *count* bytes at most in this call."""
        self.unsent += data
        with suppress(BlockingIOError):
            self.unsent = self.unsent[self.client.send(self.unsent[:count]) :]

    def write_and_end(self) -> None:
        """A step that sends what is unsent and then says that this was all."""
        if self.unsent:
            self.write()
        if not self.unsent:
            self.end()

    def end(self) -> None:
        """Close the client's sending side."""
        with suppress(OSError):
            self.client.shutdown(sockets.SHUT_WR)

    def reset(self) -> None:
        """Break the connection with an RST."""
        self.client.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()

    def unread(self) -> int:
        """Take what the client sent and nobody has read, once it is here; return how many bytes that is."""
        arrival = select.poll()
        arrival.register(self.below, select.POLLIN)
        arrival.poll(AT_MOST_SECONDS * 1000)
        return self.below.receive_into(bytearray(MIB))

    def low_water(self) -> int:
        """Return with how many bytes the server's socket is readable."""
        assert self.below.socket is not None
        return self.below.socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_RCVLOWAT)

    def close(self) -> None:
        self.connection.close()
        self.client.close()
