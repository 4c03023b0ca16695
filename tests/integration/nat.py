"""A NAT of the test's own: a server with a private address behind one box, a client behind another, and the internet between them.

Apart from `network`, whose cable changes nothing.  The boxes are this process: it moves packets from one TUN device to the other and writes
addresses anew, one to one as cloud providers do, so that neither nftables nor its modules have to be there.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
import select
import shutil
import struct
import threading
from types import TracebackType
from typing import Final, Self

import attrs

from tests.integration.network import CannotMake, Namespace

__all__ = ["CLIENT", "CLIENT_PUBLIC", "OTHER_PUBLIC", "SERVER", "SERVER_PUBLIC", "Nat", "Rules"]

SERVER: Final = "10.69.0.1"
SERVER_PUBLIC: Final = "198.51.100.1"
CLIENT: Final = "192.168.7.2"
CLIENT_PUBLIC: Final = "203.0.113.9"
OTHER_PUBLIC: Final = "203.0.113.10"  # of the client's NAT, too
_TUNSETIFF: Final = 0x400454CA  # linux/if_tun.h
_IFF_TUN_NO_PI: Final = 0x1001
_SYN_ALONE: Final = 0x02  # of the flags, with ACK and RST masked out
_TCP: Final = 6


@attrs.define
class Rules:
    """What the boxes let through; may be changed while they work.

    `open_ports` are those of the server that connections from outside come to, None for all; `moved_ports` are those of the server that the
    client's NAT has another address for; `passes_on`: connections from outside come to the client, as through a router with a forwarded port.
    """

    open_ports: range | None = None
    moved_ports: range = range(0)
    passes_on: bool = False


class Nat:
    """Two namespaces, `server` and `client`, and the boxes between them, which heed `rules`.  Raises `CannotMake`."""

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise CannotMake("not root")
        if not (shutil.which("unshare") and shutil.which("ip") and os.path.exists("/dev/net/tun")):
            raise CannotMake("no unshare(1), no ip(8) or no /dev/net/tun")
        self.rules = Rules()
        with contextlib.ExitStack() as opening:
            self.server = Namespace()
            opening.callback(self.server.close)
            self.client = Namespace()
            opening.callback(self.client.close)
            self._server_end = _attached(self.server, SERVER, opening)
            self._client_end = _attached(self.client, CLIENT, opening)
            self._asleep, self._awake = os.pipe()
            opening.callback(os.close, self._asleep)
            opening.callback(os.close, self._awake)
            self._thread = threading.Thread(target=self._work, daemon=True)
            self._thread.start()
            self._opened = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        os.write(self._awake, b"x")
        self._thread.join()
        self._opened.close()

    def _work(self) -> None:
        poll = select.poll()
        for descriptor in (self._server_end, self._client_end, self._asleep):
            poll.register(descriptor, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._asleep:
                    return
                packet = os.read(descriptor, 65536)
                if packet[0] >> 4 != 4 or packet[9] != _TCP:
                    continue
                if descriptor == self._client_end:
                    self._pass_in(packet)
                else:
                    self._pass_out(packet)

    def _pass_in(self, packet: bytes) -> None:
        """From the client's network to the server's."""
        port = _ports(packet)[1]
        if _is_first(packet) and self.rules.open_ports is not None and port not in self.rules.open_ports:
            return
        source = OTHER_PUBLIC if port in self.rules.moved_ports else CLIENT_PUBLIC
        os.write(self._server_end, _readdressed(packet, source, SERVER))

    def _pass_out(self, packet: bytes) -> None:
        """From the server's network to the client's."""
        if not _is_first(packet) or self.rules.passes_on:
            os.write(self._client_end, _readdressed(packet, SERVER_PUBLIC, CLIENT))


def _attached(namespace: Namespace, address: str, opening: contextlib.ExitStack) -> int:
    """Give *namespace* a device that leads to us, as its only way out."""

    def make() -> int:
        descriptor = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH22x", b"way-out", _IFF_TUN_NO_PI))
        return descriptor

    descriptor = namespace.call(make)
    opening.callback(os.close, descriptor)
    namespace.run("ip", "address", "add", f"{address}/24", "dev", "way-out")
    namespace.run("ip", "link", "set", "way-out", "up")
    namespace.run("ip", "route", "add", "default", "dev", "way-out")
    return descriptor


def _header(packet: bytes) -> int:
    return (packet[0] & 15) * 4


def _ports(packet: bytes) -> tuple[int, int]:
    source, destination = struct.unpack_from("!HH", packet, _header(packet))
    return source, destination


def _is_first(packet: bytes) -> bool:
    return packet[_header(packet) + 13] & 0x16 == _SYN_ALONE


def _readdressed(packet: bytes, source: str, destination: str) -> bytes:
    """Return the TCP *packet* with other addresses, and the checksums that belong to them (RFC 791 3.1, RFC 9293 3.1)."""
    end = _header(packet)
    changed = bytearray(packet)
    addresses = ipaddress.IPv4Address(source).packed + ipaddress.IPv4Address(destination).packed
    changed[12:20] = addresses
    changed[10:12] = b"\0\0"
    changed[10:12] = _checksum(changed[:end])
    changed[end + 16 : end + 18] = b"\0\0"
    pseudo_header = addresses + struct.pack("!HH", _TCP, len(changed) - end)
    changed[end + 16 : end + 18] = _checksum(pseudo_header + changed[end:])
    return bytes(changed)


def _checksum(data: bytes | bytearray) -> bytes:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & ~1])) + (data[-1] << 8 if len(data) & 1 else 0)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", total ^ 0xFFFF)
