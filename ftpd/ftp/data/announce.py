"""The address that PASV announces: the one the client reached, or an external one of a server behind NAT.

Apart because a DNS name is resolved again while running (a dynamic address changes under a long-lived server), and nobody waits for it
but the first.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.settings import REACHED, PassiveSettings
from ftpd.values import Peer

__all__ = ["Announcement"]

_FRESH_SECONDS = 60.0  # how long a resolved name is taken as it is; dynamic DNS records live about that long


class Announcement:
    """Chooses the address for each client; *resolve* turns a name into an IPv4 address, *seconds* is the clock."""

    def __init__(self, settings: PassiveSettings, resolve: Callable[[str], Deferred[str]], seconds: Callable[[], float]) -> None:
        self._settings = settings
        self._is_same_for_all = not (settings.networks or settings.internal_networks)
        texts = {settings.external_address, *(own.external_address for own in settings.networks)} - {"", REACHED}
        self._external = {text: _External(text, resolve, seconds) for text in texts}

    async def address_for(self, peer: Peer, reached: str) -> str:
        """Return the external address for *peer*, *reached* where there is none for it.

        Raises `DataConnectionFailed` where the name has never been resolved.
        """
        external = self._external.get(self._wanted(peer.address))
        return reached if external is None else await external.address()

    def _wanted(self, client: str) -> str:
        """Return what the settings say for *client*: an address, a name, "" or "reached"."""
        settings = self._settings
        if self._is_same_for_all or not client:
            return settings.external_address
        address = ipaddress.ip_address(client)
        for own in settings.networks:
            if any(address in network for network in own.networks):
                return own.external_address
        is_internal = any(address in network for network in settings.internal_networks)
        return REACHED if is_internal else settings.external_address


class _External:
    """One external address, *text*: as it stands, or as its name is resolved."""

    _log = Logger()

    def __init__(self, text: str, resolve: Callable[[str], Deferred[str]], seconds: Callable[[], float]) -> None:
        self._text = text
        self._resolve = resolve
        self._seconds = seconds
        self._is_name = not _is_address(text)
        self._known = "" if self._is_name else text
        self._asked_at: float | None = None

    async def address(self) -> str:
        """Return it; `DataConnectionFailed` where the name has never been resolved."""
        if self._is_name:
            await self._refresh()
        return self._known

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
            self._known = await self._resolve(self._text)
        except CancelledError:
            raise
        except Exception as error:
            self._log.warn("cannot resolve external address {name}: {error}", name=self._text, error=error)
            if not self._known:
                raise DataConnectionFailed("The external address of this server is not known now") from error


def _is_address(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
