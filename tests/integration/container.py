"""A container host of the test's own: a bridge, a container behind it, ports published by a proxy, and a client outside.

Apart from `nat`, whose boxes keep the client's address: a container runtime's userland proxy does not, and connects from the bridge.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from tests.integration.network import CannotMake, Namespace

__all__ = ["BRIDGE", "CLIENT", "CONTAINER", "HOST", "ContainerHost"]

BRIDGE: Final = "172.17.0.1"
CONTAINER: Final = "172.17.0.2"
HOST: Final = "198.51.100.1"
CLIENT: Final = "198.51.100.9"
_PIECE: Final = 65536


class ContainerHost:
    """Three namespaces, `client`, `host` and `container`; *ports* of the host lead to the same ones of the container.  Raises `CannotMake`."""

    def __init__(self, ports: Iterable[int]) -> None:
        if os.geteuid() != 0:
            raise CannotMake("not root")
        if not (shutil.which("unshare") and shutil.which("ip")):
            raise CannotMake("no unshare(1), no ip(8)")
        self._relays: list[threading.Thread] = []
        with contextlib.ExitStack() as opening:
            self.client, self.host, self.container = (_namespace(opening) for _ in range(3))
            self.host.run("ip", "link", "add", "docker0", "type", "bridge")
            self.host.run("ip", "address", "add", f"{BRIDGE}/16", "dev", "docker0")
            self.host.run("ip", "link", "set", "docker0", "up")
            self._join("inner", self.container, CONTAINER, 16)
            self.host.run("ip", "link", "set", "inner", "master", "docker0")
            self._join("outer", self.client, CLIENT, 24)
            self.host.run("ip", "address", "add", f"{HOST}/24", "dev", "outer")
            self.container.run("ip", "route", "add", "default", "via", BRIDGE)
            for port in ports:
                self._publish(port, opening)
            self._opened = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for relay in self._relays:  # the server and its clients are gone
            relay.join()
        self._opened.close()

    def _join(self, name: str, other: Namespace, address: str, prefix: int) -> None:
        self.host.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(other.process))
        self.host.run("ip", "link", "set", name, "up")
        other.run("ip", "address", "add", f"{address}/{prefix}", "dev", "eth0")
        other.run("ip", "link", "set", "eth0", "up")

    def _publish(self, port: int, opening: contextlib.ExitStack) -> None:
        listener = self.host.socket(kind=socket.SOCK_STREAM)
        opening.callback(listener.close)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen()
        thread = threading.Thread(target=self._accept, args=(listener, port), daemon=True)
        thread.start()
        opening.callback(thread.join)
        opening.callback(listener.shutdown, socket.SHUT_RDWR)  # wakes the thread

    def _accept(self, listener: socket.socket, port: int) -> None:
        while True:
            try:
                outside, _ = listener.accept()
            except OSError:
                return
            inside = self.host.socket(kind=socket.SOCK_STREAM)
            try:
                inside.connect((CONTAINER, port))
            except OSError:
                inside.close()
                outside.close()
                continue
            relay = threading.Thread(target=_relay, args=(outside, inside), daemon=True)
            relay.start()
            self._relays.append(relay)


def _namespace(opening: contextlib.ExitStack) -> Namespace:
    namespace = Namespace()
    opening.callback(namespace.close)
    return namespace


def _relay(outside: socket.socket, inside: socket.socket) -> None:
    """Pass on what comes from either side, until both have ended."""
    with outside, inside:
        back = threading.Thread(target=_pour, args=(inside, outside), daemon=True)
        back.start()
        _pour(outside, inside)
        back.join()


def _pour(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(_PIECE):
            target.sendall(piece)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
