"""Private addresses: those that mean nothing outside the network they belong to.

Apart from `ipaddress.is_private`, which counts documentation networks in and carrier-grade NAT out: what is asked here is whether a client
on the internet could be meant to connect to an address, and that decides what FTP may announce and take.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Final

__all__ = ["is_private"]

_PRIVATE: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            "10.0.0.0/8",  # RFC 1918
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",  # RFC 6598: behind a carrier's NAT
            "127.0.0.0/8",
            "169.254.0.0/16",  # RFC 3927: link-local
            "0.0.0.0/8",  # RFC 1122 3.2.1.3: this host, this network
            "::/127",  # RFC 4291: unspecified, loopback
            "fc00::/7",  # RFC 4193
            "fe80::/10",
        ),
    )
)


@lru_cache(maxsize=1024)  # asked with each PASV; a parse costs 10 us (tests/bench: retr)
def is_private(address: str) -> bool:
    """Whether *address*, IP text without zone, is of use only on its own network; "" (a Unix socket) and what is no address are not."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    plain = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(plain in network for network in _PRIVATE)
