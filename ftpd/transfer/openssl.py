"""What a tunnel asks of OpenSSL about a connection over memory: its own calls where pyOpenSSL lets us reach them, and pyOpenSSL's where not.

Apart from the tunnel, which knows what the answers mean.  pyOpenSSL says "nothing there" by an exception, asks for the error of a call that
went well, and copies what it returns: 5 us each (tests/bench: tls-retr), and a third of an upload's time in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from OpenSSL import SSL

__all__ = ["can_tell_resumption", "group_name", "is_resumed", "put_in", "read_into", "shake_hands", "take_out", "write"]

_lib: Final[Any] = getattr(SSL, "_lib", None)
_CALLS: Final = ("BIO_read", "BIO_write", "SSL_do_handshake", "SSL_get_error", "SSL_read", "SSL_write")
_CAN_REACH: Final = (
    all(hasattr(_lib, name) for name in _CALLS) and hasattr(SSL, "_ffi") and hasattr(SSL.Connection, "_raise_ssl_error")
)
_WAITS: Final = SSL.WantReadError()  # never raised: one for all who wait


def can_tell_resumption() -> bool:
    """Whether OpenSSL as installed lets us ask if a session was resumed; pyOpenSSL has no public name for it."""
    return hasattr(_lib, "SSL_session_reused")


def is_resumed(connection: Any) -> bool:
    """Whether the handshake has resumed a session; False where nobody can tell."""
    return can_tell_resumption() and bool(_lib.SSL_session_reused(connection._ssl))


def group_name(connection: Any) -> str:
    """Return the group of the key exchange, "" where the library is too old to say, or there was none."""
    ask = getattr(connection, "get_group_name", None)
    try:
        return (ask() or "") if ask else ""
    except NotImplementedError:
        return ""


# OpenSSL's calls.  `_raise_ssl_error` is how pyOpenSSL makes an exception of a result.


def _shake_hands(connection: Any) -> bool:
    ssl = connection._ssl
    result = _do_handshake(ssl)
    if result > 0:
        return True
    if _get_error(ssl, result) != _WANT_READ:
        connection._raise_ssl_error(ssl, result)
    return False


def _write(connection: Any, data: memoryview) -> None:
    ssl = connection._ssl
    while data:
        count = _ssl_write(ssl, _from_buffer(data), len(data))
        if count == len(data):
            return
        if count <= 0:
            connection._raise_ssl_error(ssl, count)
        data = data[count:]  # SSL_MODE_ENABLE_PARTIAL_WRITE, which pyOpenSSL sets


def _read_into(connection: Any, room: memoryview, records: int) -> tuple[int, int, SSL.Error | None]:
    filled, records, result = _fill(connection._ssl, room, records)
    return filled, records, None if result > 0 else _error(connection, result)


def _fill(ssl: Any, room: memoryview, records: int) -> tuple[int, int, int]:
    # By itself, so that no exception is made while this frame is alive, and with it `start`: where a cycle of garbage has a frame that
    # lends a memoryview to cffi, CPython 3.11 crashes.
    start, size, filled, count = _from_buffer(room), len(room), 0, 1
    while records and filled < size:
        count = _ssl_read(ssl, start + filled, size - filled)
        if count <= 0:
            break
        filled += count
        records -= filled < size
    return filled, records, count


def _error(connection: Any, result: int) -> SSL.Error | None:
    ssl = connection._ssl
    if _get_error(ssl, result) == _WANT_READ:
        return _WAITS
    try:
        connection._raise_ssl_error(ssl, result)
    except SSL.Error as error:
        return error
    return None


def _put_in(connection: Any, wire: memoryview) -> None:
    if _bio_write(connection._into_ssl, _from_buffer(wire), len(wire)) != len(wire):
        raise MemoryError("OpenSSL has no room for what came")


def _take_out(connection: Any, room: memoryview) -> int:
    count: int = _bio_read(connection._from_ssl, _from_buffer(room), len(room))
    return count if count > 0 else 0


# pyOpenSSL's.


def _shake_hands_publicly(connection: Any) -> bool:
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def _write_publicly(connection: Any, data: memoryview) -> None:
    while data:
        data = data[connection.send(data) :]


def _read_into_publicly(connection: Any, room: memoryview, records: int) -> tuple[int, int, SSL.Error | None]:
    filled, size = 0, len(room)
    try:
        while records and filled < size:
            filled += connection.recv_into(room[filled:])
            records -= filled < size
    except SSL.Error as error:
        return filled, records, error
    return filled, records, None


def _put_in_publicly(connection: Any, wire: memoryview) -> None:
    while wire:
        wire = wire[connection.bio_write(wire) :]


def _take_out_publicly(connection: Any, room: memoryview) -> int:
    try:
        wire = connection.bio_read(len(room))
    except SSL.WantReadError:
        return 0
    room[: len(wire)] = wire
    return len(wire)


if _CAN_REACH:
    _from_buffer: Final[Any] = SSL._ffi.from_buffer  # type: ignore[attr-defined]
    _do_handshake: Final[Any] = _lib.SSL_do_handshake
    _get_error: Final[Any] = _lib.SSL_get_error
    _ssl_read: Final[Any] = _lib.SSL_read
    _ssl_write: Final[Any] = _lib.SSL_write
    _bio_read: Final[Any] = _lib.BIO_read
    _bio_write: Final[Any] = _lib.BIO_write
    _WANT_READ: Final[int] = _lib.SSL_ERROR_WANT_READ

shake_hands: Final[Callable[[Any], bool]] = _shake_hands if _CAN_REACH else _shake_hands_publicly
"""Go on with the handshake; return whether it is done.  Raises `SSL.Error`, and whatever a callback of the context has raised."""

write: Final[Callable[[Any, memoryview], None]] = _write if _CAN_REACH else _write_publicly
"""Encrypt all of it.  Raises `SSL.Error`."""

read_into: Final[Callable[[Any, memoryview, int], tuple[int, int, SSL.Error | None]]] = (
    _read_into if _CAN_REACH else _read_into_publicly
)
"""Decipher so many records at most, as far as there is room, without an exception.

Returns how many bytes that is, how many records may be left, and what OpenSSL said in the place of more: `SSL.WantReadError` where it waits,
`SSL.ZeroReturnError` at the end.  A record that the room cuts counts as left.
"""

put_in: Final[Callable[[Any, memoryview], None]] = _put_in if _CAN_REACH else _put_in_publicly
"""Give it what came from the network, all of it."""

take_out: Final[Callable[[Any, memoryview], int]] = _take_out if _CAN_REACH else _take_out_publicly
"""Fill the room with what it has for the network, and return how many bytes that is."""
