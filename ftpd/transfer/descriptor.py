"""A non-blocking socket that the reactor watches for us: `spi.DataConnection` in clear.

Apart from Twisted's transports because a data connection needs what they hide: the socket itself, one system call per wake-up, and
the difference between a reset and an end.  A pump plugs its two callbacks in; the copy pump uses `send` and `receive`.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket as sockets
import struct
import sys
import termios
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.spi import Reactor
from ftpd.transfer.delivery import Delivery

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

__all__ = ["SocketConnection"]

_PIECE_BYTES: Final = (
    256 * 1024
)  # what one `receive` returns at most; datapath measurements: bigger gains nothing outside the fast path
_MOST_DROPPED: Final = (
    1024 * 1024
)  # of what a downloading peer sends in its turn; what exceeds it fills the kernel's buffer and stays there
_EMPTY: Final = memoryview(b"")
_MORE: Final = getattr(sockets, "MSG_MORE", 0)  # Linux
# Less than this, with the end behind it, a Linux receiver acknowledges up to 40 ms later: it is no full segment (536 bytes, RFC 9293 3.7.1).
_LEAST_HELD_BYTES: Final = 1024
_NO_COUNT: Final = bytes(struct.calcsize("i"))
# Linux counts the end as a byte; the peer may acknowledge it 40 ms after the last byte of the file.
_COUNTS_END: Final = sys.platform == "linux"

_dropped: Final = memoryview(bytearray(64 * 1024))  # nobody reads it


def _nothing() -> None:
    """Stand where no pump listens."""


def _closed() -> OSError:
    return ConnectionAbortedError(errno.ECONNABORTED, "the data connection is closed")


@implementer(IReadWriteDescriptor)
class SocketConnection:
    """Own *socket*, connected and non-blocking, until `close`.

    `on_readable` and `on_writable` are called by the reactor between `watch_*` and `ignore_*`.  A connection that hangs up, or is closed
    by its owner, calls both watched ones, whose next call then finds out why.
    """

    __slots__ = (
        "_dropped_bytes",
        "_is_reading",
        "_is_shut",
        "_is_writing",
        "_reactor",
        "_socket",
        "_unsent",
        "on_readable",
        "on_writable",
    )

    def __init__(self, reactor: Reactor, socket: sockets.socket) -> None:
        self._reactor = reactor
        self._socket: sockets.socket | None = socket
        self._is_reading = False
        self._is_writing = False
        self._is_shut = False
        self._unsent = _EMPTY
        self._dropped_bytes = 0
        self.on_readable: Callable[[], None] = _nothing
        self.on_writable: Callable[[], None] = _nothing

    @property
    def socket(self) -> sockets.socket | None:
        return self._socket

    # What pumps call.  Every call on the socket raises `OSError`, ECONNABORTED once it is closed.

    def watch_reading(self, callback: Callable[[], None]) -> None:
        self.on_readable = callback
        if not self._is_reading and self._socket is not None:
            self._is_reading = True
            self._reactor.addReader(self)

    def ignore_reading(self) -> None:
        self.on_readable = _nothing
        if self._is_reading:
            self._is_reading = False
            self._reactor.removeReader(self)

    def watch_writing(self, callback: Callable[[], None]) -> None:
        self.on_writable = callback
        if not self._is_writing and self._socket is not None:
            self._is_writing = True
            self._reactor.addWriter(self)

    def ignore_writing(self) -> None:
        self.on_writable = _nothing
        if self._is_writing:
            self._is_writing = False
            self._reactor.removeWriter(self)

    def receive_into(self, buffer: WriteableBuffer) -> int:
        """Fill *buffer* with what is there; 0 is the peer's end, nothing there is `BlockingIOError`."""
        socket = self._socket
        if socket is None:
            raise _closed()
        return socket.recv_into(buffer)

    def send_some(self, data: ReadableBuffer) -> int:
        """Send as much of *data* as the kernel takes; nothing is `BlockingIOError`."""
        socket = self._socket
        if socket is None:
            raise _closed()
        return socket.send(data)

    def send_last(self, data: bytes | memoryview) -> int:
        """As `send_some`, for what the end follows at once: both go in one segment, and the peer is woken once (tests/bench: retr)."""
        socket = self._socket
        if socket is None:
            raise _closed()
        return socket.send(data, _MORE if len(data) >= _LEAST_HELD_BYTES else 0)

    def drop_input(self) -> bool:
        """Forget what the peer of a download sent, within bounds; return whether it is of use to look again.

        What is left unread makes `close` a reset, which on some systems destroys what the peer has not read yet.
        """
        socket = self._socket
        if socket is None:
            raise _closed()
        while self._dropped_bytes < _MOST_DROPPED:
            try:
                count = socket.recv_into(_dropped)
            except BlockingIOError:
                return True
            if not count:
                return False
            self._dropped_bytes += count
        return False

    def set_low_water(self, count: int) -> None:
        """Let the socket be readable only with *count* bytes, or an end."""
        if self._socket is not None:
            with suppress(OSError):  # gone, or a kind of socket that has no such thing
                self._socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVLOWAT, count)

    def pending_error(self) -> OSError | None:
        """Return, once, the error that the kernel holds for the next call."""
        number = errno.ECONNABORTED if self._socket is None else self._socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR)
        return OSError(number, os.strerror(number)) if number else None

    def unacknowledged(self) -> int:
        """Bytes given to `send` that the peer's kernel has not acknowledged; where the platform cannot say, that ours has not taken."""
        if self._socket is None:
            return len(self._unsent)
        try:
            raw = fcntl.ioctl(self._socket.fileno(), termios.TIOCOUTQ, _NO_COUNT)
        except OSError:
            return len(self._unsent)
        in_kernel = int.from_bytes(raw, sys.byteorder)
        if self._is_shut and _COUNTS_END and in_kernel:
            in_kernel -= 1
        return len(self._unsent) + in_kernel

    def close(self) -> None:
        """Leave the reactor and close the socket; unread input makes the kernel send a reset."""
        socket = self._socket
        if socket is None:
            return
        readable, writable = self.on_readable, self.on_writable
        if self._is_reading:
            self.ignore_reading()
        if self._is_writing:
            self.ignore_writing()
        if self._is_shut:
            try:
                self.drop_input()
            except OSError:  # a reset: there is nothing to drop any more
                self._dropped_bytes = _MOST_DROPPED
        self._socket = None
        socket.close()
        writable()
        readable()

    # spi.DataConnection, for the copy pump.

    def send(self, data: ReadableBuffer) -> Deferred[None]:
        self._unsent = memoryview(data).cast("B")
        done: Deferred[None] = Deferred(lambda _: self._stop_sending())
        self._push(done)
        if not done.called:
            self.watch_writing(lambda: self._push(done))
        return done

    def receive(self, most: int = _PIECE_BYTES) -> Deferred[bytes]:
        done: Deferred[bytes] = Deferred(lambda _: self.ignore_reading())
        self._pull(done, most)
        if not done.called:
            self.watch_reading(lambda: self._pull(done, most))
        return done

    def finish(self) -> Deferred[None]:
        """Send the end, then wait until the peer's kernel has acknowledged every byte; the caller bounds the time."""
        try:
            if self.is_delivered_at_once():
                return succeed(None)
            may_say_more = self.drop_input()
        except OSError as error:
            return fail(error)
        return Delivery(self._reactor, self, may_say_more).done

    def is_delivered_at_once(self) -> bool:
        """Send the end, and tell whether the peer's kernel has acknowledged every byte already; else `finish` waits for that."""
        if not self._is_shut:
            if self._socket is None:
                raise _closed()
            self._socket.shutdown(sockets.SHUT_WR)
            self._is_shut = True
        return not self.unacknowledged()

    def _push(self, done: Deferred[None]) -> None:
        try:
            self._unsent = self._unsent[self.send_some(self._unsent) :]
        except BlockingIOError:
            return
        except OSError as error:
            self._stop_sending()
            done.errback(error)
            return
        if not self._unsent:
            self._stop_sending()
            done.callback(None)

    def _stop_sending(self) -> None:
        self._unsent = _EMPTY
        self.ignore_writing()

    def _pull(self, done: Deferred[bytes], most: int) -> None:
        try:
            if self._socket is None:
                raise _closed()
            data = self._socket.recv(most)
        except BlockingIOError:
            return
        except OSError as error:
            self.ignore_reading()
            done.errback(error)
            return
        self.ignore_reading()
        done.callback(data)

    # IReadWriteDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def doRead(self) -> None:
        self.on_readable()

    def doWrite(self) -> None:
        self.on_writable()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor saw a hang-up and has dropped us from its sets: let whoever watched find the cause by its next call."""
        readable, writable = self.on_readable, self.on_writable
        self._is_reading = self._is_writing = False
        self.on_readable = self.on_writable = _nothing
        writable()
        readable()

    def logPrefix(self) -> str:
        return "data"
