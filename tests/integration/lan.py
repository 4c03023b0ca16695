"""A network of the test's own with a server and several machines on it, joined by a switch, for what is sent to all of them at once.

Apart from `network`, whose cable has two ends.  Each client needs a machine of its own: atftp does not share the port of a group.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import struct
import time
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.integration.live import SECONDS
from tests.integration.network import SERVER, CannotMake, Namespace

__all__ = ["Datagram", "Lan", "Watch"]

_GROUPS: Final = "224.0.0.0/4"
_ETHERNET: Final = 14  # bytes of its header
_IPV4: Final = b"\x08\x00"
_UDP: Final = 17
_SO_RCVBUFFORCE: Final = 33  # asm-generic/socket.h
_ROOM: Final = 256 * 1024 * 1024
_ETH_P_ALL: Final = 0x0003
_POLL_SECONDS: Final = 0.005


class Datagram(NamedTuple):
    """A UDP datagram that has left the server."""

    source: tuple[str, int]
    destination: tuple[str, int]
    hops: int
    data: bytes


class Watch:
    """What leaves the server by its network, since this was made; the kernel keeps it until somebody looks."""

    def __init__(self, server: Namespace) -> None:
        self._seen: list[Datagram] = []
        self._socket = server.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.ntohs(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
        self._socket.bind(("lan", 0))
        self._socket.setblocking(False)

    def close(self) -> None:
        self._socket.close()

    def datagrams(self) -> list[Datagram]:
        """Return all so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                frame, (_, _, kind, *_) = self._socket.recvfrom(65536)
                packet = frame[_ETHERNET:]
                if kind == socket.PACKET_OUTGOING and frame[12:14] == _IPV4 and packet[9] == _UDP:
                    self._seen.append(_parsed(packet))
        return self._seen

    def blocks(self) -> list[tuple[str, int]]:
        """Return destination and number of each DATA packet so far, in the order that they left."""
        return [(one.destination[0], struct.unpack("!H", one.data[2:4])[0]) for one in self.datagrams() if one.data[:2] == b"\0\3"]

    def wait_for_blocks(self, count: int) -> None:
        """Wait until *count* DATA packets have left."""
        end = time.monotonic() + SECONDS
        while len(self.blocks()) < count:
            assert time.monotonic() < end, self.datagrams()[-10:]
            time.sleep(_POLL_SECONDS)


class Lan:
    """A server's machine at 10.69.0.1 and *count* others.  Raises `CannotMake`."""

    def __init__(self, count: int) -> None:
        if os.geteuid() != 0:
            raise CannotMake("not root")
        if not (shutil.which("unshare") and shutil.which("ip")):
            raise CannotMake("no unshare(1), no ip(8)")
        self._closing = contextlib.ExitStack()
        with contextlib.ExitStack() as failing:
            self.server = self._machine(failing)
            self.server.run("ip", "link", "add", "lan", "type", "bridge", "mcast_snooping", "0")
            self.server.run("ip", "address", "add", f"{SERVER}/24", "dev", "lan")
            self.server.run("ip", "link", "set", "lan", "up")
            self.clients = [self._machine(failing) for _ in range(count)]
            for index, client in enumerate(self.clients):
                self._join(client, index)
            self._closing = failing.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._closing.close()

    @staticmethod
    def address(index: int) -> str:
        """Return that of a client."""
        return f"10.69.0.{index + 2}"

    def _machine(self, failing: contextlib.ExitStack) -> Namespace:
        machine = Namespace()
        failing.callback(machine.close)
        return machine

    def _join(self, client: Namespace, index: int) -> None:
        self.server.run("ip", "link", "add", f"plug{index}", "type", "veth", "peer", "name", "far", "netns", str(client.process))
        self.server.run("ip", "link", "set", f"plug{index}", "master", "lan", "up")
        client.run("ip", "address", "add", f"{self.address(index)}/24", "dev", "far")
        client.run("ip", "link", "set", "far", "up")
        client.run("ip", "route", "add", _GROUPS, "dev", "far")


def _parsed(packet: bytes) -> Datagram:
    header = (packet[0] & 0x0F) * 4
    source, destination, length = struct.unpack("!HHH", packet[header : header + 6])
    return Datagram(
        (socket.inet_ntoa(packet[12:16]), source),
        (socket.inet_ntoa(packet[16:20]), destination),
        packet[8],
        packet[header + 8 : header + length],
    )
