"""PORT, EPRT: the server connects, when the transfer command comes and not before (RFC 959 4.1.2, RFC 2428 2).

Only to the client itself: an address of somebody else is the FTP bounce attack (RFC 2577 3), or FXP, which an account has to be given.
"""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadArgument, NotOffered, OutOfOrder
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.session import Session
from ftpd.ftp.wire.addresses import parse_eprt, parse_port
from ftpd.ftp.wire.replies import Reply

_LEAST_PORT: Final = 1024  # below it are services that an attacker would have us talk to (RFC 2577 3)
_UNSPECIFIED: Final = ("0.0.0.0", "::")  # lftp 4.9.2 sends `EPRT |2|::|port|` over IPv6; it can only mean itself


def _feature(session: Session) -> str:
    return "EPRT" if session.factory.settings.active.enabled else ""


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


def _target(session: Session, address: str, port: int) -> Reply:
    if session.is_extended_only:
        raise OutOfOrder("EPSV ALL was sent: only EPSV is taken")
    if not session.factory.settings.active.enabled:
        raise NotOffered("Active mode is switched off here; use PASV or EPSV")
    session.demand_network()
    if address in _UNSPECIFIED:
        address = session.peer.address
    may_fxp = session.account is not None and session.account.may_fxp
    if address != session.peer.address and not may_fxp:
        raise BadArgument("The address is not that of this connection")
    if port < _LEAST_PORT:
        raise BadArgument(f"Ports below {_LEAST_PORT} are not connected to")
    session.use_data(session.factory.data_ports.target(session.peer, address, port))
    return Reply(200, "Will connect when a transfer starts.")
