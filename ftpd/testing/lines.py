"""Lines: TCP connections on loopback between a pump and a client that the test plays, a reactor of the test's own, and files.

Apart from the promises in `pump_contract`, since tests of one pump alone, of ports and of layers stand on the same ground.
"""

from __future__ import annotations

import gc
import os
import select
import socket as sockets
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from unittest.mock import patch
from weakref import WeakKeyDictionary

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.defer import Deferred, succeed
from twisted.internet.epollreactor import EPollReactor

from ftpd.errors import from_oserror
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import Pump
from ftpd.testing.certificates import make_certificate
from ftpd.transfer import crew
from ftpd.transfer.crew import Crews
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.tls import TLSConnection
from ftpd.transfer.tunnel import Tunnel
from ftpd.values import FileInfo, FileKind, TransferResult

__all__ = [
    "AT_MOST_SECONDS",
    "MIB",
    "CountingConnection",
    "DiskFile",
    "Line",
    "TLSLine",
    "crews_of",
    "drive",
    "every",
    "pattern",
    "private_reactor",
    "started",
    "tls_context",
    "turn",
]

MIB: Final = 1024 * 1024
AT_MOST_SECONDS: Final = 60.0  # the most that anything is waited for; never waited for in full
_PATIENCE_SECONDS: Final = 30.0
_SMALL_BUFFER: Final = 4096
_IDLE_SECONDS: Final = 0.01  # of a crew's threads: a test ends when they have


