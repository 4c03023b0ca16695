"""Tunnel by itself: bytes in, bytes out, against stdlib's ssl and pyOpenSSL as clients."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from OpenSSL import SSL

from ftpd.testing.certificates import make_certificate
from ftpd.testing.lines import pattern, tls_context
from ftpd.transfer import openssl, tunnel
from ftpd.transfer.openssl import can_tell_resumption
from ftpd.transfer.tunnel import HandshakeFailed, Tunnel, TunnelBroken

MIB = 1024 * 1024
VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
both_versions = pytest.mark.parametrize("version", VERSIONS)


def client_context(version: str = "TLSv1.3", *, takes_tickets: bool = True) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(VERSIONS[version])
    context.set_max_proto_version(VERSIONS[version])
    if not takes_tickets:
        context.set_options(SSL.OP_NO_TICKET)
    return context


class Client:
    """pyOpenSSL's client, which can be made to resume a session."""

    def __init__(self, context: SSL.Context, session: Any = None, server_name: bytes = b"") -> None:
        self.context = context
        self.connection = SSL.Connection(context, None)
        self.connection.set_connect_state()
        if session is not None:
            self.connection.set_session(session)
        if server_name:
            self.connection.set_tlsext_host_name(server_name)

    def again(self, session: Any = None) -> Client:
        """Return a new connection of the same client, which wants to resume *session*, the last one of this connection by itself."""
        return Client(self.context, self.connection.get_session() if session is None else session)

    def leave(self) -> None:
        """Be done without a word, and keep the session: a client's OpenSSL, too, forgets that of a connection without an end."""
        self.connection.set_shutdown(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def feed(self, wire: bytes) -> None:
        if wire:
            self.connection.bio_write(wire)

    def shake(self) -> None:
        with suppress(SSL.WantReadError):
            self.connection.do_handshake()

    def read(self) -> bytes:
        data = b""
        try:
            while True:
                data += self.connection.recv(16384)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            return data

    def wire(self) -> bytes:
        data = b""
        try:
            while True:
                data += self.connection.bio_read(65536)
        except SSL.WantReadError:
            return data


def meet(server: Tunnel, client: Client) -> None:
    """Do the handshake; the tickets are the client's then."""
    for _ in range(5):
        client.shake()
        server.feed(client.wire())
        server.shake_hands()
        client.feed(server.outgoing())
    client.read()
    assert server.is_established


def established(context: SSL.Context | None = None, version: str = "TLSv1.3") -> tuple[Tunnel, Client]:
    server, client = Tunnel(tls_context() if context is None else context), Client(client_context(version))
    meet(server, client)
    return server, client


def records(wire: bytes) -> list[bytes]:
    """Cut *wire* into TLS records."""
    cut = []
    while wire:
        size = 5 + int.from_bytes(wire[3:5], "big")
        cut.append(wire[:size])
        wire = wire[size:]
    return cut


def is_resumed(context: SSL.Context, client: Client) -> bool:
    server = Tunnel(context)
    meet(server, client)
    server.mark_shut()
    client.leave()
    return server.is_resumed


# The handshake.


@both_versions
def test_handshake_byte_by_byte(version: str) -> None:
    server, client = Tunnel(tls_context()), Client(client_context(version))
    for _ in range(5):
        client.shake()
        for byte in client.wire():
            server.feed(bytes([byte]))
            server.shake_hands()
        for byte in server.outgoing():
            client.feed(bytes([byte]))
            client.shake()
    assert server.is_established
    assert server.facts().version == version


@both_versions
def test_stdlib_client_talks_both_ways(version: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}[
        version
    ]
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="Files.Example")
    server = Tunnel(tls_context())
    for _ in range(5):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
        server.feed(outgoing.read())
        server.shake_hands()
        incoming.write(server.outgoing())
    client.write(b"NOOP\r\n")
    server.feed(outgoing.read())
    assert server.decrypt() == b"NOOP\r\n"
    server.encrypt(b"200 Fine\r\n")
    incoming.write(server.outgoing())
    assert client.read() == b"200 Fine\r\n"
    assert server.facts().server_name == "files.example"


