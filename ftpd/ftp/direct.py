"""Replies written straight to the socket when nothing waits before them.

Apart because it is the one place that knows how Twisted's TCP transport buffers: `transport.write` hands the bytes to the next turn
of the reactor, which costs one more wake-up for every command (bench `noop`).  Any other transport gets `write`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection

__all__ = ["writer_for"]


def writer_for(transport: ITransport) -> Callable[[bytes], None]:
    """Return the fastest way to write to *transport* that keeps the order of what is written."""
    if not isinstance(transport, Connection):
        return transport.write
    connection = cast(Any, transport)  # its buffers and TLS have no types
    socket = connection.getHandle()
    buffered_write: Callable[[bytes], None] = connection.write

    def write(data: bytes) -> None:
        if (
            connection.dataBuffer
            or connection._tempDataLen
            or connection.disconnecting
            or not connection.connected
            or connection.TLS
        ):
            buffered_write(data)
            return
        try:
            sent = socket.send(data)
        except OSError:  # full, or gone: the reactor finds out which
            sent = 0
        if sent < len(data):
            buffered_write(data[sent:])

    return write
