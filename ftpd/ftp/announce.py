"""The address that PASV announces: the one the client reached, or the external one of a server behind NAT.

Apart because a DNS name is resolved again while running (a dynamic address changes under a long-lived server), and nobody waits for it
but the first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.settings import PassiveSettings
from ftpd.values import Peer

__all__ = ["Announcement"]

_FRESH_SECONDS = 60.0  # how long a resolved name is taken as it is; dynamic DNS records live about that long


class Announcement:
    """Chooses the address for each client; *resolve* turns a name into an IPv4 address, *seconds* is the clock."""

    _log = Logger()

    def __init__(self, settings: PassiveSettings, resolve: Callable[[str], Deferred[str]], seconds: Callable[[], float]) -> None:
        self._external = settings.external_address
        self._internal = settings.internal_networks
        self._resolve = resolve
        self._seconds = seconds
        self._known = self._external if _is_address(self._external) else ""
        self._needs_name = bool(self._external) and not self._known
        self._asked_at: float | None = None

    async def address_for(self, peer: Peer, reached: str) -> str:
        """Return the external address, or *reached* for clients on internal networks and where none is set.

        Raises `DataConnectionFailed` where the name has never been resolved.
        """
        if not self._external or self._is_internal(peer.address):
            return reached
        if self._needs_name:
            await self._refresh()
        return self._known

    def _is_internal(self, address: str) -> bool:
        if not self._internal or not address:
            return False
        client = ipaddress.ip_address(address)
        return any(client in network for network in self._internal)

    async def _refresh(self) -> None:
        now = self._seconds()
        if self._known and self._asked_at is not None and now - self._asked_at < _FRESH_SECONDS:
            return
        self._asked_at = now
        asked = Deferred.fromCoroutine(self._ask())
        if not self._known:
            await asked

    async def _ask(self) -> None:
        """Resolve the name; a failure keeps the last address, which is better than none."""
        try:
            self._known = await self._resolve(self._external)
        except CancelledError:
            raise
        except Exception as error:
            self._log.warn("cannot resolve external address {name}: {error}", name=self._external, error=error)
            if not self._known:
                raise DataConnectionFailed("The external address of this server is not known now") from error


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
