"""Channel: messages between the parent and one worker, JSON objects over a socket pair.

Apart from what they say.  Its end is how either side learns that the other is gone, however it went.
"""

from __future__ import annotations

import json
import socket as sockets
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from twisted.internet.address import UNIXAddress
from twisted.internet.protocol import connectionDone
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure

from ftpd.transfer.stream import Stream

__all__ = ["Channel", "Message", "connect", "receive_first", "send_last"]

Message = dict[str, Any]

_MOST_BYTES: Final = 1024 * 1024  # of a message; the first one, with the configuration in it, is read otherwise
_NOBODY: Final = UNIXAddress(None)
_LENGTH: Final = struct.Struct("!I")


class Channel(Int32StringReceiver):
    """One end, *socket*.  *heard* is called with each message, an empty one for what is none; *lost* once when the other side is gone."""

    MAX_LENGTH = _MOST_BYTES

    def __init__(self, socket: sockets.socket, heard: Callable[[Message], None], lost: Callable[[], None]) -> None:
        self._socket = socket
        self._heard = heard
        self._lost = lost

    def send(self, message: Mapping[str, Any]) -> None:
        """Send *message*; to nobody where the other side is gone."""
        if self.transport is not None:
            self.sendString(json.dumps(message).encode())  # type: ignore[no-untyped-call]

    def close(self) -> None:
        """Say no more; may be called twice."""
        if self.transport is not None:
            self.transport.loseConnection()

    def finish(self) -> None:
        """Hear what the other side, which is gone, has said and nobody has read yet; then close.  What says more, and more, is none of ours."""
        left = _MOST_BYTES
        with suppress(OSError):  # nothing more there
            while left > 0 and self.transport is not None and (data := self._socket.recv(left)):
                left -= len(data)
                self.dataReceived(data)  # type: ignore[no-untyped-call]
        self.close()

    def stringReceived(self, string: bytes) -> None:
        self._heard(_read(string))

    def lengthLimitExceeded(self, length: int) -> None:
        super().lengthLimitExceeded(length)  # type: ignore[no-untyped-call]  # it closes
        self._heard({})

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.transport = None
        self._lost()


def _read(string: bytes) -> Message:
    try:
        message = json.loads(string)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def connect(reactor: Any, socket: sockets.socket, heard: Callable[[Message], None], lost: Callable[[], None]) -> Channel:
    """Return a channel over *socket*, one end of a pair."""
    socket.setblocking(False)
    channel = Channel(socket, heard, lost)
    Stream(reactor, socket, channel, _NOBODY, _NOBODY).start()
    return channel


def send_last(socket: sockets.socket, message: Mapping[str, Any]) -> None:
    """Send *message* on *socket*, which no reactor reads, and which is used no more."""
    data = json.dumps(message).encode()
    with suppress(OSError):  # nobody there to hear it
        socket.sendall(_LENGTH.pack(len(data)) + data)


def receive_first(socket: sockets.socket) -> Message:
    """Wait for the first message on *socket*, before there is a reactor.  Raises `EOFError` where the other side is gone."""
    [length] = _LENGTH.unpack(_exactly(socket, _LENGTH.size))
    message: Message = json.loads(_exactly(socket, length))
    return message


def _exactly(socket: sockets.socket, count: int) -> bytes:
    parts: list[bytes] = []
    while count:
        part = socket.recv(min(count, 1024 * 1024))
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
