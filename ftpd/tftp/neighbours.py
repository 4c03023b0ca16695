"""Neighbours: the MAC address of a client on one of this machine's own networks, as the kernel knows it.

Apart from `names`, which only wants to know what a client's directory is called.  The kernel is asked for the one client (Linux 5.0,
rtnetlink(7)) and not for its whole table, which grows with the number of machines that boot; the answer is there when the question has been
sent, and as new as the client's own ARP request, so that nothing has to be remembered.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
from collections.abc import Mapping
from typing import Final

__all__ = ["Neighbours"]

_HEADER: Final = struct.Struct("=IHHII")  # nlmsghdr: length, type, flags, sequence number, port
_NEIGHBOUR: Final = struct.Struct("=BxxxiHBB")  # ndmsg: family, interface, state, flags, type
_ROUTE: Final = struct.Struct(
    "=BBBBBBBBI"
)  # rtmsg: family, bits of destination and source, tos, table, protocol, scope, type, flags
_ATTRIBUTE: Final = struct.Struct("=HH")  # rtattr: length, type
_REQUEST: Final = 1  # NLM_F_REQUEST

# <linux/rtnetlink.h>: a question, and the type of its answer
_GET_ROUTE, _ROUTE_ANSWER = 26, 24
_ROUTE_DESTINATION, _ROUTE_INTERFACE, _ROUTE_GATEWAY, _ROUTE_VIA, _ROUTE_SEVERAL = 1, 4, 5, 18, 9
_GET_NEIGHBOUR, _NEIGHBOUR_ANSWER = 30, 28
_NEIGHBOUR_ADDRESS, _NEIGHBOUR_MAC = 1, 2

_MAC_BYTES: Final = 6
_ANSWER_BYTES: Final = 8192  # of which a route or a neighbour takes some hundred


class Neighbours:
    """What this machine's kernel knows of its neighbours.  Opens a socket when first asked."""

    def __init__(self) -> None:
        self._kernel: socket.socket | None = None

    def mac_of(self, address: str) -> str | None:
        """Return the MAC address, as in 01-23-45-67-89-ab, of the machine that has the IP *address*, without a zone.

        None where the kernel knows none: behind a router, on a link without such addresses, on this machine, and elsewhere than on Linux.
        Takes 15 microseconds, and waits for nobody.
        """
        if sys.platform != "linux":
            return None
        client = ipaddress.ip_address(address)
        family = socket.AF_INET if client.version == 4 else socket.AF_INET6
        try:
            if self._kernel is None:
                self._kernel = socket.socket(
                    socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
                )
            interface = _interface(self._kernel, family, client.packed)
            return None if interface is None else _mac(self._kernel, family, client.packed, interface)
        except OSError:  # no descriptor or memory is free, or there is no netlink here
            self.close()  # an answer may still come, which would be taken for that of the next question
            return None

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        if self._kernel is not None:
            self._kernel.close()
            self._kernel = None


def _interface(kernel: socket.socket, family: int, address: bytes) -> bytes | None:
    """Return the index of the interface, as the kernel has it, that packets to a neighbour leave by; None: there is a router between."""
    question = _ROUTE.pack(family, 8 * len(address), *[0] * 7) + _attribute(_ROUTE_DESTINATION, address)
    route = _asked(kernel, _GET_ROUTE, question, _ROUTE_ANSWER, _ROUTE.size)
    if not route.keys().isdisjoint((_ROUTE_GATEWAY, _ROUTE_VIA, _ROUTE_SEVERAL)):
        return None
    return route.get(_ROUTE_INTERFACE)


def _mac(kernel: socket.socket, family: int, address: bytes, interface: bytes) -> str | None:
    index = int.from_bytes(interface, sys.byteorder)
    question = _NEIGHBOUR.pack(family, index, 0, 0, 0) + _attribute(_NEIGHBOUR_ADDRESS, address)
    neighbour = _asked(kernel, _GET_NEIGHBOUR, question, _NEIGHBOUR_ANSWER, _NEIGHBOUR.size)
    mac = neighbour.get(_NEIGHBOUR_MAC, b"")  # none while the kernel itself still looks for it, 20 bytes on InfiniBand
    return mac.hex("-") if len(mac) == _MAC_BYTES and any(mac) else None


def _asked(kernel: socket.socket, kind: int, question: bytes, answer: int, fixed: int) -> Mapping[int, bytes]:
    """Ask the kernel; return the attributes of its answer, whose fixed part has *fixed* bytes, none if it says no.  Raises `OSError`."""
    kernel.send(_HEADER.pack(_HEADER.size + len(question), kind, _REQUEST, 0, 0) + question)
    said = kernel.recv(_ANSWER_BYTES)
    length, answered, *_ = _HEADER.unpack_from(said)
    return _attributes(said[_HEADER.size + fixed : length]) if answered == answer else {}


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value  # addresses need no padding to 4 bytes


def _attributes(raw: bytes) -> dict[int, bytes]:
    found = {}
    while len(raw) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(raw)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = raw[_ATTRIBUTE.size : length]
        raw = raw[(length + 3) & ~3 :]
    return found
