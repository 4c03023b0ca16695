"""PathProbe: what the kernel knows of the paths to clients.

Apart from lines, since terms are agreed before there is one, and a line by way of an unconnected socket has no path of its own.
"""

from __future__ import annotations

import socket
from typing import Final

from ftpd.spi import Clock
from ftpd.tftp.endpoint import Address, connected_endpoint, family_of, mtu_block

__all__ = ["PathProbe"]

_FRESH_SECONDS: Final = 1.0  # for so long it is not asked again: a machine that boots asks for a dozen files within a second
_MOST_REMEMBERED: Final = 1024  # pairs of addresses


class PathProbe:
    """Asks by way of a socket through which nothing is sent; it is opened when first asked, and connected to one client after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._socket: socket.socket | None = None
        self._local: Address = ()
        self._known: dict[tuple[object, ...], tuple[float, int | None]] = {}

    def path_block(self, local: Address, peer: Address) -> int | None:
        """Return the largest block that crosses the path from *local* to *peer* in one piece, None where nobody knows."""
        now = self._clock.seconds()
        key = (local[0], peer[0], peer[3:])  # of IPv6 the scope too
        known = self._known.get(key)
        if known is not None and now < known[0]:
            return known[1]
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        block = self._ask(local, peer)
        self._known[key] = (now + _FRESH_SECONDS, block)
        return block

    def close(self) -> None:
        """Close the socket; the next question opens another."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _ask(self, local: Address, peer: Address) -> int | None:
        try:
            if self._socket is not None and self._local == local:
                self._socket.connect(peer)
            else:
                self.close()
                self._socket = connected_endpoint(local, peer)
                self._local = local
        except OSError:  # there is no way to it, or no descriptor free
            self.close()
            return None
        return mtu_block(self._socket, family_of(peer))
