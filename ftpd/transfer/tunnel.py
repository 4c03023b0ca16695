"""Tunnel: one TLS connection as a machine of bytes, wire on one side and clear text on the other.

Apart from whoever moves the bytes, so that the control channel and data connections have the same TLS, and tests can cut it anywhere.
OpenSSL works on memory here and never waits: what it wants sent is in `outgoing`, what it misses comes by `feed`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from OpenSSL import SSL

from ftpd.values import TLSFacts

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer
    from cryptography.x509 import Certificate

__all__ = ["HandshakeFailed", "Notes", "Truncated", "Tunnel", "TunnelBroken", "can_tell_resumption"]

PIECE_BYTES: Final = 256 * 1024  # clear text in one call; tests/bench: bigger gains nothing and holds the reactor for longer
_RECORD_BYTES: Final = 16 * 1024  # SSL_read gives one record at most (RFC 8446 5.1)
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


def can_tell_resumption() -> bool:
    """Whether OpenSSL as installed lets us ask if a session was resumed; pyOpenSSL has no public name for it."""
    return _session_reused is not None


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
        "_size",
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
        self._unread = (
            0  # records that OpenSSL may not have read yet, at most: to ask it for nothing costs 5 us (tests/bench: tls_login)
        )
        self._has_spoken = False  # since `outgoing`: OpenSSL may have something for the network
        self._size = 0  # clear text in `outgoing`
        self._plain = b""  # what `feed_records` has found in front of the end
        self._is_end_said = False
        self._broken: TunnelBroken | None = None
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
        self._take(view)

    def feed_records(self, wire: ReadableBuffer) -> bytes:
        """Take bytes from the network up to the other side's end; return what stands behind it, which is not TLS any more (CCC)."""
        view = memoryview(wire).cast("B")
        if not self.is_established:
            self.feed(view)
            return b""
        plain = [self._plain]
        while view and not self.is_ended_by_peer:
            size = self._until_boundary(view)
            self.feed(view[:size])
            view = view[size:]
            plain.append(self._decrypt(PIECE_BYTES))
        self._plain = b"".join(plain)
        return bytes(view)

    def outgoing(self) -> bytes:
        """Return all that is to be sent to the network, `b""` where there is nothing."""
        if self._connection is None or not self._has_spoken:
            return b""
        pieces = []
        # Room for all at once, since an allocation of 256 KiB costs more than most replies.
        size = min(_RECORD_BYTES + self._size + (self._size >> 5), WIRE_BYTES)
        self._has_spoken, self._size = False, 0
        try:
            while True:
                pieces.append(self._connection.bio_read(size))
                if len(pieces[-1]) < size:
                    break
        except SSL.WantReadError:
            pass
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def outgoing_into(self, room: memoryview) -> int:
        """Put what is to be sent to the network into *room*, and return how many bytes that is; what does not fit stays in `outgoing`."""
        if self._connection is None or not self._has_spoken:
            return 0
        count = _take_out(self._connection, room)
        if count < len(room):
            self._has_spoken, self._size = False, 0
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
            self._open().do_handshake()
        except SSL.WantReadError:
            return False
        except Exception as error:  # SSL.Error, or whatever a callback of the context has raised
            self._broken = HandshakeFailed(self._why(error))
            raise self._broken from None
        self.is_established = True
        self.is_resumed = _session_reused is not None and bool(_session_reused(self._connection._ssl))
        return True

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
                group=_group_name(connection),
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
        view = memoryview(data).cast("B")
        if self._broken is not None:
            raise self._broken
        self._has_spoken = True
        self._size += len(view)
        try:
            while view:
                view = view[self._open().send(view) :]
        except SSL.Error as error:
            raise self._break(error) from None

    def decrypt(self, most: int = PIECE_BYTES) -> bytes:
        """Return what the other side said, *most* bytes of it; `b""` when nothing of it is whole, or `is_ended_by_peer`."""
        if self._plain:
            plain, self._plain = self._plain[:most], self._plain[most:]
            return plain
        return self._decrypt(most)

    def decrypt_into(self, buffer: memoryview) -> int:
        """Fill *buffer* with what the other side said; return how many bytes that is, 0 as `decrypt` returns `b""`.

        A third of an upload's time in Python is spent on copies that OpenSSL's own call does not need: it is used where it can be reached.
        """
        if self._broken is not None:
            raise self._broken
        connection, filled, size = self._open(), 0, len(buffer)
        try:
            while filled < size and self._unread:
                filled += _read_into(connection, buffer[filled:])
                self._unread -= filled < size  # else there may be more of this record
        except SSL.WantReadError:
            self._has_heard_all()
        except SSL.ZeroReturnError:
            self._has_spoken = self.is_ended_by_peer = True
        except SSL.Error as error:
            broken = self._break(error)  # see `_decrypt`
            if not filled:
                raise broken from None
        return filled

    # The end.

    def say_end(self) -> None:
        """Put close_notify into `outgoing`, once; nothing can be encrypted after it."""
        if self._is_end_said or self._broken is not None or not self.is_established:
            return
        self._is_end_said = self._has_spoken = True
        try:
            self._open().shutdown()
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

    def _take(self, view: memoryview) -> None:
        while view:
            view = view[self._open().bio_write(view) :]

    def _decrypt(self, most: int) -> bytes:
        if self._broken is not None:
            raise self._broken
        pieces: list[bytes] = []
        read = self._open().recv
        try:
            while most > 0 and self._unread:
                piece = read(min(most, _RECORD_BYTES))
                pieces.append(piece)
                most -= len(piece)
                self._unread -= most > 0  # else there may be more of this record
        except SSL.WantReadError:
            self._has_heard_all()
        except SSL.ZeroReturnError:
            self._has_spoken = self.is_ended_by_peer = True
        except SSL.Error as error:
            # Kept: OpenSSL would call what follows a fatal alert an end.  What came before it is good.
            broken = self._break(error)
            if not pieces:
                raise broken from None
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def _has_heard_all(self) -> None:
        """OpenSSL waits for more, and may have met something of TLS's own that it answers."""
        self._unread = int(self.is_within_record)
        self._has_spoken = True

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


