"""Wire: a client made of plain sockets, for what no real client does on purpose: odd orders, resets, silence.

Apart from the tests so that each of them reads as the dialogue it is about.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
import struct
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.integration.live import PASSWORD, SECONDS, Guest

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)  # close with a reset


class Reply(NamedTuple):
    """One reply, multi-line ones whole; `text` without the codes of the first line."""

    code: int
    text: str


class Wire:
    """A control connection; *source* is the local address it comes from."""

    def __init__(self, port: int, host: str = "127.0.0.1", source: str = "") -> None:
        self.host = host
        self.source = source
        self.control = connect(host, port, source)
        self._unread = b""

    @classmethod
    def of(cls, guest: Guest, source: str = "") -> Self:
        """Connect and log in as *guest*, TYPE I."""
        with contextlib.ExitStack() as failing:
            wire = cls(guest.port, guest.host, source)
            failing.callback(wire.control.close)
            assert wire.reply().code == 220
            wire.log_in(guest.name)
            failing.pop_all()
        return wire

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.control.close()

    # Control connection.

    def log_in(self, account: str) -> None:
        """Log in, and choose TYPE I."""
        assert self.ask(f"USER {account}").code == 331
        assert self.ask(f"PASS {PASSWORD}").code == 230
        assert self.ask("TYPE I").code == 200

    def send(self, data: str | bytes) -> None:
        self.control.sendall(encoded(data))

    def ask(self, line: str | bytes) -> Reply:
        """Send *line* with its end and return the next reply."""
        self.send(encoded(line) + b"\r\n")
        return self.reply()

    def asks(self, *lines: str | bytes) -> list[int]:
        """Send *lines* one after the other; return the code of each answer."""
        return [self.ask(line).code for line in lines]

    def reply(self) -> Reply:
        first = self._line()
        code, lines = first[:3], [first[4:]]
        while first[3:4] == "-" and not (line := self._line()).startswith(f"{code} "):
            lines.append(line)
        return Reply(int(code), "\n".join(lines))

    def replies(self, count: int) -> list[int]:
        return [self.reply().code for _ in range(count)]

    def is_closed(self) -> bool:
        """Read on to the end; whether it comes in time, in order or by a reset."""
        try:
            while self.control.recv(65536):
                pass
        except ConnectionResetError:
            return True
        except TimeoutError:
            return False
        return True

    def _line(self) -> str:
        while b"\r\n" not in self._unread:
            piece = self.control.recv(65536)
            if not piece:
                raise EOFError(f"closed after {self._unread!r}")
            self._unread += piece
        line, self._unread = self._unread.split(b"\r\n", 1)
        return line.decode("utf-8", "surrogateescape")

    # Data connections.

    def passive(self) -> int:
        """Ask for a passive port, in the control connection's family."""
        if ":" in self.host:
            reply = self.ask("EPSV")
            assert reply.code == 229, reply
            found = re.search(r"\(\|\|\|(\d+)\|\)", reply.text)
            assert found is not None, reply
            return int(found[1])
        reply = self.ask("PASV")
        assert reply.code == 227, reply
        return int(passive_address(reply)[1])

    def data(self) -> socket.socket:
        """Return a data connection, connected before the command that uses it."""
        return connect(self.host, self.passive(), self.source)

    def fetch(self, line: str | bytes) -> bytes:
        """Do a whole download of what *line* asks for."""
        with self.data() as data:
            reply = self.ask(line)
            assert reply.code == 150, reply
            content = read_all(data)
        reply = self.reply()
        assert reply.code == 226, reply
        return content

    def store(self, line: str | bytes, content: bytes) -> Reply:
        """Do a whole upload; return its last reply."""
        with self.data() as data:
            reply = self.ask(line)
            assert reply.code == 150, reply
            data.sendall(content)
        return self.reply()


def passive_address(reply: Reply) -> tuple[str, int]:
    found = re.search(r"\((\d+),(\d+),(\d+),(\d+),(\d+),(\d+)\)", reply.text)
    assert found is not None, reply
    numbers = found.groups()
    return ".".join(numbers[:4]), int(numbers[4]) * 256 + int(numbers[5])


def port_argument(address: str, port: int) -> str:
    return ",".join([*address.split("."), str(port // 256), str(port % 256)])


def connect(host: str, port: int, source: str = "") -> socket.socket:
    return socket.create_connection((host, port), SECONDS, (source, 0) if source else None)


def free_port(count: int = 1) -> int:
    """Return the first of *count* ports in a row that are free, below those that the kernel gives out by itself (32768 and up)."""
    for first in random.sample(range(20_000, 32_000), 1000):
        with contextlib.ExitStack() as bound:
            try:
                for port in range(first, first + count):
                    bound.enter_context(socket.create_server(("127.0.0.1", port)))
            except OSError:
                continue
            return first
    raise AssertionError("no port is free")


def listening(host: str = "127.0.0.1") -> socket.socket:
    """Return a socket that waits for an active data connection."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    waiting = socket.create_server((host, 0), family=family)
    waiting.settimeout(SECONDS)
    return waiting


def accepted(waiting: socket.socket) -> socket.socket:
    data, _ = waiting.accept()
    data.settimeout(SECONDS)
    return data


def taken(waiting: socket.socket) -> bytes:
    """Accept an active data connection and return all that comes over it."""
    with accepted(waiting) as data:
        return read_all(data)


def read_all(data: socket.socket) -> bytes:
    pieces = []
    while piece := data.recv(262144):
        pieces.append(piece)
    return b"".join(pieces)


def reset(data: socket.socket) -> None:
    """Close with RST, as a client that crashes does."""
    data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    data.close()


def encoded(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
