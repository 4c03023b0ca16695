"""RETR, REST, RANG: fetch a file, from an offset or a range of it if wanted (RFC 959 4.1.3, RFC 3659 5, draft-bryan-ftp-range)."""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadArgument, BadParameter
from ftpd.ftp.command import Needs, command, path
from ftpd.ftp.session import Session
from ftpd.ftp.transfers import form_of, send
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import Ability, Permission

_MOST_OFFSET: Final = (1 << 63) - 1  # what an offset of a file can be at all
_NO_RANGE: Final = (1, 0)


@command("RETR", takes=path, needs=Needs.LOGIN | Needs.DATA, rfc="RFC 959 4.1.3", syntax="RETR path")
async def retr(session: Session, path: VirtualPath) -> Reply:
    """Send the file at the path, from the pending REST offset on, or the pending range of it."""
    async with await session.files.open_read(path) as file:
        return await send(session, "RETR", path, file)


def _number(digits: str, words: str) -> int:
    if not (digits.isascii() and digits.isdigit()) or len(digits) > 19 or int(digits) > _MOST_OFFSET:
        raise BadArgument(words)
    return int(digits)


def _offset(session: Session, argument: str) -> int:
    return _number(argument.strip(), "REST takes the number of bytes to skip, or a marker as this server has told it")


def _restart_feature(session: Session) -> str:
    is_resumable = session.may(Permission.CREATE | Permission.OVERWRITE) and session.can(Ability.RESUME)
    return "REST STREAM" if session.may(Permission.READ) or is_resumable else ""


def _range_feature(session: Session) -> str:
    return "RANG STREAM" if session.may(Permission.READ) else ""


@command("REST", takes=_offset, needs=Needs.LOGIN, rfc="RFC 959 4.1.3, RFC 3659 5.3", syntax="REST offset | marker", features=(_restart_feature,), keeps_restart=True)  # fmt: skip
async def rest(session: Session, offset: int) -> Reply:
    """Start the next transfer at an offset, in bytes as they are sent; in MODE B and C at a marker."""
    session.forget_restart()
    session.restart = offset
    return Reply(350, f"The next transfer starts at {offset}.")


def _range(session: Session, argument: str) -> tuple[int, int]:
    first, _, last = argument.strip().partition(" ")
    words = "RANG takes the first and the last byte, both counted from 0"
    return _number(first, words), _number(last.strip(), words)


@command("RANG", takes=_range, needs=Needs.LOGIN, rfc="draft-bryan-ftp-range", syntax="RANG first last", features=(_range_feature,), keeps_restart=True)  # fmt: skip
async def rang(session: Session, extent: tuple[int, int]) -> Reply:
    """Send, or hash, only a range of the next file, in bytes of the file, both ends included; `RANG 1 0` takes it back."""
    first, last = extent
    if last < first:
        if extent != _NO_RANGE:
            raise BadArgument("The range ends before it starts")
        session.forget_restart()
        return Reply(350, "There is no range any more.")
    if form_of(session).is_converted:
        raise BadParameter("RANG counts bytes of the file: it needs TYPE I, STRU F and MODE S")
    session.forget_restart()
    session.range = extent
    return Reply(350, f"The next transfer is of bytes {first} to {last}.")
