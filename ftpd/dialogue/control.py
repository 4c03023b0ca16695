"""Control: the client's end of a control connection, one blocking call for each thing said and heard.

Apart from data connections, which come and go beside it.  Bytes are kept as they came: whoever compares servers needs what was said, and
not what a kind reader made of it.
"""

from __future__ import annotations

import re
import socket as sockets
import ssl
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import attrs

__all__ = ["Broken", "Control", "Declined", "Gone", "Heard", "Nonsense", "Silent"]

_MOST_BYTES: Final = 1024 * 1024  # of one reply, all lines together
_READ_BYTES: Final = 16 * 1024
_FIRST_LINE: Final = re.compile(rb"([1-6][0-9]{2})(?:([ -]).*)?", re.DOTALL)  # 6yz: RFC 2228 4


class Broken(Exception):
    """A dialogue that cannot go on; the message says why, in words for the operator of the tool."""


class Gone(Broken):
    """The connection ended, or could not be made."""


class Silent(Broken):
    """Nothing, or no end of it, came within the time for it."""


class Nonsense(Broken):
    """What came is no reply, or more than a reply may be."""


class Declined(Broken):
    """The server said no to what the tool cannot do without; `heard` is what it said."""

    def __init__(self, line: str, heard: Heard) -> None:
        super().__init__(f"{line} was declined with {heard.code}")
        self.heard = heard


@attrs.frozen
class Heard:
    """One reply: its code, its lines without their ends, the code still in them, and the bytes as they came."""

    code: int
    lines: tuple[bytes, ...]
    raw: bytes

    @property
    def text(self) -> str:
        """The words of the last line; bytes that are not UTF-8 are lone surrogates."""
        return self.lines[-1][4:].decode("utf-8", "surrogateescape")

    @property
    def is_preliminary(self) -> bool:
        """Whether another reply to the same command follows (RFC 959 4.2.1)."""
        return self.code < 200

    @property
    def is_positive(self) -> bool:
        return self.code < 400


