"""Whose data connection it is: one that resumes the session of its own control connection, and no other.

Apart from the dialogue, since here several clients play against each other.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
from pathlib import Path
from typing import Final

import pytest

from tests.integration.clients import Program
from tests.integration.live import ConfiguredServer, Guest
from tests.integration.secure_clients import SecureCurl, SecureCurl12
from tests.integration.secure_wire import SecureWire, TicketWire, trusting
from tests.integration.wire import accepted, listening, port_argument, read_all

REFUSED: Final = "The data connection did not resume the TLS session of this control connection, as it must here."
CONTENT: Final = os.urandom(100_000)
both_versions = pytest.mark.parametrize("version", ["1.2", "1.3"])
each_way = pytest.mark.parametrize(
    ("version", "has_tickets"), [("1.2", True), ("1.2", False), ("1.3", True)], ids=["1.2, tickets", "1.2, ids", "1.3"]
)


@pytest.fixture
def file(strict_guest: Guest) -> str:
    (strict_guest.home / "file").write_bytes(CONTENT)
    return "RETR file"


def heard(
    wire: SecureWire, plain: socket.socket, session: ssl.SSLSession | None, *, context: ssl.SSLContext | None = None
) -> bytes:
    """Return all content that comes over a data connection which resumes *session*, or none at all; however it ends."""
    content = b""
    with contextlib.suppress(OSError), (context or wire.context).wrap_socket(plain, session=session) as tls:
        while piece := tls.recv(65536):
            content += piece
    return content


# The client's own.


@each_way
def test_many_data_connections_one_after_the_other_resume(strict_guest: Guest, version: str, has_tickets: bool) -> None:
    with SecureWire.of(strict_guest, context=trusting(version, has_tickets=has_tickets)) as wire:
        for number in range(20):
            assert wire.store(f"STOR file{number}", CONTENT).code == 226
            assert wire.fetch(f"RETR file{number}") == CONTENT


@each_way
def test_the_first_session_is_good_for_every_data_connection(
    strict_guest: Guest, file: str, version: str, has_tickets: bool
) -> None:
    with SecureWire.of(strict_guest, context=trusting(version, has_tickets=has_tickets)) as wire:
        session = wire.session
        assert [wire.fetch(file, session) for _ in range(5)] == [CONTENT] * 5


def test_every_ticket_of_the_control_connection_is_good(strict_guest: Guest, file: str) -> None:
    with TicketWire(strict_guest) as wire:
        assert len(wire.tickets) == 2  # what OpenSSL issues
        assert [wire.fetch(file, ticket) for ticket in (*wire.tickets, *wire.tickets)] == [CONTENT] * 4


def test_ticket_of_a_data_connection_is_good_for_the_next(strict_guest: Guest, file: str) -> None:
    with SecureWire.of(strict_guest) as wire:
        session = wire.session
        for _ in range(5):
            with wire.data() as plain:
                assert wire.ask(file).code == 150
                with wire.secured(plain, session) as data:
                    assert data.session_reused
                    assert read_all(data) == CONTENT
                    before, session = session, data.session
                    data.unwrap()
            assert wire.reply().code == 226
            assert before is not None
            assert session is not None
            assert session.id != before.id


@both_versions
def test_parallel_sessions_each_resume_their_own(strict_guest: Guest, file: str, version: str) -> None:
    context = trusting(version)
    wires = [SecureWire.of(strict_guest, context=context) for _ in range(4)]
    for _ in range(3):
        assert [wire.fetch(file) for wire in wires] == [CONTENT] * 4
    for wire in wires:
        wire.control.close()


@both_versions
def test_active_data_connection_that_resumes_is_served(strict_guest: Guest, file: str, version: str) -> None:
    with SecureWire.of(strict_guest, context=trusting(version)) as wire, listening() as waiting:
        assert wire.ask(f"PORT {port_argument('127.0.0.1', waiting.getsockname()[1])}").code == 200
        wire.send(f"{file}\r\n")
        plain = accepted(waiting)
        assert wire.reply().code == 150
        with wire.secured(plain) as data:
            assert read_all(data) == CONTENT
            data.unwrap()
        assert wire.reply().code == 226


def test_resumption_outlasts_another_login(strict_guest: Guest, file: str) -> None:
    with SecureWire.of(strict_guest) as wire:
        assert wire.fetch(file) == CONTENT
        wire.log_in(strict_guest)
        assert wire.fetch(file) == CONTENT


def test_after_rein_data_connections_resume_the_tls_that_is_begun_then(strict_guest: Guest, file: str) -> None:
    with SecureWire.of(strict_guest) as wire:
        assert wire.fetch(file) == CONTENT
        assert wire.ask("REIN").code == 220
        wire.control = wire.tls.unwrap()
        wire.begin_tls()
        wire.log_in(strict_guest)
        assert wire.fetch(file) == CONTENT


# Others'.


@both_versions
def test_data_connection_without_a_session_is_refused_and_the_session_goes_on(strict_guest: Guest, file: str, version: str) -> None:
    with SecureWire.of(strict_guest, context=trusting(version)) as wire:
        plain = wire.data()
        assert wire.ask(file).code == 150
        assert heard(wire, plain, None) == b""
        assert wire.reply() == (522, REFUSED)
        assert wire.fetch(file) == CONTENT


@each_way
def test_session_of_another_control_connection_is_refused(strict_guest: Guest, file: str, version: str, has_tickets: bool) -> None:
    """A client's own second session: another account, or the same, makes no difference."""
    context = trusting(version, has_tickets=has_tickets)
    with SecureWire.of(strict_guest, context=context) as first, SecureWire.of(strict_guest, context=context) as second:
        plain = first.data()
        assert first.ask(file).code == 150
        assert heard(first, plain, second.session) == b""
        assert first.reply() == (522, REFUSED)
        assert first.fetch(file) == second.fetch(file) == CONTENT


