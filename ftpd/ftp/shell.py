"""Avatars of `twisted.protocols.ftp`: an `IFTPShell` dressed as a `spi.Filesystem`.

Programs that serve FTP with Twisted's own protocol keep their portal and their shells.  A shell pushes a file at a consumer and is pushed
at, one file from the start; so there is no fast path, no resuming and no undoing of a cut upload here: what its `close` means is the shell's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IConsumer, IPushProducer
from twisted.protocols import ftp as stock
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd import errors
from ftpd.accounts.guard import Guard
from ftpd.paths import ROOT, VirtualPath, decode_name
from ftpd.values import Ability, Account, Attributes, FileInfo, FileKind, Permission, Rule, WriteMode

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["IFTPShell", "ShellFilesystem", "files_of_shell"]

IFTPShell = stock.IFTPShell
T = TypeVar("T")

_KEYS: Final = ("size", "directory", "permissions", "hardlinks", "modified", "owner", "group")
_BATCH_ROWS: Final = 512
_MOST_BUFFERED_BYTES: Final = 512 * 1024
_MOST_NAMES_TRIED: Final = 100
_ERRORS: Final[tuple[tuple[type[Exception], type[errors.FileTransferError]], ...]] = (
    (stock.FileNotFoundError, errors.NotFound),
    (stock.FileExistsError, errors.AlreadyExists),
    (stock.IsADirectoryError, errors.IsADirectory),
    (stock.IsNotADirectoryError, errors.NotADirectory),
    (stock.PermissionDeniedError, errors.NotPermitted),
    (stock.CmdNotImplementedError, errors.Unsupported),
    (stock.CmdNotImplementedForArgError, errors.Unsupported),
)


def files_of_shell(name: bytes, shell: Any, is_anonymous: bool) -> tuple[Account, Guard]:
    """Return an account and its files for an avatar that is an `IFTPShell`; what it may do is the shell's own decision."""
    account = Account(name=decode_name(name), rules=(Rule(ROOT, Permission.ALL),), is_anonymous=is_anonymous)
    return account, Guard(ShellFilesystem(shell), account)


class ShellFilesystem:
    """A `spi.Filesystem` over *shell*; each call is one of the shell's, and its errors become ours."""

    abilities = Ability.NONE

    def __init__(self, shell: Any) -> None:
        self._shell = shell

    async def stat(self, path: VirtualPath) -> FileInfo:
        values = await _ask(path, self._shell.stat, list(path.parts), _KEYS)
        return _info(path.name, values)

    async def open_directory(self, path: VirtualPath) -> ShellDirectory:
        if (await self.stat(path)).kind is not FileKind.DIRECTORY:
            raise errors.NotADirectory(path)
        entries = await _ask(path, self._shell.list, list(path.parts), _KEYS)
        return ShellDirectory([_info(_text(name), values) for name, values in entries])

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
        if mode in (WriteMode.APPEND, WriteMode.RESUME) or permissions is not None:
            raise errors.Unsupported(path, "This store takes whole files only")
        if mode is WriteMode.CREATE and await self._exists(path):
            raise errors.AlreadyExists(path)
        if mode is WriteMode.UNIQUE:
            path = await self._free_name(path)
        file = await _ask(path, self._shell.openForWriting, list(path.parts))
        return ShellWriter(path, file, await _ask(path, file.receive))

    async def make_directory(self, path: VirtualPath, *, permissions: int | None = None) -> None:
        if permissions is not None:
            raise errors.Unsupported(path)
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

    async def _free_name(self, path: VirtualPath) -> VirtualPath:
        """Find a name that nobody has; a shell cannot create exclusively, so somebody else may take it in between."""
        for number in range(_MOST_NAMES_TRIED):
            candidate = path.parent.child(f"{path.name}.{number}") if number else path
            if not await self._exists(candidate):
                return candidate
        raise errors.AlreadyExists(path)


class ShellDirectory:
    """A `spi.Directory` of what the shell listed, whole."""

    def __init__(self, entries: list[FileInfo]) -> None:
        self._entries = entries

    async def next_batch(self) -> Sequence[FileInfo]:
        batch, self._entries = self._entries[:_BATCH_ROWS], self._entries[_BATCH_ROWS:]
        return batch

    async def close(self) -> None:
        self._entries = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


