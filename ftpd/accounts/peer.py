"""Who is at the other end: one function for every protocol, so that PROXY protocol and Unix sockets need no other change."""

from __future__ import annotations

import ipaddress
import random
import time
from functools import lru_cache
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import ISSLTransport, ITransport

from ftpd.values import Peer, TLSFacts

__all__ = ["new_session_id", "peer_of", "plain_address"]

_EPOCH_SECONDS: Final = 1_577_836_800  # 2020-01-01: 40 bits of milliseconds last until 2054
# base32hex (RFC 4648 7), which sorts as the number does, two characters at a time: base64.b32hexencode takes 10 us (tests/bench: login).
_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
_PAIRS: Final = tuple(first + second for first in _DIGITS for second in _DIGITS)


def peer_of(transport: ITransport, protocol: str, listener: str = "") -> Peer:
    """Describe both ends of *transport*, with a new session id; a Unix socket has empty addresses and port 0."""
    address, port = _plain(transport.getPeer())
    local_address, local_port = _plain(transport.getHost())
    return Peer(
        address=address,
        port=port,
        local_address=local_address,
        local_port=local_port,
        protocol=protocol,
        listener=listener,
        session=new_session_id(),
        tls=TLSFacts(version="", cipher="") if ISSLTransport.providedBy(transport) else None,
    )


@lru_cache(maxsize=1024)  # asked at every request of a datagram protocol; to parse one takes 4 us (tests/bench: tftp-tiny)
def plain_address(text: str) -> str:
    """Return an IP address as a peer's is told: without a zone, a v4-mapped one as IPv4."""
    if ":" not in text:
        return text
    address = ipaddress.IPv6Address(text.partition("%")[0])
    return str(address.ipv4_mapped or address)


def new_session_id() -> str:
    """Return 16 characters, unique across workers, restarts and machines, that sort by time: 40 bits of clock, 40 of chance."""
    milliseconds = int((time.time() - _EPOCH_SECONDS) * 1000) & 0xFFFFFFFFFF
    return _eight_digits(milliseconds) + _eight_digits(random.getrandbits(40))  # no secret; Python seeds it anew after a fork


def _eight_digits(number: int) -> str:
    return _PAIRS[number >> 30] + _PAIRS[number >> 20 & 1023] + _PAIRS[number >> 10 & 1023] + _PAIRS[number & 1023]


def _plain(address: Any) -> tuple[str, int]:
    if isinstance(address, IPv4Address):
        return address.host, address.port
    if isinstance(address, IPv6Address):
        return plain_address(address.host), address.port
    return "", 0
