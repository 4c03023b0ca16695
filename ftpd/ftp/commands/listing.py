"""LIST, NLST, MLSD, MLST: what is there (RFC 959 4.1.3, RFC 3659 7).

A listing is streamed in the store's order, batch by batch, and never held as a whole.  A store that can writes the rows itself, where it
reads the entries (`spi.RowDirectory`); for any other, and where entries are chosen by name or descended into, they are written here.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from ftpd.errors import BadArgument, FileTransferError, NotADirectory, NotFound, NotPermitted
from ftpd.ftp.command import Needs, command, optional_path
from ftpd.ftp.session import Session
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.transfers import send_listing
from ftpd.ftp.wire.arguments import split_list_flags
from ftpd.ftp.wire.facts import FACTS, FactFormat, feat_line, opts_line, select_facts
from ftpd.ftp.wire.globs import has_magic, matcher
from ftpd.ftp.wire.replies import Reply
from ftpd.listing import LongFormat
from ftpd.paths import VirtualPath
from ftpd.spi import Directory, RowFormat
from ftpd.values import Ability, FileInfo, FileKind, Permission

__all__ = ["Listing", "long_rows", "open_listing"]

_TRANSFER: Final = Needs.LOGIN | Needs.DATA
_UNDATED_FACTS: Final = tuple(fact for fact in FACTS if fact != "create")
_Written: TypeAlias = Callable[[], Awaitable[Sequence[str]]]
Rows: TypeAlias = Callable[[str], RowFormat]  # from what stands before each name, such as `dir/`, to the format of the rows


def _flags_and_path(session: Session, argument: str) -> tuple[str, str]:
    return split_list_flags(argument)


@command("LIST", takes=_flags_and_path, needs=_TRANSFER, rfc="RFC 959 4.1.3", syntax="LIST [-flags] [path or pattern]")
async def list_(session: Session, argument: tuple[str, str]) -> Reply:
    """Send rows as `ls -l` writes them; of its flags R (descend) and d (the directory itself) count, the others change nothing."""
    flags, name = argument
    listing = await open_listing(session, name, long_rows(session), flags)
    try:
        return await send_listing(session, "LIST", session.cwd.join(name), listing.next_piece)
    finally:
        await listing.close()


@command("NLST", takes=_flags_and_path, needs=_TRANSFER, rfc="RFC 959 4.1.3", syntax="NLST [-flags] [path or pattern]")
async def nlst(session: Session, argument: tuple[str, str]) -> Reply:
    """Send names only; behind the directory that was asked for, so that each is a path the client may send (RFC 1123 4.1.2.7)."""
    flags, name = argument
    is_long = "l" in flags and session.tolerates(Tolerance.LONG_NLST)
    listing = await open_listing(session, name, long_rows(session) if is_long else _NameFormat, flags.replace("R", ""))
    try:
        return await send_listing(session, "NLST", session.cwd.join(name), listing.next_piece)
    finally:
        await listing.close()


@command("MLSD", takes=optional_path, needs=_TRANSFER, rfc="RFC 3659 7", syntax="MLSD [path]")
async def mlsd(session: Session, path: VirtualPath) -> Reply:
    """Send the facts of a directory's entries; anything but a directory is 501."""
    form = FactFormat(session.facts, session.files.permissions(path), session.files.exceptions(path))
    directory = await _opened(session, path)
    if directory is None:
        info = await session.files.stat(path)
        if info.kind is not FileKind.DIRECTORY:
            raise BadArgument(f"{path}: not a directory; MLST tells of single files")
        directory = await session.files.open_directory(path)
    listing = Listing(session, form, directory)
    try:
        return await send_listing(session, "MLSD", path, listing.next_piece)
    finally:
        await listing.close()


def _offered_facts(session: Session) -> tuple[str, ...]:
    return FACTS if session.can(Ability.CREATION_TOLD) else _UNDATED_FACTS


def _choose_facts(session: Session, wanted: str) -> Reply:
    session.facts = select_facts(wanted, _offered_facts(session))
    return Reply(200, opts_line(session.facts))


def _facts_feature(session: Session) -> str:
    return feat_line(session.facts, _offered_facts(session)) if session.may(Permission.VIEW) else ""


@command("MLST", takes=optional_path, needs=Needs.LOGIN, rfc="RFC 3659 7", syntax="MLST [path]", features=(_facts_feature,), option=_choose_facts, beside=True, keeps_restart=True)  # fmt: skip
async def mlst(session: Session, path: VirtualPath) -> Reply:
    """Tell the facts of one file or directory."""
    form = FactFormat(session.facts, session.files.permissions(path))
    info = await (session.files.stat_dated(path) if form.tells_creation else session.files.stat(path))
    return Reply(250, f"Listing {path}", (form.row(info._replace(name=str(path))),))


def long_rows(session: Session) -> Rows:
    """Return the format of LIST's rows, now and by the clock of the settings; names stand alone in it."""
    form = LongFormat(time.time(), in_local_time=session.factory.settings.listing.times == "local")
    return lambda prefix: form


