"""A machine boots from the server: QEMU with iPXE in its network card's ROM, in a network of the test's own, which DHCP tells where to look.

Apart from the other clients, because nothing here is ours but the program that boots: BIOS, PXE stack and DHCP server are the real ones.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.clients import Program
from tests.integration.conftest import ServeTftp
from tests.integration.firmware import BOOTED, TFTP_PORT, BootingMachine, boot_program
from tests.integration.network import SERVER, SERVER6, Network, made
from tests.integration.tftp_server import TftpServer
from tests.integration.tftp_wire import RRQ, request

ROM: Final = Path("/usr/lib/ipxe/qemu/pxe-virtio.rom")
PROGRAM: Final = boot_program("booted over TFTP", 25_000)  # 18 blocks of the 1432 bytes that iPXE asks for
IPXE: Final = {"blksize": 1432, "tsize": 0}  # what it asks for
Boot = Callable[[str], BootingMachine]


@pytest.fixture
def network() -> Iterator[Network]:
    with made(lambda: Network(has_client=False)) as network:
        yield network


@pytest.fixture
def server(network: Network, serve_tftp: ServeTftp) -> TftpServer:
    """A server on port 69, which is the only one that firmware knows."""
    listeners = [{"address": address, "port": TFTP_PORT} for address in (SERVER, SERVER6)]
    return serve_tftp({"tftp": {"listeners": listeners}}, prefix=network.server.prefix)


@pytest.fixture
def boot(network: Network, server: TftpServer, program: Program, tmp_path: Path) -> Iterator[Boot]:
    """Switch on a machine that is told to boot a file."""
    if not ROM.exists():
        pytest.skip(f"{ROM} is not installed")
    started: list[Any] = []

    def start(file: str) -> BootingMachine:
        started.append(_DHCP(program, network, file))
        started.append(BootingMachine(program, network, tmp_path))
        return started[-1]  # type: ignore[no-any-return]

    yield start
    for each in reversed(started):
        each.close()


class _DHCP:
    """dnsmasq, which gives out addresses and the name of *file*, and serves no file itself."""

    def __init__(self, program: Program, network: Network, file: str) -> None:
        self._process = subprocess.Popen(
            [
                *network.server.prefix,
                program("dnsmasq"),
                *("--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--log-facility=-", "--port=0"),
                *("--interface=near", "--bind-interfaces", "--leasefile-ro", "--no-ping", "--dhcp-authoritative"),
                *("--dhcp-range=10.69.0.100,10.69.0.150,2m", f"--dhcp-boot={file},,{SERVER}"),
                *("--enable-ra", "--dhcp-range=::,constructor:near,ra-only"),  # iPXE waits 15 s for a router that says nothing
                "--dhcp-option=encap:175,176,1b",  # iPXE need not wait for another DHCP server (its no-pxedhcp)
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()


def test_a_machine_boots_the_program_it_is_told(boot: Boot, server: TftpServer) -> None:
    (server.files / "boot.0").write_bytes(PROGRAM)
    machine = boot("boot.0")
    assert machine.run() == BOOTED
    assert machine.said == "booted over TFTP"
    assert machine.requests == [request(RRQ, "boot.0", IPXE)]
    server.wait_for(
        rf"RRQ /boot\.0 {len(PROGRAM)} bytes .* finished +\(18 blocks, 0 sent again, blksize=1432 tsize={len(PROGRAM)}\)"
    )


def test_a_machine_boots_by_a_script_that_names_another_file(boot: Boot, server: TftpServer) -> None:
    (server.files / "boot.ipxe").write_text(f"#!ipxe\nchain tftp://{SERVER}/missing || chain tftp://{SERVER}/boot.0\n")
    (server.files / "boot.0").write_bytes(PROGRAM)
    machine = boot("boot.ipxe")
    assert machine.run() == BOOTED
    assert machine.said == "booted over TFTP"
    assert machine.requests == [request(RRQ, name, IPXE) for name in ("boot.ipxe", "missing", "boot.0")]


def test_a_machine_boots_over_ipv6(boot: Boot, server: TftpServer) -> None:
    (server.files / "boot.ipxe").write_text(f"#!ipxe\nchain tftp://[{SERVER6}]/boot.0\n")
    (server.files / "boot.0").write_bytes(PROGRAM)
    machine = boot("boot.ipxe")
    assert machine.run() == BOOTED
    assert machine.said == "booted over TFTP"
    server.wait_for(r"booter \[?fd00:69::[^ ]* RRQ /boot\.0 .* finished")


def test_blocks_fit_the_cable(boot: Boot, network: Network, server: TftpServer) -> None:
    network.set_mtu(1300)
    (server.files / "boot.0").write_bytes(PROGRAM)
    machine = boot("boot.0")
    assert machine.run() == BOOTED
    server.wait_for(r"RRQ /boot\.0 .* finished .*blksize=1268 ")  # less 20 bytes of IP, 8 of UDP, 4 of TFTP