@implementer(IConsumer)
class ShellReader:
    """A `spi.ReadableFile` from an `IReadFile`: what the shell pushes waits here, within bounds, until it is read in order."""

    def __init__(self, path: VirtualPath, info: FileInfo, file: Any) -> None:
        self.info = info
        self._path = path
        self._file = file
        self._buffer = bytearray()
        self._buffer_offset = 0
        self._producer: Any = None
        self._is_streaming = False
        self._sending: Deferred[Any] | None = None
        self._is_over = False
        self._error: Exception | None = None
        self._reader: Deferred[None] | None = None

    def descriptor(self) -> None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        if self._sending is None:
            self._sending = maybeDeferred(self._file.send, self)
            self._sending.addCallbacks(self._ended, self._failed)
        while not self._is_over and self._buffer_offset + len(self._buffer) <= offset:
            self._drop(len(self._buffer))
            await self._more()
        if self._error is not None:
            raise self._error
        self._drop(offset - self._buffer_offset)
        piece = bytes(self._buffer[:length])
        self._drop(len(piece))
        return piece

    async def close(self) -> None:
        self._is_over = True
        self._buffer.clear()
        if self._producer is not None:
            self._producer.stopProducing()
        if self._sending is not None:
            self._sending.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    # IConsumer: what the shell calls.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self._producer, self._is_streaming = producer, streaming

    def unregisterProducer(self) -> None:
        self._producer = None

    def write(self, data: bytes) -> None:
        if self._is_over:
            return
        self._buffer += data
        if self._is_streaming and self._producer is not None and len(self._buffer) >= _MOST_BUFFERED_BYTES:
            self._producer.pauseProducing()
        self._wake()

    def _more(self) -> Deferred[None]:
        waiting: Deferred[None] = Deferred()
        self._reader = waiting
        if self._producer is not None:
            self._producer.resumeProducing()
        return waiting

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._buffer_offset += count

    def _ended(self, _: object) -> None:
        self._is_over = True
        self._wake()

    def _failed(self, failure: Failure) -> None:
        self._error = _translated(failure.value, self._path)
        self._ended(None)

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)


@implementer(IPushProducer)
class ShellWriter:
    """A `spi.WritableFile` over an `IWriteFile` and its consumer; the shell publishes as it pleases, so `abandon` can only close."""

    start = 0
    ceiling = None

    def __init__(self, path: VirtualPath, file: Any, consumer: Any) -> None:
        self.path = path
        self._file = file
        self._consumer = consumer
        self._is_over = False
        self._resumed: Deferred[None] | None = None
        self._is_paused = False
        self._size = 0
        consumer.registerProducer(self, True)

    def descriptor(self) -> None:
        return None

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        piece = bytes(data)
        try:
            self._consumer.write(piece)
        except Exception as error:  # cancel-safe: a plain call
            raise _translated(error, self.path) from error
        self._size = max(self._size, offset + len(piece))
        if self._is_paused:
            self._resumed = Deferred()
            await self._resumed

    async def commit(self) -> FileInfo:
        await self._close()
        return FileInfo(name=self.path.name, kind=FileKind.FILE, size=self._size)

    async def abandon(self) -> None:
        await self._close()

    # IPushProducer: what the consumer calls.

    def pauseProducing(self) -> None:
        self._is_paused = True

    def resumeProducing(self) -> None:
        self._is_paused = False
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """The consumer wants no more; its next `write` says why."""
        self.resumeProducing()

    async def _close(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._consumer.unregisterProducer()
        await _ask(self.path, self._file.close)


async def _ask(path: VirtualPath, call: Any, *arguments: Any) -> Any:
    """Call the shell and wait; its errors become ours."""
    answer: Awaitable[Any] = maybeDeferred(call, *arguments)
    try:
        return await answer
    except stock.FTPCmdError as error:
        raise _translated(error, path) from error
    except OSError as error:
        raise errors.from_oserror(error, path) from error


def _translated(error: BaseException | None, path: VirtualPath) -> Exception:
    if isinstance(error, OSError):
        return errors.from_oserror(error, path)
    for theirs, ours in _ERRORS:
        if isinstance(error, theirs):
            return ours(path)
    return errors.Unavailable(path, str(error) or None)


def _info(name: str, values: Sequence[Any]) -> FileInfo:
    size, is_directory, permissions, links, modified, owner, group = values
    return FileInfo(
        name=name,
        kind=FileKind.DIRECTORY if is_directory else FileKind.FILE,
        size=size,
        modified_ns=int(modified * 1_000_000_000),
        mode=_mode(permissions),
        links=links,
        owner=_text(owner),
        group=_text(group),
    )


def _mode(permissions: Any) -> int:
    """Read `filepath.Permissions`, or the number that older shells give."""
    if isinstance(permissions, int):
        return permissions & 0o7777
    return int(
        "".join(
            str(4 * part.read + 2 * part.write + part.execute) for part in (permissions.user, permissions.group, permissions.other)
        ),
        8,
    )


def _text(name: bytes | str) -> str:
    return decode_name(name) if isinstance(name, bytes) else str(name)
