"""Exchange: one data connection of a replay, in a thread of its own, so that the control connection goes on beside it.

Apart from the player, which decides when there is one.  Data is made up, as much of it as the trace tells; what comes is counted and dropped.
"""

from __future__ import annotations

import socket as sockets
import ssl
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ftpd.dialogue import Broken
from ftpd.replay.recording import Transferred

__all__ = ["Exchange"]

_BLOCK: Final = bytes(range(256)) * 256  # 64 KiB; with every byte there is, line ends included
_SPARE_BYTES: Final = (
    1024 * 1024
)  # that may come beyond twice what came when the trace was made, and that follow what was refused then
_LATE: Final = "no end within its time"
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: close with a reset


class Exchange:
    """Moves what *transferred* tells over the connection that *connect* makes, for *seconds* at most, and *most* bytes."""

    def __init__(self, connect: Callable[[], sockets.socket], transferred: Transferred, most: int, seconds: float) -> None:
        self._connect = connect
        self._transferred = transferred
        # What its server broke off a client would have ended in good order; how much more it had to say nobody knows.
        self._ends_well = transferred.is_finished or transferred.is_refused
        self._most = most
        self._ends_at = time.monotonic() + seconds
        self._may_end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.moved = 0
        self.fault = ""
        self._thread.start()

    def let_end(self) -> None:
        """Let a connection end that the trace holds open, once so much was moved as the trace tells."""
        self._may_end.set()

    def finish(self) -> None:
        """The final reply is here, or never will be: let it end, and wait for that."""
        self.let_end()
        self._thread.join(max(0.0, self._ends_at - time.monotonic()) + 1.0)
        if self._thread.is_alive():
            self.fault = _LATE

    def _run(self) -> None:
        try:
            with self._connect() as connection:
                if self._transferred.direction == "upload":
                    self._send(connection)
                else:
                    self._receive(connection)
        except Broken as error:
            self.fault = str(error)
        except TimeoutError:
            self.fault = _LATE
        except (OSError, ssl.SSLError) as error:
            self.fault = error.strerror or str(error)

    def _send(self, connection: sockets.socket) -> None:
        size = min(self._transferred.size + (_SPARE_BYTES if self._transferred.is_refused else 0), self._most)
        while self.moved < size:
            block = _BLOCK[: size - self.moved]
            self._limit(connection)
            connection.sendall(block)
            self.moved += len(block)
        if self._ends_well:
            _end(connection)
            return
        if not self._transferred.is_reset:
            self._may_end.wait(max(0.0, self._ends_at - time.monotonic()))
        connection.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, _RESET)

    def _receive(self, connection: sockets.socket) -> None:
        """Count what comes: all of it, or, where the client broke off, as much as it had then."""
        transferred = self._transferred
        most = min(self._most, 2 * transferred.size + _SPARE_BYTES if self._ends_well else transferred.size)
        while self.moved <= most:
            self._limit(connection)
            data = connection.recv(len(_BLOCK))
            if not data:
                return
            self.moved += len(data)
        if self._ends_well:
            self.fault = f"more than {most} bytes came"
        elif not transferred.is_reset:  # what is still to come is in the way of a reply, unless we close
            self._may_end.wait(max(0.0, self._ends_at - time.monotonic()))

    def _limit(self, connection: sockets.socket) -> None:
        """Let the next call take what is left of the time, however the server drips; `TimeoutError` where nothing is."""
        seconds = self._ends_at - time.monotonic()
        if seconds <= 0:
            raise TimeoutError
        connection.settimeout(seconds)


def _end(connection: sockets.socket) -> None:
    """End as a client does at the end of its file: with close_notify first, under TLS."""
    if isinstance(connection, ssl.SSLSocket):
        with suppress(OSError, ssl.SSLError):  # many servers do not answer theirs
            connection.unwrap()
