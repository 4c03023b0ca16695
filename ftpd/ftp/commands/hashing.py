"""HASH, XCRC, XMD5, XSHA, MD5, MMD5: digests of stored files (draft-bryan-ftpext-hash-02, draft-twine-ftpmd5-00, GlobalSCAPE's XCRC).

Apart from other commands on files because these read all of a file: they take long, so that ABOR stops them, and what is marked
`beside` is answered meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from ftpd.errors import (
    BadArgument,
    BadName,
    BadOffset,
    FileTransferError,
    IsADirectory,
    NotADirectory,
    NotFound,
    NotPermitted,
    OverLimit,
    Unsupported,
)
from ftpd.ftp.command import Command, Needs, command, text
from ftpd.ftp.hashes.algorithms import Algorithm
from ftpd.ftp.hashes.digests import Hashed
from ftpd.ftp.hashes.reading import Allowance, Progress, Span, whole
from ftpd.ftp.session import Session, Transfer
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import Permission

Codes: TypeAlias = Mapping[type[Exception], int]

_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"', re.DOTALL)
_RANGE: Final = re.compile(r" *(\d{1,19}) +(\d{1,19}) *", re.ASCII)

# What draft-bryan-ftpext-hash-02 3.5 says where the reply of other commands would be 550.
_HASH_CODES: Final[Codes] = MappingProxyType({NotPermitted: 552, IsADirectory: 553, OverLimit: 556, BadOffset: 551})
_X_CODES: Final[Codes] = MappingProxyType({BadOffset: 550})
# draft-twine-ftpmd5-00 3.1: not "for the specified argument"; of several files (3.2) one that is not there counts as such, too.
_MD5_CODES: Final[Codes] = MappingProxyType({IsADirectory: 504, Unsupported: 504})
_MMD5_CODES: Final[Codes] = MappingProxyType({**_MD5_CODES, NotFound: 504, NotADirectory: 504, BadName: 504})


def _shown(feature: str) -> Callable[[Session], str]:
    return lambda session: feature if session.may(Permission.READ) else ""


class _Meaning(NamedTuple):
    """What an argument may mean: a file, and from where to where."""

    path: VirtualPath
    span: Span = whole


class _Asked(NamedTuple):
    """An argument as the client wrote it, and what it may mean: of several files the first that is there."""

    written: str
    meanings: tuple[_Meaning, ...]


async def _hashed(session: Session, verb: str, asked: _Asked, algorithm: Algorithm, allowance: Allowance) -> Hashed:
    *others, last = asked.meanings
    for meaning in others:
        with suppress(NotFound):
            return await _hashed_one(session, verb, meaning, algorithm, allowance)
    return await _hashed_one(session, verb, last, algorithm, allowance)


async def _hashed_one(session: Session, verb: str, meaning: _Meaning, algorithm: Algorithm, allowance: Allowance) -> Hashed:
    """Hash a file while STAT tells how far it is, and NOOP is answered."""
    path, span = meaning

    def watch(progress: Progress) -> None:
        session.transfer = Transfer(verb, "hash", path, progress.total, session.factory.reactor.seconds())
        session.transfer.pump = progress

    try:
        return await session.factory.digests.of(partial(session.files.open_read, path), algorithm, span, allowance, watch)
    except FileTransferError as error:
        error.path = error.path or path
        raise
    finally:
        session.transfer = None


def _unquoted(session: Session, name: str) -> VirtualPath:
    """Return the path that stands between quotation marks as *name*, its own doubled."""
    return session.cwd.join(text(session, name.replace('""', '"')))


def _named(session: Session, argument: str) -> _Asked:
    """Take one path, between quotation marks or not."""
    quoted = _QUOTED.fullmatch(text(session, argument))
    return _Asked(argument, (_Meaning(_unquoted(session, quoted[1]) if quoted is not None else session.cwd.join(argument)),))


# HASH.


def _features(session: Session) -> str:
    names = (algorithm.value + "*" * (algorithm is session.hash_algorithm) for algorithm in Algorithm)
    return f"HASH {';'.join(names)};" if session.may(Permission.READ) else ""


def _select(session: Session, name: str) -> Reply:
    """Tell the algorithm of HASH, after choosing it if there is a *name* (3.2)."""
    if name.strip():
        session.hash_algorithm = Algorithm.named(name.strip())
    return Reply(200, session.hash_algorithm.value)


def _asked(session: Session, argument: str) -> _Asked:
    """Take a path as RETR does, and the bytes of a RANG before; WinSCP puts one with spaces between quotation marks."""
    span = whole if session.range is None else partial(_clipped, *session.range)
    asked = _Meaning(session.cwd.join(text(session, argument)), span)
    quoted = _QUOTED.fullmatch(argument)
    if quoted is None:
        return _Asked(argument, (asked,))
    return _Asked(argument, (asked, _Meaning(_unquoted(session, quoted[1]), span)))


@command(
    "HASH",
    takes=_asked,
    needs=Needs.LOGIN,
    rfc="draft-bryan-ftpext-hash-02 3",
    syntax="HASH path",
    features=(_features,),
    is_abortable=True,
    codes=_HASH_CODES,
    option=_select,
)
async def hash_(session: Session, asked: _Asked) -> Reply:
    """Tell the digest of a file as TYPE I sends it, or of the bytes of a RANG before, by the algorithm that OPTS HASH has chosen.

    One reply and no lines before it (3), which some clients take for the answer.  The range of an empty file is 0-0: the last byte must not
    stand before the first.
    """
    algorithm = session.hash_algorithm
    value, start, end = await _hashed(session, "HASH", asked, algorithm, session.factory.digests.allowance())
    return Reply(213, f"{algorithm.value} {start}-{max(start, end - 1)} {value} {asked.written}")


def _clipped(first: int, last: int, size: int | None) -> tuple[int, int]:
    """A range that goes on behind the end ends there, as the reply tells; one that begins there is none."""
    if size is None:
        return first, last + 1
    if first >= size:
        raise BadOffset(None, "The range begins behind the end of the file")
    return first, min(last + 1, size)


# XCRC and its kind.


def _part(session: Session, argument: str) -> _Asked:
    """Take a path, between quotation marks or not, and perhaps the offsets of the first byte and of the one after the last.

    One offset alone would be the start to some servers and the end to others: `BadArgument`, as where the end is not behind the start.
    Without quotation marks a name may itself end in two numbers.
    """
    quoted = _QUOTED.match(text(session, argument))
    if quoted is not None:
        return _Asked(argument, (_Meaning(_unquoted(session, quoted[1]), _span(argument[quoted.end() :])),))
    whole = _Meaning(session.cwd.join(argument))
    name, *offsets = argument.rsplit(" ", 2)
    if len(offsets) < 2 or not name or _RANGE.fullmatch(" ".join(offsets)) is None:
        return _Asked(argument, (whole,))
    # judged when it comes to that: a file may be called "0 0 0"
    return _Asked(argument, (whole, _Meaning(session.cwd.join(name), lambda size: _span(" ".join(offsets))(size))))


def _span(offsets: str) -> Span:
    if not offsets.strip():
        return whole
    match = _RANGE.fullmatch(offsets)
    if match is None:
        raise BadArgument("After the path come no numbers or two: the first byte and the one after the last")
    start, end = int(match[1]), int(match[2])
    if start >= end:
        raise BadArgument("The end must lie behind the start")
    return lambda size: (start, end)


def _row(verb: str, algorithm: Algorithm) -> Command[_Asked]:
    """Make the row of one algorithm; offsets and upper-case digits are ProFTPD's."""

    async def row(session: Session, asked: _Asked) -> Reply:
        return Reply(250, (await _hashed(session, verb, asked, algorithm, session.factory.digests.allowance())).value.upper())

    row.__doc__ = f"Tell the {algorithm.value} of a file, or of the bytes from one offset up to another."
    return command(
        verb,
        takes=_part,
        needs=Needs.LOGIN,
        rfc="GlobalSCAPE, ProFTPD mod_digest",
        syntax=f"{verb} path [start end]",
        features=(_shown(f"{verb} filename;start;end"),),
        is_abortable=True,
        codes=_X_CODES,
    )(row)


