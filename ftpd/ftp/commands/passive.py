"""PASV, EPSV, LPSV: the client connects (RFC 959 4.1.2, RFC 2428 3, RFC 1639 2.2).  Answered at once; who connects when is the data port's business."""

from __future__ import annotations

from typing import Final

from ftpd.errors import DataConnectionFailed, NoFreePort, NotOffered, OutOfOrder
from ftpd.ftp.command import Needs, command, nothing
from ftpd.ftp.data.faults import Fault
from ftpd.ftp.data.protected import ProtectedPort
from ftpd.ftp.session import Session
from ftpd.ftp.wire.addresses import format_epsv, format_lpsv, format_pasv
from ftpd.ftp.wire.replies import Reply
from ftpd.private import is_private
from ftpd.spi import DataPort, PatientDataPorts

_FAMILIES: Final = {"1": False, "2": True}  # RFC 2428's address families, and whether they are IPv6


@command("PASV", "P@SW", takes=nothing, needs=Needs.LOGIN, rfc="RFC 959 4.1.2", keeps_restart=True)
async def pasv(session: Session, _: None) -> Reply:
    """Wait for a data connection on a port that is told; IPv4 only.  `P@SW` is what some routers make of PASV."""
    return await announce_passive(session)


async def announce_passive(session: Session, *, is_tls_client: bool = False) -> Reply:
    """Return the 227; with *is_tls_client* that of CPSV."""
    _demand_any_command(session)
    _demand_passive(session)
    if ":" in session.peer.local_address:
        raise DataConnectionFailed("PASV is for IPv4; use EPSV")
    port = await _listen(session, is_tls_client)
    return Reply(227, f"Entering Passive Mode ({format_pasv(await _announced(session, port), port.port)}).")


async def _announced(session: Session, port: DataPort) -> str:
    """Return the IPv4 address that the client is told."""
    address = await session.factory.announcement.address_for(session.peer, port.address)
    if is_private(address) and not is_private(session.peer.address):
        session.factory.data_faults.tell(session.peer, Fault.PRIVATE_ANNOUNCED, address, port.port)
    return address


def _long_feature(session: Session) -> str:
    return "LPSV" if _feature(session) and not session.is_extended_only else ""


@command("LPSV", takes=nothing, needs=Needs.LOGIN, rfc="RFC 1639 2.2", features=(_long_feature,), keeps_restart=True)
async def lpsv(session: Session, _: None) -> Reply:
    """Wait for a data connection on a port that is told with its address, IPv4 or IPv6, in RFC 1639's notation, which EPSV has replaced."""
    _demand_any_command(session)
    _demand_passive(session)
    port = await _listen(session)
    address = port.address if ":" in session.peer.local_address else await _announced(session, port)
    return Reply(228, f"Entering Long Passive Mode ({format_lpsv(address, port.port)})")


def _feature(session: Session) -> str:
    return "EPSV" if session.factory.settings.passive.enabled and session.is_on_network else ""


def _argument(session: Session, argument: str) -> str:
    return argument.strip().upper()


@command("EPSV", takes=_argument, needs=Needs.LOGIN, rfc="RFC 2428 3", syntax="EPSV [1 | 2 | ALL]", features=(_feature,), keeps_restart=True)  # fmt: skip
async def epsv(session: Session, wanted: str) -> Reply:
    """Wait for a data connection on a port that is told, in the family of the control connection."""
    if wanted == "ALL":
        session.is_extended_only = True
        return Reply(200, "Only EPSV is taken from now on.")
    _demand_passive(session)
    is_ipv6 = ":" in session.peer.local_address
    if wanted and _FAMILIES.get(wanted) is not is_ipv6:
        return Reply(522, f"Network protocol not supported, use ({2 if is_ipv6 else 1})")
    return Reply(229, f"Entering Extended Passive Mode ({format_epsv((await _listen(session)).port)})")


def _demand_any_command(session: Session) -> None:
    if session.is_extended_only:
        raise OutOfOrder("EPSV ALL was sent: only EPSV is taken")


def _demand_passive(session: Session) -> None:
    if not session.factory.settings.passive.enabled:
        raise NotOffered("Passive mode is switched off here")
    session.demand_network()


async def _listen(session: Session, is_tls_client: bool = False) -> DataPort:
    """Drop the earlier port first, so that a small range has room for the new one."""
    if session.data is not None:
        session.close_data()
    port = await _free_port(session)
    if session.protection.is_private:
        port = ProtectedPort(session, port, is_client=is_tls_client)
    session.use_data(port)
    return port


async def _free_port(session: Session) -> DataPort:
    """Return a port of the range; where all are taken, wait for one."""
    ports = session.factory.data_ports
    may_fxp = session.account is not None and session.account.may_fxp
    try:
        return ports.listen(session.peer, from_anywhere=may_fxp)
    except NoFreePort:
        if not isinstance(ports, PatientDataPorts):
            raise
    return await ports.listen_soon(session.peer, from_anywhere=may_fxp)
