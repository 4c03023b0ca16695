"""Binding: a socket on one address and port, as every service here wants it.

Apart from the services because IPv6 has two traps for each of them: the system's rule about IPv4 clients, and the scope of a link-local address.
"""

from __future__ import annotations

import socket

__all__ = ["bound_to"]


def bound_to(address: str, port: int, kind: socket.SocketKind, option: int | None = None) -> socket.socket:
    """Return a socket of *kind*, bound to *address*, a number with a scope if it has one, and to that family only; *option* of SOL_SOCKET is set before.

    Raises `OSError`.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    one = socket.socket(family, kind)
    try:
        if option is not None:
            one.setsockopt(socket.SOL_SOCKET, option, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(socket.getaddrinfo(address, port, type=kind, flags=socket.AI_NUMERICHOST)[0][4])
    except OSError:
        one.close()
        raise
    return one