async def open_listing(session: Session, name: str, rows: Rows, flags: str = "") -> Listing:
    """Find out what *name* means: a directory, one file, or else a pattern in the last part of a path; nothing is `NotFound`."""
    path = session.cwd.join(name)
    below = f"{name.rstrip('/')}/" if name else ""
    depth = session.factory.settings.listing.max_depth if "R" in flags else 0
    if "d" not in flags and (directory := await _opened(session, path)) is not None:
        return Listing(session, rows(below), directory, path=path, depth=depth)
    above = name[: name.rfind("/") + 1]
    try:
        info = await session.files.stat(path)
    except NotFound:
        if not has_magic(path.name):
            raise
        directory = await session.files.open_directory(path.parent)
        return Listing(session, rows(above), directory, matcher(path.name))
    if info.kind is not FileKind.DIRECTORY or "d" in flags:
        return Listing(session, rows(above), _One(info if info.name else info._replace(name=".")))
    return Listing(session, rows(below), await session.files.open_directory(path), path=path, depth=depth)


async def _opened(session: Session, path: VirtualPath) -> Directory | None:
    """Open *path*, which mostly is a directory; None where it cannot be opened as one, and somebody has to look what it is.

    To look first and to open then would cost each listing five system calls more.
    """
    try:
        return await session.files.open_directory(path)
    except (NotADirectory, NotFound, NotPermitted):
        return None


class Listing:
    """Rows of a directory, of those below it down to *depth* (LIST -R), or of the names that match; a `transfer.Source`."""

    def __init__(
        self,
        session: Session,
        form: RowFormat,
        directory: Directory | _One,
        matches: Callable[[str], bool] | None = None,
        *,
        path: VirtualPath | None = None,
        depth: int = 0,
    ) -> None:
        self._files = session.files
        self._form = form
        self._matches = matches
        self._matches_left = session.factory.settings.listing.max_matches
        self._path = path
        self._depth = depth
        self._below: list[tuple[VirtualPath, int]] = []
        self._directory: Directory | _One | None
        self._written: _Written | None
        self._open(directory)

    async def next_piece(self) -> bytes:
        """Return the next rows with their line ends; `b""` at the end."""
        while True:
            if self._directory is None:
                if not self._below:
                    return b""
                heading = await self._descend()
                if heading:
                    return heading
                continue
            batch = await self._next_rows()
            if batch is None:
                await self.close()
                continue
            piece = _page(batch)
            if piece:
                return piece

    async def close(self) -> None:
        directory, self._directory = self._directory, None
        if directory is not None:
            await directory.close()

    def _open(self, directory: Directory | _One) -> None:
        is_plain = self._matches is None and not self._depth
        self._directory = directory
        # A `RowDirectory` if it has `rows`: to ask whether it is one takes 10 us of a small directory's 250 (tests/bench: listing).
        rows: Callable[[RowFormat], _Written] | None = getattr(directory, "rows", None) if is_plain else None
        self._written = rows(self._form) if rows is not None else None

    async def _next_rows(self) -> Sequence[str] | None:
        """Return the rows of the next entries, those that match; None at the end of the directory."""
        if self._written is not None:
            return await self._written() or None
        assert self._directory is not None
        batch = await self._directory.next_batch()
        return self._rows(batch) if batch else None

    def _rows(self, batch: Sequence[FileInfo]) -> Sequence[str]:
        matches = self._matches
        if matches:
            batch = [info for info in batch if matches(info.name)][: self._matches_left]
            self._matches_left -= len(batch)
        if self._depth and self._path is not None:
            self._note_directories(batch, self._path)
        return [self._form.row(info) for info in batch]

    def _note_directories(self, batch: Sequence[FileInfo], path: VirtualPath) -> None:
        room = self._matches_left - len(self._below)
        below = [(path.child(info.name), self._depth - 1) for info in batch if info.kind is FileKind.DIRECTORY]
        self._below += below[: max(0, room)]

    async def _descend(self) -> bytes:
        """Open the next directory of LIST -R; one that is gone or closed to this account is passed over."""
        path, self._depth = self._below.pop()
        self._path = path
        try:
            self._open(await self._files.open_directory(path))
        except FileTransferError:
            return b""
        heading = f"\r\n{path}:\r\n"
        return b"" if heading.count("\n") > 2 else heading.encode("utf-8", "surrogateescape")


class _One:
    """A single file, listed as if it were a directory's only entry."""

    def __init__(self, info: FileInfo) -> None:
        self._rest = [info]

    async def next_batch(self) -> Sequence[FileInfo]:
        batch, self._rest = self._rest, []
        return batch

    async def close(self) -> None:
        self._rest = []


class _NameFormat:
    """NLST's rows, a `spi.RowFormat`: the entry's name behind the directory that was asked for, *prefix*."""

    tells_creation: Final = False

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def row(self, info: FileInfo) -> str:
        return self._prefix + info.name

    def from_name(self, name: str) -> str:
        return self._prefix + name

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str]:
        return lambda name, size, modified: self._prefix + name


def _page(rows: Sequence[str]) -> bytes:
    """Join *rows* with their line ends; `b""` where there is none to be sent."""
    text = "\r\n".join((*rows, ""))
    if text.count("\n") != len(rows) or text.count("\r") != len(rows):
        # A name with a line end in it would be two rows to the client, the second of its author's choice.
        text = "".join(f"{row}\r\n" for row in rows if "\r" not in row and "\n" not in row)
    return text.encode("utf-8", "surrogateescape")
