"""A server in a container, whose ports a proxy publishes: what clients outside get, and what the doctor says on each side."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.container import BRIDGE, CONTAINER, HOST, ContainerHost
from tests.integration.live import CHECKOUT, SECONDS, ConfiguredServer
from tests.integration.network import Namespace, made

PORTS = range(50000, 50004)
CONTENT = b"out of the box" * 10_000


@pytest.fixture(scope="module")
def host() -> Iterator[ContainerHost]:
    with made(lambda: ContainerHost((21, *PORTS))) as host:
        yield host


def start(serve: Serve, host: ContainerHost, **passive: Any) -> ConfiguredServer:
    """Serve the file `a` to anonymous clients, in the container."""
    own = {
        "listen": [{"address": "127.0.0.1", "port": 0}, {"address": "0.0.0.0", "port": 21}],
        "anonymous": {"enabled": True, "home": "/"},
        "ftp": {"passive": {"ports": [PORTS[0], PORTS[-1]], **passive}},
    }
    server = serve(own, prefix=host.container.prefix)
    (server.root / "a").write_bytes(CONTENT)
    return server


def run(where: Namespace, *command: str) -> tuple[int, str]:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(
        [*where.prefix, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, timeout=SECONDS
    )
    return done.returncode, done.stdout


def doctor(where: Namespace, *arguments: str) -> tuple[int, str]:
    return run(where, sys.executable, "-m", "ftpd", "doctor", *arguments)


def test_a_client_outside_comes_through_where_the_external_address_is_set(serve: Serve, host: ContainerHost) -> None:
    start(serve, host, external_address=HOST)
    command = ("curl", "--silent", "--max-time", "20", "--disable-epsv", "--no-ftp-skip-pasv-ip", f"ftp://{HOST}/a")
    assert run(host.client, *command) == (0, CONTENT.decode())
    code, said = doctor(host.client, HOST)
    assert (code, "EPSV works" in said, "PASV works" in said) == (0, True, True)


def test_the_doctor_outside_finds_the_address_of_the_container(serve: Serve, host: ContainerHost) -> None:
    start(serve, host)
    code, said = doctor(host.client, HOST)
    assert code == 1
    assert f"PASV tells {CONTAINER}, which is private, and the server is reached at {HOST}" in said


def test_the_doctor_within_says_so_before_any_client_comes(serve: Serve, host: ContainerHost) -> None:
    server = start(serve, host)
    code, said = doctor(host.container, "--config", str(server.file))
    assert code == 1
    assert f"its way out is {BRIDGE}" in said
    assert f"PASV tells {CONTAINER}, which nobody outside of this host reaches" in said
    assert (
        "set ftp.passive.external_address to the address of the host, and publish ftp.passive.ports under the same numbers" in said
    )


def test_the_doctor_on_the_host_sees_the_bridge(host: ContainerHost, tmp_path: Path) -> None:
    file = tmp_path / "ftpd.toml"
    file.write_text('storage.local.root = "."\n[[listen]]\naddress = "0.0.0.0"\n')
    assert "this machine has containers behind docker0" in doctor(host.host, "--config", str(file))[1]
