"""Avatars of `twisted.protocols.ftp`: an `IFTPShell` dressed as a `spi.Filesystem`.

Apart from our own stores, because programs that serve FTP with Twisted's protocol keep their portal and their shells.  A shell gives and
takes whole files, from the start, through producers and consumers: no fast path, no resuming of uploads and no undoing of a cut one here.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self

from twisted.internet.defer import maybeDeferred
from twisted.protocols import ftp as stock
from twisted.python.filepath import FilePath

from ftpd import errors
from ftpd.accounts.guard import Guard
from ftpd.ftp.shell.errors import errors_about
from ftpd.ftp.shell.files import ShellReader, ShellWriter
from ftpd.paths import ROOT, VirtualPath, decode_name
from ftpd.values import Ability, Account, Attributes, FileInfo, FileKind, Permission, Rule, WriteMode

__all__ = ["ShellDirectory", "ShellFilesystem", "files_of_shell"]

_KEYS: Final = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")
_BATCH_ROWS: Final = 256
_MOST_NAMES_TRIED: Final = 100


def files_of_shell(name: bytes, shell: Any, is_anonymous: bool) -> tuple[Account, Guard]:
    """Return an account and its files for an avatar that is an `IFTPShell`; what it may do is the shell's own decision."""
    account = Account(name=decode_name(name), rules=(Rule(ROOT, Permission.ALL),), is_anonymous=is_anonymous)
    return account, Guard(ShellFilesystem(_with_text_root(shell)), account)


class ShellFilesystem:
    """A `spi.Filesystem` over *shell*; each call is one of the shell's, with paths as lists of text, and its errors become ours.

    What the shell answers may be there at once or come with a Deferred.
    """

    abilities = Ability.NONE

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    async def stat(self, path: VirtualPath) -> FileInfo:
        return _info(path.name, await _ask(path, self._shell.stat, list(path.parts), _KEYS))

    async def enter(self, path: VirtualPath) -> None:
        await _ask(path, self._shell.access, list(path.parts))

    async def open_directory(self, path: VirtualPath) -> ShellDirectory:
        if (await self.stat(path)).kind is not FileKind.DIRECTORY:
            raise errors.NotADirectory(path)  # `list` of a file would be its own row
        try:
            rows = await _ask(path, self._shell.list, list(path.parts), _KEYS)
        except errors.NotFound:
            # Twisted's shell fails the whole listing for one link that leads nowhere, or one file removed meanwhile: entry by entry, then.
            names = await _ask(path, self._shell.list, list(path.parts), ())
            return ShellDirectory(path, names, self._lookup)
        return ShellDirectory(path, rows)

    async def open_read(self, path: VirtualPath) -> ShellReader:
        info = await self.stat(path)
        if info.kind is FileKind.DIRECTORY:
            raise errors.IsADirectory(path)
        return ShellReader(path, info, await _ask(path, self._shell.openForReading, list(path.parts)))

    async def open_write(
        self,
        path: VirtualPath,
        *,
        mode: WriteMode,
        offset: int = 0,
        expected_size: int | None = None,
        permissions: int | None = None,
    ) -> ShellWriter:
        """Begin an upload of a whole file; APPEND only where there is nothing yet.  *expected_size* is nothing a shell could be told."""
        if permissions is not None:
            raise errors.Unsupported(path, "This store chooses the permission bits itself")
        if mode is WriteMode.RESUME or (mode is WriteMode.APPEND and await self._exists(path)):
            raise errors.Unsupported(path, "This store takes whole files only")
        if mode is WriteMode.CREATE and await self._exists(path):
            raise errors.AlreadyExists(path)
        if mode is WriteMode.UNIQUE:
            path = await self._free_name(path)
        file = await _ask(path, self._shell.openForWriting, list(path.parts))
        try:
            consumer = await _ask(path, file.receive)
            with errors_about(path):
                return ShellWriter(path, file, consumer)
        except BaseException:  # `close` comes after `receive`, whatever became of that; the first error is the one to tell
            maybeDeferred(file.close).addErrback(lambda _: None)
            raise

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        if permissions is not None:
            raise errors.Unsupported(path, "This store chooses the permission bits itself")
        await _ask(path, self._shell.makeDirectory, list(path.parts))

    async def remove_directory(self, path: VirtualPath) -> None:
        await _ask(path, self._shell.removeDirectory, list(path.parts))

    async def remove_file(self, path: VirtualPath) -> None:
        await _ask(path, self._shell.removeFile, list(path.parts))

    async def rename(self, old: VirtualPath, new: VirtualPath) -> None:
        await _ask(old, self._shell.rename, list(old.parts), list(new.parts))

    async def set_attributes(self, path: VirtualPath, changes: Attributes) -> None:
        raise errors.Unsupported(path)

    async def close(self) -> None:
        """The portal's logout is the shell's end."""

    async def _exists(self, path: VirtualPath) -> bool:
        try:
            await self.stat(path)
        except errors.NotFound:
            return False
        return True

    async def _lookup(self, path: VirtualPath) -> FileInfo | None:
        try:
            return await self.stat(path)
        except errors.NotFound:
            return None

    async def _free_name(self, path: VirtualPath) -> VirtualPath:
        """Find a name that nobody has; a shell cannot create exclusively, so somebody else may take it in between."""
        for number in range(_MOST_NAMES_TRIED):
            candidate = path.parent.child(f"{path.name}.{number}") if number else path
            if not await self._exists(candidate):
                return candidate
        raise errors.AlreadyExists(path)


