"""TftpWire: a TFTP client made of a plain socket, for exact dialogues and for what no real client does on purpose.

Apart from the tests so that each of them reads as the dialogue it is about.  Packets are sent and received one by one, or a whole file is
fetched or stored, with the client's own retransmission or, to show the server's, without.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from tests.integration.live import SECONDS

__all__ = [
    "ACK",
    "DATA",
    "ERROR",
    "OACK",
    "RRQ",
    "WRQ",
    "Packet",
    "Refused",
    "TftpWire",
    "ack",
    "data",
    "error",
    "oack",
    "refusal",
    "request",
]

RRQ, WRQ, DATA, ACK, ERROR, OACK = range(1, 7)
Address = tuple[str, int]
_BLOCK: Final = 512
_LARGEST: Final = 65536
_RECEIVE_BYTES: Final = 8 * 1024 * 1024  # whole windows of large blocks wait here while Python is busy


class Packet(NamedTuple):
    """What came: `number` is the block of DATA and ACK, the code of ERROR, and 0 for OACK; `content` is the rest."""

    opcode: int
    number: int = 0
    content: bytes = b""

    @property
    def options(self) -> dict[str, str]:
        """The options of an OACK, in the order they stand."""
        assert self.opcode == OACK, self
        parts = self.content.split(b"\0")
        assert parts.pop() == b"", self  # each ends in NUL, the last one too
        return {name.decode(): value.decode() for name, value in zip(parts[::2], parts[1::2], strict=True)}


class Refused(Exception):
    """The server answered with ERROR."""

    def __init__(self, packet: Packet) -> None:
        super().__init__(packet)
        self.code, self.message = refusal(packet)


def request(opcode: int, name: str | bytes, options: Mapping[str, object] | None = None, mode: str = "octet") -> bytes:
    raw = name.encode() if isinstance(name, str) else name
    words = [mode, *(str(word) for pair in (options or {}).items() for word in pair)]
    return struct.pack(">H", opcode) + raw + b"\0" + b"".join(word.encode() + b"\0" for word in words)


def data(number: int, content: bytes) -> bytes:
    return struct.pack(">HH", DATA, number) + content


def ack(number: int) -> bytes:
    return struct.pack(">HH", ACK, number)


def error(code: int, message: str) -> bytes:
    return struct.pack(">HH", ERROR, code) + message.encode("ascii") + b"\0"


def oack(options: Mapping[str, object]) -> Packet:
    """Return the OACK that names exactly these options in this order, to compare with."""
    return Packet(OACK, 0, b"".join(f"{name}\0{value}\0".encode() for name, value in options.items()))


def refusal(packet: Packet) -> tuple[int, str]:
    """Return code and message of an ERROR."""
    assert packet.opcode == ERROR, packet
    assert packet.content.endswith(b"\0"), packet
    return packet.number, packet.content[:-1].decode("ascii")


class TftpWire:
    """A client's socket, for one transfer with the *server*; *source* is the local address it comes from.

    *opened* is a socket to use instead of a new one.  `peer` is whom the server answers from, once it has.
    """

    def __init__(self, server: Address, source: str | Address = "", opened: socket.socket | None = None) -> None:
        self.server = server
        self.peer: Address | None = None
        self.repeated = 0  # how many packets were sent again
        family = socket.AF_INET6 if ":" in server[0] else socket.AF_INET
        self.socket = opened or socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        self.socket.bind((source, 0) if isinstance(source, str) else source)
        self.socket.settimeout(SECONDS)
        self._said: Sequence[bytes] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()

    # Packet by packet.

    def read(self, name: str | bytes, options: Mapping[str, object] | None = None, mode: str = "octet") -> None:
        """Send a read request."""
        self.socket.sendto(request(RRQ, name, options, mode), self.server)

    def write(self, name: str | bytes, options: Mapping[str, object] | None = None, mode: str = "octet") -> None:
        """Send a write request."""
        self.socket.sendto(request(WRQ, name, options, mode), self.server)

    def send(self, *datagrams: bytes) -> None:
        """Send *datagrams* to whom the server answers from, or to its port for requests before it has."""
        for datagram in datagrams:
            self.socket.sendto(datagram, self.peer or self.server)

    def receive(self) -> Packet:
        """Return the next packet; the first one decides who the peer is, and one from anybody else fails the test."""
        datagram, address = self.socket.recvfrom(_LARGEST)
        self.peer = self.peer or (address[0], address[1])
        assert self.peer == (address[0], address[1]), f"{datagram[:40]!r} came from {address}, not {self.peer}"
        return _packet(datagram)

    def receives(self, count: int) -> list[Packet]:
        return [self.receive() for _ in range(count)]

    def waiting(self) -> list[Packet]:
        """Return what has arrived already, without waiting for more."""
        self.socket.setblocking(False)
        try:
            return list(iter(self._waiting, None))
        finally:
            self.socket.settimeout(SECONDS)

    def ask_read(self, name: str | bytes, options: Mapping[str, object] | None = None, mode: str = "octet") -> Packet:
        """Send a read request and return the first packet of the answer."""
        self.read(name, options, mode)
        return self.receive()

    def ask_write(self, name: str | bytes, options: Mapping[str, object] | None = None, mode: str = "octet") -> Packet:
        """Send a write request and return the first packet of the answer."""
        self.write(name, options, mode)
        return self.receive()

    # Whole files.

    def fetch(
        self,
        name: str,
        options: Mapping[str, object] | None = None,
        mode: str = "octet",
        *,
        retry_seconds: float = SECONDS,
        rollover: int = 0,
    ) -> bytes:
        """Fetch a file; after *retry_seconds* of silence the last packet is sent again.  Raises `Refused`, TimeoutError."""
        self._say(request(RRQ, name, options, mode))
        packet = self._hear(retry_seconds)
        granted = packet.options if packet.opcode == OACK else {}
        size, window = int(granted.get("blksize", _BLOCK)), int(granted.get("windowsize", 1))
        if packet.opcode == OACK:
            self._say(ack(0))
            packet = self._hear(retry_seconds)
        pieces: list[bytes] = []
        unacknowledged, has_gap = 0, False
        while True:
            taken = len(pieces)
            if packet.opcode == DATA and packet.number == wire_number(taken + 1, rollover):
                pieces.append(packet.content)
                unacknowledged, has_gap = unacknowledged + 1, False
                is_last = len(packet.content) < size
                if is_last or unacknowledged == window:
                    self._say(ack(wire_number(taken + 1, rollover)))
                    unacknowledged = 0
                if is_last:
                    return b"".join(pieces)
            elif packet.opcode == DATA and packet.number == wire_number(taken, rollover):
                self._say(ack(wire_number(taken, rollover)))  # ours was lost
                unacknowledged = 0
            elif packet.opcode == DATA and not has_gap:
                self._say(ack(wire_number(taken, rollover)))
                unacknowledged, has_gap = 0, True
            packet = self._hear(retry_seconds)

    def store(
        self,
        name: str,
        content: bytes,
        options: Mapping[str, object] | None = None,
        mode: str = "octet",
        *,
        retry_seconds: float = SECONDS,
        rollover: int = 0,
    ) -> None:
        """Store a file, until its last block is acknowledged; as `fetch` otherwise."""
        self._say(request(WRQ, name, options, mode))
        packet = self._hear(retry_seconds)
        granted = packet.options if packet.opcode == OACK else {}
        size, window = int(granted.get("blksize", _BLOCK)), int(granted.get("windowsize", 1))
        last = len(content) // size + 1
        done = 0
        while done < last:
            numbers = range(done + 1, min(done + window, last) + 1)
            self._say(*(data(wire_number(number, rollover), content[(number - 1) * size : number * size]) for number in numbers))
            acknowledgements = {wire_number(number, rollover): number for number in numbers}
            while (packet := self._hear(retry_seconds)).number not in acknowledgements or packet.opcode != ACK:
                pass
            done = acknowledgements[packet.number]

    def _say(self, *datagrams: bytes) -> None:
        self._said = datagrams
        self.send(*datagrams)

    def _hear(self, retry_seconds: float) -> Packet:
        """Return the next packet; after each *retry_seconds* of silence say again what was said last."""
        end = time.monotonic() + SECONDS
        self.socket.settimeout(min(retry_seconds, SECONDS))
        try:
            while True:
                try:
                    packet = self.receive()
                    break
                except TimeoutError:
                    if time.monotonic() >= end:
                        raise
                    self.repeated += len(self._said)
                    self.send(*self._said)
        finally:
            self.socket.settimeout(SECONDS)
        if packet.opcode == ERROR:
            raise Refused(packet)
        return packet

    def _waiting(self) -> Packet | None:
        try:
            return self.receive()
        except BlockingIOError:
            return None


def wire_number(block: int, rollover: int) -> int:
    """Return how the 16 bits on the wire name *block*, counted from 1; behind 65535 comes *rollover*."""
    return (block - 1) % 65535 + 1 if rollover and block else block & 0xFFFF


def _packet(datagram: bytes) -> Packet:
    (opcode,) = struct.unpack_from(">H", datagram)
    if opcode == OACK:
        return Packet(OACK, 0, datagram[2:])
    (number,) = struct.unpack_from(">H", datagram, 2)
    return Packet(opcode, number, datagram[4:])
