"""Discretion: how much of a command line, and of the reply to it, may be written down.

Apart from traces, which write it: whoever reviews what could leak has one page to read.  The rules are those of `FTPFactory.log_command`,
and for what follows a verb they are lists of what may be told, so that a new command is discreet until somebody says otherwise.
"""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b
from typing import Any, Final

import attrs

from ftpd.ftp.answer import row_of
from ftpd.ftp.command import Command
from ftpd.ftp.session import Session
from ftpd.ftp.wire.lines import TooLong
from ftpd.ftp.wire.replies import Reply, encode
from ftpd.paths import decode_name

__all__ = ["Discretion", "Told", "new_key"]

# Before the login anything may be a password that was typed too early, but for what these take.
_OPEN_BEFORE_LOGIN: Final = frozenset({"USER", "HOST", "AUTH", "PBSZ", "PROT", "OPTS", "TYPE", "STRU", "MODE", "LANG"})
# Whose arguments and replies have no names of files.
_NAMELESS: Final = frozenset(
    {
        *_OPEN_BEFORE_LOGIN,
        *("PASS", "ACCT", "REIN", "QUIT", "CCC", "CDC", "SSCN", "CPSV"),
        *("PASV", "EPSV", "LPSV", "PORT", "EPRT", "LPRT", "RANG", "ABOR"),
        *("REST", "ALLO", "NOOP", "SYST", "FEAT", "HELP", "CLNT", "CSID", "SITE HELP", "SITE IDLE", "SITE UMASK"),
    }
)
_VERB: Final = re.compile(r"SITE [A-Za-z]{1,12}|[A-Za-z]{3,4}", re.IGNORECASE)
_FLAGS: Final = re.compile(r"(?:-[A-Za-z]+ +)*")
_NOTHING: Final = re.compile("")
_NUMBER: Final = re.compile(r"(?:[0-9]+ +)?")
# What may stand before a name, and is none; behind any other verb it is the beginning of the name.
_BEFORE_A_NAME: Final = {
    **dict.fromkeys(("LIST", "NLST", "STAT"), _FLAGS),
    **dict.fromkeys(("MFMT", "MFCT", "SITE CHMOD", "SITE UTIME"), _NUMBER),
}


@attrs.frozen
class Told:
    """Text, and whether some of it was left out; a `claim` may be told once the name in it is known to be one."""

    text: str
    is_cut: bool = False
    claim: str = ""


class Discretion:
    """What is told of one session's lines; with *has_names* False each name of a file is replaced by a stand-in.

    A stand-in is the same for the same name as long as *key* is, and cannot be turned back without it.
    """

    def __init__(self, session: Session, has_names: bool, key: bytes) -> None:
        self._session = session
        self._has_names = has_names
        self._key = key

    def command(self, line: bytes | TooLong) -> Told:
        """Return what may be told of a line that the client has said."""
        if isinstance(line, TooLong):
            return Told("", is_cut=True)
        row = row_of(self._session, line)
        text = decode_name(line)
        verb, argument = _split(text)
        if row is None:  # a verb that nobody knows is told after the login, where it may be what a device does wrong
            is_verb = self._session.is_logged_in and _VERB.fullmatch(verb) is not None
            return Told(verb if is_verb else "", is_cut=not is_verb or bool(argument))
        if row.verb == "USER" and argument and not self._session.is_anonymous(argument):
            return Told(verb, is_cut=True, claim=argument)
        if row.is_secret or self._is_too_early(row):
            return Told(verb, is_cut=bool(argument))
        if self._has_names or row.verb in _NAMELESS or not argument:
            return Told(text)
        return Told(f"{verb} {self._stand_in(argument, _BEFORE_A_NAME.get(row.verb, _NOTHING))}")

    def reply(self, reply: Reply, line: bytes | TooLong | None) -> tuple[tuple[str, ...], bool]:
        """Return what may be told of *reply*, line by line, and whether some was left out; *line* None: nobody asked for it, or it is a 1xx."""
        if self._may_tell(reply, line):
            return tuple(decode_name(encode(reply)).split("\r\n")[:-1]), False
        return (f"{reply.code}",), True

    def name(self, text: str) -> str:
        """Return a path, or what stands for it."""
        return text if self._has_names else self._stand_in(text)

    def _may_tell(self, reply: Reply, line: bytes | TooLong | None) -> bool:
        if line is None:
            return self._has_names or reply.code >= 200  # the greeting, and 421
        row = row_of(self._session, line)
        if row is None or isinstance(line, TooLong):
            return False
        if b" " in line and not row.is_secret and self._is_too_early(row):
            return False  # it may repeat what was left out, as HELP does
        return self._has_names or row.verb in _NAMELESS

    def _is_too_early(self, row: Command[Any]) -> bool:
        return not self._session.is_logged_in and row.verb not in _OPEN_BEFORE_LOGIN

    def _stand_in(self, argument: str, before: re.Pattern[str] = _NOTHING) -> str:
        """Replace each name between slashes; what stands *before* them, and `..`, stay."""
        match = before.match(argument)
        start = match.end() if match else 0
        names = (part if part in ("", ".", "..") else self._stand_in_for(part) for part in argument[start:].split("/"))
        return argument[:start] + "/".join(names)

    def _stand_in_for(self, name: str) -> str:
        return f"name-{blake2b(name.encode('utf-8', 'surrogateescape'), key=self._key, digest_size=4).hexdigest()}"


def new_key() -> bytes:
    """Return a key for stand-ins."""
    return secrets.token_bytes(32)


def _split(text: str) -> tuple[str, str]:
    """Cut a line into verb and argument; `SITE CHMOD` is one verb."""
    verb, _, argument = text.partition(" ")
    if verb.upper() == "SITE":
        sub, _, argument = argument.partition(" ")
        verb = f"{verb} {sub}"
    return verb, argument
