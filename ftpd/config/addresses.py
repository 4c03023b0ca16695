"""Addresses in a configuration, as rules between settings judge them."""

from __future__ import annotations

import ipaddress
from typing import Protocol

from ftpd.config.tree import Config
from ftpd.ftp.settings import REACHED

__all__ = ["Place", "collide", "external_addresses", "ip_address", "is_loopback"]


class Place(Protocol):
    """A listener of any protocol: where it listens."""

    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...


def ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the address that *text* is, None where it is none."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def is_loopback(text: str) -> bool:
    """Whether *text* is an address that no other machine reaches."""
    address = ip_address(text)
    return address is not None and address.is_loopback


def external_addresses(config: Config) -> dict[str, str]:
    """Return every address and name that PASV may announce in the place of the one that a client reached, by its dotted path."""
    passive = config.ftp.passive
    found = {"ftp.passive.external_address": passive.external_address}
    found |= {f"ftp.passive.networks[{index}].external_address": own.external_address for index, own in enumerate(passive.networks)}
    found |= {f"listen[{index}].external_address": listener.external_address for index, listener in enumerate(config.listen)}
    return {path: text for path, text in found.items() if text not in ("", REACHED)}


def collide(one: Place, other: Place) -> bool:
    """Whether both would bind one port of one address; every IPv4 address includes each single one."""
    first, second = ip_address(one.address), ip_address(other.address)
    if one.port != other.port or one.port == 0 or first is None or second is None or first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified
