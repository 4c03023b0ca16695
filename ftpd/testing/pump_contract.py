"""What every pump promises, as tests to inherit: one kit for those that send, one for those that receive.

    class TestMine(SenderContract):
        def make_pump(self, reactor, connection, file, wanted):
            return MyPump(reactor, connection, file, wanted)

Both run over real TCP on loopback, with a reactor of the test's own: what a kernel says of resets, half-closes and full buffers is what is
to be judged here.  `Line` and `drive` are of use for tests of one pump alone.  With `line_kind = TLSLine` a kit runs over TLS, for pumps
that go without the socket.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import socket as sockets
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor

from ftpd.errors import FileTransferError, IntegrityLost, NoSpace, OverQuota, from_oserror
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import Pump, Wanted
from ftpd.testing.certificates import make_certificate
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.pump import Stalled
from ftpd.transfer.tls import TLSConnection
from ftpd.transfer.tunnel import Tunnel
from ftpd.values import FileInfo, FileKind, Outcome, TransferResult

__all__ = [
    "CountingConnection",
    "DiskFile",
    "Line",
    "ReceiverContract",
    "SenderContract",
    "TLSLine",
    "drive",
    "every",
    "pattern",
    "private_reactor",
    "tls_context",
    "turn",
]

_MIB: Final = 1024 * 1024
_AT_MOST_SECONDS: Final = 60.0
_SMALL_BUFFER: Final = 4096
_STALL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0
_TRANSFERS: Final = 1000
_STREAMS: Final = 200
_IDLE_TURNS: Final = 100


def pattern(size: int) -> bytes:
    """Return *size* bytes in which no block is like its neighbour, so that a slip of one byte shows."""
    return b"".join(struct.pack(">I", number) for number in range(size // 4 + 1))[:size]


@contextmanager
def private_reactor(kind: Callable[[], Any] = EPollReactor) -> Iterator[Any]:
    """Make a reactor, and fail if anything is left in it at the end."""
    if kind is not EPollReactor:
        gc.collect()  # reactors of earlier tests hold descriptors, and select() ends at number 1023
    reactor = kind()
    readers = set(reactor.getReaders())
    try:
        yield reactor
        assert set(reactor.getReaders()) - readers == set(), "a reader is left in the reactor"
        assert reactor.getWriters() == [], "a writer is left in the reactor"
        assert [call for call in reactor.getDelayedCalls() if call.active()] == [], "a timer is left in the reactor"
    finally:
        for reader in readers:
            reader.connectionLost(None)  # the wakers' pipes


def turn(reactor: Any, at_most_seconds: float = 0.001) -> None:
    """Let *reactor* do what is due, waiting a moment for something to happen."""
    reactor.runUntilCurrent()
    due = reactor.timeout()
    reactor.doIteration(at_most_seconds if due is None else min(due, at_most_seconds))


def drive(reactor: Any, awaited: Deferred[TransferResult], step: Callable[[], object] = lambda: None) -> TransferResult:
    """Turn *reactor*, with a *step* of the client between turns, until the transfer has ended: exactly once."""
    results: list[TransferResult] = []
    awaited.addCallback(results.append)
    end = time.monotonic() + _AT_MOST_SECONDS
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

    `below` is the server's socket, and `connection` too where no TLS lies between.  With *is_narrow* both kernels buffer a few KiB only, so that little data suffices to fill them.
    """

    def __init__(self, reactor: Any, *, is_narrow: bool = False) -> None:
        with sockets.create_server(("127.0.0.1", 0)) as listener:
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
        self.received = bytearray()
        self.unsent = b""
        self.has_seen_end = False

    def read(self, count: int = _MIB) -> None:
        """Take up to *count* bytes of what is there; a reset raises."""
        with suppress(BlockingIOError):
            data = self.client.recv(count)
            self.received += data
            self.has_seen_end = not data

    def read_all(self) -> bytes:
        """Return everything up to the end, which must be there already."""
        end = time.monotonic() + _AT_MOST_SECONDS
        while not self.has_seen_end:
            assert time.monotonic() < end, "the end does not come"
            self.read()
        return bytes(self.received)

    def write(self, data: bytes = b"", count: int = _MIB) -> None:
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
        arrival.poll(_AT_MOST_SECONDS * 1000)
        return self.below.receive_into(bytearray(_MIB))

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

    def __init__(self, reactor: Any, *, is_narrow: bool = False) -> None:
        super().__init__(reactor, is_narrow=is_narrow)
        self.tunnel = Tunnel(SSL.Context(SSL.TLS_CLIENT_METHOD), is_server=False)
        self._wire = b""
        self._has_said_end = False
        self.connection = TLSConnection(reactor, self.below, Tunnel(tls_context()))
        shaking = self.connection.shake_hands(_PATIENCE_SECONDS)
        end = time.monotonic() + _AT_MOST_SECONDS
        while not (shaking.called and self.tunnel.shake_hands() and not self._wire):
            assert time.monotonic() < end, "the handshake does not end"
            self.tunnel.shake_hands()
            self.write()
            with suppress(BlockingIOError):
                self.tunnel.feed(self.client.recv(_MIB))
            turn(reactor)
        assert shaking.result is None
        self.below.wakeups = 0

    def read(self, count: int = _MIB) -> None:
        with suppress(BlockingIOError):
            wire = self.client.recv(count)
            self.tunnel.feed(wire)
            while data := self.tunnel.decrypt():
                self.received += data
            self.has_seen_end = self.tunnel.is_ended_by_peer
            assert wire or self.has_seen_end, "the server ended without close_notify"
        if self.has_seen_end:
            self._say_end()

    def write(self, data: bytes = b"", count: int = _MIB) -> None:
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