@both_versions
def test_stranger_on_a_stolen_port_hears_nothing(strict_guest: Guest, file: str, version: str) -> None:
    stranger = trusting(version)
    with SecureWire.of(strict_guest) as wire:
        with socket.create_connection(("127.0.0.1", wire.passive())) as plain:
            assert wire.ask(file).code == 150
            assert heard(wire, plain, None, context=stranger) == b""
        assert wire.reply() == (522, REFUSED)


@both_versions
def test_stranger_on_a_stolen_port_stores_nothing(strict_guest: Guest, version: str) -> None:
    with SecureWire.of(strict_guest) as wire:
        with socket.create_connection(("127.0.0.1", wire.passive())) as plain:
            assert wire.ask("STOR file").code == 150
            with contextlib.suppress(OSError), trusting(version).wrap_socket(plain) as tls:
                tls.sendall(b"stranger's")
                tls.unwrap()
        assert wire.reply() == (522, REFUSED)
    assert os.listdir(strict_guest.home) == []


def test_stranger_in_clear_on_a_stolen_port_hears_nothing(strict_guest: Guest, file: str) -> None:
    with SecureWire.of(strict_guest) as wire, socket.create_connection(("127.0.0.1", wire.passive()), 30) as plain:
        assert wire.ask(file).code == 150
        plain.sendall(b"STOR is not TLS\r\n")
        assert wire.reply().code == 522
        assert CONTENT[:100] not in read_all(plain)


@each_way
def test_stranger_who_was_refused_cannot_come_back_with_what_it_was_given(
    strict_guest: Guest, file: str, version: str, has_tickets: bool
) -> None:
    """A handshake that is refused must not leave a session in the context of the control connection that it was refused by."""
    stranger, session = trusting(version, has_tickets=has_tickets), None
    with SecureWire.of(strict_guest) as wire:
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", wire.passive())) as plain:
                assert wire.ask(file).code == 150
                tls = stranger.wrap_socket(plain, do_handshake_on_connect=False, session=session)
                with contextlib.suppress(OSError):
                    tls.do_handshake()
                    assert tls.recv(65536) == b""
                assert wire.reply() == (522, REFUSED)
                with contextlib.suppress(ValueError):  # ssl says so where there is none
                    session = tls.session or session
                tls.close()


def test_data_connection_that_never_shakes_hands_is_522(serve_strictly: ConfiguredServer) -> None:
    guest = serve_strictly.add("patient")
    (guest.home / "file").write_bytes(CONTENT)
    with SecureWire.of(guest) as wire, wire.data() as plain:
        assert wire.ask("RETR file").code == 150
        reply = wire.reply()
        assert reply.code == 522
        assert "within 0.2 seconds" in reply.text
        assert plain.recv(1) == b""


@pytest.fixture
def serve_strictly(running: object) -> object:
    with running({"ftp": {"timeouts": {"data_connect": "0.2 s"}}}) as server:  # type: ignore[operator]
        yield server


# Only logged.


def test_log_names_session_and_account_once_where_data_do_not_resume(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    with SecureWire.of(secure_guest) as wire:
        for _ in range(3):
            plain = wire.data()
            assert wire.ask("RETR file").code == 150
            assert heard(wire, plain, None) == CONTENT
            assert wire.reply().code == 226
        assert wire.ask("QUIT").code == 221
    secure_server.wait_for(f"{secure_guest.name} logged out")
    told = [line for line in secure_server.lines if f"] {secure_guest.name} " in line and "do not resume the TLS session" in line]
    assert len(told) == 1


def test_log_says_nothing_where_data_resume(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    (secure_guest.home / "file").write_bytes(CONTENT)
    with SecureWire.of(secure_guest) as wire:
        assert wire.fetch("RETR file") == CONTENT
        assert wire.ask("QUIT").code == 221
    secure_server.wait_for(f"{secure_guest.name} logged out")
    assert not [line for line in secure_server.lines if f"] {secure_guest.name} " in line and "do not resume" in line]


@pytest.mark.parametrize("kind", [SecureCurl, SecureCurl12])
def test_curl_resumes_with_every_one_of_many_small_uploads(
    program: Program, strict_guest: Guest, home: Path, kind: type[SecureCurl]
) -> None:
    names = [f"{kind.__name__}{number}" for number in range(20)]
    for name in names:
        (home / name).write_bytes(CONTENT[:5000])
    client = kind(program, strict_guest, home)
    client.curl("-T", f"{{{','.join(names)}}}", client.url())
    assert [(strict_guest.home / name).read_bytes() for name in names] == [CONTENT[:5000]] * 20
