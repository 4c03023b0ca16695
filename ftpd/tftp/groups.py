"""Groups: the files that are on their way to multicast addresses, and the sockets for it.

Apart from `multicast`, which says who asks for what when, and has no sockets.

All that a group's clients see comes from one address and port, by which they tell it from a stranger's (RFC 2090 4): the blocks, to the group,
and the OACKs and errors, to each client.  On our side each client has a socket on that port, which is connected: so that the kernel says whose
an acknowledgement is, keeps strangers away, and tells whose port is closed.

Only where the kernel is Linux: others do not let sockets share a port in that way.
"""

from __future__ import annotations

import random
import socket
from contextlib import suppress
from typing import Any, Final, TypeAlias

from ftpd.spi import Reactor
from ftpd.tftp.endpoint import Address, SocketOption
from ftpd.tftp.line import ConnectedLine
from ftpd.tftp.multicast import MOST_BLOCKS, Group, Seat
from ftpd.tftp.settings import TFTPMulticastSettings
from ftpd.tftp.timing import Timing
from ftpd.tftp.wire.packets import DATA
from ftpd.values import FileInfo

__all__ = ["Groups", "Place"]

_MOST_TRIED: Final = 4096  # addresses, of which others have each
_SHARED: Final[list[SocketOption]] = [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]
Key: TypeAlias = tuple[Any, ...]


class Casting:
    """One file on its way to one group: `line` is the way there."""

    def __init__(self, key: Key, group: Group, line: ConnectedLine, claim: socket.socket) -> None:
        self.key = key
        self.group = group
        self.line = line
        self.port = line.share_port()
        self._claim = claim

    def close(self) -> None:
        self.line.close()
        self._claim.close()


class MemberLine(ConnectedLine):
    """The way to one client of a group: blocks go to all of them, and the rest to this one."""

    def __init__(self, reactor: Reactor, local: Address, peer: Address, casting: Casting) -> None:
        super().__init__(reactor, local, peer, (casting.port, casting.port), _SHARED)
        self._alone = self.send
        self._group = casting.line
        self.send = self._send

    def _send(self, datagram: Any) -> object:
        return self._group.send(datagram) if datagram[1] == DATA else self._alone(datagram)

    def await_room(self) -> None:
        """Wait for room on the way to the group: whatever goes to one client only is not sent again for lack of it."""
        self._group.tell(self._listener)
        self._group.await_room()


class Place:
    """What a client has of a group: its `seat`, which says when it asks for what, and its `line`."""

    def __init__(self, groups: Groups, casting: Casting, seat: Seat, line: MemberLine) -> None:
        self._groups = groups
        self._casting = casting
        self.seat = seat
        self.line = line

    @property
    def granted(self) -> str:
        """The value of the option, as things are now (RFC 2090 2)."""
        address, port = self._casting.line.peer
        return f"{address},{port},{int(self.seat.is_master)}"

    def leave(self, now: float) -> None:
        """Give it up; may be called twice.  The line is its owner's."""
        self._groups.leave(self._casting, self.seat, now)


class Groups:
    """The groups of one listener, which answers from *ports*."""

    def __init__(self, reactor: Reactor, settings: TFTPMulticastSettings, ports: tuple[int, int]) -> None:
        self._reactor = reactor
        self._settings = settings
        self._ports = ports
        self._castings: dict[Key, Casting] = {}
        size = settings.addresses.num_addresses
        self._size = size
        self._next = random.randrange(size)  # somebody may still listen to what was sent to the first before a restart

    def can_send(self, info: FileInfo, block_size: int) -> bool:
        """Whether a group can be sent a file: its store has to tell it from others, and its blocks must not outrun their numbers."""
        return bool(info.unique) and info.size // block_size + 1 <= MOST_BLOCKS

    def join(self, info: FileInfo, block_size: int, local: Address, peer: Address, timing: Timing) -> Place | None:
        """Return a place for the client *peer*, which has asked *local*, among those that fetch this file; None: there is none."""
        key = (info.unique, info.size, info.modified_ns, block_size, local[0])
        casting = self._castings.get(key) or self._begin(key, Group(info.size // block_size + 1), local)
        if casting is None:
            return None
        try:
            line = MemberLine(self._reactor, (local[0], 0), peer, casting)
        except OSError:
            self._end(casting)
            return None
        return Place(self, casting, casting.group.join(timing), line)

    def leave(self, casting: Casting, seat: Seat, now: float) -> None:
        casting.group.leave(seat, now)
        self._end(casting)

    def _end(self, casting: Casting) -> None:
        """Free the address, unless somebody is left."""
        if not len(casting.group) and self._castings.get(casting.key) is casting:
            del self._castings[casting.key]
            casting.close()

    def _begin(self, key: Key, group: Group, local: Address) -> Casting | None:
        options: list[SocketOption] = [
            (socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(local[0])),
            (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._settings.hops),
        ]
        for _ in range(min(self._size, _MOST_TRIED)):
            address = str(self._settings.addresses[self._next])
            self._next = (self._next + 1) % self._size
            claim = _claimed(address, self._settings.port)
            if claim is None:
                continue
            try:
                line = ConnectedLine(self._reactor, (local[0], 0), (address, self._settings.port), self._ports, options)
            except OSError:  # no port is free, or there is no way for multicast from here
                claim.close()
                return None
            casting = self._castings[key] = Casting(key, group, line, claim)
            return casting
        return None


def _claimed(address: str, port: int) -> socket.socket | None:
    """Return what keeps other listeners and processes on this machine from that group, until it is closed; None: one of them has it.

    It is a name of the kernel's and not the port itself, which belongs to clients on this machine.
    """
    claim = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    with suppress(OSError):
        claim.bind(f"\0ftpd-tftp-multicast:{address}:{port}")
        return claim
    claim.close()
    return None
