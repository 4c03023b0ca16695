"""COMB: files that were uploaded in parts are put together (GlobalSCAPE EFT's command, which CuteFTP sends).

Apart from `copying`, since here the sources go: so nothing may go before all of it stands elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ftpd.errors import BadArgument, FileTransferError, IntegrityLost, NotFound, Unsupported
from ftpd.events import FileChanged
from ftpd.ftp.command import Needs, command, text
from ftpd.ftp.session import Session
from ftpd.ftp.undertaking import Undertaking
from ftpd.ftp.wire.replies import Reply
from ftpd.ftp.wire.words import split_words
from ftpd.paths import VirtualPath
from ftpd.spi import WritableFile
from ftpd.storage.lane import shielded
from ftpd.transfer import pour
from ftpd.values import Ability, FileInfo, FileKind, Permission, WriteMode

_log = Logger()


class _Part(NamedTuple):
    """A file whose bytes come next, as it was when it was first opened."""

    path: VirtualPath
    info: FileInfo


def _paths(session: Session, argument: str) -> tuple[VirtualPath, ...]:
    """Take the target and one source or more; a file that stands twice is `BadArgument`: its bytes would come twice, or it would be lost."""
    paths = tuple(session.cwd.join(word) for word in split_words(text(session, argument)))
    if len(paths) < 2:
        raise BadArgument("COMB takes a target and at least one source; names with spaces between quotation marks")
    if len(set(paths)) < len(paths):
        raise BadArgument("A file stands twice")
    return paths


def _feature(session: Session) -> str:
    if not session.is_logged_in:
        return "COMB target;source_list"
    may = session.files.permits_anywhere
    can_store = may(Permission.CREATE) or may(Permission.OVERWRITE)
    return "COMB target;source_list" if may(Permission.READ) and may(Permission.DELETE) and can_store else ""


@command("COMB", takes=_paths, needs=Needs.LOGIN, rfc="GlobalSCAPE EFT", syntax="COMB target source...", features=(_feature,), is_abortable=True)  # fmt: skip
async def comb(session: Session, paths: tuple[VirtualPath, ...]) -> Reply:
    """Put the sources, in order, behind what the target has, and remove them.

    The new target is made beside the old one and published whole; until then nothing has changed, and what fails, or is aborted, leaves all as
    it was.  250 says that the target is complete, and which sources stay, if any: such as have changed meanwhile.
    """
    target, *sources = paths
    for source in sources:
        session.files.demand(source, Permission.READ | Permission.DELETE)
    parts = [await _part(session, source) for source in sources]
    whole = await _with_target(session, target, parts)
    _refuse_twice(whole)
    size = sum(part.info.size for part in whole)
    with Undertaking(session, "COMB", "copy", target, size) as work:
        await _combine(session, work, target, whole, size, is_new=whole == parts)
        _publish(session, "combined", target)
        kept = await _remove(session, parts)
    stay = f" Not removed: {', '.join(map(str, kept))}." if kept else ""
    return Reply(250, f"{target} is complete: {len(parts)} files combined, {work.moved} bytes.{stay}")


async def _part(session: Session, path: VirtualPath) -> _Part:
    async with await session.files.open_read(path) as file:
        info = file.info
    await _refuse_cut(session, path, info.unique)
    return _Part(path, info)


async def _refuse_cut(session: Session, path: VirtualPath, published: str | None = None) -> None:
    """`Unsupported` where an upload to *path* was cut short and can be resumed.

    SIZE counts what is kept of it, so the client may take that for the file; what COMB puts in its place would drop it.
    """
    try:
        seen = await session.files.stat(path)
    except NotFound:
        return
    if seen.kind is FileKind.FILE and seen.unique != published:
        raise Unsupported(path, "An upload of it was cut short; finish it or delete it first")


async def _with_target(session: Session, target: VirtualPath, parts: list[_Part]) -> list[_Part]:
    """Return all the bytes of the new target: those of the old one come first, if there is one.

    Who may not read there can make a new one, and the store sees to it that it is new.
    """
    if Permission.READ not in session.files.permissions(target):
        return parts
    try:
        old = await _part(session, target)
    except NotFound:
        await _refuse_cut(session, target)
        return parts
    if Ability.STAGING not in session.files.abilities:
        raise Unsupported(target, "Files are written in place here, so that they can be combined only under a new name")
    return [old, *parts]


def _refuse_twice(parts: Iterable[_Part]) -> None:
    """`Unsupported` where two names are one file, by a hard or a symbolic link."""
    seen: dict[str, VirtualPath] = {}
    for path, info in parts:
        if info.unique and seen.setdefault(info.unique, path) != path:
            raise Unsupported(path, f"It is the same file as {seen[info.unique]}")


async def _combine(
    session: Session, work: Undertaking, target: VirtualPath, parts: list[_Part], size: int, *, is_new: bool
) -> None:
    mode = WriteMode.CREATE if is_new else WriteMode.REPLACE
    upload = await session.files.open_write(target, mode=mode, expected_size=size, permissions=session.permissions(0o666))
    try:
        await _pour_all(session, work, upload, parts)
    except BaseException:
        await upload.abandon(keeps=False)
        raise
    await upload.commit()


async def _pour_all(session: Session, work: Undertaking, upload: WritableFile, parts: list[_Part]) -> None:
    offset = 0
    for path, info in parts:
        async with await session.files.open_read(path) as file:
            _demand_same(path, info, file.info)
            offset += await pour(session.factory.crews, file, upload, offset, work.advance)
        await work.turn()
    for path, info in parts:
        _demand_same(path, info, (await _part(session, path)).info)
    await work.turn()


def _is_same(then: FileInfo, now: FileInfo) -> bool:
    return (then.unique, then.size, then.modified_ns) == (now.unique, now.size, now.modified_ns)


def _demand_same(path: VirtualPath, then: FileInfo, now: FileInfo) -> None:
    if not _is_same(then, now):
        raise IntegrityLost(path, "It was changed meanwhile")


async def _remove(session: Session, parts: list[_Part]) -> list[VirtualPath]:
    """Remove the sources, and return those that stay: the target is published by now, so that no error can take that back.

    A removal is not cut short, or nobody would know whether it took place; who stops the command keeps the rest.
    """
    kept: list[VirtualPath] = []
    for part in parts:
        if session.stop is not None or not await shielded(Deferred.fromCoroutine(_removed(session, part))):
            kept.append(part.path)
        else:
            _publish(session, "removed", part.path)
    return kept


async def _removed(session: Session, part: _Part) -> bool:
    try:
        if not _is_same(part.info, (await _part(session, part.path)).info):
            return False
        await session.files.remove_file(part.path)
    except NotFound:
        return True
    except FileTransferError as error:
        _log.warn("{path} was combined, and not removed: {error}", path=str(part.path), error=str(error))
        return False
    return True


def _publish(session: Session, change: str, path: VirtualPath) -> None:
    session.publish(FileChanged(peer=session.peer, account=session.account_name or "", change=change, path=str(path)))
