"""One line in, one final reply out, now or later.

A command is a coroutine, stepped by hand: most never wait.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred

from ftpd.errors import BadArgument, BadParameter, NotLoggedIn, NotOffered, UnknownCommand
from ftpd.ftp.command import Command, names_of
from ftpd.ftp.devices import NO_DEVICE
from ftpd.ftp.errors_to_replies import reply_for
from ftpd.ftp.protection import demand_protection
from ftpd.ftp.session import Session
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.tolerated import meant
from ftpd.ftp.wire.lines import TooLong
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import decode_name
from ftpd.stepping import stepped

__all__ = ["answer", "row_of"]


def _split(line: bytes) -> tuple[bytes, bytes]:
    """Cut a line into verb and argument, at one space: further ones belong to a name.  `SITE CHMOD` is one verb."""
    verb, _, argument = line.partition(b" ")
    verb = verb.upper()  # ASCII only, whatever the locale
    if verb == b"SITE":
        sub, _, argument = argument.partition(b" ")
        verb = b"SITE " + sub.upper()
    return verb, argument


def row_of(session: Session, line: bytes | TooLong) -> Command[Any] | None:
    """Return the row that *line* asks for, or None."""
    if isinstance(line, TooLong):
        return None
    return session.factory.commands.get(_split(line)[0])


def answer(session: Session, line: bytes | TooLong) -> Reply | Deferred[Reply]:
    """Serve *line*.  Never raises; the Deferred never fails."""
    if isinstance(line, TooLong):
        return Reply(500, "Line too long.")
    verb, argument = _split(line)
    row = session.factory.commands.get(verb)
    if row is None:
        if verb.startswith(b"SITE ") and session.tolerates(Tolerance.ODD_SITE):
            return Reply(202, "SITE command not known, and ignored.")
        return reply_for(_unknown(session, verb))
    if session.device.withheld and session.device.withholds(names_of(verb, row)):
        return reply_for(NotOffered("Command not served here"))
    return stepped(_serve(session, row, argument))


async def _serve(session: Session, row: Command[Any], argument: bytes) -> Reply:
    """Run one command and turn whatever it raises into a reply."""
    try:
        if row.needs_login and session.account is None:
            raise NotLoggedIn("Log in with USER and PASS first")
        if row.needs_data:
            demand_protection(session)
            session.demand_data()
        text = decode_name(argument) if argument else ""
        if session.device is not NO_DEVICE and row.needs_login and not row.is_secret:  # a password is what it is
            text = meant(session, text)
        return await row.run(session, row.takes(session, text))
    except CancelledError:
        # 421 is what any command may give; without a reason of ours, whoever it was that cancelled, it was not the client.
        code = 426 if row.is_abortable else 421 if session.stop is not None else 451
        return Reply(code, session.stop.value if session.stop is not None else "Command cancelled.")
    except Exception as error:
        return reply_for(error, row.refusal, row.codes)
    finally:
        if not row.keeps_restart:
            session.forget_restart()


def _unknown(session: Session, verb: bytes) -> Exception:
    if verb in session.factory.known_verbs:
        return NotOffered("Command not served here")
    if verb == b"SITE ":
        return BadArgument("SITE needs a command; SITE HELP lists them")
    if verb.startswith(b"SITE "):
        return BadParameter("SITE command not known; SITE HELP lists them")
    return UnknownCommand("Command not recognised; HELP lists those that are")