def _group_name(connection: Any) -> str:
    """Return the group of the key exchange, "" where the library is too old to say, or there was none."""
    ask = getattr(connection, "get_group_name", None)
    try:
        return (ask() or "") if ask else ""
    except NotImplementedError:
        return ""


# The one private name: SSL_session_reused has been in `cryptography` for years, and in no public API of pyOpenSSL.
_session_reused: Final[Any] = getattr(getattr(SSL, "_lib", None), "SSL_session_reused", None)


def _read_publicly(connection: Any, buffer: memoryview) -> int:
    count: int = connection.recv_into(buffer)
    return count


def _read_rawly(connection: Any, buffer: memoryview) -> int:
    """`Connection.recv_into`, without the allocation and the copy between."""
    count: int = _ssl_read(connection._ssl, _from_buffer(buffer), len(buffer))
    if count <= 0:
        connection._raise_ssl_error(connection._ssl, count)
    return count


def _take_out_publicly(connection: Any, room: memoryview) -> int:
    try:
        wire = connection.bio_read(len(room))
    except SSL.WantReadError:
        return 0
    room[: len(wire)] = wire
    return len(wire)


def _take_out_rawly(connection: Any, room: memoryview) -> int:
    """`Connection.bio_read`, without two allocations and two copies."""
    count: int = _bio_read(connection._from_ssl, _from_buffer(room), len(room))
    return max(count, 0)


_ssl_read: Final[Any] = getattr(getattr(SSL, "_lib", None), "SSL_read", None)
_from_buffer: Final[Any] = getattr(getattr(SSL, "_ffi", None), "from_buffer", None)
_can_read_rawly: Final = _ssl_read is not None and _from_buffer is not None and hasattr(SSL.Connection, "_raise_ssl_error")
_read_into: Final[Callable[[Any, memoryview], int]] = _read_rawly if _can_read_rawly else _read_publicly
_bio_read: Final[Any] = getattr(getattr(SSL, "_lib", None), "BIO_read", None)
_can_take_out_rawly: Final = _bio_read is not None and _from_buffer is not None
_take_out: Final[Callable[[Any, memoryview], int]] = _take_out_rawly if _can_take_out_rawly else _take_out_publicly
