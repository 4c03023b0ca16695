"""FTPFactory behind an `ssl:` endpoint: TLS is the endpoint's there, and not ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.integration.live import PASSWORD, Guest, Server
from tests.integration.secure_wire import SecureWire

# A process of its own: Twisted's TLS takes the process's reactor, whatever reactor listens.
PROGRAM = """\
import sys

from twisted.cred.portal import Portal
from twisted.internet import reactor
from twisted.internet.endpoints import SSL4ServerEndpoint
from twisted.internet.interfaces import IOpenSSLContextFactory
from zope.interface import implementer

from ftpd import FTPFactory, FTPSettings
from ftpd.accounts.realm import TransferRealm
from ftpd.accounts.settings import AccountSettings, SettingsAccounts
from ftpd.ftp.settings import ProtectionSettings
from ftpd.login.memory import MemoryPasswords
from ftpd.storage.memory import MemoryStore
from ftpd.testing.lines import tls_context
from ftpd.testing.tls_client import MemoryContexts

has_contexts, data_resumption, password = sys.argv[1:]


@implementer(IOpenSSLContextFactory)
class OneContext:
    context = tls_context()

    def getContext(self):
        return self.context


realm = TransferRealm(SettingsAccounts(AccountSettings()), MemoryStore())
factory = FTPFactory(
    Portal(realm, [MemoryPasswords({b"ann": password.encode()})]),
    settings=FTPSettings(tls=ProtectionSettings(data_resumption=data_resumption)),
    contexts=MemoryContexts() if has_contexts == "yes" else None,
)
endpoint = SSL4ServerEndpoint(reactor, 0, OneContext(), interface="127.0.0.1")
endpoint.listen(factory).addCallback(lambda port: print("listening on 127.0.0.1 port", port.getHost().port)).addErrback(print)
reactor.run()
"""

Serve = Callable[..., Guest]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    servers: list[Server] = []

    def start(*, contexts: bool = False, data_resumption: str = "log") -> Guest:
        command = ["-c", PROGRAM, "yes" if contexts else "no", data_resumption, PASSWORD]
        servers.append(Server(command, folder=tmp_path))
        (port,) = servers[-1].addresses().values()
        return Guest("ann", tmp_path, port)

    yield start
    for server in servers:
        server.stop()


def logged_in(guest: Guest) -> SecureWire:
    wire = SecureWire.implicit(guest)
    assert wire.asks("USER ann", f"PASS {PASSWORD}", "TYPE I") == [331, 230, 200]
    return wire


def test_a_session_is_served_as_already_secure(serve: Serve) -> None:
    with logged_in(serve()) as wire:
        data = wire.data()
        assert wire.ask("STOR a").code == 150
        data.sendall(b"content")
        data.close()
        assert wire.reply().code == 226
        assert "The control connection is private" in wire.ask("STAT").text


def test_abor_that_comes_before_the_end_of_an_upload_counts(serve: Serve) -> None:
    with logged_in(serve()) as wire:
        for _ in range(20):
            with wire.data() as data:
                assert wire.ask("STOR a").code == 150
                data.sendall(b"half")
                wire.send("ABOR\r\n")
            assert wire.replies(2) == [426, 226]


def test_tls_is_not_begun_a_second_time(serve: Serve) -> None:
    with logged_in(serve(contexts=True)) as wire:
        assert wire.ask("AUTH TLS").code == 503


def test_without_contexts_data_connections_cannot_be_protected(serve: Serve) -> None:
    with logged_in(serve()) as wire:
        assert wire.asks("PBSZ 0", "PROT P", "PROT C") == [200, 536, 200]


def test_with_contexts_data_connections_can_be_protected(serve: Serve) -> None:
    with logged_in(serve(contexts=True)) as wire:
        assert wire.asks("PBSZ 0", "PROT P") == [200, 200]
        with wire.data() as plain:
            assert wire.ask("STOR a").code == 150
            with wire.context.wrap_socket(plain, suppress_ragged_eofs=False) as data:
                data.sendall(b"content")
                data.unwrap()
        assert wire.reply().code == 226


def test_the_endpoints_tls_cannot_be_taken_off(serve: Serve) -> None:
    with logged_in(serve(contexts=True)) as wire:
        assert wire.ask("CCC").code == 534


def test_data_that_have_to_resume_a_session_of_ours_are_refused_at_the_start(tmp_path: Path) -> None:
    server = Server(["-c", PROGRAM, "yes", "required", PASSWORD], folder=tmp_path)
    server.wait_for("data_resumption = required cannot be kept")
    server.stop()
    assert "listening on" not in server.log
