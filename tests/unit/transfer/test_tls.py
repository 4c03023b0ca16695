"""TLSConnection over real sockets, with stdlib's ssl (another OpenSSL, in a thread) and `openssl s_client` at the other end."""

from __future__ import annotations

import fcntl
import select
import shutil
import socket as sockets
import ssl
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import CancelledError, Deferred

from ftpd.testing.lines import CountingConnection, pattern, private_reactor, tls_context, turn
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.tls import NotResumed, TLSConnection
from ftpd.transfer.tunnel import HandshakeFailed, Truncated, Tunnel, TunnelBroken

MIB = 1024 * 1024
AT_MOST_SECONDS = 60.0
VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
big = cache(pattern)
both_versions = pytest.mark.parametrize("version", VERSIONS)


@pytest.fixture
def reactor() -> Iterator[Any]:
    with private_reactor() as reactor:
        yield reactor


class CountingTunnel(Tunnel):
    """A tunnel that counts the bytes it was given to encrypt."""

    encrypted = 0

    def encrypt(self, data: Any) -> None:
        self.encrypted += len(data)
        super().encrypt(data)


opened: list[sockets.socket] = []  # by clients; they stay open until the test is over, as those of clients do that wait for a reply


class Ends:
    """Both ends of one TCP connection: `server`, not yet shaken hands, and the `client`'s blocking socket."""

    def __init__(
        self,
        reactor: Any,
        context: SSL.Context | None = None,
        *,
        tunnel: Tunnel | None = None,
        dial: Callable[[tuple[str, int]], Any] = lambda address: sockets.create_connection(address, timeout=AT_MOST_SECONDS),
        **settings: Any,
    ) -> None:
        self.reactor = reactor
        with sockets.create_server(("127.0.0.1", 0)) as listener:
            self.client: Any = dial(listener.getsockname())
            accepted, _ = listener.accept()
        accepted.setblocking(False)
        self.below = CountingConnection(reactor, accepted)
        self.tunnel = tunnel or CountingTunnel(context or tls_context())
        self.server = TLSConnection(reactor, self.below, self.tunnel, **settings)
        self.results: list[Any] = []
        self._thread: threading.Thread | None = None

    def start(self, client: Callable[[sockets.socket], Any]) -> None:
        """Run *client* in a thread; its result or exception is in `results` when `wait` has been called last."""

        def run() -> None:
            try:
                self.results.append(client(self.client))
            except Exception as error:
                self.results.append(error)

        self._thread = threading.Thread(target=run, daemon=True)
        self._thread.start()

    def wait(self, done: Deferred[Any]) -> Any:
        """Turn the reactor until *done*; return its result or raise its failure."""
        outcome: list[Any] = []
        done.addBoth(outcome.append)
        self._turn_until(lambda: bool(outcome))
        [result] = outcome
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result

    def join(self) -> Any:
        """Wait for the client's thread; return what it returned, or raise what it raised."""
        thread = self._thread
        assert thread is not None
        self._turn_until(lambda: not thread.is_alive())
        [result] = self.results
        if isinstance(result, Exception):
            raise result
        return result

    def _turn_until(self, is_over: Callable[[], bool]) -> None:
        end = time.monotonic() + AT_MOST_SECONDS
        while not is_over():
            assert time.monotonic() < end, "it does not end"
            turn(self.reactor)

    def await_arrival(self) -> None:
        """Wait, without reading, until something from the client is here."""
        arrival = select.poll()
        arrival.register(self.below, select.POLLIN)
        assert arrival.poll(AT_MOST_SECONDS * 1000)

    def shake(self) -> None:
        self.wait(self.server.shake_hands(AT_MOST_SECONDS))

    def receive_all(self) -> bytes:
        data = bytearray()
        while piece := self.wait(self.server.receive()):
            data += piece
        return bytes(data)

    def close(self) -> None:
        self.server.close()
        self.client.close()
        if self._thread is not None:
            self._thread.join(AT_MOST_SECONDS)
        while opened:
            opened.pop().close()


@pytest.fixture
def connect(reactor: Any) -> Iterator[Callable[..., Ends]]:
    made: list[Ends] = []

    def connect(*args: Any, **settings: Any) -> Ends:
        made.append(Ends(reactor, *args, **settings))
        return made[-1]

    yield connect
    for ends in made:
        ends.close()