def pattern(size: int) -> bytes:
    """Return *size* bytes in which no block is like its neighbour, so that a slip of one byte shows."""
    return b"".join(struct.pack(">I", number) for number in range(size // 4 + 1))[:size]


@contextmanager
def private_reactor(kind: Callable[[], Any] = EPollReactor) -> Iterator[Any]:
    """Make a reactor, and fail if anything is left in it at the end, or a thread of a crew."""
    if kind is not EPollReactor:
        gc.collect()  # reactors of earlier tests hold descriptors, and select() ends at number 1023
    reactor = kind()
    readers = set(reactor.getReaders())
    threads = set(threading.enumerate())
    with patch.object(crew, "_IDLE_SECONDS", _IDLE_SECONDS):
        try:
            yield reactor
            assert set(reactor.getReaders()) - readers == set(), "a reader is left in the reactor"
            assert reactor.getWriters() == [], "a writer is left in the reactor"
            assert [call for call in reactor.getDelayedCalls() if call.active()] == [], "a timer is left in the reactor"
        finally:
            left = [thread for thread in threading.enumerate() if thread not in threads and thread.name.startswith("ftpd-crew")]
            for thread in left:
                thread.join(AT_MOST_SECONDS)
            for reader in readers:
                reader.connectionLost(None)  # the wakers' pipes
            assert not any(thread.is_alive() for thread in left), "a thread is left at work"


_crews: Final[WeakKeyDictionary[Any, Crews]] = WeakKeyDictionary()


def crews_of(reactor: Any) -> Crews:
    """Return the crews for all pumps of *reactor*, as a server has them."""
    crews = _crews.get(reactor)
    if crews is None:
        crews = _crews[reactor] = Crews(reactor)
    return crews


def turn(reactor: Any, at_most_seconds: float = 0.001) -> None:
    """Let *reactor* do what is due, waiting a moment for something to happen."""
    reactor.runUntilCurrent()
    due = reactor.timeout()
    reactor.doIteration(at_most_seconds if due is None else min(due, at_most_seconds))


def started(pump: Pump) -> Deferred[TransferResult]:
    """Start *pump*; its end, as a Deferred also where it has ended by then."""
    result = pump.start()
    return succeed(result) if isinstance(result, TransferResult) else result


def drive(reactor: Any, awaited: Deferred[TransferResult], step: Callable[[], object] = lambda: None) -> TransferResult:
    """Turn *reactor*, with a *step* of the client between turns, until the transfer has ended: exactly once."""
    results: list[TransferResult] = []
    awaited.addCallback(results.append)
    end = time.monotonic() + AT_MOST_SECONDS
    while not results:
        assert time.monotonic() < end, "the transfer does not end"
        step()
        turn(reactor)
    [result] = results
    return result


def every(reactor: Any, seconds: float, action: Callable[[], object]) -> Callable[[], None]:
    """Return a client's step that does *action* once in *seconds* of the reactor's time."""
    due = reactor.seconds()

    def step() -> None:
        nonlocal due
        if reactor.seconds() >= due:
            due = reactor.seconds() + seconds
            action()

    return step


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


@cache
def _certificate() -> tuple[Any, Any]:
    identity = make_certificate()
    return identity.parsed, load_pem_private_key(identity.key, None)


def tls_context(certificate: Any = None, key: Any = None) -> SSL.Context:
    """Return a context as one control session has it; of a certificate of the kit's own unless one is given."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    if certificate is None:
        certificate, key = _certificate()
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_session_id(b"ftpd")
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.clear_mode(1)  # SSL_MODE_ENABLE_PARTIAL_WRITE
    return context


class TLSLine(Line):
    """A line with TLS on it, whose handshake is done; what the client reads and writes goes through its own tunnel."""

    def __init__(self, reactor: Any, *, is_narrow: bool = False, listener: sockets.socket | None = None) -> None:
        super().__init__(reactor, is_narrow=is_narrow, listener=listener)
        self.tunnel = Tunnel(SSL.Context(SSL.TLS_CLIENT_METHOD), is_server=False)
        self._wire = b""
        self._has_said_end = False
        self.connection = TLSConnection(reactor, self.below, Tunnel(tls_context()))
        shaking = self.connection.shake_hands(_PATIENCE_SECONDS)
        end = time.monotonic() + AT_MOST_SECONDS
        while not (shaking.called and self.tunnel.shake_hands() and not self._wire):
            assert time.monotonic() < end, "the handshake does not end"
            self.tunnel.shake_hands()
            self.write()
            with suppress(BlockingIOError):
                self.tunnel.feed(self.client.recv(MIB))
            turn(reactor)
        assert shaking.result is None
        self.below.wakeups = 0

    def read(self, count: int = MIB) -> None:
        with suppress(BlockingIOError):
            wire = self.client.recv(count)
            self.tunnel.feed(wire)
            while data := self.tunnel.decrypt():
                self.received += data
            self.has_seen_end = self.tunnel.is_ended_by_peer
            assert wire or self.has_seen_end, "the server ended without close_notify"
        if self.has_seen_end:
            self._say_end()

    def write(self, data: bytes = b"", count: int = MIB) -> None:
        self.unsent += data
        if not self._wire and self.unsent:
            piece, self.unsent = self.unsent[:count], self.unsent[count:]
            self.tunnel.encrypt(piece)
        self._wire += self.tunnel.outgoing()
        with suppress(BlockingIOError):
            self._wire = self._wire[self.client.send(self._wire) :]

    def write_and_end(self) -> None:
        if self.unsent or self._wire:
            self.write()
        else:
            self.end()

    def end(self) -> None:
        """Say close_notify, and close the client's sending side."""
        self._say_end()
        if not self._wire:
            super().end()

    def _say_end(self) -> None:
        if not self._has_said_end:
            self._has_said_end = True
            self.tunnel.say_end()
            with suppress(ConnectionError):  # the server may have closed
                self.write()


class DiskFile:
    """A file of the test, as both `spi.ReadableFile` and the part of `spi.WritableFile` that pumps use."""

    path = VirtualPath(("file",))
    start = 0
    ceiling = None

    def __init__(self, os_path: Path | str) -> None:
        self._number = os.open(os_path, os.O_RDWR | os.O_CREAT, 0o600)
        self.info = FileInfo("file", FileKind.FILE, size=os.fstat(self._number).st_size)

    def descriptor(self) -> int:
        return self._number

    async def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._number, length, offset)

    async def write_at(self, offset: int, data: Any) -> None:
        try:
            while data:
                written = os.pwrite(self._number, data, offset)
                data, offset = data[written:], offset + written
        except OSError as error:
            raise from_oserror(error, ROOT) from error

    async def commit(self) -> FileInfo:
        return self.info

    async def abandon(self, *, keeps: bool = True) -> None:
        await self.close()

    async def close(self) -> None:
        number, self._number = self._number, -1
        if number != -1:
            os.close(number)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()
