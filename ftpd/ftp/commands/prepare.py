"""PRET: what the next transfer will be, before its data connection is asked for (the convention of drftpd and glftpd).

There it lets the server choose the machine that PASV announces.  Here there is one, so that it tells early what would be refused.  FEAT does
not show it: clients that see it there, such as lftp, spend a round trip on it for each file, for nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from ftpd.errors import BadParameter, IsADirectory, NotADirectory, NotFound, NotPermitted
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.session import Session
from ftpd.ftp.wire.arguments import split_list_flags
from ftpd.ftp.wire.globs import has_magic
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.values import FileKind, Permission


@command("PRET", takes=text, needs=Needs.LOGIN, rfc="drftpd convention", syntax="PRET command [path]", keeps_restart=True)
async def pret(session: Session, argument: str) -> Reply:
    """Tell what the next transfer will be; what would be refused is refused now.  Nothing is reserved."""
    verb, _, name = argument.partition(" ")
    check = _CHECKS.get(verb.upper())
    if check is None or verb.upper().encode("ascii") not in session.factory.commands:
        raise BadParameter("PRET is about a transfer command")
    await check(session, name)
    return Reply(200, "It can be served; ask for a data connection.")


async def _fetch(session: Session, name: str) -> None:
    await (await session.files.open_read(session.cwd.join(name))).close()


async def _list(session: Session, name: str) -> None:
    _, name = split_list_flags(name)
    path = session.cwd.join(name)
    await session.files.stat(path.parent if has_magic(path.name) else path)


async def _store(session: Session, name: str) -> None:
    """As `open_write` would refuse, and without it: opening begins an upload, and may end one that was cut."""
    path = session.cwd.join(name)
    found = await _kind(session, path)
    if found is FileKind.DIRECTORY:
        raise IsADirectory(path)
    session.files.demand(path, Permission.CREATE if found is None else Permission.OVERWRITE)
    if found is None:
        await _demand_directory(session, path.parent)


async def _store_unique(session: Session, name: str) -> None:
    directory = session.cwd.join(name).parent if name else session.cwd
    session.files.demand(directory, Permission.CREATE)
    await _demand_directory(session, directory)


async def _demand_directory(session: Session, path: VirtualPath) -> None:
    if await _kind(session, path) not in (FileKind.DIRECTORY, None):
        raise NotADirectory(path)


async def _kind(session: Session, path: VirtualPath) -> FileKind | None:
    """Return what *path* is; None where it is nothing, or where this login may not know."""
    try:
        return (await session.files.stat(path)).kind
    except (NotFound, NotPermitted):
        return None


_CHECKS: Final[Mapping[str, Callable[[Session, str], Awaitable[None]]]] = {
    "RETR": _fetch,
    "LIST": _list,
    "NLST": _list,
    "MLSD": _list,
    "STOR": _store,
    "APPE": _store,
    "STOU": _store_unique,
}
