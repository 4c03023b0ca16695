"""Endpoints: UDP sockets of ours, each bound to the address that a client has asked.

Apart from lines and ports, which say what goes through them: here is how one is made, and what the kernel knows of the way to the other end.
"""

from __future__ import annotations

import random
import socket
import sys
from collections.abc import Iterable
from typing import Any, Final, TypeAlias

__all__ = [
    "IS_LINUX",
    "Address",
    "SocketOption",
    "bound_endpoint",
    "connected_endpoint",
    "family_of",
    "let_routers_cut",
    "mtu_block",
]

IS_LINUX: Final = sys.platform == "linux"
_DISCOVERY: Final = {  # IP_MTU_DISCOVER, linux/in.h, and IPV6_MTU_DISCOVER, linux/in6.h
    socket.AF_INET: (socket.IPPROTO_IP, 10),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 23),
}
_NO_DISCOVERY: Final = 0  # IP_PMTUDISC_DONT, IPV6_PMTUDISC_DONT
_PATH_MTU: Final = {  # IP_MTU, linux/in.h, and IPV6_MTU, linux/in6.h; and the bytes of the headers of IP and UDP
    socket.AF_INET: (socket.IPPROTO_IP, 14, 28),
    socket.AF_INET6: (socket.IPPROTO_IPV6, 24, 48),
}
_TFTP_HEADER: Final = 4
_NONBLOCKING: Final = getattr(socket, "SOCK_NONBLOCK", 0)
_TRIES: Final = 64  # of ports in a range

Address: TypeAlias = tuple[Any, ...]
SocketOption: TypeAlias = tuple[int, int, int | bytes]


def bound_endpoint(local: Address, ports: tuple[int, int], options: Iterable[SocketOption] = ()) -> socket.socket:
    """Return a socket bound to the address of *local* and a port out of *ports* (0-0: any), with *options* set before.  Raises `OSError`."""
    family = family_of(local)
    one = socket.socket(family, socket.SOCK_DGRAM | _NONBLOCKING)
    try:
        if not _NONBLOCKING:
            one.setblocking(False)
        let_routers_cut(one, family)
        for option in options:
            one.setsockopt(*option)
        _bind(one, local, ports)
    except BaseException:
        one.close()
        raise
    return one


def connected_endpoint(
    local: Address, peer: Address, ports: tuple[int, int] = (0, 0), options: Iterable[SocketOption] = ()
) -> socket.socket:
    """Return a `bound_endpoint` that is connected to *peer*.  Raises `OSError`."""
    one = bound_endpoint(local, ports, options)
    try:
        one.connect(peer)
    except BaseException:
        one.close()
        raise
    return one


def family_of(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def let_routers_cut(one: socket.socket, family: socket.AddressFamily) -> None:
    """Let routers cut what does not fit, as tftp-hpa and dnsmasq do.

    Else Linux would have them throw it away and say so, to find the path's MTU, and what they say is an error of the socket: a transfer
    through a tunnel would end with its first large block (EMSGSIZE).
    """
    if IS_LINUX:
        one.setsockopt(*_DISCOVERY[family], _NO_DISCOVERY)


def mtu_block(connected: socket.socket, family: socket.AddressFamily) -> int | None:
    """Return the largest block that crosses the path of *connected* in one piece, as far as the kernel knows the path; None elsewhere than on Linux.

    The socket's *family* is the caller's to know: Python makes an enum of it each time that a socket is asked, for as much as the system call takes.
    """
    if not IS_LINUX:
        return None
    level, option, headers = _PATH_MTU[family]
    try:
        return connected.getsockopt(level, option) - headers - _TFTP_HEADER
    except OSError:
        return None


def _bind(one: socket.socket, local: Address, ports: tuple[int, int]) -> None:
    first, last = ports
    if not last:
        one.bind((local[0], 0, *local[2:]))
        return
    start = random.randrange(first, last + 1)
    for step in range(min(_TRIES, last - first + 1)):
        try:
            one.bind((local[0], first + (start - first + step) % (last - first + 1), *local[2:]))
        except OSError as error:
            failed = error
        else:
            return
    raise failed
