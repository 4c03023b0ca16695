"""DELE, SIZE, MDTM, MFMT: single files (RFC 959 4.1.3, RFC 3659 3 and 4, draft-somers-ftp-mfxx 3)."""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadArgument, NotFound, Unsupported
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, path, text
from ftpd.ftp.commands.attributes import change_attributes
from ftpd.ftp.session import Session
from ftpd.ftp.wire.facts import format_time, parse_time
from ftpd.ftp.wire.form import Representation
from ftpd.ftp.wire.newlines import to_network
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import Ability, Attributes, FileKind, Permission

_MOST_COUNTED_BYTES: Final = 1024 * 1024  # read for SIZE in TYPE A: what every client with a habit of asking gets at once
_PIECE_BYTES: Final = 256 * 1024


def _time_feature(session: Session) -> str:
    return "MFMT" if session.may(Permission.ATTRIBUTES) and session.can(Ability.TIMES) else ""


@command("DELE", takes=path, needs=Needs.LOGIN, rfc="RFC 959 4.1.3", syntax="DELE path")
async def dele(session: Session, path: VirtualPath) -> Reply:
    """Delete a file."""
    await session.files.remove_file(path)
    session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change="removed", path=str(path)))
    return Reply(250, f"{path} deleted.")


@command("SIZE", takes=path, needs=Needs.LOGIN, rfc="RFC 3659 4", syntax="SIZE path", features=(lambda session: "SIZE" if session.may(Permission.VIEW) else "",), beside=True, keeps_restart=True)  # fmt: skip
async def size(session: Session, path: VirtualPath) -> Reply:
    """Tell how many bytes RETR would send in the TYPE that is set; in TYPE A only of files small enough to be counted at once."""
    info = await session.files.stat(path)
    if info.kind is not FileKind.FILE:
        raise Unsupported(path, "Not a regular file")
    if session.representation is Representation.IMAGE:
        return Reply(213, str(info.size))
    if info.size > _MOST_COUNTED_BYTES:
        raise Unsupported(path, "Too large to be counted in TYPE A; use TYPE I")
    return Reply(213, str(await _size_as_text(session, path)))


@command("MDTM", takes=text, needs=Needs.LOGIN, rfc="RFC 3659 3", syntax="MDTM path", features=(lambda session: "MDTM" if session.may(Permission.VIEW) else "",), beside=True, keeps_restart=True)  # fmt: skip
async def mdtm(session: Session, argument: str) -> Reply:
    """Tell when a file was last changed, UTC; `MDTM time path`, which older clients use to set it, works where no file has that name."""
    whole = session.cwd.join(argument)
    try:
        info = await session.files.stat(whole)
    except NotFound:
        time, _, name = argument.partition(" ")
        if not name or len(time) < 14 or not time[:14].isdigit():
            raise
        return await _set_time(session, parse_time(time), session.cwd.join(name), "Modify")
    return Reply(213, format_time(info.modified_ns))


@command("MFMT", takes=text, needs=Needs.LOGIN, rfc="draft-somers-ftp-mfxx 3", syntax="MFMT time path", features=(_time_feature,))
async def mfmt(session: Session, argument: str) -> Reply:
    """Set when a file was last changed, UTC; the reply tells what the store made of it."""
    time, _, name = argument.partition(" ")
    if not name:
        raise BadArgument("MFMT takes a time and a path")
    return await _set_time(session, parse_time(time), session.cwd.join(name), "Modify")


async def _set_time(session: Session, nanoseconds: int, path: VirtualPath, fact: str) -> Reply:
    stored = await change_attributes(session, path, Attributes(modified_ns=nanoseconds))
    return Reply(213, f"{fact}={format_time(stored.modified_ns)}; {path}")


async def _size_as_text(session: Session, path: VirtualPath) -> int:
    """Count the bytes of *path* as TYPE A sends them."""
    convert, count, offset = to_network(), 0, 0
    async with await session.files.open_read(path) as file:
        while piece := await file.read_at(offset, _PIECE_BYTES):
            offset += len(piece)
            count += len(convert(piece))
    return count + len(convert(b""))
