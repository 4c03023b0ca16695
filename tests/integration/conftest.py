"""Servers for the integration tests: one that most share, each test with an account of its own, and others made to measure.

Apart from `live`, which starts them: here they are ended, and a traceback in the log of any fails the test.
"""

from __future__ import annotations

import itertools
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.integration.live import ConfiguredServer, Guest, Server
from tests.integration.wire import Wire

Serve = Callable[..., ConfiguredServer]
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
