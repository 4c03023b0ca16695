"""accept(2) as the kernel gives it: a non-blocking socket and its peer's address.

Apart because it leans on what the standard library's own `socket.accept` is made of, and two listeners need it: asking a socket for its
family and type by way of enums costs four times as much as the system call (tests/bench: retr, login).
"""

from __future__ import annotations

import socket as sockets
from typing import Any, Final

__all__ = ["accepted"]

_has_raw_accept: Final = hasattr(sockets.socket, "_accept")  # a private name of the standard library


def accepted(listening: sockets.socket, family: int) -> tuple[sockets.socket, Any]:
    """Take the next connection off the queue of *listening*, a stream socket of *family*.

    Raises what accept(2) does, `BlockingIOError` where nobody is there.
    """
    if not _has_raw_accept:
        socket, source = listening.accept()
    else:
        number, source = listening._accept()  # type: ignore[attr-defined]
        socket = sockets.socket(family, sockets.SOCK_STREAM, 0, number)
    socket.setblocking(False)
    return socket, source
