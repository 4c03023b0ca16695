"""The servers under test, each a process of its own on a loopback port.

Ours is the product as it is shipped, `ftpd serve --config`; Python peers run from the small scripts in `peers/`, in the interpreter that
has them installed; `daemons` has the others.
"""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import attrs

from ftpd.tls.self_signed import make_self_signed, write_file
from tests.bench import daemons, tftp_daemons
from tests.bench.client import Client, trusting
from tests.bench.process import cpu_seconds
from tests.bench.tree import PASSWORD, USER

__all__ = ["BARE", "OURS", "PEERS", "PYTHON", "Server", "Shape", "Surroundings", "can", "start"]

OURS: Final = "ftpd"
BARE: Final = "bare"  # the floor: a loop in Python that makes the system calls and no more
PYTHON: Final = ("pyftpdlib", "twisted")
PEERS: Final = frozenset({*PYTHON, *daemons.NAMES, *tftp_daemons.NAMES})
_PEERS: Final = Path(__file__).parent / "peers"
_CHECKOUT: Final = Path(__file__).parents[2]
_START_SECONDS: Final = 20.0
_KNOCK_SECONDS: Final = 0.5
_ACKNOWLEDGEMENT: Final = b"\0\4\0\0"  # of a transfer that there is not

# Limits that the test itself would run into are lifted.  The passive ports keep clear of those that Linux gives to clients: on one machine
# thousands of these, in TIME_WAIT, would stand in their way.
_CONFIG: Final = """
[[listen]]
port = {port}
[process]
workers = {workers}
directory = "run-{port}"
[ftp.timeouts]
idle = "1 h"
[ftp.passive]
ports = "10000-19999"
[ftp.deflate]
enabled = true
[limits]
sessions = 0
sessions_per_address = 0
[storage]
kind = "local"
[storage.local]
root = "{root}"
durable = "{shape.durable}"
network_file_system = "{shape.network_file_system}"
[[login]]
kind = "memory"
passwords = {{ {user} = "{password}" }}
[[log.targets]]
file = "{log}"
level = "{level}"
"""
_RATES: Final = """
[rates]
account_download = {rate}
"""
_TFTP: Final = """
[tftp]
sessions = 0
sessions_per_address = 0
[[tftp.listeners]]
port = {port}
account = "{user}"
"""
_CERTIFICATE: Final = """
[[tls.certificates]]
chain = "{certificate}"
"""


@attrs.frozen
class Shape:
    """What a measure needs of a server.  Servers of one shape are shared by measures; the last three are settings of ours.

    `has_tftp`: it is asked by TFTP, on the port that the others have for FTP.
    `durable` is "none" where it is not what is measured, since no peer calls fsync; `rate` is in bytes per second, for all downloads.
    """

    has_tls: bool = False
    has_tftp: bool = False
    is_on_disk: bool = False
    durable: str = "none"
    network_file_system: str = "auto"
    rate: int = 0


@attrs.frozen
class Surroundings:
    """What servers are started over and with: `root` is in `scratch`, `disk_root` on a real disk, where there is one."""

    root: Path
    disk_root: Path | None
    scratch: Path
    peer_python: str
    peer_path: str
    peer_user: tuple[str, str] | None
    has_logs: bool
    workers: int  # of ours; 0: one process


@attrs.frozen
class Server:
    """A running server."""

    name: str
    process: subprocess.Popen[bytes]
    address: tuple[str, int]
    root: Path
    shape: Shape
    user: str = USER
    password: str = PASSWORD

    @property
    def pid(self) -> int:
        return self.process.pid

    def client(self) -> Client:
        """Return a session at the tree's root, over TLS where the shape says so."""
        client = Client(self.address, self.user, self.password, trusting() if self.shape.has_tls else None)
        if self.name in daemons.NAMES:  # its user has another home
            client.command(b"CWD " + bytes(self.root), 250)
        return client

    def cpu_seconds(self) -> float:
        return cpu_seconds(self.pid)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def can(name: str, shape: Shape, peer_path: str) -> bool:
    """Whether the server can be had in that shape."""
    if name == OURS:
        return True
    if name == BARE:
        return not shape.has_tls
    if (name in tftp_daemons.NAMES) != shape.has_tftp:
        return False
    return name not in daemons.NAMES or not shape.has_tls or daemons.has_tls(name, peer_path)


