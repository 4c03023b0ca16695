"""Choice: which sessions an operator means, by their id, their account, or the address or network they come from.

Apart from who ends them: the sessions that are asked to go and those that are shown or counted have to be the same.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Final

from ftpd.schema import Network
from ftpd.values import SessionRow

__all__ = ["FIELDS", "chosen", "read_network"]

FIELDS: Final = ("session", "account", "address")


def chosen(rows: Iterable[SessionRow], field: str, value: str) -> list[SessionRow]:
    """Return those of *rows* whose *field*, one of `FIELDS`, is *value*; an address may be a network, and "" is nobody's.

    The account of every virtual host that has one of that name is meant.  Raises `ValueError` for another field, and for what is no address.
    """
    if field not in FIELDS:
        raise ValueError(f"sessions are chosen by {', '.join(FIELDS)}")
    if field != "address":
        return [row for row in rows if value and getattr(row, field) == value]
    network = read_network(value)
    return [row for row in rows if row.address and ipaddress.ip_address(row.address) in network]


def read_network(text: str) -> Network:
    """Read an IP address, or a network in CIDR form (RFC 4632, RFC 4291 2.3); a v4-mapped one is IPv4, as in the rows.

    Raises `ValueError` also for a network with host bits: one of two things was meant.
    """
    network = ipaddress.ip_network(text)
    mapped = network.network_address.ipv4_mapped if isinstance(network, ipaddress.IPv6Network) else None
    if mapped is None or network.prefixlen < 96:
        return network
    return ipaddress.IPv4Network((mapped, network.prefixlen - 96))
