"""How TLS ends, on data and on control connections: whole, cut off, by those that never spoke it.

Apart from the transfers themselves: here the last bytes are what matters.
"""

from __future__ import annotations

import fcntl
import os
import socket
import ssl
import termios
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from tests.integration.conftest import Running
from tests.integration.live import ConfiguredServer, Guest
from tests.integration.secure_wire import SecureWire, end, trusting
from tests.integration.wire import Wire, connect, reset

CONTENT: Final = os.urandom(100_000)


def finish(data: ssl.SSLSocket) -> None:
    """End by FIN, without close_notify."""
    data.shutdown(socket.SHUT_WR)


def cut(data: ssl.SSLSocket) -> None:
    """End by a reset."""
    reset(data)


def upload(wire: SecureWire, ending: Callable[[ssl.SSLSocket], None]) -> int:
    with wire.data() as plain:
        assert wire.ask("STOR file").code == 150
        with wire.secured(plain) as data:
            data.sendall(CONTENT)
            ending(data)
            return wire.reply().code


# Uploads.


@pytest.mark.parametrize("ending", [finish, cut])
def test_upload_that_ends_without_close_notify_is_426_and_not_published(
    secure_guest: Guest, ending: Callable[[ssl.SSLSocket], None]
) -> None:
    (secure_guest.home / "file").write_bytes(b"before")
    with SecureWire.of(secure_guest) as wire:
        assert upload(wire, ending) == 426
        assert (secure_guest.home / "file").read_bytes() == b"before"
        assert wire.store("STOR file", b"whole").code == 226
    assert (secure_guest.home / "file").read_bytes() == b"whole"


def test_client_that_resumed_nothing_gets_its_tickets_behind_an_upload(secure_guest: Guest) -> None:
    """Net::FTP in passive mode reads none, and its `close` with tickets unread would be a reset, which takes the end of the file along."""
    with SecureWire.of(secure_guest) as wire, wire.data() as plain:
        with trusting().wrap_socket(plain) as data:
            assert wire.ask("STOR file").code == 150
            assert not has_unread(data)
            data.sendall(CONTENT)
            end(data)
        assert wire.reply().code == 226
    assert (secure_guest.home / "file").read_bytes() == CONTENT


def test_client_that_resumed_gets_its_ticket_before_an_upload(secure_guest: Guest) -> None:
    """curl uses each ticket once, and with a small file is gone before one that comes later."""
    with SecureWire.of(secure_guest) as wire, wire.data() as plain:
        with wire.secured(plain) as data:
            assert data.session_reused
            assert wire.ask("STOR file").code == 150
            assert has_unread(data)
            data.sendall(CONTENT)
            end(data)
        assert wire.reply().code == 226


def has_unread(data: socket.socket) -> bool:
    return fcntl.ioctl(data, termios.FIONREAD, bytes(4)) != bytes(4)


def test_empty_upload_without_close_notify_is_426(secure_guest: Guest) -> None:
    with SecureWire.of(secure_guest) as wire, wire.data() as plain:
        assert wire.ask("STOR file").code == 150
        with wire.secured(plain) as data:
            finish(data)
            assert wire.reply().code == 426
    assert not (secure_guest.home / "file").exists()


@pytest.fixture(scope="module")
def tolerant(running: Running) -> Iterator[ConfiguredServer]:
    """A server that takes what ends by FIN of one network only."""
    networks = [{"networks": ["127.0.0.8/32"], "eof": "tolerate"}]
    with running({"ftp": {"tls": {"networks": networks}}}) as server:
        yield server


@pytest.fixture(scope="module")
def all_tolerant(running: Running) -> Iterator[ConfiguredServer]:
    """A server that takes what ends by FIN, but of one network."""
    networks = [{"networks": ["127.0.0.8/32"], "eof": "strict"}]
    with running({"ftp": {"tls": {"eof": "tolerate", "networks": networks}}}) as server:
        yield server


def test_end_without_close_notify_is_tolerated_of_a_network_only(tolerant: ConfiguredServer) -> None:
    guest = tolerant.add("printer")
    with SecureWire.of(guest, "127.0.0.8") as wire:
        assert upload(wire, finish) == 226
        assert (guest.home / "file").read_bytes() == CONTENT
        assert upload(wire, cut) == 426
    with SecureWire.of(guest) as wire:
        assert upload(wire, finish) == 426


def test_end_without_close_notify_is_tolerated_of_all_but_a_network(all_tolerant: ConfiguredServer) -> None:
    guest = all_tolerant.add("scanner")
    with SecureWire.of(guest) as wire:
        assert upload(wire, finish) == 226
    with SecureWire.of(guest, "127.0.0.8") as wire:
        assert upload(wire, finish) == 426


