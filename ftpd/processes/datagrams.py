"""Datagram sockets: for a UDP service, one socket on the same address and port for each worker.

Apart from the sockets of TCP, which workers share: there the kernel hands over a connection once, and here it chooses a socket for each packet,
always the same one for the same client (SO_REUSEPORT, socket(7)), as long as none of the sockets is closed.  So the parent keeps them, and
hands each to every successor in the same place: a client keeps its worker's place, and what it sends while nobody is there waits for the next.
"""

from __future__ import annotations

import socket

from ftpd.listening import cannot_listen

__all__ = ["datagram_sockets"]


def datagram_sockets(address: str, port: int, places: int) -> list[socket.socket]:
    """Return a socket bound to *address* and *port* for each of *places* workers; port 0 is one free port for all.

    To be called before privileges are dropped: the kernel lets only sockets of one user share a port.  Raises `CannotListen`.
    """
    bound: list[socket.socket] = []
    try:
        for _ in range(places):
            bound.append(_bound(address, bound[0].getsockname()[1] if bound else port))
    except OSError as error:
        for one in bound:
            one.close()
        raise cannot_listen(error, address, port) from error
    return bound


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_DGRAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind((address, port))
    except OSError:
        bound.close()
        raise
    return bound
