"""SecureWire: the client of plain sockets with TLS on them, for what no real client does on purpose: others' sessions, missing ends.

Apart from the plain one, so that a test shows where TLS begins; the standard library's `ssl` does the rest.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any, Final, Self

from tests.integration.live import PASSWORD, Guest
from tests.integration.wire import Reply, Wire, connect, read_all

_RECORD_HEADER_BYTES: Final = 5


def trusting(version: str = "1.3", *, has_tickets: bool = True) -> ssl.SSLContext:
    """Return a client's context that takes any certificate and speaks TLS *version* only; its sessions are good with itself only."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = context.maximum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[version]
    if not has_tickets:
        context.options |= ssl.OP_NO_TICKET
    return context


class SecureWire(Wire):
    """A control connection on which TLS can begin, and data connections that resume its session.

    With *context* a test says how TLS is spoken; *server_name* is what SNI tells.  Data that end without close_notify raise `ssl.SSLEOFError`.
    """

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        source: str = "",
        *,
        context: ssl.SSLContext | None = None,
        server_name: str | None = None,
    ) -> None:
        super().__init__(port, host, source)
        self.context = context or trusting()
        self.server_name = server_name

    @classmethod
    def opened(cls, guest: Guest, source: str = "", **options: Any) -> Self:
        """Connect, and begin TLS by AUTH."""
        wire = cls(guest.port, guest.host, source, **options)
        assert wire.reply().code == 220
        wire.begin_tls()
        return wire

    @classmethod
    def implicit(cls, guest: Guest, **options: Any) -> Self:
        """Connect to a listener where TLS begins at once, and hear the greeting."""
        wire = cls(guest.port, guest.host, **options)
        wire.shake_hands()
        assert wire.reply().code == 220
        return wire

    @classmethod
    def of(cls, guest: Guest, source: str = "", **options: Any) -> Self:
        """Connect, begin TLS and log in as *guest*; TYPE I, PROT P."""
        wire = cls.opened(guest, source, **options)
        wire.log_in(guest)
        return wire

    def log_in(self, guest: Guest) -> None:
        codes = self.asks(f"USER {guest.name}", f"PASS {PASSWORD}", "TYPE I", "PBSZ 0", "PROT P")
        assert codes == [331, 230, 200, 200, 200]

    def begin_tls(self, line: str = "AUTH TLS") -> None:
        reply = self.ask(line)
        assert reply.code == 234, reply
        self.shake_hands()

    def shake_hands(self) -> None:
        self.control = self.context.wrap_socket(self.control, server_hostname=self.server_name, suppress_ragged_eofs=False)

    @property
    def tls(self) -> ssl.SSLSocket:
        assert isinstance(self.control, ssl.SSLSocket)
        return self.control

    @property
    def session(self) -> ssl.SSLSession | None:
        """The newest session of the control connection; its tickets come with the first reply."""
        return self.tls.session

    def is_closed(self) -> bool:
        try:
            return super().is_closed()
        except ssl.SSLEOFError:
            return True

    # Data connections.

    def secured(self, data: socket.socket, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
        """Begin TLS on a data connection, on which the transfer command was sent; without *session* that of the control connection is resumed."""
        return self.context.wrap_socket(data, suppress_ragged_eofs=False, session=session or self.session)

    def fetch(self, line: str | bytes, session: ssl.SSLSession | None = None) -> bytes:
        with self.data() as plain:
            reply = self.ask(line)
            assert reply.code == 150, reply
            with self.secured(plain, session) as data:
                content = read_all(data)
                data.unwrap()
        reply = self.reply()
        assert reply.code == 226, reply
        return content

    def store(self, line: str | bytes, content: bytes, session: ssl.SSLSession | None = None) -> Reply:
        with self.data() as plain:
            reply = self.ask(line)
            assert reply.code == 150, reply
            with self.secured(plain, session) as data:
                data.sendall(content)
                end(data)
        return self.reply()


def end(data: ssl.SSLSocket) -> None:
    """Say close_notify, and hear the other side's or its end."""
    with contextlib.suppress(ssl.SSLEOFError, ConnectionResetError):
        data.unwrap()


class Tickets:
    """A control connection of *guest* read one TLS record at a time, so that every session ticket is seen: `all` has them in order."""

    def __init__(self, guest: Guest, context: ssl.SSLContext) -> None:
        self.all: list[ssl.SSLSession] = []
        self._plain = connect(guest.host, guest.port)
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing)
        self._plain.recv(1000)
        self._plain.sendall(b"AUTH TLS\r\n")
        self._plain.recv(1000)
        self._until(self._tls.do_handshake)

    def recv(self, size: int) -> bytes:
        result: bytes = self._until(lambda: self._tls.read(size))
        return result

    def sendall(self, data: bytes) -> None:
        self._tls.write(data)
        self._plain.sendall(self._outgoing.read())

    def close(self) -> None:
        self._plain.close()

    def _until(self, step: Any) -> Any:
        while True:
            try:
                result = step()
                break
            except ssl.SSLWantReadError:
                self._plain.sendall(self._outgoing.read())
                self._note()
                self._incoming.write(self._record())
        self._plain.sendall(self._outgoing.read())
        self._note()
        return result

    def _note(self) -> None:
        if self._tls.version() is None:
            return  # in mid handshake
        session = self._tls.session
        if session is not None and session.has_ticket and all(session.id != known.id for known in self.all):
            self.all.append(session)

    def _record(self) -> bytes:
        header = self._exactly(_RECORD_HEADER_BYTES)
        return header + self._exactly(int.from_bytes(header[3:], "big"))

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            piece = self._plain.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return data


class TicketWire(SecureWire):
    """A logged-in guest whose `tickets` are known one by one."""

    def __init__(self, guest: Guest, context: ssl.SSLContext | None = None) -> None:
        super().__init__(guest.port, guest.host, context=context)
        self.control.close()
        self._tickets = Tickets(guest, self.context)
        self.control = self._tickets  # type: ignore[assignment]  # all of a socket that a Wire uses
        self.log_in(guest)

    @property
    def tickets(self) -> list[ssl.SSLSession]:
        return self._tickets.all

    @property
    def session(self) -> ssl.SSLSession | None:
        return self.tickets[-1]
