"""Tunnel: one TLS connection as a machine of bytes, wire on one side and clear text on the other.

Apart from whoever moves the bytes, so that the control channel and data connections have the same TLS, and tests can cut it anywhere.
OpenSSL works on memory here and never waits: what it wants sent is in `outgoing`, what it misses comes by `feed`.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any, Final, Protocol

from OpenSSL import SSL

from ftpd.transfer.openssl import group_name, is_resumed, put_in, read_into, shake_hands, take_out, write
from ftpd.transfer.scratch import scratch
from ftpd.values import TLSFacts

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from cryptography.x509 import Certificate

__all__ = ["HandshakeFailed", "Notes", "Truncated", "Tunnel", "TunnelBroken"]

PIECE_BYTES: Final = 256 * 1024  # clear text in one call; tests/bench: bigger gains nothing and holds the reactor for longer
_HEADER_BYTES: Final = 5
WIRE_BYTES: Final = PIECE_BYTES + 8 * 1024  # a piece as records, each with header, tag and padding
_SHOWN_BYTES: Final = 12  # of what somebody says who does not speak TLS
_HANDSHAKE_RECORDS: Final = (0x15, 0x16)  # alert, handshake: what a TLS client can begin with
_HTTP: Final = (b"GET ", b"POST", b"HEAD", b"PUT ", b"OPTI", b"CONN")  # no FTP command begins like these

# OpenSSL's reasons that are met in practice, in words for a reply; the others are said as OpenSSL says them.
_WORDS: Final = {
    "certificate verify failed": "the certificate of the {peer} was refused",
    "decryption failed or bad record mac": "a record is damaged",
    "http request": "HTTP request",
    "https proxy request": "HTTP request",
    "no shared cipher": "no shared cipher",
    "no suitable key share": "no shared group for the key exchange",
    "no shared groups": "no shared group for the key exchange",
    "peer did not return a certificate": "the {peer} sent no certificate",
    "unexpected eof while reading": "the {peer} ended the connection",
    "unexpected message": "the {peer} sent a message out of order",
    "unsupported protocol": "the {peer} offers no TLS version that is taken here",
    "wrong version number": "the {peer} does not speak TLS",
}
_ALERT: Final = " alert "  # "ssl/tls alert bad certificate": what the other side had to say


class TunnelBroken(ConnectionError):
    """The TLS connection is broken."""

    def __init__(self, words: str) -> None:
        super().__init__(errno.EPROTO, words)

    def __str__(self) -> str:
        return str(self.strerror)


class HandshakeFailed(TunnelBroken):
    """The TLS handshake failed."""


class Truncated(TunnelBroken):
    """The connection ended without TLS's end, close_notify: anybody on the way may have cut it."""

    def __init__(self, words: str = "the connection ended without the end of TLS (close_notify)") -> None:
        super().__init__(words)


class SessionContext(Protocol):
    """What makes the connections of one control session: `ftpd.tls.binding.SessionContext`."""

    def connect(self) -> SSL.Connection:
        """Return a new connection over memory."""


class Notes:
    """What callbacks of the context say about one handshake; each finds it by `connection.get_app_data()`.

    A *refusal* is the reason in words why a callback lets the handshake fail.
    """

    __slots__ = ("refusal",)

    def __init__(self) -> None:
        self.refusal = ""