@pytest.mark.parametrize("cut", range(0, 2000, 7))
def test_handshake_cut_anywhere_waits_for_more(cut: int) -> None:
    server, client = Tunnel(tls_context()), Client(client_context())
    client.shake()
    hello = client.wire()
    server.feed(hello[: min(cut, len(hello) - 1)])
    assert not server.shake_hands()
    assert server.outgoing() == b""


@both_versions
def test_last_flight_cut_anywhere_waits_for_more(version: str) -> None:
    context, client_side = tls_context(), client_context(version)
    cut, size = 0, 1
    while cut < size:
        server, client = Tunnel(context), Client(client_side)
        client.shake()
        server.feed(client.wire())
        server.shake_hands()
        client.feed(server.outgoing())
        client.shake()
        flight = client.wire()
        size = len(flight)
        server.feed(flight[:cut])
        assert not server.shake_hands()
        server.feed(flight[cut:])
        assert server.shake_hands()
        cut += 1


def test_shake_hands_after_the_handshake_is_done_says_so_again() -> None:
    server, _ = established()
    assert server.shake_hands()


def test_facts_are_in_openssls_words() -> None:
    server, client = Tunnel(tls_context()), Client(client_context(), server_name=b"FTP.Example.ORG")
    meet(server, client)
    facts = server.facts()
    assert (facts.version, facts.server_name, facts.is_resumed, facts.client) == ("TLSv1.3", "ftp.example.org", False, None)
    assert facts.cipher in {"TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256"}
    assert facts.group


def test_tunnel_as_client_knows_the_servers_certificate() -> None:
    identity = make_certificate(names=["files.example"])
    server, client = Tunnel(tls_context(identity.parsed, _key(identity))), Tunnel(client_context(), is_server=False)
    for _ in range(5):
        client.shake_hands()
        server.feed(client.outgoing())
        server.shake_hands()
        client.feed(server.outgoing())
    assert client.peer_certificate() == identity.parsed
    assert server.peer_certificate() is None


def _key(identity: Any) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(identity.key, None)


# Handshakes that fail.


def failure_of(wire: bytes, context: SSL.Context | None = None) -> HandshakeFailed:
    server = Tunnel(tls_context() if context is None else context)
    server.feed(wire)
    with pytest.raises(HandshakeFailed) as caught:
        server.shake_hands()
    with pytest.raises(HandshakeFailed):
        server.shake_hands()
    return caught.value


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        (b"USER anonymous\r\n", "the client does not speak TLS: found 'USER anonymo'"),
        (b"\r\n\0\xff\n\n", r"the client does not speak TLS: found '\r\n\x00\xff\n\n'"),
        (b"GET / HTTP/1.1\r\nHost: ftp\r\n\r\n", "HTTP request"),
        (b"POST /cgi HTTP/1.0\r\n\r\n", "HTTP request"),
        (b"CONNECT smtp:25 HTTP/1.0\r\n\r\n", "HTTP request"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the client does not speak TLS: found 'SSH-2.0-Open'"),
        (b"\x16\x03\x01\x00\x05hello", "the client sent a message out of order"),
    ],
)
def test_what_is_not_tls_is_named(wire: bytes, words: str) -> None:
    error = failure_of(wire)
    assert (str(error), error.strerror) == (words, words)
    assert isinstance(error, ConnectionError)


def test_failed_handshake_leaves_an_alert_for_the_client() -> None:
    server = Tunnel(tls_context())
    server.feed(b"\x16\x03\x01\x00\x05hello")
    with pytest.raises(HandshakeFailed):
        server.shake_hands()
    assert server.outgoing()[0] == 0x15


def test_no_shared_cipher_is_named() -> None:
    context = tls_context()
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(b"ECDHE-ECDSA-AES256-GCM-SHA384")
    client_side = client_context("TLSv1.2")
    client_side.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256")
    client = Client(client_side)
    client.shake()
    assert str(failure_of(client.wire(), context)) == "no shared cipher"


def test_version_that_is_too_old_is_named() -> None:
    context = tls_context()
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    client = Client(client_context("TLSv1.2"))
    client.shake()
    assert str(failure_of(client.wire(), context)) == "the client offers no TLS version that is taken here"