class _PumpContract:
    """What both directions share: the rooms where pumps are tried, and the promises about every end."""

    reactor_kind: ClassVar[Callable[[], Any]] = EPollReactor
    line_kind: ClassVar[type[Line]] = Line

    def make_pump(self, reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
        """Return the pump to be tried; *wanted* asks for no transformation."""
        raise NotImplementedError

    def fill(self, file: Path) -> None:
        """Prepare *file* for a transfer that does not end by itself."""

    @pytest.fixture
    def reactor(self) -> Iterator[Any]:
        with private_reactor(type(self).reactor_kind) as reactor:
            yield reactor

    @pytest.fixture
    def line(self, reactor: Any) -> Iterator[Line]:
        with closing(type(self).line_kind(reactor)) as line:
            yield line

    @pytest.fixture
    def narrow(self, reactor: Any) -> Iterator[Line]:
        with closing(type(self).line_kind(reactor, is_narrow=True)) as line:
            yield line

    @pytest.fixture
    def os_path(self, tmp_path: Path) -> Path:
        return tmp_path / "file"

    @pytest.fixture
    def run(self, reactor: Any) -> Iterator[Callable[..., Deferred[TransferResult]]]:
        """Return a function that starts a pump over a line, with a file that is closed at the end."""
        numbers: list[int] = []

        def start(line: Line, os_path: Path | str, **wanted: Any) -> Deferred[TransferResult]:
            file = DiskFile(os_path)
            numbers.append(file.descriptor())
            pump = self.make_pump(reactor, line.connection, file, Wanted(**{"stall_seconds": _PATIENCE_SECONDS} | wanted))
            return pump.start()

        yield start
        for number in numbers:
            os.close(number)

    def cancelled(self, reactor: Any, done: Deferred[TransferResult]) -> TransferResult:
        """Cancel and return the result, which must be there at once, with the reactor clean of the transfer."""
        results: list[TransferResult] = []
        done.addCallback(results.append)
        done.cancel()
        done.cancel()
        assert not [call for call in reactor.getDelayedCalls() if call.active()]
        assert not [one for one in reactor.getReaders() + reactor.getWriters() if isinstance(one, SocketConnection)]
        [result] = results
        return result

    def test_cancel_right_after_the_start_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        assert self.cancelled(reactor, run(narrow, os_path)).outcome is Outcome.CANCELLED

    @pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 13])
    def test_cancel_under_way_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any, turns: int) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        for _ in range(turns):
            self.client_goes_on(narrow)
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED

    def client_goes_on(self, line: Line) -> None:
        """The client takes or gives a little more."""
        raise NotImplementedError

    def test_nothing_runs_after_a_cancel(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        moved = self.cancelled(reactor, run(narrow, os_path)).moved
        before = os_path.read_bytes()
        for _ in range(5):
            self.client_goes_on(narrow)
            turn(reactor)
        assert narrow.below.wakeups == 0
        assert os_path.read_bytes() == before
        assert moved <= len(before)

    def test_reset_is_the_peers_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        for _ in range(5):
            self.client_goes_on(narrow)
            turn(reactor)
        narrow.reset()
        result = drive(reactor, done)
        assert result.outcome is Outcome.PEER_FAULT
        assert isinstance(result.error, OSError)

    def test_reset_before_the_start_is_the_peers_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        line.reset()
        assert drive(reactor, run(line, os_path)).outcome is Outcome.PEER_FAULT

    def test_stall_is_the_peers_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        result = drive(reactor, run(narrow, os_path, stall_seconds=_STALL_SECONDS))
        assert result.outcome is Outcome.PEER_FAULT
        assert isinstance(result.error, Stalled)

    def test_connection_closed_under_way_is_a_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        turn(reactor)
        narrow.connection.close()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_stalled_transfers_do_not_keep_the_reactor_busy(self, reactor: Any, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        with ExitStack() as lines_to_close:
            lines = [lines_to_close.enter_context(closing(type(self).line_kind(reactor, is_narrow=True))) for _ in range(_STREAMS)]
            running = [run(line, os_path) for line in lines]
            for _ in range(20):
                turn(reactor)
            settled = sum(line.below.wakeups for line in lines)
            for _ in range(_IDLE_TURNS):
                turn(reactor)
            woken = sum(line.below.wakeups for line in lines) - settled
            for done in running:
                done.cancel()
        # A late acknowledgement may wake one or the other; a busy reactor would wake all of them at every turn.
        assert woken < _STREAMS * _IDLE_TURNS / 20

    def test_thousand_transfers_leave_no_descriptor(self, reactor: Any, os_path: Path, tmp_path: Path) -> None:
        os_path.write_bytes(b"x" * 100)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(_TRANSFERS):
            with closing(type(self).line_kind(reactor)) as line:
                file = DiskFile(os_path)
                line.write(b"y" * 100)
                line.end()
                result = drive(reactor, self.make_pump(reactor, line.connection, file, Wanted(stall_seconds=1)).start())
                os.close(file.descriptor())
            assert result.outcome is Outcome.FINISHED
        assert len(os.listdir("/proc/self/fd")) == before


_SIZES: Final = (0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, _MIB - 1, _MIB, _MIB + 1, 5 * _MIB + 3)


class SenderContract(_PumpContract):
    """For pumps that send `file.info.size - wanted.start` bytes of a file."""

    def fill(self, file: Path) -> None:
        file.write_bytes(pattern(4 * _MIB))

    def client_goes_on(self, line: Line) -> None:
        line.read(512)

    @pytest.mark.parametrize("size", _SIZES)
    def test_every_byte_arrives(self, reactor: Any, line: Line, os_path: Path, run: Any, size: int) -> None:
        os_path.write_bytes(pattern(size))
        result = drive(reactor, run(line, os_path), line.read)
        assert (result.outcome, result.moved, result.error) == (Outcome.FINISHED, size, None)
        assert line.read_all() == pattern(size)

    @pytest.mark.parametrize("start", [1, 4095, 256 * 1024, _MIB - 1, _MIB + 6, _MIB + 7])
    def test_start_at_an_offset_sends_the_rest(self, reactor: Any, line: Line, os_path: Path, run: Any, start: int) -> None:
        data = pattern(_MIB + 7)
        os_path.write_bytes(data)
        result = drive(reactor, run(line, os_path, start=start), line.read)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, len(data) - start)
        assert line.read_all() == data[start:]

    def test_client_that_waits_for_the_reply_before_it_closes_is_served(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(50_000))
        result = drive(reactor, run(narrow, os_path), lambda: narrow.read(5000))
        assert result.outcome is Outcome.FINISHED

    def test_finished_means_acknowledged(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(100_000))
        assert drive(reactor, run(narrow, os_path), narrow.read).outcome is Outcome.FINISHED
        assert narrow.connection.unacknowledged() <= 1  # the end itself counts as one

    def test_client_that_ends_its_sending_side_still_gets_the_file(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(200_000))
        narrow.end()
        assert drive(reactor, run(narrow, os_path), narrow.read).outcome is Outcome.FINISHED
        assert narrow.read_all() == pattern(200_000)

    def test_client_that_ends_its_sending_side_under_way_still_gets_the_file(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(200_000))
        done = run(narrow, os_path)
        turn(reactor)
        narrow.end()
        assert drive(reactor, done, narrow.read).outcome is Outcome.FINISHED
        assert narrow.read_all() == pattern(200_000)

    @pytest.mark.parametrize("size", [4096, 3 * _MIB])
    def test_client_that_talks_during_a_download_gets_the_file_and_its_end(
        self, reactor: Any, line: Line, os_path: Path, run: Any, size: int
    ) -> None:
        os_path.write_bytes(pattern(size))
        line.write(b"j" * 100_000)
        assert drive(reactor, run(line, os_path), line.read).outcome is Outcome.FINISHED
        line.connection.close()
        assert line.read_all() == pattern(size)

    def test_client_that_never_stops_talking_does_not_stop_the_download(
        self, reactor: Any, line: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(8 * _MIB))

        def step() -> None:
            line.write(b"j" * (256 * 1024 - len(line.unsent)))
            line.read(64 * 1024)

        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert bytes(line.received) == pattern(8 * _MIB)[: len(line.received)]

    def test_client_that_closes_with_data_unread_is_at_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        turn(reactor)
        narrow.client.close()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_reset_after_the_last_byte_left_us_is_not_finished(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        done = run(narrow, os_path)
        for _ in range(10):
            turn(reactor)
        assert narrow.connection.unacknowledged() > 0
        narrow.reset()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_stall_after_the_last_byte_left_us_is_not_finished(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        result = drive(reactor, run(narrow, os_path, stall_seconds=_STALL_SECONDS))
        assert (result.outcome, type(result.error)) == (Outcome.PEER_FAULT, Stalled)

    def test_cancel_after_the_last_byte_left_us_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        done = run(narrow, os_path)
        for _ in range(10):
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED

    def test_client_that_reads_slowly_for_longer_than_the_stall_timeout_is_served(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(40_000))
        # Kernels open a full window late: with buffers this small a byte may wait for the sender's probe, a quarter of a second.
        stall = 5 * _STALL_SECONDS
        read = every(reactor, stall / 25, lambda: narrow.read(1000))
        result = drive(reactor, run(narrow, os_path, stall_seconds=stall), read)
        assert result.outcome is Outcome.FINISHED
        assert result.seconds > stall
        assert narrow.read_all() == pattern(40_000)

    def test_file_that_shrinks_under_way_is_our_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        os.truncate(os_path, _MIB)
        result = drive(reactor, done, narrow.read)
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)
        assert result.moved <= _MIB

    def test_file_that_shrinks_to_nothing_before_the_first_byte_is_our_fault(self, reactor: Any, line: Line, os_path: Path) -> None:
        os_path.write_bytes(pattern(4096))
        file = DiskFile(os_path)
        os.truncate(os_path, 0)
        result = drive(reactor, self.make_pump(reactor, line.connection, file, Wanted()).start(), line.read)
        os.close(file.descriptor())
        assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, IntegrityLost, 0)

    def test_file_that_grows_under_way_is_sent_as_promised(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(300_000))
        done = run(narrow, os_path)
        with os_path.open("ab") as file:
            file.write(b"more" * 100_000)
        result = drive(reactor, done, narrow.read)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 300_000)
        assert narrow.read_all() == pattern(300_000)