class Control:
    """A control connection.  `greeting` is what came first; `peer` and `local` are the addresses and ports of its two ends.

    `timeout` is how many seconds each call may take: a whole reply, however slowly it drips in, or one line to be taken.
    """

    def __init__(self, connection: sockets.socket, host: str, timeout: float) -> None:
        self.host = host
        self.timeout = timeout
        self.greeting: Heard
        self.context: ssl.SSLContext | None = None  # of a protected connection
        self.peer: tuple[str, int] = connection.getpeername()[:2]
        self.local: tuple[str, int] = connection.getsockname()[:2]
        self._socket = connection
        self._unread = bytearray()

    @classmethod
    def connect(cls, host: str, port: int, timeout: float, *, context: ssl.SSLContext | None = None) -> Self:
        """Connect and hear the greeting; with a *context* TLS comes first (implicit TLS).  Raises :class:`Broken`."""
        try:
            connection = sockets.create_connection((host, port), timeout)
        except OSError as error:
            raise Gone(f"cannot connect to {host} port {port}: {_reason(error)}") from error
        try:
            control = cls(connection, host, timeout)
            if context is not None:
                control.start_tls(context)
            control.greeting = control.reply()
        except OSError as error:  # it was reset before its addresses were asked for
            connection.close()
            raise Gone(f"cannot connect to {host} port {port}: {_reason(error)}") from error
        except BaseException:
            connection.close()
            raise
        return control

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # Saying.

    def send(self, line: bytes | str) -> None:
        """Say *line*, to which CR LF is added.  Text goes out as UTF-8, lone surrogates as the bytes that they stand for."""
        raw = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        self.send_raw(raw + b"\r\n")

    def send_raw(self, data: bytes) -> None:
        """Say *data* as it stands: half a line, or several."""
        self._socket.settimeout(self.timeout)
        try:
            self._socket.sendall(data)
        except TimeoutError as error:
            raise Silent("the server does not read what it is sent") from error
        except (OSError, ssl.SSLError) as error:
            raise Gone(f"the server is gone: {_reason(error)}") from error

    # Hearing.

    def command(self, line: bytes | str) -> Heard:
        """Say *line*, and return the first reply to it, which may be a preliminary one."""
        self.send(line)
        return self.reply()

    def reply(self, timeout: float | None = None) -> Heard:
        """Return the next reply, preliminary ones included.

        Raises :class:`Silent` when its end is not there after `timeout` seconds, :class:`Gone` when the connection ends before it, and
        :class:`Nonsense` for what is none (RFC 959 4.2) or has more than 1 MiB.
        """
        ends_at = time.monotonic() + (self.timeout if timeout is None else timeout)
        raw = [self._line(ends_at, _MOST_BYTES)]
        match = _FIRST_LINE.fullmatch(_without_end(raw[0]))
        if match is None:
            raise Nonsense(f"no reply: {_shown(raw[0])}")
        code, separator = match.groups()
        left = _MOST_BYTES - len(raw[0])  # joined once: a hostile server has half a million lines in a mebibyte
        while separator == b"-":
            raw.append(self._line(ends_at, left))
            left -= len(raw[-1])
            if raw[-1].startswith(code + b" ") or _without_end(raw[-1]) == code:
                break
        return Heard(int(code), tuple(map(_without_end, raw)), b"".join(raw))

    @property
    def pending(self) -> bytes:
        """What came and was not read yet: no more than what the last reply brought along."""
        return bytes(self._unread)

    def _line(self, ends_at: float, most: int) -> bytes:
        """Return one line with its end, of *most* bytes."""
        searched = 0
        while (end := self._unread.find(b"\n", searched)) < 0:
            searched = len(self._unread)
            if searched > most:
                raise Nonsense(f"a reply of more than {_MOST_BYTES} bytes")
            self._unread += self._read(ends_at)
        if end >= most:
            raise Nonsense(f"a reply of more than {_MOST_BYTES} bytes")
        line = bytes(self._unread[: end + 1])
        del self._unread[: end + 1]
        return line

    def _read(self, ends_at: float) -> bytes:
        seconds = ends_at - time.monotonic()
        if seconds <= 0:
            raise Silent(self._silence())
        self._socket.settimeout(seconds)
        try:
            data = self._socket.recv(_READ_BYTES)
        except TimeoutError as error:
            raise Silent(self._silence()) from error
        except (OSError, ssl.SSLError) as error:
            raise Gone(f"the connection broke: {_reason(error)}") from error
        if not data:
            rest = f"; it ends in {_shown(bytes(self._unread))}" if self._unread else ""
            raise Gone(f"the server closed the connection without a reply{rest}")
        return data

    def _silence(self) -> str:
        return f"no end of a reply within its time: {_shown(bytes(self._unread))}" if self._unread else "no reply within its time"

    # TLS, and the end.

    @property
    def tls_session(self) -> ssl.SSLSession | None:
        """What a data connection resumes; None in clear.  In TLS 1.3 it is there once the server's first ticket was read."""
        return self._socket.session if isinstance(self._socket, ssl.SSLSocket) else None

    @property
    def tls_version(self) -> str | None:
        return self._socket.version() if isinstance(self._socket, ssl.SSLSocket) else None

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Protect the connection from here on; raises :class:`Broken`.

        What the server sent in clear after its 234 would count as said under TLS, and whoever stands between could have said it
        (CVE-2021-38371 and its kind): that is :class:`Nonsense`.
        """
        if self._unread:
            raise Nonsense(f"said in clear after the reply to AUTH: {_shown(bytes(self._unread))}")
        self._socket.settimeout(self.timeout)
        try:
            self._socket = context.wrap_socket(self._socket, server_hostname=self.host)
        except TimeoutError as error:
            raise Silent("the TLS handshake did not end within its time") from error
        except (OSError, ssl.SSLError) as error:
            raise Gone(f"the TLS handshake failed: {_reason(error)}") from error
        self.context = context

    def stop_tls(self) -> None:
        """Go back to clear, after a positive reply to CCC (RFC 4217 5); raises :class:`Gone` where the server does not say close_notify too."""
        if isinstance(self._socket, ssl.SSLSocket):
            try:
                self._socket = self._socket.unwrap()
            except (OSError, ssl.SSLError) as error:
                raise Gone(f"TLS did not end in order: {_reason(error)}") from error

    def close(self) -> None:
        """End the connection, without QUIT; may be called twice."""
        with suppress(OSError):
            self._socket.close()


def _without_end(raw: bytes) -> bytes:
    return raw.removesuffix(b"\n").removesuffix(b"\r")


def _shown(raw: bytes) -> str:
    """Return the beginning of *raw* as it can be printed: what a server sends may steer a terminal."""
    shown = ascii(raw[:80].decode("latin-1"))
    return shown if len(raw) <= 80 else f"{shown} and {len(raw) - 80} bytes more"


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