def test_client_that_refuses_the_certificate_is_named() -> None:
    context = client_context()
    context.set_verify(SSL.VERIFY_PEER)
    server, client = Tunnel(tls_context()), Client(context)
    client.shake()
    server.feed(client.wire())
    server.shake_hands()
    client.feed(server.outgoing())
    with pytest.raises(SSL.Error):
        client.connection.do_handshake()
    server.feed(client.wire())
    with pytest.raises(HandshakeFailed, match=r"^the client refused: (unknown ca|bad certificate)$"):
        server.shake_hands()


def demand_certificate(verify: Callable[..., bool]) -> tuple[Tunnel, Client]:
    context = tls_context()
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    identity = make_certificate(names=["somebody"])
    client_side = client_context()
    client_side.use_certificate(identity.parsed)
    client_side.use_privatekey(_key(identity))
    return Tunnel(context), Client(client_side)


def test_refusal_that_a_callback_notes_is_the_reason() -> None:
    def verify(connection: SSL.Connection, *_: Any) -> bool:
        connection.get_app_data().refusal = "unknown certificate authority: CN=somebody"
        return False

    server, client = demand_certificate(verify)
    with pytest.raises(HandshakeFailed, match=r"^unknown certificate authority: CN=somebody$"):
        meet(server, client)


def test_exception_of_a_callback_is_the_reason() -> None:
    def verify(*_: Any) -> bool:
        raise ValueError("this one is revoked")

    server, client = demand_certificate(verify)
    with pytest.raises(HandshakeFailed, match=r"^this one is revoked$"):
        meet(server, client)


def test_client_without_the_demanded_certificate_is_named() -> None:
    context = tls_context()
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    with pytest.raises(HandshakeFailed, match=r"^the client sent no certificate$"):
        meet(Tunnel(context), Client(client_context()))


# Data.


@both_versions
@pytest.mark.parametrize("size", [1, 16 * 1024, 16 * 1024 + 1, 256 * 1024])
def test_data_pass_unchanged_both_ways(version: str, size: int) -> None:
    server, client = established(version=version)
    server.encrypt(memoryview(pattern(size)))
    client.feed(server.outgoing())
    assert client.read() == pattern(size)
    client.connection.sendall(pattern(size))
    server.feed(client.wire())
    assert server.decrypt() == pattern(size)


def test_partial_write_mode_loses_nothing() -> None:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    identity = make_certificate()
    context.use_certificate(identity.parsed)
    context.use_privatekey(_key(identity))
    server, client = established(context)
    server.encrypt(pattern(100_000))
    client.feed(server.outgoing())
    assert client.read() == pattern(100_000)


def test_decrypt_gives_no_more_than_asked_for() -> None:
    server, client = established()
    client.connection.sendall(pattern(50_000))
    server.feed(client.wire())
    pieces = [server.decrypt(20_000), server.decrypt(20_000), server.decrypt(20_000), server.decrypt(20_000)]
    assert [len(piece) for piece in pieces] == [20_000, 20_000, 10_000, 0]
    assert b"".join(pieces) == pattern(50_000)


def test_record_that_is_not_whole_waits() -> None:
    server, client = established()
    client.connection.send(b"whole")
    wire = client.wire()
    for end in range(1, len(wire)):
        server.feed(wire[end - 1 : end])
        assert server.is_within_record
        assert server.decrypt() == b""
    server.feed(wire[-1:])
    assert not server.is_within_record
    assert server.decrypt() == b"whole"


def test_damaged_record_is_an_error_for_good() -> None:
    server, client = established()
    client.connection.send(b"before")
    good = client.wire()
    client.connection.send(b"after")
    bad = bytearray(client.wire())
    bad[-1] ^= 1
    server.feed(good + bytes(bad))
    assert server.decrypt() == b"before"
    for _ in range(2):
        with pytest.raises(TunnelBroken, match=r"^a record is damaged$"):
            server.decrypt()
    with pytest.raises(TunnelBroken):
        server.encrypt(b"more")
    assert not server.is_ended_by_peer


@both_versions
def test_fatal_alert_is_never_an_end(version: str) -> None:
    server, client = established(version=version)
    server.encrypt(b"data")
    wire = bytearray(server.outgoing())
    wire[-1] ^= 1
    client.feed(bytes(wire))
    with pytest.raises(SSL.Error):
        client.connection.recv(100)
    server.feed(client.wire())
    for _ in range(2):
        with pytest.raises(TunnelBroken, match=r"^the client refused: bad record mac$"):
            server.decrypt()
    assert not server.is_ended_by_peer


