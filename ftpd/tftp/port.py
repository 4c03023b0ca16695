"""RequestPort: the UDP socket that requests come to.

Apart from the server, which decides what becomes of them.  Twisted's datagram ports do not tell to which of the machine's addresses a
datagram came, and an answer from another one is a stranger's (RFC 1123 4.2.3.2 wants broadcasts ignored as well).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeAlias

from twisted.internet.interfaces import IReadWriteDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from ftpd.spi import Reactor
from ftpd.tftp.endpoint import Address, let_routers_cut

__all__ = ["Ancillary", "Arrival", "RequestPort"]

Ancillary: TypeAlias = list[tuple[int, int, bytes]]
Arrival: TypeAlias = tuple[Address, Ancillary]  # the address of ours that was asked, and what makes an answer leave from it

_IP_PKTINFO: Final = getattr(socket, "IP_PKTINFO", 8)  # linux/in.h; named since Python 3.14
_PKTINFO: Final = struct.Struct("=i4s4s")
_PKTINFO6: Final = struct.Struct("=16si")
_UNTOLD: Final = bytes(4)  # in place of an address of ours: the datagram came before the kernel was asked to tell
_DISCARD: Final = 9  # any port would do
_ANY: Final = ("0.0.0.0", "::")
_MOST_BYTES: Final = 65536
_MOST_READ: Final = 64  # datagrams in one turn of the reactor
_ROOM: Final = 8 * 1024 * 1024  # in the kernel, for each direction
_BUFFERS: Final = ((33, socket.SO_RCVBUF), (32, socket.SO_SNDBUF))  # SO_RCVBUFFORCE, SO_SNDBUFFORCE, asm-generic/socket.h; for root
_MOST_REMEMBERED: Final = 1024  # addresses of ours


@implementer(IReadWriteDescriptor)
class RequestPort:
    """Own *bound*, and hand each datagram that comes in, whence, and to where, to *received*.  *writable* is told when there is room for who awaits it."""

    _log = Logger()

    def __init__(
        self,
        reactor: Reactor,
        bound: socket.socket,
        received: Callable[[bytes, Address, Arrival], None],
        writable: Callable[[Address], None],
    ) -> None:
        self._reactor = reactor
        self._socket: socket.socket | None = bound
        self._received = received
        self._writable = writable
        self._awaiting: set[Address] = set()
        self._arrivals: dict[bytes, Arrival | None] = {}
        bound.setblocking(False)
        _make_room(bound)
        let_routers_cut(bound, bound.family)
        name = bound.getsockname()
        self.address: tuple[str, int] = name[:2]
        self._only: Arrival = (name, [])
        self._asks = name[0] in _ANY and _ask_for_destination(bound)
        self.sendmsg = bound.sendmsg
        reactor.addReader(self)

    def send(self, datagram: bytes, peer: Address, ancillary: Ancillary) -> None:
        """Send *datagram*, if there is room for it: whoever misses it asks again."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.sendmsg((datagram,), ancillary, 0, peer)

    def await_room(self, peer: Address) -> None:
        if not self._awaiting:
            self._reactor.addWriter(self)
        self._awaiting.add(peer)

    def close(self) -> None:
        """Read no more, and free the port; may be called twice."""
        if self._socket is not None:
            self._reactor.removeReader(self)
            if self._awaiting:
                self._reactor.removeWriter(self)
            self._socket.close()
            self._socket = None

    # IReadWriteDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        return "tftp"

    def doRead(self) -> None:
        for _ in range(_MOST_READ):
            if self._socket is None:
                return
            try:
                datagram, ancillary, _, peer = self._socket.recvmsg(_MOST_BYTES, 64 if self._asks else 0)
            except BlockingIOError:
                return
            except OSError as error:  # what an earlier answer met: a client's port is closed
                self._log.debug("reading requests: {error}", error=error)
                return
            arrival = self._arrival(ancillary) if self._asks else self._only
            if arrival is not None and len(peer) > 1 and peer[1]:
                self._hand_over(datagram, peer, arrival)

    def doWrite(self) -> None:
        self._reactor.removeWriter(self)
        awaiting, self._awaiting = self._awaiting, set()
        for peer in awaiting:
            self._writable(peer)

    def connectionLost(self, reason: object) -> None:
        self.close()

    def _hand_over(self, datagram: bytes, peer: Address, arrival: Arrival) -> None:
        """A fault over one datagram is no reason to stop listening."""
        try:
            self._received(datagram, peer, arrival)
        except Exception:
            self._log.failure("a datagram of {peer} was not dealt with", peer=peer)

    def _arrival(self, ancillary: Any) -> Arrival | None:
        """Return where a datagram came to; None: to more than us, so that nobody answers."""
        for level, kind, data in ancillary:
            try:
                return self._arrivals[data]
            except KeyError:
                if len(self._arrivals) >= _MOST_REMEMBERED:
                    self._arrivals.clear()
                arrival = self._arrivals[data] = _read_arrival(level, kind, data)
                return arrival
        return self._only


def _ask_for_destination(bound: socket.socket) -> bool:
    """Have the kernel tell where datagrams came to; whether it can."""
    try:
        if bound.family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            bound.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    except OSError:
        return False
    return True


def _read_arrival(level: int, kind: int, data: bytes) -> Arrival | None:
    if level == socket.IPPROTO_IPV6:
        address, interface = _PKTINFO6.unpack(data)
        if address[0] == 0xFF:  # multicast
            return None
        scope = interface if address[0] == 0xFE and address[1] & 0xC0 == 0x80 else 0  # link-local
        return (socket.inet_ntop(socket.AF_INET6, address), 0, 0, scope), [(level, kind, _PKTINFO6.pack(address, scope))]
    interface, ours, destination = _PKTINFO.unpack(data)
    if ours == _UNTOLD and _is_for_one(destination):
        ours = destination
    if ours != destination:  # broadcast or multicast: the kernel says which of our addresses would answer
        return None
    return (socket.inet_ntoa(ours), 0), [(level, kind, _PKTINFO.pack(0, ours, bytes(4)))]


def _is_for_one(destination: bytes) -> bool:
    """Whether what came to *destination* came to us alone: to a broadcast address nobody is connected who has not said so."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, suppress(OSError):
        one.connect((socket.inet_ntoa(destination), _DISCARD))  # nothing is sent
        return destination[0] & 0xF0 != 0xE0  # multicast
    return False


def _make_room(bound: socket.socket) -> None:
    """Have room for the requests of a boot storm, and for answers that wait until nobody is found at their addresses: others would wait behind them."""
    for forced, option in _BUFFERS:
        try:
            bound.setsockopt(socket.SOL_SOCKET, forced, _ROOM)
        except OSError:
            bound.setsockopt(socket.SOL_SOCKET, option, _ROOM)