def start(name: str, shape: Shape, surroundings: Surroundings) -> Server:
    """Start server *name* and wait until it accepts.

    :raises RuntimeError: it does not.
    """
    port = _free_port()
    log = surroundings.scratch / f"{name}.log"
    root = surroundings.disk_root if shape.is_on_disk else surroundings.root
    assert root is not None
    certificate = _certificate(surroundings.scratch) if shape.has_tls else None
    address, user, password = ("127.0.0.1", port), USER, PASSWORD
    if name == OURS:
        config = _config(root, surroundings, port, certificate, shape)
        command = [sys.executable, "-m", "ftpd", "serve", "--config", str(config)]
    elif name == BARE:
        command = _bare_command(root, port, surroundings.workers, shape)
    elif name in PYTHON:
        command = _python_command(name, root, port, certificate, surroundings)
    elif name in tftp_daemons.NAMES:
        address = tftp_daemons.address(name, port)
        own_log = surroundings.scratch / f"{name}.events.log" if surroundings.has_logs else Path(os.devnull)
        command = tftp_daemons.command(name, surroundings.peer_path, port, root, own_log)
    else:
        assert surroundings.peer_user is not None
        user, password = surroundings.peer_user
        command = daemons.command(name, surroundings.peer_path, user, port, surroundings.scratch, certificate)
    with log.open("ab") as output:
        process = subprocess.Popen(command, cwd=_CHECKOUT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    server = Server(name, process, address, root, shape, user, password)
    _await_start(server, log)
    return server


def _bare_command(root: Path, port: int, workers: int, shape: Shape) -> list[str]:
    if shape.has_tftp:
        return [sys.executable, str(_PEERS / "bare_tftp.py"), str(port), str(root)]
    return [sys.executable, str(_PEERS / "bare_ftp.py"), str(port), str(root), str(workers or 1)]


def _python_command(name: str, root: Path, port: int, certificate: Path | None, surroundings: Surroundings) -> list[str]:
    folder = root if name == "pyftpdlib" else root.parent
    command = [surroundings.peer_python, str(_PEERS / f"{name}_server.py"), str(port), str(folder), USER, PASSWORD]
    return [*command, "on" if surroundings.has_logs else "off", *([str(certificate)] if certificate is not None else [])]


def _config(root: Path, surroundings: Surroundings, port: int, certificate: Path | None, shape: Shape) -> Path:
    file = surroundings.scratch / f"ftpd-{port}.toml"
    log, level = surroundings.scratch / "ftpd.events.log", "info" if surroundings.has_logs else "error"
    text = _CONFIG.format(
        port=port, workers=surroundings.workers, root=root, shape=shape, user=USER, password=PASSWORD, log=log, level=level
    )
    if shape.rate:
        text += _RATES.format(rate=shape.rate)
    if shape.has_tftp:
        text += _TFTP.format(port=port, user=USER)
    if certificate is not None:
        text += _CERTIFICATE.format(certificate=certificate)
    file.write_text(text)
    return file


def _certificate(scratch: Path) -> Path:
    """Return the file of a certificate and its key, one for all servers: the kind of key decides what a handshake costs."""
    file = scratch / "server.pem"
    if not file.exists():
        write_file(str(file), b"".join(make_self_signed(["localhost"])))
    return file


def _await_start(server: Server, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            _knock(server)
        except ConnectionRefusedError:
            if server.process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            if server.process.poll() is None:
                return
            break  # another has its port
    server.stop()
    raise RuntimeError(f"{server.name} did not start: {log.read_text(errors='replace')[-2000:]}")


def _knock(server: Server) -> None:
    """Return where somebody has the port, and greets: the parent of workers has it before they serve.

    :raises ConnectionRefusedError: nobody has.
    """
    with socket.socket(type=socket.SOCK_DGRAM if server.shape.has_tftp else socket.SOCK_STREAM) as knocking:
        knocking.settimeout(_KNOCK_SECONDS if server.shape.has_tftp else _START_SECONDS)
        knocking.connect(server.address)
        if server.shape.has_tftp:
            knocking.send(_ACKNOWLEDGEMENT)
            with suppress(TimeoutError):  # silence is the answer of who listens
                knocking.recv(1)
        else:
            knocking.recv(1)


def _free_port() -> int:
    """Return a port that nobody has now: below what Linux gives to clients, and far from the passive ports of ours."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, socket.socket(type=socket.SOCK_DGRAM) as datagrams, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            datagrams.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")