xcrc = _row("XCRC", Algorithm.CRC32)
xmd5 = _row("XMD5", Algorithm.MD5)
xsha = _row("XSHA", Algorithm.SHA_1)
xsha1 = _row("XSHA1", Algorithm.SHA_1)
xsha256 = _row("XSHA256", Algorithm.SHA_256)
xsha512 = _row("XSHA512", Algorithm.SHA_512)


# MD5 and MMD5.


def _several(session: Session, argument: str) -> tuple[_Asked, ...]:
    """Take paths with commas between them; one that has a comma itself stands between quotation marks."""
    several = tuple(_named(session, written) for written in _cut(text(session, argument)))
    if not several:
        raise BadArgument("A path is needed")
    return several


def _cut(argument: str) -> Iterator[str]:
    while argument := argument.lstrip(" "):
        quoted = _QUOTED.match(argument)
        name, _, rest = argument.partition(",")
        if quoted is not None:
            name, (space, _, rest) = quoted[0], argument[quoted.end() :].partition(",")
            if space.strip(" "):
                raise BadArgument("MMD5 takes paths with commas between them")
        yield name.rstrip(" ")
        argument = rest


async def _md5(session: Session, verb: str, asked: _Asked, allowance: Allowance) -> str:
    return f"{asked.written} {(await _hashed(session, verb, asked, Algorithm.MD5, allowance)).value.upper()}"


@command(
    "MD5",
    takes=_named,
    needs=Needs.LOGIN,
    rfc="draft-twine-ftpmd5-00 3.1",
    syntax="MD5 path",
    features=(_shown("MD5"),),
    is_abortable=True,
    codes=_MD5_CODES,
)
async def md5(session: Session, asked: _Asked) -> Reply:
    """Tell the MD5 of a file."""
    return Reply(251, await _md5(session, "MD5", asked, session.factory.digests.allowance()))


@command(
    "MMD5",
    takes=_several,
    needs=Needs.LOGIN,
    rfc="draft-twine-ftpmd5-00 3.2",
    syntax="MMD5 path[, path...]",
    features=(_shown("MMD5"),),
    is_abortable=True,
    codes=_MMD5_CODES,
)
async def mmd5(session: Session, several: tuple[_Asked, ...]) -> Reply:
    """Tell the MD5 of several files, or of none where one of them has none."""
    allowance = session.factory.digests.allowance()
    lines = [await _md5(session, "MMD5", asked, allowance) for asked in several]
    return Reply(251 if len(lines) == 1 else 252, ", ".join(lines))