class ShellDirectory:
    """A `spi.Directory` of the rows that the shell listed, converted as they are asked for; with *look_up*, of names to be looked up."""

    def __init__(
        self,
        path: VirtualPath,
        rows: Iterable[tuple[bytes | str, Sequence[Any]]],
        look_up: Callable[[VirtualPath], Awaitable[FileInfo | None]] | None = None,
    ) -> None:
        self._path = path
        self._rows: Iterator[tuple[bytes | str, Sequence[Any]]] = iter(rows)
        self._look_up = look_up

    async def next_batch(self) -> Sequence[FileInfo]:
        """Return entries as `spi.Directory` has it: a batch of which nothing is left is passed over, for an empty one means the end."""
        while True:
            with errors_about(self._path):
                rows = list(islice(self._rows, _BATCH_ROWS))
            batch = [info for info in await self._described(rows) if info.name not in (".", "..")]
            if batch or not rows:
                return batch

    async def close(self) -> None:
        self._rows = iter(())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _described(self, rows: Iterable[tuple[bytes | str, Sequence[Any]]]) -> list[FileInfo]:
        if self._look_up is None:
            return [_info(_text(name), values) for name, values in rows]
        found = [await self._look_up(self._path.child(_text(name))) for name, _ in rows]
        return [info for info in found if info is not None]


async def _ask(path: VirtualPath, call: Any, *arguments: Any) -> Any:
    """Call the shell and wait; its errors become ours."""
    with errors_about(path):
        return await maybeDeferred(call, *arguments)


def _with_text_root(shell: Any) -> Any:
    """Give one of Twisted's own shells a root of text.

    A checker that answers with bytes, as cred has it, makes `FTPRealm` build a home of bytes.  `FTPShell` is then asked for text
    and fails for single files, `stat(["f"])`: "'<' not supported between instances of 'str' and 'bytes'" (Twisted 26.10, `segmentsFrom`).
    The avatar id itself is left as it is: realms of one's own may count on its type.
    """
    root = getattr(shell, "filesystemRoot", None)
    if isinstance(shell, stock.FTPAnonymousShell) and isinstance(root, FilePath) and isinstance(root.path, bytes):
        shell.filesystemRoot = root.clonePath(os.fsdecode(root.path))
    return shell


def _info(name: str, values: Sequence[Any]) -> FileInfo:
    size, is_directory, permissions, links, modified, owner, group = values
    return FileInfo(
        name=name,
        kind=FileKind.DIRECTORY if is_directory else FileKind.FILE,
        size=int(size or 0),
        modified_ns=int((modified or 0) * 1_000_000_000),
        mode=_mode(permissions),
        links=int(links or 1),
        owner=_text(owner),
        group=_text(group),
    )


def _mode(permissions: Any) -> int:
    """Read what the interface promises, a number as of `os.stat`, or what Twisted's own shells give, `filepath.Permissions`."""
    if isinstance(permissions, int):
        return permissions & 0o7777
    mode = 0
    for part in (permissions.user, permissions.group, permissions.other):
        mode = mode << 3 | part.read << 2 | part.write << 1 | part.execute
    return mode


def _text(name: bytes | str | int) -> str:
    return decode_name(name) if isinstance(name, bytes) else str(name)
