"""Servers for the integration tests: one that most share, each test with an account of its own, and others made to measure.

Apart from `live`, which starts them: here they are ended, and a traceback in the log of any fails the test.
"""

from __future__ import annotations

import contextlib
import itertools
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from ftpd.testing.certificates import Identity, make_authority, make_certificate
from tests.integration.fleet import Fleet
from tests.integration.live import CHECKOUT, ConfiguredServer, Guest, Server, merged
from tests.integration.tftp_server import Shelf, TftpServer
from tests.integration.wire import Wire

Serve = Callable[..., ConfiguredServer]
ServeTftp = Callable[..., TftpServer]
StartFleet = Callable[..., Fleet]
Run = Callable[..., subprocess.CompletedProcess[str]]
_numbers = itertools.count()


@pytest.fixture(scope="session")
def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory, has_ipv6: bool) -> Iterator[ConfiguredServer]:
    """One server for all tests of a process that need no settings of their own; no durability, so that the disk does not count."""
    listen = [{"address": address, "port": 0} for address in ("127.0.0.1", *(["::1"] if has_ipv6 else []))]
    settings = {
        "listen": listen,
        "storage": {"local": {"durable": "none"}},
        "anonymous": {"enabled": True, "home": "/public"},
        "limits": {"sessions": 0},
    }
    server = ConfiguredServer(tmp_path_factory.mktemp("server"), settings)
    (server.root / "public").mkdir()
    yield server
    assert server.stop() == 0


@pytest.fixture
def server(shared_server: ConfiguredServer) -> Iterator[ConfiguredServer]:
    """The shared server; what it logs during the test must be free of tracebacks."""
    before = len(shared_server.lines)
    yield shared_server
    assert_clean(shared_server, before)


@pytest.fixture
def guest(server: ConfiguredServer) -> Guest:
    """An account on the shared server that no other test has, with an empty home."""
    return server.add(f"guest{next(_numbers)}")


@pytest.fixture
def guest6(guest: Guest, server: ConfiguredServer) -> Guest:
    """The guest, reached over IPv6."""
    if "::1" not in server.ports:
        pytest.skip("machine: no IPv6 on loopback")
    return guest._replace(host="::1", port=server.ports["::1"])


