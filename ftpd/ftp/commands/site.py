"""SITE: what this site serves beside the standard (RFC 959 4.1.3).  Each SITE verb is a row of its own, `SITE CHMOD` and so on."""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import BadArgument, Unsupported
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.commands.inform import explained
from ftpd.ftp.session import Session
from ftpd.ftp.wire.facts import parse_time
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import Ability, Attributes

_CHMOD: Final = re.compile(r"([0-7]{3,4}) (.+)", re.DOTALL)
_UTIME_NEW: Final = re.compile(r"([0-9]{12}|[0-9]{14}) (.+)", re.DOTALL)
_UTIME_OLD: Final = re.compile(r"(.+) ([0-9]{14}) ([0-9]{14}) ([0-9]{14}) UTC", re.DOTALL)
_UMASK: Final = re.compile(r"[0-7]{1,4}")


def _anything(session: Session, argument: str) -> str:
    return argument.strip()


@command("SITE HELP", takes=_anything, rfc="RFC 959 4.1.3", syntax="SITE HELP [command]")
async def site_help(session: Session, name: str) -> Reply:
    """Tell the SITE commands, or of one its syntax, what it does and what it needs, as HELP SITE does."""
    if name:
        return explained(session, f"SITE {name.upper()}")
    rows = {row.verb: row.syntax for row in session.factory.commands.values() if row.verb.startswith("SITE ")}
    return Reply(214, "The following SITE commands are served:", tuple(rows.values()), last="End of help")


@command("SITE CHMOD", takes=text, needs=Needs.LOGIN, rfc="convention", syntax="SITE CHMOD mode path")
async def chmod(session: Session, argument: str) -> Reply:
    """Set the permission bits of a file, in octal."""
    match = _CHMOD.fullmatch(argument)
    if match is None or int(match[1], 8) > 0o777:  # no set-user-id on what a client has stored
        raise BadArgument("SITE CHMOD takes an octal mode up to 777 and a path")
    await _change(session, session.cwd.join(match[2]), Attributes(mode=int(match[1], 8)))
    return Reply(200, f"Mode is {match[1]}.")


@command("SITE UTIME", takes=text, needs=Needs.LOGIN, rfc="convention", syntax="SITE UTIME YYYYMMDDhhmm[ss] path | path atime mtime ctime UTC")  # fmt: skip
async def utime(session: Session, argument: str) -> Reply:
    """Set when a file was last changed, and in the five-word form last read, UTC."""
    if match := _UTIME_OLD.fullmatch(argument):
        path = session.cwd.join(match[1])
        changes = Attributes(accessed_ns=parse_time(match[2]), modified_ns=parse_time(match[3]))
    elif match := _UTIME_NEW.fullmatch(argument):
        path = session.cwd.join(match[2])
        changes = Attributes(modified_ns=parse_time(match[1].ljust(14, "0")))
    else:
        raise BadArgument("SITE UTIME takes a time and a path")
    await _change(session, path, changes)
    return Reply(200, "Time is set.")


@command("SITE UMASK", takes=_anything, needs=Needs.LOGIN, rfc="convention", syntax="SITE UMASK [mask]")
async def umask(session: Session, mask: str) -> Reply:
    """Take away permission bits from what this session stores and makes, instead of the server's own rule."""
    if Ability.MODES not in session.files.abilities:
        raise Unsupported(None, "There are no modes here")
    if not mask:
        standing = "the server's own" if session.umask is None else f"{session.umask:03o}"
        return Reply(200, f"Umask is {standing}.")
    if not _UMASK.fullmatch(mask) or int(mask, 8) > 0o777:
        raise BadArgument("SITE UMASK takes an octal mask up to 777")
    session.umask = int(mask, 8)
    return Reply(200, f"Umask is {session.umask:03o}.")


@command("SITE IDLE", takes=_anything, needs=Needs.LOGIN, rfc="convention", syntax="SITE IDLE [seconds]")
async def idle(session: Session, seconds: str) -> Reply:
    """Tell the idle timeout of this session, or shorten it; what the operator set is the most."""
    most = int(session.factory.settings.timeouts.idle)
    if not seconds:
        return Reply(200, f"Idle timeout is {session.idle_seconds:.0f} seconds, {most} at most.")
    if not (seconds.isascii() and seconds.isdigit()) or len(seconds) > 9 or not 1 <= int(seconds) <= most:
        raise BadArgument(f"SITE IDLE takes seconds, from 1 to {most}")
    session.idle_seconds = int(seconds)
    return Reply(200, f"Idle timeout is {seconds} seconds.")


async def _change(session: Session, path: VirtualPath, changes: Attributes) -> None:
    await session.files.set_attributes(path, changes)
    session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change="attributes", path=str(path)))