def test_tolerance_is_in_the_log_at_the_start(all_tolerant: ConfiguredServer) -> None:
    assert "is stored as if it were whole (ftp.tls.eof)" in all_tolerant.log


# Downloads.


def test_download_ends_with_close_notify_before_226(secure_guest: Guest) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    with SecureWire.of(secure_guest) as wire, wire.data() as plain:
        assert wire.ask("RETR file").code == 150
        with wire.secured(plain) as data:
            received = b""
            while piece := data.recv(65536):  # `ssl.SSLEOFError` without close_notify
                received += piece
            assert received == CONTENT
            wire.control.setblocking(False)
            with pytest.raises(ssl.SSLWantReadError):
                wire.control.recv(1)  # our close_notify is still awaited
            wire.control.settimeout(30)
            data.unwrap()
        assert wire.reply().code == 226


def test_client_that_waits_for_226_before_its_close_notify_gets_it(secure_guest: Guest) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    with SecureWire.of(secure_guest) as wire, wire.data() as plain:
        assert wire.ask("RETR file").code == 150
        with wire.secured(plain) as data:
            received = b""
            while len(received) < len(CONTENT):
                received += data.recv(65536)
            assert wire.reply().code == 226
            assert received == CONTENT
            assert data.recv(1) == b""


def test_download_that_the_client_resets_is_426(secure_guest: Guest) -> None:
    with (secure_guest.home / "large").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    with SecureWire.of(secure_guest) as wire, wire.data() as plain:
        assert wire.ask("RETR large").code == 150
        with wire.secured(plain) as data:
            assert data.recv(1)
            reset(data)
            assert wire.reply().code == 426
        assert wire.ask("NOOP").code == 200


# The control connection.


def test_quit_ends_with_close_notify(secure_guest: Guest) -> None:
    with SecureWire.of(secure_guest) as wire:
        assert wire.ask("QUIT").code == 221
        assert wire.control.recv(1) == b""  # `ssl.SSLEOFError` without close_notify


def test_commands_in_one_segment_with_auth_are_never_run(secure_guest: Guest) -> None:
    with SecureWire(secure_guest.port) as wire:
        assert wire.reply().code == 220
        wire.send(f"AUTH TLS\r\nUSER {secure_guest.name}\r\nFEAT\r\n")
        assert wire.reply().code == 234
        wire.shake_hands()
        assert wire.ask("NOOP").code == 200
        assert wire.ask("PASS x").code == 503


def test_command_in_clear_behind_auth_is_421(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    with Wire(secure_guest.port) as wire:
        assert wire.reply().code == 220
        assert wire.ask("AUTH TLS").code == 234
        assert wire.ask("USER anonymous").code == 421
        assert wire.is_closed()


@pytest.mark.parametrize("said", [b"USER joe\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"], ids=["FTP", "HTTP"])
def test_clear_text_on_the_implicit_port_is_421_and_one_line(secure_server: ConfiguredServer, said: bytes) -> None:
    before = secure_server.log.count("TLS handshake failed")
    with Wire(secure_server.ports["127.0.0.2"], "127.0.0.2") as wire:
        wire.send(said)
        assert wire.reply().code == 421
        assert wire.is_closed()
    secure_server.wait_for(rf"(?s)(TLS handshake failed.*){{{before + 1}}}")
    assert secure_server.log.count("TLS handshake failed") == before + 1


def test_http_on_the_explicit_port_is_421(secure_server: ConfiguredServer) -> None:
    with Wire(secure_server.port) as wire:
        assert wire.reply().code == 220
        wire.send(b"GET / HTTP/1.1\r\n")
        assert wire.reply().code == 421
        assert wire.is_closed()


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x00\x05hello", b"\x16" * 600, b"\x16\x03\x01\xff\xff" + bytes(70000)])
def test_garbage_in_the_handshake_is_a_close_and_one_line(secure_server: ConfiguredServer, said: bytes) -> None:
    before = secure_server.log.count("TLS handshake failed")
    with Wire(secure_server.ports["127.0.0.2"], "127.0.0.2") as wire:
        wire.send(said)
        assert wire.is_closed()
    secure_server.wait_for(rf"(?s)(TLS handshake failed.*){{{before + 1}}}")
    assert secure_server.log.count("TLS handshake failed") == before + 1


def test_handshake_that_is_cut_anywhere_leaves_the_server_well(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.create_default_context()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname="localhost").do_handshake()
    hello = outgoing.read()
    for length in range(1, len(hello), 40):
        with connect("127.0.0.2", secure_server.ports["127.0.0.2"]) as control:
            control.sendall(hello[:length])
    with SecureWire.of(secure_guest) as wire:
        assert wire.ask("NOOP").code == 200
