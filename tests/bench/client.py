"""Client: a bare FTP client on blocking sockets, the measuring end of the benchmark.

Apart from ftplib, whose own cost for a command is that of the server's: here one command is one `sendall` and one `recv`.
"""

from __future__ import annotations

import re
import socket
import ssl
from contextlib import suppress

__all__ = ["Client", "Refused", "trusting"]

_PIECE_BYTES = 256 * 1024
_LAST_LINE = re.compile(rb"(?:^|\n)(\d{3}) [^\n]*\n")
_PORT = re.compile(rb"\|\|\|(\d+)\|")
_HOST_PORT = re.compile(rb"(\d+),(\d+),(\d+),(\d+),(\d+),(\d+)")


class Refused(Exception):
    """The server gave another reply than the one that was needed."""


def trusting() -> ssl.SSLContext:
    """Return a context that trusts anybody, as the servers' certificate is self-signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    """One control connection to *address*; logged in as *user* where one is given, and all over TLS where there is a context for it."""

    def __init__(self, address: tuple[str, int], user: str = "", password: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self._host = address[0]
        self._socket: socket.socket = socket.create_connection(address, timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self._has_epsv = True
        self._buffer = memoryview(bytearray(_PIECE_BYTES))
        self.reply(220)
        if tls is not None:
            self.command(b"AUTH TLS", 234)
            self._socket = tls.wrap_socket(self._socket)
            self.command(b"PBSZ 0", 200)
            self.command(b"PROT P", 200)
        if user:
            self.command(b"USER " + user.encode(), 331)
            self.command(b"PASS " + password.encode(), 230)

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session that data connections offer to be resumed."""
        return self._socket.session if isinstance(self._socket, ssl.SSLSocket) else None

    def command(self, line: bytes, *wanted: int) -> bytes:
        """Send *line*, return its reply; any code but those *wanted* is `Refused`."""
        self._socket.sendall(line + b"\r\n")
        return self.reply(*wanted)

    def reply(self, *wanted: int) -> bytes:
        """Return the next whole reply."""
        while (match := _LAST_LINE.search(self._unread)) is None:
            data = self._socket.recv(4096)
            if not data:
                raise Refused("the server closed the connection")
            self._unread += data
        reply, self._unread = self._unread[: match.end()], self._unread[match.end() :]
        if int(match[1]) not in wanted:
            raise Refused(reply.decode("utf-8", "replace").strip())
        return reply

    def data(self) -> socket.socket:
        """Connect a data connection: EPSV, or PASV where the server has no EPSV."""
        if self._has_epsv:
            reply = self.command(b"EPSV", 229, 500, 502)
            if match := _PORT.search(reply):
                return socket.create_connection((self._host, int(match[1])), timeout=60)
            self._has_epsv = False
        match = _HOST_PORT.search(self.command(b"PASV", 227))
        assert match is not None
        return socket.create_connection((self._host, int(match[5]) * 256 + int(match[6])), timeout=60)

    def retrieve(self, name: bytes) -> int:
        """Fetch a file and drop it; return how many bytes came."""
        with self.data() as data:
            self.command(b"RETR " + name, 125, 150)
            count = 0
            with self.protected(data) as opened:
                while got := opened.recv_into(self._buffer):
                    count += got
        self.reply(226)
        return count

    def store(self, name: bytes, content: bytes) -> None:
        with self.data() as data:
            self.command(b"STOR " + name, 125, 150)
            with self.protected(data) as opened:
                opened.sendall(content)
                if isinstance(opened, ssl.SSLSocket):
                    with suppress(ssl.SSLEOFError):  # a server may close without an end of its own (RFC 8446 6.1)
                        opened.unwrap()
        self.reply(226)

    def protected(self, data: socket.socket) -> socket.socket:
        """Return *data* with TLS on it where the control connection has it, and offer that one's session to be resumed."""
        return data if self.tls is None else self.tls.wrap_socket(data, session=self.session)

    def socket_of_listing(self, line: bytes) -> socket.socket:
        """Begin a listing; the caller reads the socket to its end, closes it and awaits 226."""
        data = self.data()
        self._socket.sendall(line + b"\r\n")
        return data

    def quit(self) -> None:
        self.command(b"QUIT", 221)
        self._socket.close()

    def close(self) -> None:
        self._socket.close()
