"""SYST, NOOP, HELP, FEAT, OPTS, CLNT, CSID, STAT: what the server is and does (RFC 959 4.1.3, RFC 2389)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, Final

from ftpd.errors import BadArgument, NotLoggedIn
from ftpd.ftp.command import Command, command, names_of, nothing, text
from ftpd.ftp.commands.listing import long_rows, open_listing
from ftpd.ftp.session import Session
from ftpd.ftp.status import status
from ftpd.ftp.wire.arguments import split_list_flags
from ftpd.ftp.wire.replies import Reply
from ftpd.values import FileKind
from ftpd.version import __version__

_DONE: Final = Reply(200, "OK.")
_VERBS_PER_LINE: Final = 8
_PROPERTIES: Final = ("TVFS", "UTF8")  # of paths and names (RFC 3659 6, RFC 2640 3): they hold whatever commands are served
_MOST_OF_CLIENT: Final = 100  # characters that a client may call itself
_CLIENT_NAME: Final = re.compile(r"Name=([^;]{1,80});", re.IGNORECASE)


def _anything(session: Session, argument: str) -> str:
    return argument


@command("NOOP", takes=nothing, rfc="RFC 959 4.1.3", beside=True, keeps_restart=True)
async def noop(session: Session, _: None) -> Reply:
    """Do nothing."""
    return _DONE


@command("SYST", takes=nothing, rfc="RFC 959 4.1.3", beside=True, keeps_restart=True)
async def syst(session: Session, _: None) -> Reply:
    """Tell the kind of system; clients choose their LIST parser by it."""
    return Reply(215, "UNIX Type: L8")


@command("HELP", takes=_anything, rfc="RFC 959 4.1.3", syntax="HELP [command]", beside=True, keeps_restart=True)
async def help_(session: Session, argument: str) -> Reply:
    """Tell the commands served, or of one its syntax, what it does and what it needs."""
    wanted = " ".join(argument.upper().split())
    verbs = sorted({row.verb for row in session.factory.commands.values()})
    if not wanted or wanted == "SITE":
        shown = [verb for verb in verbs if verb.startswith("SITE ")] if wanted else _top_level(verbs)
        lines = (shown[i : i + _VERBS_PER_LINE] for i in range(0, len(shown), _VERBS_PER_LINE))
        return Reply(214, "The following commands are served:", tuple(" ".join(line) for line in lines), last="End of help")
    return explained(session, wanted)


def explained(session: Session, verb: str) -> Reply:
    """Tell of one command, `SITE CHMOD` among them, its syntax, what it does and what it needs; raise BadArgument if it is not served."""
    row = session.factory.commands.get(verb.encode("utf-8", "replace"))
    if row is None:
        raise BadArgument(f"{verb} is not served here")
    return Reply(214, "Syntax:", (row.syntax or row.verb, *_about(row)), last=f"See {row.rfc}")


def _about(row: Command[Any]) -> Iterator[str]:
    yield from filter(None, (inspect.getdoc(row.run) or "").splitlines())
    if row.aliases:
        yield f"Also known as {', '.join(row.aliases)}."
    if row.needs_data:
        yield "Needs a login and a data connection: PASV, EPSV, PORT or EPRT first."
    elif row.needs_login:
        yield "Needs a login."


def _top_level(verbs: list[str]) -> list[str]:
    """What HELP lists: SITE once, for all that HELP SITE has."""
    return sorted({verb.partition(" ")[0] for verb in verbs})


@command("FEAT", takes=nothing, rfc="RFC 2389 3", beside=True, keeps_restart=True)
async def feat(session: Session, _: None) -> Reply:
    """Tell the extensions that this login may use, or before it somebody may, each one space from the margin."""
    commands, device = session.factory.commands, session.device
    rows = dict.fromkeys(row for verb, row in commands.items() if not device.withholds(names_of(verb, row)))
    features = [feature for row in rows for feature in row.features]
    lines = (feature if isinstance(feature, str) else feature(session) for feature in features)
    return Reply(211, "Extensions:", tuple(sorted((*filter(None, lines), *_PROPERTIES))))


@command("OPTS", takes=text, rfc="RFC 2389 4", syntax="OPTS UTF8 [ON] | command [options]", keeps_restart=True)  # fmt: skip
async def opts(session: Session, argument: str) -> Reply:
    """Set an option of another command."""
    name, _, value = argument.partition(" ")
    if name.upper() in ("UTF8", "UTF-8"):
        if value.strip().upper() not in ("", "ON", "NLST"):
            raise BadArgument("Names are UTF-8 here, always (RFC 2640)")
        return Reply(200, "Names are UTF-8.")
    row = session.factory.commands.get(name.upper().encode("utf-8", "replace"))
    if row is None or row.option is None:
        raise BadArgument(f"{name} has no options")
    return row.option(session, value)


@command("CLNT", takes=text, rfc="draft-ietf-ftpext-mlst, client convention", syntax="CLNT name", features=("CLNT",), keeps_restart=True)  # fmt: skip
async def clnt(session: Session, name: str) -> Reply:
    """Tell the client's name, for the operator."""
    session.note_client(name[:_MOST_OF_CLIENT])
    return Reply(200, "Noted.")


@command("CSID", takes=text, rfc="draft-peterson-streamlined-ftp-command-extensions", syntax="CSID Name=client; [Version=...;]", features=("CSID",), keeps_restart=True)  # fmt: skip
async def csid(session: Session, facts: str) -> Reply:
    """Tell who the client is, and hear who the server is; its version is for those who have logged in."""
    name = _CLIENT_NAME.search(facts)
    session.note_client((name[1] if name else facts)[:_MOST_OF_CLIENT])
    version = f"Version={__version__}; " if session.is_logged_in else ""
    return Reply(200, f"Name=ftpd; {version}DirSep=/;")


@command("STAT", takes=_anything, rfc="RFC 959 4.1.3", syntax="STAT [path]", beside=True, keeps_restart=True)
async def stat(session: Session, argument: str) -> Reply:
    """Tell the state of the session and of a running transfer, or list a path over the control connection."""
    if not argument:
        return Reply(211, "Status:", tuple(status(session)), last="End of status")
    if not session.is_logged_in:
        raise NotLoggedIn("Log in with USER and PASS first")
    return await _list(session, argument)


async def _list(session: Session, argument: str) -> Reply:
    """The rows of LIST, as many as one reply may hold; its flags count here too."""
    flags, name = split_list_flags(argument)
    kind = FileKind.OTHER
    if not any(character in name for character in "*?["):
        kind = (await session.files.stat(session.cwd.join(name))).kind
    listing = await open_listing(session, name, long_rows(session), flags)
    rows: list[str] = []
    most = session.factory.settings.listing.max_matches
    try:
        while len(rows) <= most and (piece := await listing.next_piece()):
            rows += piece.decode("utf-8", "surrogateescape").split("\r\n")[:-1]
    finally:
        await listing.close()
    last = "End of status" if len(rows) <= most else f"Only the first {most} are shown; use LIST"
    code = 213 if kind is FileKind.FILE else 212
    return Reply(code, f"Status of {argument}:", tuple(rows[:most]), last=last)
