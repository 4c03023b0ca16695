"""AUTH, PBSZ, PROT, CCC: the answers of a server without TLS (RFC 2228 3, RFC 4217)."""

from __future__ import annotations

from ftpd.errors import BadParameter, OutOfOrder
from ftpd.ftp.command import command, nothing, text
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply


@command("AUTH", takes=text, rfc="RFC 2228 3", syntax="AUTH mechanism")
async def auth(session: Session, mechanism: str) -> Reply:
    """Ask for a protected control connection; no mechanism is set up on this listener."""
    raise BadParameter("No security mechanism is available here")


@command("PBSZ", takes=text, rfc="RFC 2228 3", syntax="PBSZ size")
async def pbsz(session: Session, size: str) -> Reply:
    """Say how large protected pieces may be; only after AUTH."""
    raise OutOfOrder("AUTH has to come first")


@command("PROT", takes=text, rfc="RFC 2228 3", syntax="PROT level")
async def prot(session: Session, level: str) -> Reply:
    """Choose the protection of data connections; only after AUTH."""
    raise OutOfOrder("AUTH has to come first")


@command("CCC", takes=nothing, rfc="RFC 2228 3")
async def ccc(session: Session, _: None) -> Reply:
    """Go back to a control connection in clear; it is that already."""
    return Reply(533, "The control connection is not protected.")
