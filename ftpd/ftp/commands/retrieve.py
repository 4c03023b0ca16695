"""RETR and REST: fetch a file, from an offset if wanted (RFC 959 4.1.3, RFC 3659 5)."""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadArgument
from ftpd.ftp.command import Needs, command, path
from ftpd.ftp.session import Session
from ftpd.ftp.transfers import send
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath

_MOST_OFFSET: Final = (1 << 63) - 1  # what an offset of a file can be at all


@command("RETR", takes=path, needs=Needs.LOGIN | Needs.DATA, rfc="RFC 959 4.1.3", syntax="RETR path")
async def retr(session: Session, path: VirtualPath) -> Reply:
    """Send the file at the path, starting at the pending REST offset."""
    async with await session.files.open_read(path) as file:
        return await send(session, "RETR", path, file)


def _offset(session: Session, argument: str) -> int:
    digits = argument.strip()
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or int(digits) > _MOST_OFFSET:
        raise BadArgument("REST takes the number of bytes to skip")
    return int(digits)


@command("REST", takes=_offset, needs=Needs.LOGIN, rfc="RFC 3659 5.3", syntax="REST offset", features=("REST STREAM",), keeps_restart=True)  # fmt: skip
async def rest(session: Session, offset: int) -> Reply:
    """Start the next transfer at an offset, in bytes as they are sent."""
    session.restart = offset
    return Reply(350, f"The next transfer starts at {offset}.")
