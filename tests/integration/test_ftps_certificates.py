"""Which certificate a client sees: swapped while the server runs, chosen by algorithm, by SNI and HOST; and which one a client shows.

Apart from the dialogue of FTPS, for which any certificate would do.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import signal
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from ftpd.testing.certificates import Identity, make_authority, make_certificate, make_revocation_list
from tests.integration.clients import RUN_SECONDS, Program
from tests.integration.conftest import Running, Serve
from tests.integration.live import CHECKOUT, PASSWORD, ConfiguredServer, Guest, Server
from tests.integration.secure_wire import SecureWire, trusting
from tests.integration.wire import read_all

LARGE_BYTES: Final = 32 * 1024 * 1024
YESTERDAY: Final = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


def digest(identity: Identity) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(identity.certificate.decode())).hexdigest()


def seen(wire: SecureWire) -> str:
    """Return the SHA-256 of the certificate that the server has shown."""
    certificate = wire.tls.getpeercert(binary_form=True)
    assert certificate is not None
    return hashlib.sha256(certificate).hexdigest()


def shown(guest: Guest, **options: Any) -> str:
    with SecureWire.opened(guest, **options) as wire:
        return seen(wire)


# Swapped.


@pytest.mark.parametrize("by_signal", [True, False], ids=["SIGHUP", "recheck"])
def test_new_certificate_counts_for_new_sessions_and_disturbs_no_other(
    serve: Serve, tmp_path: Path, authority: Identity, by_signal: bool
) -> None:
    old, new = make_certificate(authority), make_certificate(authority)
    file = tmp_path / "server.pem"
    file.write_bytes(old.pem)
    server = serve({"tls": {"certificates": [{"chain": file}], "recheck": "1 h" if by_signal else "1 s"}})
    guest = server.add("joe")
    with (guest.home / "large").open("wb") as large:
        large.truncate(LARGE_BYTES)
    with SecureWire.of(guest) as wire, wire.data() as plain:
        assert wire.ask("RETR large").code == 150
        with wire.secured(plain) as data:
            received = len(data.recv(65536))
            (tmp_path / "new.pem").write_bytes(new.pem)
            (tmp_path / "new.pem").rename(file)
            if by_signal:
                server.process.send_signal(signal.SIGHUP)
            server.wait_for("certificate files were read again")
            assert shown(guest) == digest(new)
            assert received + len(read_all(data)) == LARGE_BYTES
            data.unwrap()
        assert wire.reply().code == 226
        assert wire.fetch("NLST") == b"large\r\n"
        assert seen(wire) == digest(old)


def test_broken_new_certificate_is_told_and_the_old_one_stays(serve: Serve, tmp_path: Path, authority: Identity) -> None:
    old = make_certificate(authority)
    file = tmp_path / "server.pem"
    file.write_bytes(old.pem)
    server = serve({"tls": {"certificates": [{"chain": file}], "recheck": "1 h"}})
    guest = server.add("joe")
    file.write_bytes(old.pem[: len(old.pem) // 2])
    server.process.send_signal(signal.SIGHUP)
    told = server.wait_for("certificates stay as they are: (.*)")
    assert str(file) in told[1] or "tls.certificates[0]" in told[1]
    assert shown(guest) == digest(old)


# RSA and ECDSA.


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize(("algorithm", "kind"), [("rsa_pss_rsae_sha256", "rsa"), ("ecdsa_secp256r1_sha256", "ecdsa")])
def test_each_client_gets_the_kind_of_certificate_that_it_can_verify(
    both_kinds: tuple[ConfiguredServer, dict[str, Identity]], program: Program, version: str, algorithm: str, kind: str
) -> None:
    server, identities = both_kinds
    done = subprocess.run(
        [
            program("openssl"),
            "s_client",
            "-starttls",
            "ftp",
            version,
            "-sigalgs",
            algorithm,
            "-connect",
            f"127.0.0.1:{server.port}",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=RUN_SECONDS,
    )
    found = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", done.stdout, re.DOTALL)
    assert found is not None, done.stdout
    assert found[0] == identities[kind].certificate


@pytest.fixture(scope="module")
def both_kinds(
    running: Running, authority: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ConfiguredServer, dict[str, Identity]]]:
    folder = tmp_path_factory.mktemp("kinds")
    identities = {"rsa": make_certificate(authority, kind="rsa"), "ecdsa": make_certificate(authority)}
    for kind, identity in identities.items():
        (folder / f"{kind}.pem").write_bytes(identity.pem)
    with running({"tls": {"certificates": [{"chain": folder / f"{kind}.pem"} for kind in identities]}}) as server:
        yield server, identities


# ALPN.


@pytest.mark.parametrize(("offered", "chosen"), [(["ftp"], "ftp"), (["http/1.1", "ftp"], "ftp"), ([], None)])
def test_alpn_is_ftp_where_it_is_offered(secure_guest: Guest, offered: list[str], chosen: str | None) -> None:
    context = trusting()
    if offered:
        context.set_alpn_protocols(offered)
    with SecureWire.opened(secure_guest, context=context) as wire:
        assert wire.tls.selected_alpn_protocol() == chosen


def test_client_that_wants_to_speak_http_is_refused(secure_server: ConfiguredServer, secure_guest: Guest) -> None:
    context = trusting()
    context.set_alpn_protocols(["h2", "http/1.1"])
    with SecureWire(secure_guest.port, context=context) as wire:
        assert wire.reply().code == 220
        assert wire.ask("AUTH TLS").code == 234
        with pytest.raises(ssl.SSLError):
            wire.shake_hands()
    secure_server.wait_for("TLS handshake failed: the client wants to speak h2, http/1.1, not FTP")


# Virtual hosts.


@pytest.fixture(scope="module")
def hosts(
    running: Running, authority: Identity, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ConfiguredServer, Guest, Identity]]:
    """A server with `one.example`, which has all of its own, and `two.example`, which has another greeting only."""
    folder = tmp_path_factory.mktemp("hosts")
    identity = make_certificate(authority, ("one.example", "alias.example"))
    (folder / "one.pem").write_bytes(identity.pem)
    (folder / "root" / "only").mkdir(parents=True)
    (folder / "root" / "only" / "of one").write_bytes(b"")
    (folder / "passwords").touch(mode=0o600)
    one = {
        "names": ["one.example", "alias.example"],
        "greeting": "This is one.",
        "certificates": [{"chain": folder / "one.pem"}],
        "storage": {"local": {"root": folder / "root"}},
        "login": [{"kind": "password_file", "path": folder / "passwords"}],
        "account": {"home": "/{name}"},
    }
    with running({"hosts": [one, {"names": ["two.example"], "greeting": "This is two."}]}) as server:
        guest = server.add("only")
        hashed = (server.root.parent / "passwords").read_text()
        (folder / "passwords").write_text(hashed)
        server.add("other")
        yield server, guest, identity


def test_sni_chooses_certificate_login_and_root(hosts: tuple[ConfiguredServer, Guest, Identity]) -> None:
    _, guest, identity = hosts
    for name in ("one.example", "ALIAS.example"):
        with SecureWire.of(guest, server_name=name) as wire:
            assert seen(wire) == digest(identity)
            assert wire.fetch("NLST") == b"of one\r\n"
        with SecureWire.opened(guest, server_name=name) as wire:
            assert wire.asks("USER other", f"PASS {PASSWORD}") == [331, 530]


@pytest.mark.parametrize("name", [None, "localhost", "unknown.example", "two.example"])
def test_other_names_in_sni_have_the_servers_own(hosts: tuple[ConfiguredServer, Guest, Identity], name: str | None) -> None:
    _, guest, identity = hosts
    with SecureWire.of(guest, server_name=name) as wire:
        assert seen(wire) != digest(identity)
        assert wire.fetch("NLST") == b""


def test_host_chooses_greeting_login_and_root_in_clear(hosts: tuple[ConfiguredServer, Guest, Identity]) -> None:
    _, guest, _ = hosts
    with SecureWire(guest.port) as wire:
        assert wire.reply() == (220, "ftpd ready.")
        assert wire.ask("HOST one.example") == (220, "This is one.")
        assert wire.asks("USER other", f"PASS {PASSWORD}", "USER only", f"PASS {PASSWORD}") == [331, 530, 331, 230]
        assert wire.ask("HOST two.example").code == 503


def test_host_before_auth_chooses_the_certificate_without_sni(hosts: tuple[ConfiguredServer, Guest, Identity]) -> None:
    _, guest, identity = hosts
    with SecureWire(guest.port) as wire:
        assert wire.reply().code == 220
        assert wire.ask("HOST alias.example").code == 220
        wire.begin_tls()
        assert seen(wire) == digest(identity)
        wire.log_in(guest)
        assert wire.fetch("NLST") == b"of one\r\n"


def test_host_over_tls_has_to_agree_with_sni(hosts: tuple[ConfiguredServer, Guest, Identity]) -> None:
    _, guest, _ = hosts
    with SecureWire.opened(guest, server_name="one.example") as wire:
        assert wire.asks("HOST two.example", "HOST unknown.example", "HOST 127.0.0.1") == [504, 504, 504]
        assert wire.ask("HOST one.example") == (220, "This is one.")


def test_sni_that_disagrees_with_host_is_421(hosts: tuple[ConfiguredServer, Guest, Identity]) -> None:
    _, guest, _ = hosts
    with SecureWire(guest.port, server_name="one.example") as wire:
        assert wire.reply().code == 220
        assert wire.ask("HOST two.example") == (220, "This is two.")
        wire.begin_tls()
        assert wire.reply().code == 421
        assert wire.is_closed()


# `ftpd serve DIRECTORY` and `ftpd check`.


def test_fingerprint_that_is_printed_is_that_of_the_certificate_shown(launch: Callable[..., Server], tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    printed = []
    for _ in range(2):
        server = launch("-m", "ftpd", "serve", str(tmp_path / "shared"), "--listen", "127.0.0.1:0")
        printed.append(server.wait_for("certificate SHA-256 ([0-9A-F:]+)")[1])
        [port] = server.addresses().values()
        assert shown(Guest("", tmp_path, port)) == printed[-1].replace(":", "").lower()
        server.stop()
    assert printed[0] == printed[1]


def check(tmp_path: Path, identity: Identity) -> subprocess.CompletedProcess[str]:
    (tmp_path / "server.pem").write_bytes(identity.pem)
    (tmp_path / "root").mkdir()
    config = tmp_path / "ftpd.toml"
    config.write_text('[[tls.certificates]]\nchain = "server.pem"\n[storage.local]\nroot = "root"\n[anonymous]\nenabled = true\n')
    return subprocess.run(
        [sys.executable, "-m", "ftpd", "check", str(config)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
    )


def test_check_names_a_certificate_that_expires_soon(tmp_path: Path, authority: Identity) -> None:
    soon = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=3, hours=1)
    done = check(tmp_path, make_certificate(authority, not_after=soon))
    assert done.returncode == 0
    assert f"expires in 3 days, on {soon:%Y-%m-%d}" in done.stdout + done.stderr


def test_check_names_a_key_that_does_not_fit(tmp_path: Path, authority: Identity) -> None:
    one, other = make_certificate(authority), make_certificate(authority)
    done = check(tmp_path, Identity(one.certificate, other.key))
    assert done.returncode == 2
    assert "server.pem" in done.stdout + done.stderr


# Certificates of clients.


class Clients:
    """A server that asks clients for certificates, with one account, `joe`."""

    def __init__(self, serve: Serve, folder: Path, authority: Identity, server: Path, **settings: Any) -> None:
        self.authority = authority
        self.folder = folder
        (folder / "authorities.pem").write_bytes(authority.certificate)
        clients = {"authorities": folder / "authorities.pem", **settings}
        self.server = serve({"tls": {"certificates": [{"chain": server}], "clients": clients, "recheck": "1 h"}})
        self.joe = self.server.add("joe")

    def context(self, identity: Identity | None, version: str = "1.3") -> ssl.SSLContext:
        context = trusting(version)
        if identity is not None:
            (self.folder / "client.pem").write_bytes(identity.pem)
            context.load_cert_chain(self.folder / "client.pem")
        return context

    def login(self, identity: Identity | None, version: str = "1.3") -> list[int]:
        """Return what the server answers to USER and PASS."""
        with SecureWire.opened(self.joe, context=self.context(identity, version)) as wire:
            first = wire.ask("USER joe").code
            return [first] if first == 232 else [first, wire.ask(f"PASS {PASSWORD}").code]

    def is_refused(self, identity: Identity | None, version: str = "1.3") -> bool:
        """Whether TLS does not come into being; in 1.3 the client hears of it by its first read."""
        with SecureWire(self.joe.port, context=self.context(identity, version)) as wire:
            assert wire.reply().code == 220
            assert wire.ask("AUTH TLS").code == 234
            try:
                wire.shake_hands()
                wire.ask("NOOP")
            except (OSError, EOFError):
                return True
            return False


@pytest.fixture
def clients(serve: Serve, tmp_path: Path, authority: Identity, certificate: Path) -> Callable[..., Clients]:
    return lambda **settings: Clients(serve, tmp_path, authority, certificate, **settings)


def test_required_certificates_refuse_bad_ones_with_the_reason_in_the_log(clients: Callable[..., Clients]) -> None:
    asked = clients(certificates="required")
    good = make_certificate(asked.authority, ("joe",))
    bad = {
        "has expired on": make_certificate(asked.authority, ("joe",), not_after=YESTERDAY),
        "is signed by an unknown authority": make_certificate(make_authority("Stranger"), ("joe",)),
        "is self-signed": make_certificate(None, ("joe",)),
    }
    for version in ("1.2", "1.3"):
        assert asked.login(good, version) == [331, 230]
        assert asked.is_refused(None, version)
        for identity in bad.values():
            assert asked.is_refused(identity, version)
    asked.server.wait_for("TLS handshake failed: the client sent no certificate")
    for reason in bad:
        asked.server.wait_for(f"TLS handshake failed: the client's certificate {reason}")


def test_requested_certificates_may_be_missing_and_not_bad(clients: Callable[..., Clients]) -> None:
    asked = clients(certificates="requested")
    assert asked.login(make_certificate(asked.authority, ("joe",))) == [331, 230]
    assert asked.is_refused(make_certificate(asked.authority, ("joe",), not_after=YESTERDAY))
    assert asked.login(None) == [331, 530]
    asked.server.wait_for("the connection has no client certificate")


def test_second_factor_is_of_the_same_account(clients: Callable[..., Clients]) -> None:
    asked = clients(certificates="required")
    assert asked.login(make_certificate(asked.authority, ("eve",))) == [331, 530]
    asked.server.wait_for("the client certificate CN=eve is not of this account")


def test_certificate_that_is_the_login_is_232(clients: Callable[..., Clients]) -> None:
    asked = clients(certificates="requested", proves="login")
    assert asked.login(make_certificate(asked.authority, ("joe",))) == [232]
    assert asked.login(make_certificate(asked.authority, ("eve",))) == [331, 230]
    assert asked.login(None) == [331, 230]
    with SecureWire.opened(asked.joe, context=asked.context(make_certificate(asked.authority, ("joe",)))) as wire:
        assert wire.asks("USER joe", "PBSZ 0", "PROT P", "PASS x") == [232, 200, 200, 503]
        assert wire.fetch("NLST") == b""


def test_email_names_the_account(clients: Callable[..., Clients]) -> None:
    asked = clients(certificates="requested", proves="login", account="email")
    asked.server.add("joe@example.org")
    with SecureWire.opened(
        asked.joe, context=asked.context(make_certificate(asked.authority, ("x",), emails=("joe@EXAMPLE.org",)))
    ) as wire:
        assert wire.asks("USER joe@example.org") == [232]


def test_listed_fingerprint_needs_no_authority(serve: Serve, tmp_path: Path, authority: Identity, certificate: Path) -> None:
    device = make_certificate(None, ("scanner",))
    settings = {"certificates": "requested", "proves": "login", "account": "fingerprint", "authorities": ""}
    asked = Clients(serve, tmp_path, authority, certificate, **settings, fingerprints={digest(device): "joe"})
    assert asked.login(device) == [232]
    assert asked.is_refused(make_certificate(None, ("scanner",)))
    asked.server.wait_for("the client's certificate is not one of those listed")


def test_certificate_that_is_revoked_while_the_server_runs_is_refused(
    clients: Callable[..., Clients], tmp_path: Path, authority: Identity
) -> None:
    (tmp_path / "revoked.pem").write_bytes(make_revocation_list(authority))
    asked = clients(certificates="required", revoked=tmp_path / "revoked.pem")
    identity = make_certificate(authority, ("joe",))
    with SecureWire.opened(asked.joe, context=asked.context(identity)) as wire:
        wire.log_in(asked.joe)
        (tmp_path / "revoked.pem").write_bytes(make_revocation_list(authority, [identity]))
        asked.server.process.send_signal(signal.SIGHUP)
        asked.server.wait_for("certificate files were read again: .*revoked.pem")
        assert asked.is_refused(identity)
        asked.server.wait_for("TLS handshake failed: the client's certificate is revoked")
        assert wire.fetch("NLST") == b""
    assert asked.login(make_certificate(authority, ("joe",))) == [331, 230]
