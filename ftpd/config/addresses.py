"""Addresses in a configuration, as rules between settings judge them."""

from __future__ import annotations

import ipaddress
from typing import Protocol

__all__ = ["Place", "collide", "ip_address", "is_loopback"]


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


def collide(one: Place, other: Place) -> bool:
    """Whether both would bind one port of one address; every IPv4 address includes each single one."""
    first, second = ip_address(one.address), ip_address(other.address)
    if one.port != other.port or one.port == 0 or first is None or second is None or first.version != second.version:
        return False
    return first == second or first.is_unspecified or second.is_unspecified