def test_renegotiation_is_refused_and_the_client_hears_it() -> None:
    server, client = established(version="TLSv1.2")
    client.connection.renegotiate()
    client.shake()
    server.feed(client.wire())
    assert server.decrypt() == b""
    client.feed(server.outgoing())
    with pytest.raises(SSL.Error):
        client.connection.do_handshake()
    server.feed(client.wire())
    with pytest.raises(TunnelBroken, match=r"^the client refused: "):
        server.decrypt()


# The end.


@both_versions
def test_end_of_the_client_is_seen_after_its_data(version: str) -> None:
    server, client = established(version=version)
    client.connection.send(b"last words")
    client.connection.shutdown()
    server.feed(client.wire())
    assert (server.decrypt(10), server.is_ended_by_peer) == (b"last words", False)
    assert (server.decrypt(), server.is_ended_by_peer) == (b"", True)


@both_versions
def test_end_is_said_once(version: str) -> None:
    server, client = established(version=version)
    server.say_end()
    wire = server.outgoing()
    server.say_end()
    assert server.outgoing() == b""
    client.feed(wire)
    with pytest.raises(SSL.ZeroReturnError):
        client.connection.recv(1)


def test_data_still_arrive_after_our_end() -> None:
    server, client = established()
    server.say_end()
    client.connection.send(b"one more")
    server.feed(client.wire())
    assert server.decrypt() == b"one more"


def test_end_before_the_handshake_says_nothing() -> None:
    server = Tunnel(tls_context())
    server.say_end()
    assert server.outgoing() == b""


def test_closed_tunnel_refuses_and_does_not_call_it_an_end() -> None:
    server, _ = established()
    server.mark_shut()
    server.mark_shut()
    with pytest.raises(TunnelBroken):
        server.decrypt()
    with pytest.raises(TunnelBroken):
        server.encrypt(b"x")
    assert server.outgoing() == b""
    assert not server.is_ended_by_peer


# Back to clear text (CCC).


@both_versions
@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_what_stands_behind_the_end_is_clear(version: str, size: int) -> None:
    server, client = established(version=version)
    client.connection.send(b"NOOP\r\n")
    client.connection.shutdown()
    wire = client.wire() + b"PWD\r\nCWD /\r\n"
    plain = clear = b""
    for start in range(0, len(wire), size):
        piece = wire[start : start + size]
        clear += piece if server.is_ended_by_peer else server.feed_records(piece)
        plain += server.decrypt()
    assert (plain, clear) == (b"NOOP\r\n", b"PWD\r\nCWD /\r\n")


def test_records_may_be_counted_from_the_middle_of_one() -> None:
    server, client = established()
    client.connection.send(b"CCC\r\n")
    client.connection.shutdown()
    wire = client.wire()
    server.feed(wire[:9])
    assert server.feed_records(wire[9:] + b"QUIT\r\n") == b"QUIT\r\n"
    assert server.decrypt() == b"CCC\r\n"


# What is asked of OpenSSL, and what need not be.


class Counted:
    """A connection of pyOpenSSL that counts the calls of one method."""

    def __init__(self, connection: Any, name: str) -> None:
        self.connection, self.name, self.calls = connection, name, 0

    def __getattr__(self, name: str) -> Any:
        return self.call if name == self.name else getattr(self.connection, name)

    def call(self, *arguments: Any) -> Any:
        self.calls += 1
        return getattr(self.connection, self.name)(*arguments)


@both_versions
def test_a_command_is_read_with_one_call(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = established(version=version)
    server.decrypt()
    monkeypatch.setattr(tunnel, "read_into", openssl._read_into_publicly)
    server._connection = counted = Counted(server._connection, "recv_into")
    client.connection.send(b"NOOP\r\n")
    server.feed(client.wire())
    assert (server.decrypt(), server.decrypt(), counted.calls) == (b"NOOP\r\n", b"", 1)


@both_versions
def test_after_a_command_there_is_nothing_to_send_and_nobody_is_asked(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server, client = established(version=version)
    server.decrypt()
    server.outgoing()
    monkeypatch.setattr(tunnel, "take_out", openssl._take_out_publicly)
    server._connection = counted = Counted(server._connection, "bio_read")
    client.connection.send(b"NOOP\r\n")
    server.feed(client.wire())
    server.decrypt()
    assert (server.outgoing(), counted.calls) == (b"", 0)


@both_versions
@pytest.mark.parametrize("most", [1, 7, 16384, 16385, 40000])
def test_nothing_is_left_behind_however_little_is_taken_at_a_time(version: str, most: int) -> None:
    server, client = established(version=version)
    data = pattern(40000)
    client.connection.sendall(data)
    server.feed(client.wire())
    pieces = []
    while piece := server.decrypt(most):
        pieces.append(piece)
    assert b"".join(pieces) == data


@both_versions
@pytest.mark.parametrize("most", [1, 7, 16384, 16385, 40000])
def test_nothing_is_left_behind_however_small_the_buffer(version: str, most: int) -> None:
    server, client = established(version=version)
    data = pattern(40000)
    client.connection.sendall(data)
    server.feed(client.wire())
    received, buffer = bytearray(), memoryview(bytearray(most))
    while count := server.decrypt_into(buffer):
        received += buffer[:count]
    assert received == data


@both_versions
@pytest.mark.parametrize("cut", range(1, 80))
def test_commands_are_heard_wherever_their_records_are_cut(version: str, cut: int) -> None:
    server, client = established(version=version)
    client.connection.send(b"TYPE I\r\n")
    client.connection.send(b"EPSV\r\n")
    client.connection.shutdown()
    wire = client.wire()
    heard = b""
    for part in (wire[:cut], wire[cut:]):
        server.feed(part)
        heard += server.decrypt()
    assert heard == b"TYPE I\r\nEPSV\r\n"
    assert server.is_ended_by_peer


# Resumption: "resumed" means "of this context".


def test_this_library_can_tell_resumption() -> None:
    assert can_tell_resumption()


@pytest.mark.parametrize(("version", "takes_tickets"), [("TLSv1.2", True), ("TLSv1.2", False), ("TLSv1.3", True)])
def test_session_is_resumed_in_its_own_context_only(version: str, takes_tickets: bool) -> None:
    context = tls_context()
    control, client = Tunnel(context), Client(client_context(version, takes_tickets=takes_tickets))
    meet(control, client)
    assert not control.is_resumed
    for _ in range(20):
        assert is_resumed(context, client.again())
    assert not is_resumed(tls_context(), client.again())


def test_every_ticket_resumes_first_last_and_chained() -> None:
    context = tls_context()
    control, client = Tunnel(context), Client(client_context())
    client.shake()
    control.feed(client.wire())
    control.shake_hands()
    client.feed(control.outgoing())
    client.shake()
    control.feed(client.wire())
    control.shake_hands()
    sessions = []
    for ticket in records(control.outgoing()):
        client.feed(ticket)
        client.read()
        sessions.append(client.connection.get_session())
    assert len(sessions) == 2
    for session in sessions:
        data = client.again(session)
        assert is_resumed(context, data)
        assert is_resumed(context, data.again())


def session_in_cache() -> tuple[SSL.Context, Tunnel, Client]:
    """Return a control connection whose client takes no tickets, so that its session is in the context's cache."""
    context = tls_context()
    control, client = Tunnel(context), Client(client_context("TLSv1.2", takes_tickets=False))
    meet(control, client)
    return context, control, client


def test_cached_session_outlives_the_control_connection_that_is_marked_shut() -> None:
    context, control, client = session_in_cache()
    control.mark_shut()
    assert is_resumed(context, client.again())


@pytest.mark.parametrize("says_end", [True, False])
def test_cached_session_outlives_discarded_connections_that_resumed_it(says_end: bool) -> None:
    context, _control, client = session_in_cache()
    for _ in range(20):
        data, resuming = Tunnel(context), client.again()
        meet(data, resuming)
        resuming.leave()
        assert data.is_resumed
        if says_end:
            data.say_end()
        data.discard()


@pytest.mark.parametrize("says_end", [True, False])
def test_discarded_session_of_a_stranger_cannot_be_resumed(says_end: bool) -> None:
    context, stranger, client = session_in_cache()
    if says_end:
        stranger.say_end()
    stranger.discard()
    assert not is_resumed(context, client.again())
