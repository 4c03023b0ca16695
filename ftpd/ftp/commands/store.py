"""STOR, STOU, APPE, ALLO: store a file (RFC 959 4.1.3).  226 means stored: see `transfers.receive`."""

from __future__ import annotations

import re
from functools import partial
from typing import Final

from ftpd.errors import BadArgument, BadOffset, BadParameter, NotFound
from ftpd.ftp.command import Needs, command, optional_path, path
from ftpd.ftp.session import Session
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.tolerated import make_way
from ftpd.ftp.transfers import form_of, receive
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.spi import WritableFile
from ftpd.values import WriteMode

_TRANSFER: Final = Needs.LOGIN | Needs.DATA
_REFUSED: Final = 553  # RFC 959 5.4 has no 550 for these
_ALLOCATION: Final = re.compile(r"([0-9]{1,19})( R [0-9]{1,19})?", re.IGNORECASE)
_NAME_FOR_UNIQUE: Final = "upload"


@command("STOR", takes=path, needs=_TRANSFER, rfc="RFC 959 4.1.3", syntax="STOR path", refusal=_REFUSED)
async def stor(session: Session, path: VirtualPath) -> Reply:
    """Store a file, from the pending REST offset on; without one it replaces what is there once it has arrived whole."""
    mode = WriteMode.RESUME if session.restart else WriteMode.REPLACE
    return await receive(session, "STOR", await _open(session, path, mode))


@command("APPE", takes=path, needs=_TRANSFER, rfc="RFC 959 4.1.3", syntax="APPE path")
async def appe(session: Session, path: VirtualPath) -> Reply:
    """Store behind what is there; with a REST offset the same as STOR (RFC 3659 5.4)."""
    mode = WriteMode.RESUME if session.restart else WriteMode.APPEND
    return await receive(session, "APPE", await _open(session, path, mode))


@command("STOU", takes=optional_path, needs=_TRANSFER, rfc="RFC 959 4.1.3, RFC 1123 4.1.2.9", syntax="STOU [path]", refusal=_REFUSED)  # fmt: skip
async def stou(session: Session, path: VirtualPath) -> Reply:
    """Store under a name that nobody has, told in the 150; a path is taken as a wish."""
    wish = path.child(_NAME_FOR_UNIQUE) if path == session.cwd else path
    return await receive(session, "STOU", await _open(session, wish, WriteMode.UNIQUE), names_file=True)


def _allocation(session: Session, argument: str) -> int | None:
    match = _ALLOCATION.fullmatch(argument.strip())
    if match is None and not session.tolerates(Tolerance.ODD_ALLO):
        raise BadArgument("ALLO takes a number of bytes")
    return int(match[1]) if match else None


@command("ALLO", takes=_allocation, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", syntax="ALLO size [R size]", keeps_restart=True)
async def allo(session: Session, size: int | None) -> Reply:
    """Announce the size of the next file, so that one that cannot fit is refused before it is sent."""
    session.expected_size = size
    return Reply(200, f"{size} bytes are expected.") if size is not None else Reply(202, "No allocation is needed.")


async def _open(session: Session, path: VirtualPath, mode: WriteMode) -> WritableFile:
    expected, session.expected_size = session.expected_size, None
    if session.range is not None:
        raise BadParameter("RANG is served for RETR and HASH")
    if session.restart and form_of(session).counts_wire:
        raise BadOffset(path, "An offset counts bytes as sent, which the stored file does not tell; use TYPE I, STRU F")
    offset = session.restart if mode is WriteMode.RESUME else 0
    open_write = partial(
        session.files.open_write,
        path,
        mode=mode,
        offset=offset,
        expected_size=expected,
        permissions=session.permissions(0o666),
    )
    try:
        return await open_write()
    except NotFound:
        if offset or not session.device.tolerates(Tolerance.MISSING_DIRECTORY):
            raise
    await make_way(session, path.parent)
    return await open_write()
