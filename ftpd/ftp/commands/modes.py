"""TYPE, STRU, MODE: how a file is represented and sent (RFC 959 3.1 to 3.4, 4.1.2)."""

from __future__ import annotations

import re
from typing import Final

from ftpd.errors import BadArgument, BadParameter
from ftpd.ftp.command import command, text
from ftpd.ftp.session import Session
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.wire.form import Mode, Representation, Structure
from ftpd.ftp.wire.replies import Reply

# The format behind A and E (non-print, Telnet, carriage control) tells a printer what a file holds and changes no byte of it (RFC 959
# 3.1.1.5).  `L 8` is image on a machine with bytes of eight bits; some clients write `L8`.
_TYPES: Final = re.compile(r"(?P<text>[AE])( [NTC])?|I|L ?8")
_KNOWN_TYPES: Final = re.compile(r"L( ?[0-9]{1,3})?")
_STRUCTURES: Final = frozenset(structure.value for structure in Structure)
_MODES: Final = frozenset(mode.value for mode in Mode)
_LEVEL: Final = re.compile(r"LEVEL ([1-9])", re.IGNORECASE)
_ENGINE: Final = re.compile(r"ENGINE ZLIB", re.IGNORECASE)


@command("TYPE", takes=text, rfc="RFC 959 4.1.2", syntax="TYPE A [N | T | C] | E [N | T | C] | I | L 8", keeps_restart=True)
async def type_(session: Session, wanted: str) -> Reply:
    """Choose ASCII, EBCDIC or image."""
    code = " ".join(wanted.upper().split())
    match = _TYPES.fullmatch(code)
    if match is None:
        if session.tolerates(Tolerance.ODD_TYPE):
            return _image(session, code)
        if _KNOWN_TYPES.fullmatch(code):
            raise BadParameter(f"TYPE {code} is not served; bytes have 8 bits here")
        raise BadArgument("TYPE takes A, E, I or L 8")
    if match["text"] == "A" and session.tolerates(Tolerance.RAW_ASCII):
        return _image(session, code)
    session.is_type_given = True
    session.representation = Representation(match["text"] or "I")
    return Reply(200, f"Type is {session.representation.words}.")


def _image(session: Session, code: str) -> Reply:
    """Take TYPE *code* of a device for I."""
    session.is_type_given = True
    session.representation = Representation.IMAGE
    return Reply(200, f"Type {code} is taken for {session.representation.words}.")


@command("STRU", takes=text, rfc="RFC 959 4.1.2", syntax="STRU F | R", keeps_restart=True)
async def stru(session: Session, wanted: str) -> Reply:
    """Choose the file structure: bytes, or records, which are the lines of a file."""
    letter = wanted.strip().upper()
    if letter not in _STRUCTURES and session.tolerates(Tolerance.ODD_STRUCTURE):
        return Reply(200, f"Structure is {session.structure.name}.")
    if letter == "P":
        raise BadParameter("STRU P is not served: files have no pages here")
    try:
        session.structure = Structure(letter)
    except ValueError:
        raise BadArgument("STRU takes F or R") from None
    return Reply(200, f"Structure is {session.structure.name}.")


def _set_deflate(session: Session, option: str) -> Reply:
    """OPTS MODE Z LEVEL n, OPTS MODE Z ENGINE ZLIB."""
    letter, _, setting = option.strip().partition(" ")
    if letter.upper() != "Z" or not session.factory.settings.deflate.enabled:
        raise BadArgument("Only MODE Z has options" if session.factory.settings.deflate.enabled else "MODE has no options")
    if match := _LEVEL.fullmatch(setting):
        session.deflate_level = int(match[1])
    elif not _ENGINE.fullmatch(setting):
        raise BadArgument("OPTS MODE Z takes LEVEL 1 to 9, or ENGINE ZLIB")
    return Reply(200, f"MODE Z ENGINE ZLIB LEVEL {session.deflate_level}.")


def _feature(session: Session) -> str:
    return "MODE Z" if session.factory.settings.deflate.enabled else ""


@command("MODE", takes=text, rfc="RFC 959 4.1.2, draft-preston-ftpext-deflate", syntax="MODE S | B | C | Z", features=(_feature,), option=_set_deflate, keeps_restart=True)  # fmt: skip
async def mode(session: Session, wanted: str) -> Reply:
    """Choose the transfer mode: stream, block, compressed (run lengths) or deflate."""
    letter = wanted.strip().upper()
    if letter not in _MODES and session.tolerates(Tolerance.ODD_STRUCTURE):
        return Reply(200, f"Mode is {session.mode.name}.")
    try:
        chosen = Mode(letter)
    except ValueError:
        raise BadArgument("MODE takes S, B, C or Z") from None
    if chosen is Mode.DEFLATE and not session.factory.settings.deflate.enabled:
        raise BadParameter("MODE Z is switched off here")
    session.mode = chosen
    return Reply(200, f"Mode is {chosen.name}.")