@pytest.fixture
def wire(guest: Guest) -> Iterator[Wire]:
    """A control connection on which the guest is logged in, TYPE I."""
    with Wire.of(guest) as wire:
        yield wire


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `ftpd` with these arguments in the test's folder."""

    def start(*arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ftpd", *arguments],
            cwd=tmp_path,
            env={"PYTHONPATH": str(CHECKOUT), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            capture_output=True,
            text=True,
            input=input,
            timeout=60,
        )

    return start


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start `python` with any arguments and end it with the test; the log may hold no traceback."""
    started: list[Server] = []

    def start(*command: str) -> Server:
        started.append(Server(command, folder=tmp_path))
        return started[-1]

    yield start
    end(started)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Start a server with settings of the test's own; the first argument is the tree of settings, as the TOML has it."""
    started: list[ConfiguredServer] = []

    def start(settings: dict[str, Any], **options: Any) -> ConfiguredServer:
        started.append(ConfiguredServer(tmp_path / f"server{len(started)}", settings, **options))
        return started[-1]

    yield start
    assert set(end(started)) <= {0, -signal.SIGTERM}  # twistd ends by the signal that ended it


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[StartFleet]:
    """Start a server with workers and settings of the test's own; at its end nobody may be left over."""
    started: list[Fleet] = []

    def start(settings: dict[str, Any], **options: Any) -> Fleet:
        started.append(Fleet(tmp_path / f"fleet{len(started)}", settings, **options))
        return started[-1]

    yield start
    end(started)
    assert all(server.is_gone() for server in started)


@pytest.fixture(scope="module")
def shared_fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One server with two workers for all tests of a module that change nothing of it."""
    server = Fleet(tmp_path_factory.mktemp("fleet"), {})
    yield server
    assert end([server]) == [0]
    assert server.is_gone()


@pytest.fixture(scope="session")
def shared_tftp_server(tmp_path_factory: pytest.TempPathFactory, has_ipv6: bool) -> Iterator[TftpServer]:
    """One server for all tests of TFTP that need no settings of their own."""
    addresses = ["127.0.0.1", *(["::1"] if has_ipv6 else [])]
    listeners = [{"address": address, "write": "any"} for address in addresses]
    server = TftpServer(tmp_path_factory.mktemp("tftp"), {"tftp": {"listeners": listeners}})
    yield server
    assert server.stop() == 0


@pytest.fixture
def tftp_server(shared_tftp_server: TftpServer) -> Iterator[TftpServer]:
    """The shared server that answers TFTP; what it logs during the test must be free of tracebacks."""
    before = len(shared_tftp_server.lines)
    yield shared_tftp_server
    assert_clean(shared_tftp_server, before)


@pytest.fixture
def shelf(tftp_server: TftpServer) -> Shelf:
    """A directory on the shared server that answers TFTP, which no other test has."""
    return Shelf(tftp_server)


@pytest.fixture
def serve_tftp(tmp_path: Path) -> Iterator[ServeTftp]:
    """Start a server that answers TFTP with settings of the test's own; the first argument is their tree, as the TOML has it."""
    started: list[TftpServer] = []

    def start(settings: dict[str, Any], **options: Any) -> TftpServer:
        started.append(TftpServer(tmp_path / f"tftp{len(started)}", settings, **options))
        return started[-1]

    yield start
    assert set(end(started)) <= {0}


@pytest.fixture(scope="session")
def authority() -> Identity:
    """Who has signed the certificates of servers and clients."""
    return make_authority()


@pytest.fixture(scope="session")
def certificate(authority: Identity, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The PEM file of a certificate for every address that a test's server listens on."""
    file = tmp_path_factory.mktemp("certificate") / "server.pem"
    names = ("localhost", *(f"127.0.0.{number}" for number in range(1, 10)), "::1")
    file.write_bytes(make_certificate(authority, names).pem)
    return file


Running = Callable[..., contextlib.AbstractContextManager[ConfiguredServer]]


@pytest.fixture(scope="session")
def running(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Running:
    """Return what runs a server with TLS as long as a `with` lasts, for fixtures of a module; its log may hold no traceback."""

    @contextlib.contextmanager
    def run(settings: dict[str, Any]) -> Iterator[ConfiguredServer]:
        tls = {
            "tls": {"certificates": [{"chain": certificate}]},
            "storage": {"local": {"durable": "none"}},
            "limits": {"sessions": 0},
        }
        server = ConfiguredServer(tmp_path_factory.mktemp("secure"), merged(tls, settings))
        try:
            yield server
        finally:
            assert end([server]) == [0]

    return run


@pytest.fixture(scope="session")
def secure_server(running: Running) -> Iterator[ConfiguredServer]:
    """One server with TLS for all tests that need no settings of their own: explicit on 127.0.0.1, implicit on 127.0.0.2."""
    listen = [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.2", "port": 0, "implicit_tls": True}]
    anonymous = {"enabled": True, "home": "/public"}
    with running({"listen": listen, "anonymous": anonymous}) as server:
        (server.root / "public").mkdir()
        yield server


@pytest.fixture(scope="session")
def strict_server(running: Running) -> Iterator[ConfiguredServer]:
    """One server where data connections have to resume the TLS session: explicit on 127.0.0.1, implicit on 127.0.0.2."""
    listen = [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.2", "port": 0, "implicit_tls": True}]
    with running({"listen": listen, "ftp": {"tls": {"data_resumption": "required"}}}) as server:
        yield server


@pytest.fixture
def secure_guest(secure_server: ConfiguredServer) -> Guest:
    """An account on the server with TLS that no other test has, reached where TLS begins by AUTH."""
    return secure_server.add(f"guest{next(_numbers)}")


@pytest.fixture
def strict_guest(strict_server: ConfiguredServer) -> Guest:
    """An account on the server where data connections have to resume the TLS session."""
    return strict_server.add(f"guest{next(_numbers)}")


@pytest.fixture
def home(tmp_path: Path, authority: Identity) -> Path:
    """A home for client programs that verify certificates."""
    (tmp_path / "authority.pem").write_bytes(authority.certificate)
    return tmp_path


def end(servers: Sequence[Server]) -> list[int]:
    """End *servers*, judge their logs, return their exit codes."""
    codes = [server.stop() for server in servers]
    for server in servers:
        assert_clean(server)
    return codes


def assert_clean(server: Server, start: int = 0) -> None:
    log = server.lines[start:]
    assert not any("Traceback (most recent call last)" in line for line in log), "\n".join(log)
    assert not any("was never awaited" in line for line in log), "\n".join(log)