class Tunnel:
    """TLS made from *context*, of OpenSSL or of a control session, by the side that accepts unless *is_server* is false.

    Every method but the constructor may raise `TunnelBroken`: an alert for the other side may be in `outgoing` then.  Once broken it stays so.
    """

    __slots__ = (
        "_broken",
        "_connection",
        "_facts",
        "_has_spoken",
        "_header",
        "_is_end_said",
        "_is_server",
        "_missing",
        "_opening",
        "_peer",
        "_plain",
        "_unread",
        "is_ended_by_peer",
        "is_established",
        "is_resumed",
        "notes",
    )

    def __init__(self, context: SSL.Context | SessionContext, *, is_server: bool = True) -> None:
        self.notes = Notes()
        self.is_established = False
        self.is_resumed = False
        self.is_ended_by_peer = False
        self._is_server = is_server
        self._peer = "client" if is_server else "server"
        self._opening = b""
        self._header = b""  # as much of the next record's as has come
        self._missing = 0  # bytes of the record that has begun
        self._unread = 0  # records that OpenSSL may not have read yet, at most; where there are none, nobody asks it
        self._has_spoken = False  # since `outgoing`: OpenSSL may have something for the network
        self._plain = b""  # what `feed_records` has found in front of the end
        self._is_end_said = False
        self._broken: TunnelBroken | None = None  # what stands in the way for good; that it is closed, at the latest
        self._facts: TLSFacts | None = None
        self._connection: Any = SSL.Connection(context, None) if isinstance(context, SSL.Context) else context.connect()
        self._connection.set_app_data(self.notes)
        if is_server:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()

    # The wire.

    def feed(self, wire: ReadableBuffer) -> None:
        """Take bytes from the network, all of them."""
        view = memoryview(wire).cast("B")
        if len(self._opening) < _SHOWN_BYTES:
            self._opening += bytes(view[: _SHOWN_BYTES - len(self._opening)])
        self._follow_records(view)
        put_in(self._open(), view)

    def feed_records(self, wire: ReadableBuffer) -> bytes:
        """Take bytes from the network up to the other side's end; return what stands behind it, which is not TLS any more (CCC)."""
        view = memoryview(wire).cast("B")
        if not self.is_established:
            self.feed(view)
            return b""
        plain, self._plain = [self._plain], b""
        while view and not self.is_ended_by_peer:
            size = self._until_boundary(view)
            self.feed(view[:size])
            view = view[size:]
            plain.append(self.decrypt())
        self._plain = b"".join(plain)
        return bytes(view)

    def outgoing(self) -> bytes:
        """Return all that is to be sent to the network, `b""` where there is nothing."""
        if not self._has_spoken:
            return b""
        room = scratch.wire
        wire = bytes(room[: self.outgoing_into(room)])
        return wire + self.outgoing() if self._has_spoken else wire

    def outgoing_into(self, room: memoryview) -> int:
        """Put what is to be sent to the network into *room*, and return how many bytes that is; what does not fit stays in `outgoing`."""
        if not self._has_spoken:
            return 0
        count = 0 if self._connection is None else take_out(self._connection, room)
        self._has_spoken = count == len(room)
        return count

    @property
    def is_begun(self) -> bool:
        """Whether the other side has said anything."""
        return bool(self._opening)

    @property
    def is_within_record(self) -> bool:
        """Whether a record has begun and not ended: an end of the connection here has cut something off for certain."""
        return bool(self._missing or self._header)

    # The handshake.

    def shake_hands(self) -> bool:
        """Go on with the handshake; return whether it is done.  Raises `HandshakeFailed`."""
        if self.is_established:
            return True
        if self._broken is not None:
            raise self._broken
        if self._is_server and not self._opening:
            return False
        self._has_spoken = True
        try:
            self.is_established = shake_hands(self._connection)
        except Exception as error:  # SSL.Error, or whatever a callback of the context has raised
            self._broken = HandshakeFailed(self._why(error))
            raise self._broken from None
        self.is_resumed = self.is_established and is_resumed(self._connection)
        return self.is_established

    @property
    def has_only_tickets_left(self) -> bool:
        """Whether what `outgoing` has when the handshake is done can wait: a server's last flight in TLS 1.3 (RFC 8446 4.6.1)."""
        return self._is_server and self._open().get_protocol_version() == SSL.TLS1_3_VERSION

    def facts(self) -> TLSFacts:
        """Describe the established connection, all but its client's certificate."""
        if self._facts is None:
            connection = self._open()
            name: bytes = connection.get_servername() or b""
            self._facts = TLSFacts(
                version=connection.get_protocol_version_name(),
                cipher=connection.get_cipher_name() or "",
                group=group_name(connection),
                is_resumed=self.is_resumed,
                server_name=name.decode("ascii", "backslashreplace").lower(),
            )
        return self._facts

    def peer_certificate(self) -> Certificate | None:
        """Return the other side's certificate, where it sent one."""
        certificate = self._open().get_peer_certificate()
        return None if certificate is None else certificate.to_cryptography()

    # Clear text.

    def encrypt(self, data: ReadableBuffer) -> None:
        """Put *data*, 256 KiB at most, into `outgoing`."""
        if self._broken is not None:
            raise self._broken
        self._has_spoken = True
        try:
            write(self._connection, memoryview(data).cast("B"))
        except SSL.Error as error:
            raise self._break(error) from None

    def decrypt(self, most: int = PIECE_BYTES) -> bytes:
        """Return what the other side said, *most* bytes of it; `b""` when nothing of it is whole, or `is_ended_by_peer`."""
        if self._plain:
            plain, self._plain = self._plain[:most], self._plain[most:]
            return plain
        room = scratch.plain[:most]
        return bytes(room[: self.decrypt_into(room)])

    def decrypt_into(self, buffer: memoryview) -> int:
        """Fill *buffer* with what the other side said; return how many bytes that is, 0 as `decrypt` returns `b""`."""
        if self._broken is not None:
            raise self._broken
        if not self._unread:
            return 0
        filled, self._unread, error = read_into(self._connection, buffer, self._unread)
        if error is not None:
            self._heed(error, filled)
        return filled

    # The end.

    def say_end(self) -> None:
        """Put close_notify into `outgoing`, once; nothing can be encrypted after it."""
        if self._is_end_said or self._broken is not None or not self.is_established:
            return
        self._is_end_said = self._has_spoken = True
        try:
            self._connection.shutdown()
        except SSL.Error as error:
            raise self._break(error) from None

    def mark_shut(self) -> None:
        """Close it, such that its session can still be resumed: OpenSSL drops that of a connection which is freed without an end."""
        self._close(SSL.SENT_SHUTDOWN | SSL.RECEIVED_SHUTDOWN)

    def discard(self) -> None:
        """Close it, and its session with it, where that is not a resumed one: nobody can resume what was made here."""
        self._close(SSL.SENT_SHUTDOWN if self.is_resumed else 0)

    def _close(self, state: int) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self.is_established:
                connection.set_shutdown(state)
            self._broken = self._broken or TunnelBroken("the TLS connection is closed")

    def _open(self) -> Any:
        if self._connection is None:
            raise self._broken or TunnelBroken("the TLS connection is closed")
        return self._connection

    def _heed(self, error: SSL.Error, filled: int) -> None:
        """See to what OpenSSL says in the place of more clear text, behind *filled* bytes of it."""
        self._has_spoken = True  # it may have met something of TLS's own that it answers
        if isinstance(error, SSL.WantReadError):
            self._unread = int(self.is_within_record)
        elif isinstance(error, SSL.ZeroReturnError):
            self.is_ended_by_peer = True
        else:
            # Kept: OpenSSL would call what follows a fatal alert an end.  What came before it is good.
            broken = self._break(error)
            if not filled:
                raise broken from None

    def _break(self, error: SSL.Error) -> TunnelBroken:
        self._has_spoken = True  # the alert
        self._broken = TunnelBroken(self._why(error))
        return self._broken

    def _why(self, error: Exception) -> str:
        """Say *error* in words for a reply and a log."""
        if self.notes.refusal:
            return self.notes.refusal
        opening = self._opening
        if not self.is_established and opening and opening[0] not in _HANDSHAKE_RECORDS:
            is_http = opening.startswith(_HTTP)
            return "HTTP request" if is_http else f"the {self._peer} does not speak TLS: found {opening.decode('latin-1')!a}"
        reason = _reason(error)
        if _ALERT in reason:
            return f"the {self._peer} refused: {reason.partition(_ALERT)[2]}"
        return _WORDS.get(reason, reason).format_map({"peer": self._peer})

    # Where records end, for whoever has to know.

    def _follow_records(self, view: memoryview) -> None:
        if self._header and view:
            view = memoryview(self._header + bytes(view))
            self._header = b""
        place, size = self._missing, len(view)  # of the next header; the length is its last two bytes (RFC 8446 5.1)
        while place + _HEADER_BYTES <= size:
            place += _HEADER_BYTES + (view[place + 3] << 8) + view[place + 4]
            self._unread += 1
        self._missing = max(place - size, 0)
        if place < size:
            self._header = bytes(view[place:])

    def _until_boundary(self, view: memoryview) -> int:
        """Return how many bytes of *view* end the record under way, or its header; without a step of our own."""
        wanted = self._missing or _HEADER_BYTES - len(self._header)
        return min(wanted, len(view))


def _reason(error: Exception) -> str:
    """Return what OpenSSL, or a callback, says: of a stack of errors the first of TLS itself, which is the cause."""
    stack = error.args[0] if isinstance(error, SSL.Error) and error.args else None
    if not isinstance(stack, list) or not stack:
        return str(error) or type(error).__name__
    reasons = [reason for library, _, reason in stack if library == "SSL routines"] or [stack[0][2]]
    return str(reasons[0] or "unknown error")
