"""Where the data ports of these tests are, and who comes to them: a range on loopback, and peers of control connections.

Apart from the tests of ports, since those of waiting for one stand on the same ground.
"""

from __future__ import annotations

import socket as sockets

from ftpd.values import Peer

DEADLINE = 30.0  # seconds
RANGE = (30_100, 31_100)  # below the kernel's own ports, so that no client of a test takes one


def peer(address: str = "127.0.0.1", local: str = "127.0.0.1") -> Peer:
    return Peer(address, 1000, local, 21)


def one_free_port() -> int:
    return next(number for number in range(RANGE[0], RANGE[1]) if can_listen(number))


def can_listen(number: int, address: str = "127.0.0.1") -> bool:
    with sockets.socket() as socket:
        socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        try:
            socket.bind((address, number))
            socket.listen()
        except OSError:
            return False
    return True
