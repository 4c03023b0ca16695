"""Data connections through NAT and firewalls: what works, what the log says where it does not, and what the doctor finds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.live import CHECKOUT, SECONDS, ConfiguredServer, merged
from tests.integration.nat import CLIENT, CLIENT_PUBLIC, OTHER_PUBLIC, SERVER, SERVER_PUBLIC, Nat, Rules
from tests.integration.network import made

PORTS = range(50000, 50010)
CONTENT = b"through the wall" * 10_000
CURL = ("curl", "--silent", "--show-error", "--max-time", "20")


@pytest.fixture(scope="module")
def wired() -> Iterator[Nat]:
    with made(Nat) as nat:
        yield nat


@pytest.fixture
def nat(wired: Nat) -> Nat:
    """Boxes that let everything through to the server, and nothing to the client."""
    wired.rules = Rules()
    return wired


def start(serve: Serve, nat: Nat, **ftp: Any) -> ConfiguredServer:
    """Serve on the private address, the file `a` to anonymous clients."""
    own = {
        "listen": [{"address": "127.0.0.1", "port": 0}, {"address": SERVER, "port": 21, "name": "outside"}],
        "anonymous": {"enabled": True, "home": "/"},
        "ftp": merged({"passive": {"ports": [PORTS[0], PORTS[-1]]}, "timeouts": {"data_connect": 1}}, ftp),
    }
    server = serve(own, prefix=nat.server.prefix)
    (server.root / "a").write_bytes(CONTENT)
    return server


def curl(nat: Nat, *options: str) -> bytes:
    """Fetch the file from the client's network."""
    command = [*nat.client.prefix, *CURL, *options, f"ftp://{SERVER_PUBLIC}/a"]
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=SECONDS).stdout


def doctor(nat: Nat, *options: str) -> tuple[int, str]:
    command = [*nat.client.prefix, sys.executable, "-m", "ftpd", "doctor", SERVER_PUBLIC, "--timeout", "2", *options]
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, text=True, timeout=SECONDS)
    return done.returncode, done.stdout


BELIEVING = ("--disable-epsv", "--no-ftp-skip-pasv-ip")


def test_a_client_that_believes_pasv_comes_through_where_the_external_address_is_set(serve: Serve, nat: Nat) -> None:
    server = start(serve, nat, passive={"external_address": SERVER_PUBLIC})
    assert curl(nat, *BELIEVING) == CONTENT
    assert "data-fault" not in server.log
    assert doctor(nat)[0] == 0


def test_epsv_comes_through_without_any_setting(serve: Serve, nat: Nat) -> None:
    start(serve, nat)
    assert curl(nat) == CONTENT


def test_a_private_address_is_found_by_the_log_and_by_the_doctor(serve: Serve, nat: Nat) -> None:
    server = start(serve, nat)
    with pytest.raises(subprocess.CalledProcessError):
        curl(nat, *BELIEVING, "--connect-timeout", "2")
    server.wait_for(f"PASV told the private address {SERVER} to a client with a public one")
    code, said = doctor(nat)
    assert code == 1
    assert f"PASV tells {SERVER}, which is private, and the server is reached at {SERVER_PUBLIC}" in said
    assert "set ftp.passive.external_address" in said
    assert "EPSV works" in said


def test_closed_ports_are_found_by_the_log_and_by_the_doctor(serve: Serve, nat: Nat) -> None:
    nat.rules = Rules(open_ports=range(21, 22))
    server = start(serve, nat, passive={"external_address": SERVER_PUBLIC})
    code, said = doctor(nat)
    assert code == 1
    assert "does not answer within 2 s" in said
    assert "let ftp.passive.ports through" in said
    server.wait_for(r"nobody connected to data port 5000\d in time: let ftp.passive.ports pass")


def test_a_nat_with_several_addresses_is_found_by_the_log_and_by_the_doctor(serve: Serve, nat: Nat) -> None:
    nat.rules = Rules(moved_ports=PORTS)
    server = start(serve, nat, passive={"external_address": SERVER_PUBLIC})
    code, said = doctor(nat)
    assert code == 1
    assert "EPSV: we connected" in said
    server.wait_for(rf"{CLIENT_PUBLIC}:\d+ {OTHER_PUBLIC} connected to data port 5000\d, instead of the client")


def test_a_client_behind_nat_is_refused_active_mode_at_once_and_goes_over_to_passive(serve: Serve, nat: Nat) -> None:
    server = start(serve, nat, passive={"external_address": SERVER_PUBLIC})
    code, said = doctor(nat)
    assert code == 0
    assert "EPRT is declined: 501" in said
    assert "this client is behind NAT" in said
    server.wait_for(f"a client with a public address named the private address {CLIENT} for active mode, so it is behind NAT")


@pytest.mark.parametrize("option", ["--disable-eprt", "--eprt"])
def test_active_mode_comes_through_a_router_that_passes_ports_on_where_the_address_is_replaced(
    serve: Serve, nat: Nat, option: str
) -> None:
    nat.rules = Rules(passes_on=True)
    start(serve, nat, active={"private_address": "replace"})
    assert curl(nat, "--ftp-port", "-", option) == CONTENT


def test_a_router_that_passes_nothing_on_is_told(serve: Serve, nat: Nat) -> None:
    server = start(serve, nat, active={"private_address": "replace"})
    with pytest.raises(subprocess.CalledProcessError):
        curl(nat, "--ftp-port", "-")
    server.wait_for(rf"no connection to {CLIENT_PUBLIC} port \d+, which the client named for active mode")
