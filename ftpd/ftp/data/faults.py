"""DataFaults: why data connections do not come into being, told to the operator with what to change (`events.DataFault`).

Apart from the ports and commands where such a thing is noticed: what is said of it, and how often, is the same for all.  Behind a NAT that
is set up wrongly every transfer fails, and the log needs that once.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final

from ftpd.events import DataFault, Events
from ftpd.values import Peer

__all__ = ["DataFaults", "Fault"]

_QUIET_SECONDS: Final = 600.0  # between two that are alike, of one listener
_MANY: Final = 3  # ports given up in a row: one may be a user who has changed his mind, two are EPSV and then PASV


class Fault(enum.Enum):
    """What can be wrong; the values are a promise (docs/events.md)."""

    PRIVATE_ANNOUNCED = "private-announced"
    NOBODY_CONNECTED = "nobody-connected"
    PORTS_GIVEN_UP = "ports-given-up"
    STRANGER_CONNECTED = "stranger-connected"
    NO_FREE_PORT = "no-free-port"
    TARGET_PRIVATE = "target-private"
    TARGET_UNREACHABLE = "target-unreachable"


_WORDS: Final = {
    Fault.PRIVATE_ANNOUNCED: (
        "PASV told the private address {address} to a client with a public one, which cannot reach it",
        "set external_address of its [[listen]], or ftp.passive.external_address, to the address that clients connect to",
    ),
    Fault.NOBODY_CONNECTED: (
        "nobody connected to data port {port} in time",
        "let ftp.passive.ports pass firewalls, routers and containers, under the same numbers; `ftpd doctor` finds where it ends",
    ),
    Fault.PORTS_GIVEN_UP: (
        "clients asked for data ports and gave them up unused, several times in a row, the last one {port}",
        "where that is because they are refused, let ftp.passive.ports pass firewalls, routers and containers, under the same numbers;"
        " `ftpd doctor` finds where it ends",
    ),
    Fault.STRANGER_CONNECTED: (
        "{other} connected to data port {port}, instead of the client, and was turned away",
        "where it is the client, a NAT or load balancer on the way gives its connections different addresses:"
        " have that keep the client's own, or one for each client",
    ),
    Fault.NO_FREE_PORT: ("no port was free for a data connection", "make ftp.passive.ports larger"),
    Fault.TARGET_PRIVATE: (
        "a client with a public address named the private address {address} for active mode, so it is behind NAT",
        'let it use passive mode; ftp.active.private_address = "replace" is of use where its router passes ports on',
    ),
    Fault.TARGET_UNREACHABLE: (
        "no connection to {address} port {port}, which the client named for active mode",
        "the client may be behind NAT or a firewall: let it use passive mode; or connections to clients are not let out here",
    ),
}


class DataFaults:
    """Tells *events* of faults: the first of each kind and listener at once, then one in ten minutes, with the number of those not told."""

    def __init__(self, events: Events, seconds: Callable[[], float]) -> None:
        self._events = events
        self._seconds = seconds
        self.given_up: dict[str, int] = {}  # in a row, by listener
        self._untold: dict[tuple[str, Fault], int] = {}
        self._quiet_until: dict[tuple[str, Fault], float] = {}

    def give_up(self, peer: Peer, address: str, port: int) -> None:
        """*peer* has no more use for a port to which nobody has connected.  A client that is refused waits for no deadline: it goes."""
        self.given_up[peer.listener] = times = self.given_up.get(peer.listener, 0) + 1
        if times >= _MANY:
            self.tell(peer, Fault.PORTS_GIVEN_UP, address, port)

    def connected(self, peer: Peer) -> None:
        """*peer* has come through, so others can."""
        self.given_up.pop(peer.listener, None)

    def tell(self, peer: Peer, fault: Fault, address: str = "", port: int = 0, other: str = "") -> None:
        """Tell that *fault* has happened to *peer* where a connection should have gone to *address* and *port*; *other* has come instead."""
        key = peer.listener, fault
        times = self._untold.get(key, 0) + 1
        now = self._seconds()
        if now < self._quiet_until.get(key, now):
            self._untold[key] = times
            return
        self._untold[key] = 0
        self._quiet_until[key] = now + _QUIET_SECONDS
        reason, advice = _WORDS[fault]
        self._events.publish(
            DataFault(
                peer=peer,
                fault=fault.value,
                reason=reason.format(address=address, port=port, other=other),
                advice=advice,
                address=address,
                port=port,
                other=other,
                times=times,
            )
        )
