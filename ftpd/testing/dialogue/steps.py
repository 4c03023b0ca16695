"""Dialogue: the steps of a client, and what it expects of each.

Apart from the transport below them and from the transcript that they are written into.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.error import ConnectionLost as ConnectionCut
from twisted.python.failure import Failure

from ftpd.events import Event
from ftpd.ftp.channel import ControlChannel
from ftpd.ftp.command import Needs
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import decode_name
from ftpd.testing.dataports import MemoryConnection, MemoryDataPort
from ftpd.testing.dialogue.transcript import Transcript, shown
from ftpd.testing.dialogue.transport import ClientEnd
from ftpd.testing.server import PASSWORD, Server

if TYPE_CHECKING:
    from OpenSSL import SSL

    from ftpd.testing.tls_client import TLSClient

__all__ = ["Dialogue"]


class Dialogue:
    """One client and its session.

    With *login* it begins logged in, in TYPE I unless *is_ascii*, and silent about how it got there.  A data connection is announced and made
    by itself before a transfer command, unless the transcript announced one.  Further arguments are those of :class:`Server`.
    Every step returns the dialogue, so that steps can be chained; a step that is not as expected raises `AssertionError` with what was
    expected and what was heard.

        Dialogue(contexts=MemoryContexts()).hears(220).says("AUTH TLS").hears(234).shakes_hands().says("PBSZ 0").hears(200)

    TLS is for the control connection; a data connection in memory has none.
    """

    def __init__(
        self,
        login: str | None = None,
        *,
        server: Server | None = None,
        address: str = "127.0.0.1",
        local_address: str = "127.0.0.1",
        is_ascii: bool = False,
        **arguments: Any,
    ) -> None:
        self.server = server if server is not None else Server(**arguments)
        self.last = Reply(0)
        self._transcript = Transcript()
        self._next = 0  # of the replies heard, the first that no step has expected
        self._unsent = bytearray()
        self._is_over = False
        self.tls: TLSClient | None = None
        self.transport = ClientEnd(_address(local_address, 21), _address(address, 40000))
        self.channel: ControlChannel = self.server.factory.buildProtocol(None)
        self.transport.hear = self._hear
        self.channel.makeConnection(self.transport)  # type: ignore[no-untyped-call]
        self._session_id = self.channel.session.peer.session if self.channel.session is not None else ""
        self._settle()
        if login is not None:
            self._log_in(login, is_ascii)

    # What the client does.

    def says(self, line: str | bytes, *, connects: bool = True, reads: bool = True) -> Self:
        """Send *line* and its end.  *connects*: the data connection is made at once; *reads*: what it brings is read at once."""
        raw = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        self._prepare_data(raw, connects, reads)
        self._transcript.note(f"C: {decode_name(raw)}")
        return self._send(raw + b"\r\n")

    def raw(self, data: bytes) -> Self:
        """Send *data* as it is, in one piece: several commands, parts of one, or anything."""
        self._transcript.note(f"C: {data!r}")
        return self._send(data)

    def shakes_hands(self, name: str = "", *, context: SSL.Context | None = None) -> Self:
        """Begin TLS, with *name* as SNI and a *context* of one's own: after AUTH's 234, or at once where it is implicit.

        Everything that follows goes through it, except what is `injected`.
        """
        from ftpd.testing.tls_client import TLSClient  # with OpenSSL: not for dialogues in clear

        self._transcript.note(f"C: (TLS handshake{f' for {name}' if name else ''})")
        self.tls = TLSClient(name, context=context)
        return self._send_wire(self.tls.outgoing())

    def injected(self, data: bytes) -> Self:
        """Put *data* on the wire past TLS, as somebody does who sits in between."""
        self._transcript.note(f"C: (injected) {data!r}")
        return self._send_wire(data)

    def says_end(self) -> Self:
        """Say close_notify: what the client says from now on is in clear (CCC)."""
        assert self.tls is not None, "there is no TLS"
        self._transcript.note("C: (close_notify)")
        self._send_wire(self.tls.say_end())
        assert self.tls.has_heard_end, "close_notify is not answered"
        self.tls = None
        return self

    def sends(self, data: bytes) -> Self:
        """Send *data* over the data connection."""
        self._transcript.note(f"C: ({len(data)} bytes of data)")
        self.connection.feed(data)
        return self._settle()

    def ends(self) -> Self:
        """Close the data connection as one does at the end of an upload."""
        self._transcript.note("C: (end of data)")
        self.connection.end()
        return self._settle()

    def resets(self) -> Self:
        """Break the data connection."""
        self._transcript.note("C: (reset of the data connection)")
        self.connection.reset()
        return self._settle()

    def connects(self) -> Self:
        """Make the data connection announced last."""
        self._transcript.note("C: (data connection)")
        self.port.connect()
        return self._settle()

    def refuses_data(self, words: str = "No data connection in time") -> Self:
        """Let the data connection announced last never come to be."""
        self._transcript.note("C: (no data connection)")
        self.port.expire(words)
        return self._settle()

    def rests(self) -> Self:
        """Let come to rest what something outside of the dialogue set going, such as a store that was held up."""
        return self._settle()

    def reads_on(self) -> Self:
        """Read everything that waits on the data connection."""
        self.connection.read_on()
        return self._settle()

    def stops_reading(self) -> Self:
        """Read no more replies: the transport's buffer fills."""
        self.transport.is_read = False
        return self

    def reads_again(self) -> Self:
        """Read the replies that wait, and go on reading."""
        self.transport.read_all()
        return self._settle()

    def hangs_up(self) -> Self:
        """Drop the control connection."""
        self._transcript.note("C: (control connection closed)")
        self._lose(ConnectionCut())
        return self._settle()

    def waits(self, seconds: float) -> Self:
        """Let time pass, second by second."""
        self._transcript.note(f"   ({seconds:g} s)")
        whole, rest = divmod(seconds, 1)
        for step in (*[1.0] * int(whole), rest):
            self.server.clock.advance(step)
            self._settle()
        return self

    # What the client expects.

    def hears(self, code: int, text: str | None = None, lines: Iterable[str] | None = None) -> Self:
        """Expect the next reply: its code, and where given its text (the first line's) and the *lines* between first and last."""
        wanted = f"{code}" if text is None else f"{code} {text}"
        self._transcript.expect(f"S: {wanted}")
        if self._next >= len(self.heard):
            raise self._transcript.mismatch(f"{wanted} was expected, and nothing more came")
        self.last = self.heard[self._next]
        self._next += 1
        if self.last.code != code or (text is not None and self.last.text != text):
            raise self._transcript.mismatch(f"{wanted} was expected, {shown(self.last)} came")
        if lines is not None and self.last.lines != tuple(lines):
            raise self._transcript.mismatch(f"the lines {tuple(lines)!r} were expected, {self.last.lines!r} came")
        return self

    def hears_nothing(self) -> Self:
        """Expect no further reply for now."""
        if self._next < len(self.heard):
            raise self._transcript.mismatch(f"silence was expected, {shown(self.heard[self._next])} came")
        return self

    def data(self, expected: bytes) -> Self:
        """Expect all that the last data connection has brought so far to be *expected*."""
        self._transcript.expect(f"S: ({len(expected)} bytes of data)")
        if self.connection.received != expected:
            raise self._transcript.mismatch(f"the data {expected[:500]!r} was expected, {self.connection.received[:500]!r} came")
        return self

    def stored(self, name: str, expected: bytes | None) -> Self:
        """Expect *expected* to be published under *name*; None: nothing."""
        content = self.server.file(name)
        if content != expected:
            raise self._transcript.mismatch(f"{expected!r} was expected in {name}, {content!r} is there")
        return self

    def is_closed(self) -> Self:
        """Expect that the server has closed the connection, and that nothing was said that the transcript has not."""
        self.hears_nothing()
        if not self._is_over:
            raise self._transcript.mismatch("the end of the connection was expected, and it is open")
        return self

    def is_open(self) -> Self:
        """Expect that the connection still stands."""
        if self._is_over:
            raise self._transcript.mismatch("the connection is closed")
        return self

    # What a test may look at.

    @property
    def session(self) -> Session:
        """The server's side; only while the connection stands."""
        assert self.channel.session is not None, "the session is over"
        return self.channel.session

    @property
    def port(self) -> MemoryDataPort:
        """The data port announced or targeted last, in this session."""
        mine = [port for port in self.server.ports.given if port.peer.session == self._session_id]
        assert mine, "no data port was announced"
        return mine[-1]

    @property
    def connection(self) -> MemoryConnection:
        """The data connection made last."""
        connection = self.port.connection
        assert connection is not None, "the data connection is not there yet"
        return connection

    @property
    def heard(self) -> list[Reply]:
        """All replies so far, those of a silent login left out."""
        return self._transcript.replies

    @property
    def codes(self) -> list[int]:
        """The codes of all replies so far, those of a silent login left out."""
        return [reply.code for reply in self.heard]

    def events(self, kind: type[Event]) -> list[Any]:
        """All events of this *kind* so far, of all sessions of the server."""
        return [event for event in self.server.events if isinstance(event, kind)]

    # How it works.

    def _log_in(self, login: str, is_ascii: bool) -> None:
        self.hears(220).says(f"USER {login}").hears(331).says(f"PASS {PASSWORD}").hears(230)
        self.says("TYPE A" if is_ascii else "TYPE I").hears(200)
        self._transcript = Transcript()
        self._next = 0
        self.transport.writes.clear()

    def _prepare_data(self, raw: bytes, connects: bool, reads: bool) -> None:
        row = self.server.factory.commands.get(raw.partition(b" ")[0].upper())
        session = self.channel.session
        if row is None or Needs.DATA not in row.needs or session is None or not session.is_logged_in:
            return
        if session.data is None:
            session.use_data(self.server.ports.listen(session.peer))
        port = cast(MemoryDataPort, session.data)
        if connects and not port.is_closed:
            connection = port.connect()
            if not reads:
                connection.stop_reading()

    def _send(self, data: bytes) -> Self:
        return self._send_wire(data if self.tls is None else self.tls.encrypt(data))

    def _send_wire(self, data: bytes) -> Self:
        self._unsent += data
        return self._settle()

    def _settle(self) -> Self:
        """Hand over what the client said as far as the server reads, and let everything come to rest."""
        self.server.settle()
        while self._unsent and not self._is_over and self.transport.producerState == "producing":
            data = bytes(self._unsent)
            self._unsent.clear()
            self.channel.dataReceived(data)
            self.server.settle()
        if self.transport.disconnecting and (self.transport.is_read or self.transport.disconnected):
            self._lose(ConnectionDone())
        self.server.settle()
        return self

    def _lose(self, reason: Exception) -> None:
        if not self._is_over:
            self._is_over = True
            self.transport.connected = False
            self.channel.connectionLost(Failure(reason))  # type: ignore[no-untyped-call]

    def _hear(self, data: bytes) -> None:
        """Read what the server wrote; behind its close_notify it is in clear again."""
        if self.tls is not None and not self.tls.has_heard_end:
            data = self.tls.feed(data)
            self._unsent += self.tls.outgoing()
        self._transcript.hear(data)


def _address(host: str, port: int) -> IPv4Address | IPv6Address:
    return IPv6Address("TCP", host, port) if ":" in host else IPv4Address("TCP", host, port)
