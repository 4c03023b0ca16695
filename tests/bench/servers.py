"""The servers under test, each a process of its own on a loopback port, each with a plain in-memory password.

Ours is the product as it is shipped, `ftpd serve --config`; the peers run from the small scripts in `peers/`, in the interpreter that
has them installed.
"""

from __future__ import annotations

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
from tests.bench.tree import PASSWORD, USER

__all__ = ["NAMES", "Server", "start"]

NAMES: Final = ("ftpd", "pyftpdlib", "twisted")
_PEERS: Final = Path(__file__).parent / "peers"
_CHECKOUT: Final = Path(__file__).parents[2]
_START_SECONDS: Final = 20.0

# Limits that the test itself would run into are lifted; durable = "none" because no peer calls fsync.  The passive ports keep clear of
# those that Linux gives to clients: on one machine thousands of these, in TIME_WAIT, would stand in their way.
_CONFIG: Final = """
[[listen]]
port = {port}
[ftp.timeouts]
idle = "1 h"
[ftp.passive]
ports = "10000-19999"
[limits]
sessions_per_address = 0
[storage]
kind = "local"
[storage.local]
root = "{root}"
durable = "none"
[[login]]
kind = "memory"
passwords = {{ {user} = "{password}" }}
[[log.targets]]
file = "{log}"
level = "{level}"
"""
_CERTIFICATE: Final = """
[[tls.certificates]]
chain = "{certificate}"
"""


@attrs.frozen
class Server:
    """A running server."""

    name: str
    process: subprocess.Popen[bytes]
    address: tuple[str, int]
    root: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(name: str, root: Path, scratch: Path, peer_python: str, *, logs: bool, has_tls: bool) -> Server:
    """Start server *name* over *root* and wait until it accepts; *logs*: each writes the log it writes by default, to a file."""
    port = _free_port()
    log = scratch / f"{name}.log"
    certificate = _certificate(scratch) if has_tls else None
    commands = {
        "ftpd": [sys.executable, "-m", "ftpd", "serve", "--config", str(_config(root, scratch, port, certificate, logs=logs))],
        "pyftpdlib": [
            peer_python,
            str(_PEERS / "pyftpdlib_server.py"),
            str(port),
            str(root),
            USER,
            PASSWORD,
            "on" if logs else "off",
            *([str(certificate)] if certificate is not None else []),
        ],
        "twisted": [
            peer_python,
            str(_PEERS / "twisted_server.py"),
            str(port),
            str(root.parent),
            USER,
            PASSWORD,
            "on" if logs else "off",
        ],
    }
    with log.open("ab") as output:
        process = subprocess.Popen(commands[name], cwd=_CHECKOUT, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    server = Server(name, process, ("127.0.0.1", port), root)
    _await_start(server, log)
    return server


def _config(root: Path, scratch: Path, port: int, certificate: Path | None, *, logs: bool) -> Path:
    file = scratch / "ftpd.toml"
    level = "info" if logs else "error"
    text = _CONFIG.format(port=port, root=root, user=USER, password=PASSWORD, log=scratch / "ftpd.events.log", level=level)
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
            socket.create_connection(server.address).close()
        except ConnectionRefusedError:
            if server.process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    server.stop()
    raise RuntimeError(f"{server.name} did not start: {log.read_text(errors='replace')[-2000:]}")


def _free_port() -> int:
    """Return a port that nobody has now: below what Linux gives to clients, and far from the passive ports of ours."""
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port")