def client_context(version: str = "TLSv1.3") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = VERSIONS[version]
    return context


def wrap(
    socket: sockets.socket, version: str = "TLSv1.3", context: ssl.SSLContext | None = None, session: ssl.SSLSession | None = None
) -> ssl.SSLSocket:
    context = context or client_context(version)
    tls = context.wrap_socket(socket, suppress_ragged_eofs=False, do_handshake_on_connect=False, session=session)
    opened.append(tls)
    tls.do_handshake()
    return tls


def read_all(tls: ssl.SSLSocket) -> bytes:
    """Read up to close_notify, and answer it as clients do."""
    data = bytearray()
    while piece := tls.recv(256 * 1024):
        data += piece
    tls.unwrap()
    return bytes(data)


def reset(socket: sockets.socket) -> None:
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    socket.close()


def downloading(version: str = "TLSv1.3") -> Callable[[sockets.socket], bytes]:
    return lambda socket: read_all(wrap(socket, version))


def uploading(data: bytes, ending: Callable[[ssl.SSLSocket], object], version: str = "TLSv1.3") -> Callable[[sockets.socket], None]:
    def client(socket: sockets.socket) -> None:
        tls = wrap(socket, version)
        tls.sendall(data)
        ending(tls)

    return client


def say_end(tls: ssl.SSLSocket) -> None:
    with suppress(OSError):  # the server need not answer
        tls.settimeout(0)
        tls.unwrap()


def end_and_reset(tls: ssl.SSLSocket) -> None:
    say_end(tls)
    while any(fcntl.ioctl(tls, termios.TIOCOUTQ, bytes(4))):
        time.sleep(0.001)  # what has not left its kernel is lost with the reset
    reset(tls)


def end_without_notice(tls: ssl.SSLSocket) -> None:
    tls.shutdown(sockets.SHUT_WR)


# The handshake.


@both_versions
def test_handshake_with_another_openssl(connect: Any, version: str) -> None:
    ends = connect()
    ends.start(downloading(version))
    ends.shake()
    assert ends.tunnel.facts().version == version
    ends.wait(ends.server.finish())
    assert ends.join() == b""


def test_client_that_begins_before_us_is_served(connect: Any) -> None:
    ends = connect()
    ends.start(downloading())
    ends.await_arrival()
    ends.shake()
    ends.wait(ends.server.finish())
    assert ends.join() == b""


def test_handshake_has_a_deadline(connect: Any) -> None:
    ends = connect()
    with pytest.raises(HandshakeFailed, match=r"^no TLS handshake within 0.05 seconds$"):
        ends.wait(ends.server.shake_hands(0.05))