class ReceiverContract(_PumpContract):
    """For pumps that store what comes until the peer's truthful end."""

    def client_goes_on(self, line: Line) -> None:
        line.write(b"data" * 100)

    def fill(self, file: Path) -> None:
        file.touch()

    @pytest.mark.parametrize("size", _SIZES)
    def test_every_byte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any, size: int) -> None:
        line.unsent = pattern(size)
        result = drive(reactor, run(line, os_path), line.write_and_end)
        assert (result.outcome, result.moved, result.error) == (Outcome.FINISHED, size, None)
        assert os_path.read_bytes() == pattern(size)

    def test_start_at_an_offset_leaves_what_is_before_it(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(b"0123456789")
        line.unsent = b"abc"
        result = drive(reactor, run(line, os_path, start=7), line.write_and_end)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 3)
        assert os_path.read_bytes() == b"0123456abc"

    def test_byte_by_byte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(300)

        def step() -> None:
            if line.unsent:
                line.write(count=1)
            else:
                line.end()

        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert os_path.read_bytes() == pattern(300)

    def test_client_that_sends_slowly_for_longer_than_the_stall_timeout_is_served(
        self, reactor: Any, line: Line, os_path: Path, run: Any
    ) -> None:
        stall = 2 * _STALL_SECONDS
        line.unsent = pattern(40)

        def write() -> None:
            line.write(count=1)
            if not line.unsent:
                line.end()

        result = drive(reactor, run(line, os_path, stall_seconds=stall), every(reactor, stall / 10, write))
        assert result.outcome is Outcome.FINISHED
        assert result.seconds > 2 * stall

    def test_reset_after_all_data_is_not_finished(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        done = run(line, os_path)
        line.write(b"all there is")
        for _ in range(5):
            turn(reactor)
        line.reset()
        result = drive(reactor, done)
        assert (result.outcome, result.moved) == (Outcome.PEER_FAULT, 12)

    def test_ceiling_is_reached_without_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(1000)
        assert drive(reactor, run(line, os_path, ceiling=1000), line.write_and_end).outcome is Outcome.FINISHED

    @pytest.mark.parametrize("start", [0, 7])
    def test_one_byte_above_the_ceiling_is_over_quota(self, reactor: Any, line: Line, os_path: Path, run: Any, start: int) -> None:
        line.unsent = pattern(1001)
        result = drive(reactor, run(line, os_path, ceiling=1000, start=start), line.write_and_end)
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, OverQuota)
        assert os_path.stat().st_size <= start + 1000

    def test_nothing_above_the_ceiling_is_ever_written(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(3 * _MIB)
        result = drive(reactor, run(line, os_path, ceiling=2 * _MIB), line.write)
        assert isinstance(result.error, OverQuota)
        assert result.moved <= 2 * _MIB
        assert os_path.read_bytes() == pattern(3 * _MIB)[: os_path.stat().st_size]
        assert os_path.stat().st_size <= 2 * _MIB

    def test_full_disk_is_our_fault(self, reactor: Any, line: Line, run: Any) -> None:
        line.unsent = pattern(10)
        result = drive(reactor, run(line, "/dev/full"), line.write_and_end)
        assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, NoSpace, 0)

    def test_file_too_large_for_the_disk_is_our_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(3000)
        done = run(line, os_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            result = drive(reactor, done, line.write_and_end)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert result.outcome is Outcome.LOCAL_FAULT
        assert isinstance(result.error, FileTransferError)

    def test_nothing_is_read_after_a_fault_of_ours(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.write(pattern(100))
        drive(reactor, run(line, os_path, ceiling=10))
        wakeups = line.below.wakeups
        line.write(pattern(100))
        for _ in range(5):
            turn(reactor)
        assert line.below.wakeups == wakeups
        assert line.unread() >= 100
