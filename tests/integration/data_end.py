"""DataEnd: a client's end of one data connection, from the reply that announces it to its close.

Apart from `SecureWire`, whose transfers are whole: here a client does anything at any time, as far as a server that does its part always answers.
What the server closes first is no error; that it does not answer is `TimeoutError`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator

from tests.integration.secure_wire import SecureWire
from tests.integration.wire import accepted, connect, read_all, reset

__all__ = ["DataEnd"]


class DataEnd:
    """The end of the data connection that *wire* has announced: to *port* of the server's, or by way of *waiting*, a socket that listens.

    *is_private*: the port was given out under PROT P, so that a handshake may come before the transfer command.
    """

    def __init__(self, wire: SecureWire, *, port: int = 0, waiting: socket.socket | None = None, is_private: bool = False) -> None:
        self._wire = wire
        self._port = port
        self._waiting = waiting
        self._may_begin_early = is_private and waiting is None
        self._socket: socket.socket | None = None
        self._is_over = False

    @property
    def is_connected(self) -> bool:
        return self._socket is not None

    def open(self, *, is_begun: bool) -> bool:
        """Connect, or take the server's connection, which comes where the transfer *is_begun*; return whether there is one."""
        if self._socket is None and not self._is_over:
            if self._waiting is None:
                with _until_gone():
                    self._socket = connect(self._wire.host, self._port)
                self._is_over = self._socket is None
            elif is_begun:
                self._socket = accepted(self._waiting)
        return self._socket is not None

    def cover(self, *, is_begun: bool) -> None:
        """Begin TLS, unless it has begun, or the server does not begin it yet."""
        plain, self._socket = self._socket, None
        if plain is None or isinstance(plain, ssl.SSLSocket) or not (is_begun or self._may_begin_early):
            self._socket = plain
            return
        control = self._wire.control
        session = control.session if isinstance(control, ssl.SSLSocket) else None
        self._is_over = True
        with _until_gone():
            self._socket = self._wire.context.wrap_socket(plain, suppress_ragged_eofs=False, session=session)
            self._is_over = False

    def send(self, data: bytes) -> None:
        if self._socket is not None:
            with _until_gone():
                self._socket.sendall(data)

    def finish(self, *, is_upload: bool) -> None:
        """End an upload, or read a download to its end; and close, over TLS in order."""
        if self._socket is not None:
            with _until_gone():
                if not is_upload:
                    read_all(self._socket)
                if isinstance(self._socket, ssl.SSLSocket):
                    self._socket.unwrap()
        self.close()

    def reset(self) -> None:
        if self._socket is not None:
            with _until_gone():
                reset(self._socket)
        self.close()

    def close(self) -> None:
        """Close whatever there is, without TLS's own end; nothing connects to it any more.  May be called twice."""
        self._is_over = True
        for open_socket in (self._socket, self._waiting):
            if open_socket is not None:
                open_socket.close()
        self._socket = None


@contextlib.contextmanager
def _until_gone() -> Iterator[None]:
    """Let the server close or refuse the connection: its reply tells why, and is judged."""
    try:
        yield
    except TimeoutError:
        raise
    except OSError:
        return
