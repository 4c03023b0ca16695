"""SYST, NOOP, HELP, FEAT, OPTS, CLNT, STAT: what the server is and does (RFC 959 4.1.3, RFC 2389)."""

from __future__ import annotations

from typing import Final

from ftpd.errors import BadArgument, NotLoggedIn
from ftpd.ftp.command import command, nothing, text
from ftpd.ftp.commands.listing import long_rows, open_listing
from ftpd.ftp.session import Session
from ftpd.ftp.wire.arguments import split_list_flags
from ftpd.ftp.wire.facts import opts_line, select_facts
from ftpd.ftp.wire.replies import Reply
from ftpd.values import FileKind

_DONE: Final = Reply(200, "OK.")
_VERBS_PER_LINE: Final = 8


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
    """Tell the commands served, or the syntax of one."""
    wanted = " ".join(argument.upper().split())
    verbs = sorted({row.verb for row in session.factory.commands.values()})
    if not wanted or wanted == "SITE":
        shown = [verb for verb in verbs if verb.startswith("SITE ")] if wanted else _top_level(verbs)
        lines = (shown[i : i + _VERBS_PER_LINE] for i in range(0, len(shown), _VERBS_PER_LINE))
        return Reply(214, "The following commands are served:", tuple(" ".join(line) for line in lines), last="End of help")
    row = session.factory.commands.get(wanted.encode("utf-8", "replace"))
    if row is None:
        raise BadArgument(f"{wanted} is not served here")
    return Reply(214, "Syntax:", (row.syntax or row.verb, row.summary), last=f"See {row.rfc}")


def _top_level(verbs: list[str]) -> list[str]:
    """What HELP lists: SITE once, for all that HELP SITE has."""
    return sorted({verb.partition(" ")[0] for verb in verbs})


@command("FEAT", takes=nothing, rfc="RFC 2389 3", beside=True, keeps_restart=True)
async def feat(session: Session, _: None) -> Reply:
    """Tell the extensions, each one space from the margin."""
    rows = dict.fromkeys(session.factory.commands.values())
    features = [feature for row in rows for feature in row.features]
    lines = (feature if isinstance(feature, str) else feature(session) for feature in features)
    return Reply(211, "Extensions:", (*sorted(line for line in lines if line), "TVFS"))


@command("OPTS", takes=text, rfc="RFC 2389 4", syntax="OPTS UTF8 [ON] | MLST [fact;...]", features=("UTF8",), keeps_restart=True)  # fmt: skip
async def opts(session: Session, argument: str) -> Reply:
    """Set an option of another command."""
    name, _, value = argument.partition(" ")
    if name.upper() in ("UTF8", "UTF-8"):
        if value.strip().upper() not in ("", "ON", "NLST"):
            raise BadArgument("Names are UTF-8 here, always (RFC 2640)")
        return Reply(200, "Names are UTF-8.")
    if name.upper() == "MLST" and b"MLST" in session.factory.commands:
        session.facts = select_facts(value)
        return Reply(200, opts_line(session.facts))
    raise BadArgument(f"{name} has no options")


@command("CLNT", takes=text, rfc="draft-ietf-ftpext-mlst, client convention", syntax="CLNT name", features=("CLNT",), keeps_restart=True)  # fmt: skip
async def clnt(session: Session, name: str) -> Reply:
    """Tell the client's name, for the operator."""
    session.note_client(name[:100])
    return Reply(200, "Noted.")


@command("STAT", takes=_anything, rfc="RFC 959 4.1.3", syntax="STAT [path]", beside=True, keeps_restart=True)
async def stat(session: Session, argument: str) -> Reply:
    """Tell the state of the session and of a running transfer, or list a path over the control connection."""
    if not argument:
        return Reply(211, "Status:", tuple(_status(session)), last="End of status")
    if not session.is_logged_in:
        raise NotLoggedIn("Log in with USER and PASS first")
    return await _list(session, argument)


def _status(session: Session) -> list[str]:
    lines = [
        f"Connected from {session.peer.address or 'this machine'}",
        f"Logged in as {session.account_name}" if session.is_logged_in else "Not logged in",
        f"TYPE {session.representation.words}, STRU F, MODE S",
        f"Control connection {_protection(session)}, data connections {'private' if session.protection.is_private else 'in clear'}",
    ]
    transfer = session.transfer
    if transfer is None:
        lines.append("No transfer under way")
    else:
        of_size = f" of {transfer.size}" if transfer.size is not None else ""
        seconds = session.factory.reactor.seconds() - transfer.started
        lines.append(f"{transfer.command} {transfer.path}: {transfer.moved}{of_size} bytes in {seconds:.0f} s")
    return lines


def _protection(session: Session) -> str:
    tls = session.peer.tls
    return "in clear" if tls is None else f"private ({tls.version} {tls.cipher})" if tls.version else "private"


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
