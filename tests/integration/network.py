"""A network of the test's own: two namespaces, a server's and a client's, joined by a cable.

Apart from the tests: what goes over it no other test, and nobody else on this machine, can see or disturb.  Broadcasts, a DHCP server, a
small MTU and a machine that boots need that.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeAlias, TypeVar

import pytest

from tests.conftest import MACHINE_LACKS
from tests.integration.live import SECONDS

__all__ = ["BROADCAST", "CLIENT", "SERVER", "SERVER6", "CannotMake", "Namespace", "Network", "made"]

SERVER: Final = "10.69.0.1"
SERVER6: Final = "fd00:69::1"
CLIENT: Final = "10.69.0.2"
BROADCAST: Final = "10.69.0.255"
_CLONE_NEWNET: Final = 0x40000000  # linux/sched.h
_SIOCETHTOOL: Final = 0x8946  # linux/sockios.h
_ETHTOOL_STXCSUM: Final = 0x17  # linux/ethtool.h
T = TypeVar("T")
Socket: TypeAlias = socket.socket  # by a name that `Namespace.socket` does not hide
_libc: Final = ctypes.CDLL(None, use_errno=True)


class CannotMake(Exception):
    """This machine does not let us; the message says why."""


def made(make: Callable[[], T]) -> T:
    """Return the network that *make* makes, or skip the test where this machine does not let us."""
    try:
        return make()
    except CannotMake as reason:
        pytest.skip(f"{MACHINE_LACKS}no network of its own: {reason}")


class Namespace:
    """A network namespace with a loopback interface; it lasts as long as a process that waits in it.  Raises `CannotMake`."""

    def __init__(self) -> None:
        self._waiting = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", "ip link set lo up && echo made && exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._waiting.stdout is not None
        said = self._waiting.stdout.readline()
        if said != b"made\n":
            self.close()
            raise CannotMake(said.decode().strip())

    @property
    def process(self) -> int:
        """The process that waits in it."""
        return self._waiting.pid

    @property
    def prefix(self) -> tuple[str, ...]:
        """What stands before a command that shall run in it."""
        return ("nsenter", f"--net={self._file}")

    def run(self, *command: str) -> str:
        """Run *command* in it; return what it prints, errors included."""
        done = subprocess.run(
            [*self.prefix, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=SECONDS
        )
        assert done.returncode == 0, (command, done.returncode, done.stdout)
        return done.stdout.decode()

    def socket(self, family: int = socket.AF_INET, kind: int = socket.SOCK_DGRAM, protocol: int = 0) -> Socket:
        """Make a socket in it; a socket stays where it was made, whatever thread uses it."""
        return self.call(lambda: socket.socket(family, kind, protocol))

    def call(self, make: Callable[[], T]) -> T:
        """Return what *make* returns, on a thread that is in it: a descriptor stays where it was opened."""
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(self._called, make).result()

    def close(self) -> None:
        """Leave it; it is gone with the last process and socket in it."""
        assert self._waiting.stdin is not None
        assert self._waiting.stdout is not None
        self._waiting.stdin.close()
        self._waiting.wait(SECONDS)
        self._waiting.stdout.close()

    @property
    def _file(self) -> str:
        return f"/proc/{self._waiting.pid}/ns/net"

    def _called(self, make: Callable[[], T]) -> T:
        """Enter it, for good, with the thread that this is called on."""
        namespace = os.open(self._file, os.O_RDONLY)
        try:
            if _libc.setns(namespace, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")
        finally:
            os.close(namespace)
        return make()


class Network:
    """A server's namespace, a client's, and a cable between `near` and `far`; `has_client` gives the far end an address.

    Raises `CannotMake`.
    """

    def __init__(self, *, has_client: bool = True) -> None:
        if os.geteuid() != 0:
            raise CannotMake("not root")
        if not (shutil.which("unshare") and shutil.which("ip")):
            raise CannotMake("no unshare(1), no ip(8)")
        with contextlib.ExitStack() as failing:
            self.server = Namespace()
            failing.callback(self.server.close)
            self.client = Namespace()
            failing.callback(self.client.close)
            self._join(has_client)
            failing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def set_mtu(self, size: int) -> None:
        """Make the cable carry IP packets of *size* bytes at most."""
        self.server.run("ip", "link", "set", "near", "mtu", str(size))
        self.client.run("ip", "link", "set", "far", "mtu", str(size))

    def frames(self) -> socket.socket:
        """Return the far end as a socket that sends and receives whole Ethernet frames."""
        end = self.client.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(0x0003))  # ETH_P_ALL
        end.bind(("far", 0))
        return end

    def close(self) -> None:
        self.client.close()
        self.server.close()

    def _join(self, has_client: bool) -> None:
        self.server.run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(self.client.process))
        with self.server.socket() as any_socket:
            _compute_checksums(any_socket, "near")
        self.server.run("ip", "address", "add", f"{SERVER}/24", "broadcast", BROADCAST, "dev", "near")
        self.server.run("ip", "address", "add", f"{SERVER6}/64", "dev", "near", "nodad")
        self.server.run("ip", "link", "set", "near", "up")
        if has_client:
            self.client.run("ip", "address", "add", f"{CLIENT}/24", "broadcast", BROADCAST, "dev", "far")
        self.client.run("ip", "link", "set", "far", "up")


def _compute_checksums(any_socket: socket.socket, interface: str) -> None:
    """Have the kernel fill in checksums, which it leaves to the card else: nothing behind this cable would."""
    value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STXCSUM, 0), 8)
    request = struct.pack("=16sQ16x", interface.encode(), ctypes.addressof(value))
    fcntl.ioctl(any_socket, _SIOCETHTOOL, request)
