"""A non-blocking socket that the reactor watches for us: `spi.DataConnection` in clear.

Apart from Twisted's transports because a data connection needs what they hide: the socket itself, one system call per wake-up, and
the difference between a reset and an end.  A pump plugs its two callbacks in; the copy pump uses `send` and `receive`.
"""

from __future__ import annotations

import errno
import fcntl
import socket as sockets
import struct
import termios
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.spi import Reactor

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["SocketConnection"]

_PIECE_BYTES = 256 * 1024  # what one `receive` returns at most; datapath measurements: bigger gains nothing outside the fast path
_FIRST_POLL_SECONDS = 0.005
_LAST_POLL_SECONDS = 0.25


def _nothing() -> None:
    """Stand where no pump listens."""


@implementer(IReadWriteDescriptor)
class SocketConnection:
    """Own *socket*, connected and non-blocking, until `close`.

    `on_readable` and `on_writable` are called by the reactor between `watch_*` and `ignore_*`; a connection that hangs up calls both
    watched ones, whose next system call then finds out why.
    """

    __slots__ = ("_is_reading", "_is_writing", "_reactor", "_socket", "on_readable", "on_writable")

    def __init__(self, reactor: Reactor, socket: sockets.socket) -> None:
        self._reactor = reactor
        self._socket: sockets.socket | None = socket
        self._is_reading = False
        self._is_writing = False
        self.on_readable: Callable[[], None] = _nothing
        self.on_writable: Callable[[], None] = _nothing

    @property
    def socket(self) -> sockets.socket | None:
        return self._socket

    # What pumps call.

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

    def unacknowledged(self) -> int:
        """Bytes the kernel holds that the peer's kernel has not acknowledged; 0 where the platform cannot say."""
        if self._socket is None:
            return 0
        try:
            return int(struct.unpack("i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
        except OSError:
            return 0

    def close(self) -> None:
        """Leave the reactor and close the socket; unread input makes the kernel send a reset."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        self.ignore_reading()
        self.ignore_writing()
        socket.close()

    # spi.DataConnection, for the copy pump.

    def send(self, data: ReadableBuffer) -> Deferred[None]:
        rest = memoryview(data)
        done: Deferred[None] = Deferred(lambda _: self.ignore_writing())

        def push() -> None:
            nonlocal rest
            try:
                rest = rest[self._open_socket().send(rest) :]
            except BlockingIOError:
                pass
            except OSError as error:
                self.ignore_writing()
                done.errback(error)
                return
            if not rest:
                self.ignore_writing()
                done.callback(None)
            elif not self._is_writing:
                self.watch_writing(push)

        push()
        return done

    def receive(self) -> Deferred[bytes]:
        try:
            return succeed(self._open_socket().recv(_PIECE_BYTES))
        except BlockingIOError:
            pass
        done: Deferred[bytes] = Deferred(lambda _: self.ignore_reading())

        def pull() -> None:
            try:
                data = self._open_socket().recv(_PIECE_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self.ignore_reading()
                done.errback(error)
                return
            self.ignore_reading()
            done.callback(data)

        self.watch_reading(pull)
        return done

    def finish(self) -> Deferred[None]:
        """Send the end, then wait until the peer's kernel has acknowledged every byte; the caller bounds the time.

        On a fast network that is already so, and nothing waits.  Else the peer's own close or reset wakes us, and a timer asks the
        kernel meanwhile, since a client may keep its side open until it hears the 226.
        """
        if self.unacknowledged() == 0:
            try:
                self._open_socket().shutdown(sockets.SHUT_WR)
            except OSError as error:
                return fail(error)
            return succeed(None)
        return _Delivery(self._reactor, self).wait()

    def _open_socket(self) -> sockets.socket:
        if self._socket is None:
            raise ConnectionAbortedError(errno.ECONNABORTED, "the data connection is closed")
        return self._socket

    # IReadWriteDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def doRead(self) -> None:
        self.on_readable()

    def doWrite(self) -> None:
        self.on_writable()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor saw a hang-up and has dropped us from its sets: let whoever watched find the cause by its next call."""
        readable = self.on_readable if self._is_reading else _nothing
        writable = self.on_writable if self._is_writing else _nothing
        self._is_reading = self._is_writing = False
        writable()
        readable()

    def logPrefix(self) -> str:
        return "data"


class _Delivery:
    """The wait of one connection for the acknowledgement of what it has sent."""

    def __init__(self, reactor: Reactor, connection: SocketConnection) -> None:
        self._reactor = reactor
        self._connection = connection
        self._done: Deferred[None] = Deferred(lambda _: self._stop())
        self._pause = _FIRST_POLL_SECONDS
        self._timer = reactor.callLater(self._pause, self._poll)

    def wait(self) -> Deferred[None]:
        self._connection.watch_reading(self._readable)
        socket = self._connection.socket
        try:
            if socket is not None:
                socket.shutdown(sockets.SHUT_WR)
        except OSError as error:
            self._end(error)
        return self._done

    def _poll(self) -> None:
        error = self._pending_error()
        if error is not None or self._connection.unacknowledged() == 0:
            self._end(error)
            return
        self._pause = min(self._pause * 2, _LAST_POLL_SECONDS)
        self._timer = self._reactor.callLater(self._pause, self._poll)

    def _readable(self) -> None:
        """The peer said something during a download: its end or reset counts, anything else is dropped."""
        socket = self._connection.socket
        if socket is None:
            self._end(ConnectionAbortedError(errno.ECONNABORTED, "the data connection is closed"))
            return
        try:
            data = socket.recv(_PIECE_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error)
            return
        if self._connection.unacknowledged() == 0:
            self._end(None)
        elif not data:
            self._connection.ignore_reading()  # it closed its sending side only: the timer goes on

    def _pending_error(self) -> OSError | None:
        socket = self._connection.socket
        number = socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR) if socket is not None else errno.ECONNABORTED
        return OSError(number, errno.errorcode.get(number, "")) if number else None

    def _stop(self) -> None:
        if self._timer.active():
            self._timer.cancel()
        self._connection.ignore_reading()

    def _end(self, error: OSError | None) -> None:
        self._stop()
        if error is None:
            self._done.callback(None)
        else:
            self._done.errback(error)
