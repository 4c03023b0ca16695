"""Virtual hosts: several servers behind one address, told apart by name (RFC 7151; SNI, RFC 6066 3)."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import attrs
from twisted.cred.portal import Portal

from ftpd.errors import BadArgument

__all__ = ["Host", "parse_host"]

_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*", re.ASCII)
_MOST_CHARACTERS: Final = 253  # of a host name (RFC 1035 2.3.4)


@attrs.frozen
class Host:
    """What a session has in the place of its factory's own once HOST or SNI has named a virtual host.

    `name` is the one that the certificates are filed under.
    """

    name: str
    portal: Portal
    greeting: str
    anonymous_names: tuple[str, ...] = ()


def parse_host(argument: str) -> str:
    """Return the name, or the bare address, that HOST names (RFC 7151 3.1); raises `BadArgument`: a port is none."""
    name = argument.removesuffix(".").lower()
    if name.startswith("[") and name.endswith("]"):
        return str(_address(name[1:-1], 6))
    if name.replace(".", "").isdecimal() and name.isascii():
        return str(_address(name, 4))
    if len(name) > _MOST_CHARACTERS or not _NAME.fullmatch(name):
        raise BadArgument("HOST takes a host name, an IPv4 address, or an IPv6 address in brackets")
    return name


def _address(text: str, version: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise BadArgument(f"{text} is not an address") from None
    if address.version != version:
        raise BadArgument(f"{text} is not an IPv{version} address")
    return address
