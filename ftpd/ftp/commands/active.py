"""PORT, EPRT, LPRT: the server connects, when the transfer command comes and not before (RFC 959 4.1.2, RFC 2428 2, RFC 1639 2.1).

Only to the client itself: an address of somebody else is the FTP bounce attack (RFC 2577 3), or FXP, which an account has to be given.
"""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadArgument, NotOffered, OutOfOrder
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.data.faults import Fault
from ftpd.ftp.session import Session
from ftpd.ftp.wire.addresses import LONG_FAMILIES, parse_eprt, parse_lprt, parse_port
from ftpd.ftp.wire.replies import Reply
from ftpd.private import is_private

_LEAST_PORT: Final = 1024  # below it are services that an attacker would have us talk to (RFC 2577 3)
_UNSPECIFIED: Final = ("0.0.0.0", "::")  # lftp 4.9.2 sends `EPRT |2|::|port|` over IPv6; it can only mean itself


def _feature(session: Session) -> str:
    return "EPRT" if _is_served(session) else ""


def _long_feature(session: Session) -> str:
    return "LPRT" if _is_served(session) else ""


def _is_served(session: Session) -> bool:
    return session.factory.settings.active.enabled and session.is_on_network and not session.is_extended_only


@command("PORT", takes=text, needs=Needs.LOGIN, rfc="RFC 959 4.1.2", syntax="PORT h1,h2,h3,h4,p1,p2", keeps_restart=True)
async def port(session: Session, argument: str) -> Reply:
    """Name the address to connect to, IPv4."""
    address, number = parse_port(argument)
    return _target(session, address, number)


@command("EPRT", takes=text, needs=Needs.LOGIN, rfc="RFC 2428 2", syntax="EPRT |family|address|port|", features=(_feature,), keeps_restart=True)  # fmt: skip
async def eprt(session: Session, argument: str) -> Reply:
    """Name the address to connect to, IPv4 or IPv6."""
    family, address, number = parse_eprt(argument)
    if family not in (1, 2):
        return Reply(522, "Network protocol not supported, use (1,2)")
    return _target(session, address, number)


@command("LPRT", takes=text, needs=Needs.LOGIN, rfc="RFC 1639 2.1", syntax="LPRT family,4,h1,h2,h3,h4,2,p1,p2", features=(_long_feature,), keeps_restart=True)  # fmt: skip
async def lprt(session: Session, argument: str) -> Reply:
    """Name the address to connect to, IPv4 or IPv6, in RFC 1639's notation, which EPRT has replaced."""
    family, address, number = parse_lprt(argument)
    if family not in LONG_FAMILIES:
        return Reply(521, "Supported address families are (4,6)")
    return _target(session, address, number)


def _target(session: Session, address: str, port: int) -> Reply:
    if session.is_extended_only:
        raise OutOfOrder("EPSV ALL was sent: only EPSV is taken")
    if not session.factory.settings.active.enabled:
        raise NotOffered("Active mode is switched off here; use PASV or EPSV")
    session.demand_network()
    if address in _UNSPECIFIED:
        address = session.peer.address
    elif is_private(address) and address != session.peer.address:
        address = _unmasked(session, address, port)
    may_fxp = session.account is not None and session.account.may_fxp
    if address != session.peer.address and not may_fxp:
        raise BadArgument("The address is not that of this connection")
    if port < _LEAST_PORT:
        raise BadArgument(f"Ports below {_LEAST_PORT} are not connected to")
    session.use_data(session.factory.data_ports.target(session.peer, address, port))
    return Reply(200, "Will connect when a transfer starts.")


def _unmasked(session: Session, address: str, port: int) -> str:
    """Return where to connect for the private *address*: the client's own where it is a public one, behind NAT, and the settings say so.

    That gives nobody a connection which PORT with the public address would not.  The connection is to that address and to no other, so it is
    no bounce attack; it comes to something only where the client's router passes the port on, hence refusing is what is done else.
    """
    if is_private(session.peer.address) or not session.peer.address:
        return address
    session.factory.data_faults.tell(session.peer, Fault.TARGET_PRIVATE, address, port)
    return session.peer.address if session.factory.settings.active.private_address == "replace" else address
