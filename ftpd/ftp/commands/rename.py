"""RNFR, RNTO: rename (RFC 959 4.1.3).  Other commands may stand between the two, and nothing is locked by the first."""

from __future__ import annotations

from ftpd.errors import OutOfOrder
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, path
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath


@command("RNFR", takes=path, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", syntax="RNFR path")
async def rnfr(session: Session, path: VirtualPath) -> Reply:
    """Name the file to rename."""
    session.rename_from = None  # or an RNTO sent right behind a refused RNFR would rename what an earlier one has named
    await session.files.stat(path)
    session.rename_from = path
    return Reply(350, "Ready for RNTO.")


@command("RNTO", takes=path, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", syntax="RNTO path", refusal=553)
async def rnto(session: Session, path: VirtualPath) -> Reply:
    """Give it its new name; a file that has it is replaced, as POSIX does."""
    old, session.rename_from = session.rename_from, None
    if old is None:
        raise OutOfOrder("Send RNFR first")
    await session.files.rename(old, path)
    session.publish(
        FileChanged(peer=session.peer, account=session.account_name or "", change="renamed", path=str(old), target=str(path))
    )
    return Reply(250, f"{old} is now {path}.")
