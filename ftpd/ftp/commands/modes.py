"""TYPE, STRU, MODE: how a file is represented and sent (RFC 959 3.1 to 3.4, 4.1.2)."""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import BadArgument, BadParameter
from ftpd.ftp.command import command, text
from ftpd.ftp.session import Session
from ftpd.ftp.states import Representation
from ftpd.ftp.wire.replies import Reply

# `A`, `A N`, `I`, `L 8`, and `L8` as some clients write it.
_REPRESENTATIONS: Final = {
    "A": Representation.ASCII,
    "A N": Representation.ASCII,
    "I": Representation.IMAGE,
    "L 8": Representation.IMAGE,
    "L8": Representation.IMAGE,
}
_KNOWN_TYPES: Final = re.compile(r"[AE]( [NTC])?|I|L ?[0-9]{1,3}")


@command("TYPE", takes=text, rfc="RFC 959 4.1.2", syntax="TYPE A [N] | I | L 8", keeps_restart=True)
async def type_(session: Session, wanted: str) -> Reply:
    """Choose ASCII or image."""
    code = " ".join(wanted.upper().split())
    representation = _REPRESENTATIONS.get(code)
    if representation is None:
        if _KNOWN_TYPES.fullmatch(code):
            raise BadParameter(f"TYPE {code} is not served; A, I and L 8 are")
        raise BadArgument("TYPE takes A, I or L 8")
    session.representation = representation
    return Reply(200, f"Type is {representation.words}.")


@command("STRU", takes=text, rfc="RFC 959 4.1.2", syntax="STRU F", keeps_restart=True)
async def stru(session: Session, structure: str) -> Reply:
    """Choose the file structure; there is one."""
    return _only(structure, "F", "RP", "STRU")


@command("MODE", takes=text, rfc="RFC 959 4.1.2", syntax="MODE S", keeps_restart=True)
async def mode(session: Session, wanted: str) -> Reply:
    """Choose the transfer mode; there is one."""
    return _only(wanted, "S", "BCZ", "MODE")


def _only(wanted: str, served: str, known: str, verb: str) -> Reply:
    letter = wanted.strip().upper()
    if letter == served:
        return Reply(200, f"{verb} is {served}.")
    if len(letter) == 1 and letter in known:
        raise BadParameter(f"{verb} {letter} is not served; {served} is")
    raise BadArgument(f"{verb} takes {served}")
