"""MFF and MFCT: facts of a file, changed by the client (draft-somers-ftp-mfxx 5 and 4; 3, MFMT, is with its reader MDTM).

Apart from `files`, for here one command has several changes, which are made together or not at all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NamedTuple

import attrs

from ftpd.errors import BadArgument, BadParameter
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.session import Session
from ftpd.ftp.wire.facts import format_time, parse_time
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import Ability, Attributes, FileInfo, Permission

_ARGUMENT: Final = re.compile(r"((?:[^=; ]+=[^=; ]+;)*[^=; ]+=[^=; ]+;?) (.+)", re.DOTALL)
_MODE: Final = re.compile(r"[0-7]{3,4}")
_NUMBER: Final = re.compile(r"[0-9]{1,10}", re.ASCII)
_MOST_ID: Final = 2**32 - 2  # chown(2): the number above means "as it is"


class _Fact(NamedTuple):
    """A fact that can be changed: the field of `Attributes`, how its value is read, and how the reply tells what stands now."""

    name: str
    field: str
    needs: Ability
    read: Callable[[str], int]
    tell: Callable[[FileInfo, int], str]


def _mode(value: str) -> int:
    if not _MODE.fullmatch(value) or int(value, 8) > 0o777:  # no set-user-id on what a client has stored
        raise BadArgument("UNIX.mode is an octal number up to 777")
    return int(value, 8)


def _number(value: str) -> int:
    if not _NUMBER.fullmatch(value) or int(value) > _MOST_ID:
        raise BadArgument("UNIX.owner and UNIX.group are numbers")
    return int(value)


_MODIFY: Final = _Fact("Modify", "modified_ns", Ability.TIMES, parse_time, lambda info, _: format_time(info.modified_ns))
_UNIX_MODE: Final = _Fact("UNIX.mode", "mode", Ability.MODES, _mode, lambda info, _: f"{info.mode & 0o7777:04o}")
_CREATE: Final = _Fact(
    "Create",
    "created_ns",
    Ability.CREATION_SET,
    parse_time,
    # what the store cannot read again is told as it was given
    lambda info, wanted: format_time(wanted if info.created_ns is None else info.created_ns),
)
_OWNERS: Final = (
    _Fact("UNIX.group", "group", Ability.MODES, _number, lambda _, number: str(number)),
    _Fact("UNIX.owner", "owner", Ability.MODES, _number, lambda _, number: str(number)),
)


class _Changes(NamedTuple):
    path: VirtualPath
    facts: tuple[tuple[_Fact, int], ...]


def _changeable(session: Session) -> tuple[_Fact, ...]:
    """The facts that this login can change here; before a login, those that some may."""
    facts = (_MODIFY, _CREATE, *(_OWNERS if session.factory.settings.files.change_owners else ()), _UNIX_MODE)
    if not session.is_logged_in:
        return facts
    if not session.files.permits_anywhere(Permission.ATTRIBUTES):
        return ()
    return tuple(fact for fact in facts if fact.needs in session.files.abilities)


def _feature(session: Session) -> str:
    names = "".join(f"{fact.name};" for fact in _changeable(session))
    return f"MFF {names}" if names else ""


def _creation_feature(session: Session) -> str:
    return "MFCT" if session.may(Permission.ATTRIBUTES) and session.can(Ability.CREATION_SET) else ""


def _changes(session: Session, argument: str) -> _Changes:
    """Read `fact=value;fact=value; path`.  A fact that cannot be changed is `BadParameter`, one that stands twice `BadArgument`."""
    match = _ARGUMENT.fullmatch(text(session, argument))
    if match is None:
        raise BadArgument("MFF takes facts, as `Modify=20301231235959;`, and a path")
    known = {fact.name.lower(): fact for fact in _changeable(session)}
    facts: dict[_Fact, int] = {}
    for name, _, value in (pair.partition("=") for pair in match[1].rstrip(";").split(";")):
        fact = known.get(name.lower())
        if fact is None:
            raise BadParameter(f"The fact {name} cannot be changed here")
        if fact in facts:
            raise BadArgument(f"The fact {fact.name} stands twice")
        facts[fact] = fact.read(value)
    return _Changes(session.cwd.join(match[2]), tuple(facts.items()))


@command("MFF", takes=_changes, needs=Needs.LOGIN, rfc="draft-somers-ftp-mfxx 5", syntax="MFF fact=value;... path", features=(_feature,))  # fmt: skip
async def mff(session: Session, changes: _Changes) -> Reply:
    """Change facts of a file, all of them or none; the reply tells what the store made of them."""
    wanted = attrs.evolve(Attributes(), **{fact.field: value for fact, value in changes.facts})
    stored = await change_attributes(session, changes.path, wanted)
    told = "".join(f"{fact.name}={fact.tell(stored, value)};" for fact, value in changes.facts)
    return Reply(213, f"{told} {changes.path}")


async def change_attributes(session: Session, path: VirtualPath, changes: Attributes) -> FileInfo:
    """Change a file, and return what the store made of it: a file system may know no such time, or fewer digits of it.

    Who may not see that is refused before anything is changed, for a refusal afterwards would not be true.
    """
    await session.files.stat(path)
    await session.files.set_attributes(path, changes)
    session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change="attributes", path=str(path)))
    return await (session.files.stat(path) if changes.created_ns is None else session.files.stat_dated(path))


@command("MFCT", takes=text, needs=Needs.LOGIN, rfc="draft-somers-ftp-mfxx 4", syntax="MFCT time path", features=(_creation_feature,))  # fmt: skip
async def mfct(session: Session, argument: str) -> Reply:
    """Set when a file was created, UTC; the reply tells what the store made of it.  504 where the store of this login keeps no such time."""
    time, _, name = argument.partition(" ")
    if not name:
        raise BadArgument("MFCT takes a time and a path")
    created_ns = parse_time(time)
    if not session.can(Ability.CREATION_SET):
        raise BadParameter("The time of creation cannot be set here; MFMT sets that of the last change")
    path = session.cwd.join(name)
    stored = await change_attributes(session, path, Attributes(created_ns=created_ns))
    return Reply(213, f"{_CREATE.name}={_CREATE.tell(stored, created_ns)}; {path}")