@pytest.mark.parametrize("said", [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01"])
def test_connection_that_ends_within_the_handshake_is_named(connect: Any, said: bytes) -> None:
    ends = connect()
    ends.client.sendall(said)
    ends.client.shutdown(sockets.SHUT_WR)
    with pytest.raises(HandshakeFailed, match=r"^the connection ended within the TLS handshake$"):
        ends.shake()


def test_reset_within_the_handshake_is_the_sockets_error(connect: Any) -> None:
    ends = connect()
    shaking = ends.server.shake_hands(AT_MOST_SECONDS)
    reset(ends.client)
    with pytest.raises(ConnectionResetError):
        ends.wait(shaking)


def test_clear_text_is_named(connect: Any) -> None:
    ends = connect()
    ends.client.sendall(b"just data")
    with pytest.raises(HandshakeFailed, match=r"^the client does not speak TLS: found 'just data'$"):
        ends.shake()


def test_client_hears_the_alert_of_a_failed_handshake(connect: Any) -> None:
    ends = connect()
    ends.client.sendall(b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(HandshakeFailed):
        ends.shake()
    assert ends.client.recv(100)[:1] == b"\x15"


def test_cancelled_handshake_leaves_the_reactor(connect: Any, reactor: Any) -> None:
    ends = connect()
    shaking = ends.server.shake_hands(AT_MOST_SECONDS)
    shaking.cancel()
    assert reactor.getDelayedCalls() == []
    assert ends.below not in reactor.getReaders()
    with pytest.raises(CancelledError):
        ends.wait(shaking)


# Resumption.


def resuming(context: ssl.SSLContext, session: ssl.SSLSession | None) -> Callable[[sockets.socket], ssl.SSLSession | None]:
    """Return a client that downloads, and returns its last session."""

    def client(socket: sockets.socket) -> ssl.SSLSession | None:
        tls = wrap(socket, context=context, session=session)
        with suppress(OSError):
            tls.recv(1)
        last = tls.session
        with suppress(OSError):
            tls.unwrap()
        return last

    return client


def visit(connect: Any, context: SSL.Context, client: ssl.SSLContext, session: Any, **how: Any) -> tuple[bool, Any]:
    """Let *client* download nothing; return whether it resumed *session*, and the session it has then."""
    ends = connect(context)
    ends.start(resuming(client, session))
    try:
        ends.wait(ends.server.shake_hands(AT_MOST_SECONDS, **how))
        ends.wait(ends.server.finish())
    except NotResumed:
        ends.server.close()
        with suppress(OSError):  # in TLS 1.2 the client, too, finds the handshake unfinished
            return False, ends.join()
        return False, None
    return ends.tunnel.is_resumed, ends.join()


@both_versions
def test_one_control_session_serves_many_data_connections(connect: Any, version: str) -> None:
    context, client = tls_context(), client_context(version)
    _, session = visit(connect, context, client, None)
    for _ in range(30):
        assert visit(connect, context, client, session, must_resume=True)[0]


@both_versions
@pytest.mark.parametrize("takes_tickets", [True, False])
def test_stranger_is_refused_however_often_it_comes(connect: Any, version: str, takes_tickets: bool) -> None:
    context, client = tls_context(), client_context(version)
    if not takes_tickets:
        client.options |= ssl.OP_NO_TICKET
    session = None
    for _ in range(3):
        is_resumed, session = visit(connect, context, client, session, must_resume=True)
        assert not is_resumed


def test_ticket_of_another_control_session_is_refused(connect: Any) -> None:
    client = client_context()
    _, session = visit(connect, tls_context(), client, None)
    assert visit(connect, tls_context(), client, session, must_resume=True)[0] is False


# Downloads.


@both_versions
@pytest.mark.parametrize("size", [0, 1, 256 * 1024 + 1, 50 * MIB])
def test_download_arrives_unchanged(connect: Any, version: str, size: int) -> None:
    ends = connect()
    ends.start(downloading(version))
    ends.shake()
    data = big(size)
    for start in range(0, size, 3 * MIB):
        ends.wait(ends.server.send(memoryview(data)[start : start + 3 * MIB]))
    ends.wait(ends.server.finish())
    assert ends.join() == data


@pytest.fixture
def sent(monkeypatch: Any) -> list[int]:
    """How many bytes each system call was given that sends."""
    counts: list[int] = []

    def counted(owner: Any, name: str) -> None:
        send = getattr(owner, name)

        def counting(sender: Any, data: Any) -> int:
            counts.append(len(data))
            return int(send(sender, data))

        monkeypatch.setattr(owner, name, counting)

    counted(SocketConnection, "send_some")
    counted(TLSConnection, "_send_held")
    return counts


def test_tickets_that_are_kept_back_go_out_with_the_first_piece(connect: Any, sent: list[int]) -> None:
    ends = connect(keeps_tickets_back=lambda: True)
    ends.start(downloading())
    ends.shake()
    sent.clear()
    ends.wait(ends.server.send(b"x" * 1000))
    assert len(sent) == 1
    assert sent[0] > 1022 + 2 * 200  # the piece with header, type and tag; and two tickets
    ends.wait(ends.server.finish())
    assert ends.join() == b"x" * 1000
    assert sent[1:] == [24]  # close_notify


def test_tickets_that_are_kept_back_go_out_with_the_end_of_an_empty_file(connect: Any, sent: list[int]) -> None:
    ends = connect(keeps_tickets_back=lambda: True)
    ends.start(downloading())
    ends.shake()
    sent.clear()
    ends.wait(ends.server.finish())
    assert ends.join() == b""
    assert len(sent) == 1


def test_our_end_goes_out_with_the_last_piece(connect: Any, sent: list[int]) -> None:
    ends = connect()
    ends.start(downloading())
    ends.shake()
    sent.clear()
    ends.server.push(memoryview(b"x" * 1000), is_last=True)
    assert ends.server.flush()
    ends.wait(ends.server.finish())
    assert ends.join() == b"x" * 1000
    assert sent == [1022 + 24]


@pytest.mark.parametrize("is_last", [True, False])
def test_end_of_the_connection_comes_with_close_notify(connect: Any, is_last: bool) -> None:
    """A client that hears close_notify first may be gone when the end comes, and its kernel's reset would take the 226 away."""
    ends = connect()
    ends.start(wrap)
    ends.shake()
    tls = ends.join()
    ends.server.push(memoryview(b"x" * 1000), is_last=is_last)
    assert ends.server.flush()
    finishing = ends.server.finish()
    assert read_all(tls) == b"x" * 1000
    assert tls.recv(1) == b""
    ends.wait(finishing)


def test_client_that_waits_for_226_before_it_ends_is_served(connect: Any) -> None:
    heard = threading.Event()

    def client(socket: sockets.socket) -> bytes:
        tls = wrap(socket)
        data = tls.recv(100)
        heard.wait(AT_MOST_SECONDS)
        return data + read_all(tls)

    ends = connect()
    ends.start(client)
    ends.shake()
    ends.wait(ends.server.send(b"data"))
    ends.wait(ends.server.finish())
    heard.set()
    assert ends.join() == b"data"


def test_reset_while_finishing_is_an_error(connect: Any) -> None:
    def client(socket: sockets.socket) -> None:
        tls = wrap(socket)
        tls.recv(1)
        reset(tls)

    ends = connect()
    ends.start(client)
    ends.shake()
    ends.wait(ends.server.send(pattern(100_000)))
    with pytest.raises(OSError, match=r"reset|pipe|abort"):
        ends.wait(ends.server.finish())


def test_slow_reader_holds_one_piece_in_memory(connect: Any, reactor: Any) -> None:
    ends = connect()
    go_on = threading.Event()

    def client(socket: sockets.socket) -> bytes:
        tls = wrap(socket)
        go_on.wait(AT_MOST_SECONDS)
        return read_all(tls)

    ends.start(client)
    ends.shake()
    data = big(50 * MIB)
    sending = ends.server.send(data)
    for _ in range(100):
        turn(reactor)
    assert not sending.called
    taken_by_kernels = len(data) - ends.server.unacknowledged() + ends.below.unacknowledged()
    assert ends.tunnel.encrypted <= taken_by_kernels + 2 * 256 * 1024
    go_on.set()
    ends.wait(sending)
    ends.wait(ends.server.finish())
    assert ends.join() == data


def test_progress_never_goes_backwards_and_ends_at_the_size(connect: Any, reactor: Any) -> None:
    ends = connect()
    ends.start(downloading())
    ends.shake()
    size, handed_over, progress = 300_000, 0, [0]
    for _ in range(30):
        handed_over += size
        sending = ends.server.send(pattern(size))
        while not sending.called:
            progress.append(handed_over - ends.server.unacknowledged())
            turn(reactor)
        progress.append(handed_over - ends.server.unacknowledged())
    ends.wait(ends.server.finish())
    progress.append(handed_over - ends.server.unacknowledged())
    assert progress == sorted(progress)
    assert progress[-1] == handed_over


def test_client_that_talks_is_heard_and_forgotten(connect: Any) -> None:
    def client(socket: sockets.socket) -> bytes:
        tls = wrap(socket)
        tls.sendall(b"j" * 100_000)
        return read_all(tls)

    ends = connect()
    ends.start(client)
    ends.shake()
    ends.wait(ends.server.send(pattern(5 * MIB)))
    ends.wait(ends.server.finish())
    assert ends.join() == pattern(5 * MIB)


def test_downloading_client_that_finds_a_damaged_record_fails_the_transfer(connect: Any) -> None:
    ends = connect()
    ends.start(downloading())
    ends.shake()
    ends.below.send_some(b"\x17\x03\x03\x00\x20" + bytes(32))
    with pytest.raises(OSError, match=r"bad record mac|reset|pipe"):
        ends.wait(ends.server.finish())
    with pytest.raises(ssl.SSLError):
        ends.join()


# Uploads.


@both_versions
@pytest.mark.parametrize("size", [0, 1, 256 * 1024 + 1, 50 * MIB])
def test_upload_arrives_unchanged(connect: Any, version: str, size: int) -> None:
    ends = connect()
    ends.start(uploading(big(size), say_end, version))
    ends.shake()
    assert ends.receive_all() == big(size)


def test_pieces_of_an_upload_are_bounded(connect: Any) -> None:
    ends = connect()
    ends.start(uploading(pattern(5 * MIB), say_end))
    ends.shake()
    longest = 0
    while piece := ends.wait(ends.server.receive()):
        longest = max(longest, len(piece))
    assert 0 < longest <= 256 * 1024


@both_versions
def test_end_without_close_notify_is_truncated(connect: Any, version: str) -> None:
    ends = connect()
    ends.start(uploading(b"data", end_without_notice, version))
    ends.shake()
    assert ends.wait(ends.server.receive()) == b"data"
    with pytest.raises(Truncated, match="close_notify"):
        ends.wait(ends.server.receive())


@both_versions
def test_end_without_close_notify_can_be_tolerated(connect: Any, version: str) -> None:
    ends = connect(tolerates_eof=True)
    ends.start(uploading(b"data", end_without_notice, version))
    ends.shake()
    assert ends.receive_all() == b"data"


@pytest.mark.parametrize("part", [b"\x17", b"\x17\x03\x03\x00\x20", b"\x17\x03\x03\x00\x20half"])
def test_cut_record_is_never_tolerated(connect: Any, part: bytes) -> None:
    def end_within_record(tls: ssl.SSLSocket) -> None:
        raw = sockets.socket(fileno=tls.detach())
        opened.append(raw)
        raw.sendall(part)
        raw.shutdown(sockets.SHUT_WR)

    ends = connect(tolerates_eof=True)
    ends.start(uploading(b"data", end_within_record))
    ends.shake()
    with pytest.raises(Truncated):
        ends.receive_all()


@pytest.mark.parametrize("tolerates_eof", [False, True])
def test_reset_is_never_an_end(connect: Any, tolerates_eof: bool) -> None:
    ends = connect(tolerates_eof=tolerates_eof)
    ends.start(uploading(b"data", reset))
    ends.shake()
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        ends.receive_all()


def test_reset_after_close_notify_loses_nothing(connect: Any) -> None:
    """A client that closes with our tickets unread sends a reset behind its close_notify."""

    ends = connect()
    ends.start(uploading(b"data", end_and_reset))
    ends.shake()
    assert ends.receive_all() == b"data"


def close_unread(tls: ssl.SSLSocket) -> None:
    """End as Go does: close_notify, and close with all unread that the server has said."""
    say_end(tls)
    opened.remove(tls)
    tls.close()


@both_versions
def test_upload_of_a_client_that_reads_nothing_is_whole(connect: Any, version: str) -> None:
    """In TLS 1.3 tickets that lie unread make the client's close a reset, which throws away what has not left its kernel."""
    ends = connect(keeps_tickets_back=lambda: True)
    ends.start(uploading(big(50 * MIB), close_unread, version))
    ends.shake()
    assert ends.receive_all() == big(50 * MIB)


@both_versions
def test_client_that_uploads_hears_our_end(connect: Any, version: str) -> None:
    """Python's ftplib waits for it before it asks for the reply."""
    ends = connect()
    ends.start(uploading(b"data", lambda tls: tls.unwrap(), version))
    ends.shake()
    assert ends.receive_all() == b"data"
    ends.join()


def test_close_while_receiving_is_an_error(connect: Any) -> None:
    ends = connect()
    ends.start(downloading())
    ends.shake()
    receiving = ends.server.receive()
    ends.server.close()
    ends.server.close()
    with pytest.raises(ConnectionAbortedError):
        ends.wait(receiving)


def test_close_while_sending_is_an_error(connect: Any) -> None:
    ends = connect()
    ends.start(lambda socket: wrap(socket))
    ends.shake()
    sending = ends.server.send(bytes(64 * MIB))
    assert not sending.called
    ends.server.close()
    with pytest.raises(ConnectionAbortedError):
        ends.wait(sending)


def test_finish_after_close_is_an_error(connect: Any) -> None:
    ends = connect()
    ends.start(lambda socket: wrap(socket))
    ends.shake()
    ends.server.close()
    with pytest.raises(ConnectionAbortedError):
        ends.wait(ends.server.finish())


def test_cancelled_finish_leaves_the_reactor(connect: Any, reactor: Any) -> None:
    ends = connect()
    ends.start(lambda socket: wrap(socket))
    ends.shake()
    finishing = ends.server.finish()
    finishing.cancel()
    assert ends.below not in reactor.getReaders()
    assert reactor.getDelayedCalls() == []
    with pytest.raises(CancelledError):
        ends.wait(finishing)


def test_upload_of_a_client_that_is_gone_before_our_last_flight_is_kept(connect: Any) -> None:
    """In TLS 1.3 a client is done before we are, and may say everything without waiting for our tickets."""
    ends: Ends

    class Late(Tunnel):
        """Comes to its last flight only when the client has sent everything and reset the connection."""

        is_late = False

        def shake_hands(self) -> bool:
            if super().shake_hands() and not self.is_late:
                self.is_late = True
                ends.join()
            return self.is_established

    ends = connect(tunnel=Late(tls_context()))
    ends.start(uploading(b"data", end_and_reset))
    ends.shake()
    assert ends.receive_all() == b"data"


def test_cancelled_receive_leaves_the_reactor(connect: Any, reactor: Any) -> None:
    ends = connect()
    ends.start(lambda socket: wrap(socket))
    ends.shake()
    receiving = ends.server.receive()
    receiving.cancel()
    assert ends.below not in reactor.getReaders()
    with pytest.raises(CancelledError):
        ends.wait(receiving)


class Talkative(Tunnel):
    """Has a KiB to say to whatever it hears, once `is_talking`."""

    is_talking = False

    def decrypt_into(self, buffer: memoryview) -> int:
        super().decrypt_into(buffer)
        return 0

    def outgoing(self) -> bytes:
        return super().outgoing() or bytes(MIB if self.is_talking else 0)


def test_peer_that_asks_without_listening_is_cut_off(connect: Any) -> None:
    ends = connect(tunnel=Talkative(tls_context()))
    ends.start(uploading(bytes(64 * MIB), say_end))
    ends.shake()
    ends.tunnel.is_talking = True
    with pytest.raises(TunnelBroken, match="without listening"):
        ends.wait(ends.server.receive())
    ends.server.close()
    with pytest.raises(OSError, match=r".*"):
        ends.join()


# TLS 1.3's KeyUpdate, which no Python client can send: `K` makes `openssl s_client` ask for one.


class OpenSSLClient:
    """`openssl s_client` in a process; `said` is what it has printed, all that it was sent among it."""

    def __init__(self, address: tuple[str, int]) -> None:
        program = shutil.which("openssl")
        if program is None:
            pytest.skip("no openssl program")
        command = [program, "s_client", "-connect", "{}:{}".format(*address), "-tls1_3"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
        )

    def say(self, line: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line)

    def say_end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()

    def read_all(self, _: Any) -> bytes:
        assert self._process.stdout is not None
        return self._process.stdout.read()

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()


def test_key_update_within_an_upload_is_answered(connect: Any) -> None:
    ends = connect(dial=OpenSSLClient)
    ends.start(ends.client.read_all)
    ends.shake()
    ends.client.say(b"first\n")
    assert ends.wait(ends.server.receive()) == b"first\n"
    ends.client.say(b"K\n")
    ends.await_arrival()
    receiving = ends.server.receive()
    ends.client.say(b"second\n")
    assert ends.wait(receiving) == b"second\n"
    ends.wait(ends.server.send(b"under new keys"))
    ends.wait(ends.server.finish())  # an end of the client's own input would make s_client leave before it has read
    ends.server.close()
    assert b"under new keys" in ends.join()


def test_key_update_does_not_disturb_a_download(connect: Any) -> None:
    ends = connect(dial=OpenSSLClient)
    ends.start(ends.client.read_all)
    ends.shake()
    ends.client.say(b"K\n")
    ends.await_arrival()
    ends.wait(ends.server.send(pattern(5 * MIB)))
    ends.wait(ends.server.finish())
    ends.server.close()
    assert pattern(5 * MIB) in ends.join()
