"""What is open in a simple store: content from memory or from a file object, an upload gathered in memory, the entries of a directory.

Apart from the filesystems that open it: they have names, these have bytes.  Public, as `storage.simple` is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from types import TracebackType
from typing import IO, TYPE_CHECKING, Final, Self

from twisted.internet.defer import Deferred

from ftpd.errors import IntegrityLost, OverQuota, Unsupported
from ftpd.paths import VirtualPath
from ftpd.spi import Threads
from ftpd.storage.lane import shielded
from ftpd.values import FileInfo, FileKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["Content", "Entries", "Gathering", "OpenedContent"]

_BATCH: Final = 256
_STEP_BYTES: Final = 1024 * 1024  # of a decompressor's way to an offset: some milliseconds
_TURN_SECONDS: Final = 0.05  # that such a way may keep a thread from others


class _Opened:
    """What is entered with `async with` and closed at its end."""

    async def close(self) -> None:
        """Nothing to free."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()


class Entries(_Opened):
    """A `spi.Directory` of *infos*, which are taken as they are asked for."""

    def __init__(self, infos: Iterable[FileInfo]) -> None:
        self._infos = iter(infos)

    async def next_batch(self) -> Sequence[FileInfo]:
        return list(islice(self._infos, _BATCH))

    async def close(self) -> None:
        self._infos = iter(())


class Content(_Opened):
    """A `spi.ReadableFile` of *data*; the size that *info* tells is set right."""

    def __init__(self, info: FileInfo, data: bytes) -> None:
        self.info = info._replace(size=len(data))
        self._data = data

    def descriptor(self) -> int | None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        return self._data[offset : offset + length]


class OpenedContent(_Opened):
    """A `spi.ReadableFile` of a binary file object that can seek: a member of an archive, a decompressor.

    *begin* opens it and *end* closes it.  They and all that comes between are called in *threads*, one call at a time.  What is wrong with
    the content, *damage*, is `IntegrityLost`.  A decompressor comes to an offset through all that is before it: that takes turns with what
    others want of the threads, and is given up by a cancel.
    """

    def __init__(
        self,
        path: VirtualPath,
        info: FileInfo,
        begin: Callable[[], IO[bytes]],
        threads: Threads,
        *,
        damage: tuple[type[Exception], ...] = (OSError, EOFError),
        end: Callable[[IO[bytes]], object] = IO.close,
    ) -> None:
        self.info = info
        self._path = path
        self._begin = begin
        self._threads = threads
        self._damage = damage
        self._end = end
        self._file: IO[bytes] | None = None
        self._is_begun = self._is_closed = False
        self._lock = threading.Lock()  # a cancelled read goes on in its thread: closing waits for it, in a thread as well

    def descriptor(self) -> int | None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        self._is_begun = True
        while (data := await self._threads.run(self._read, offset, length)) is None:
            pass
        return data

    async def close(self) -> None:
        if self._is_begun:
            await self._threads.run(self._close)

    def _read(self, offset: int, length: int) -> bytes | None:
        """Return what stands at *offset*; None: it is still on the way there."""
        with self._lock:
            if self._is_closed:  # cancelled before a thread was free for it
                return b""
            try:
                if self._file is None:
                    self._file = self._begin()
                return self._file.read(length) if _reaches(self._file, offset) else None
            except self._damage as error:
                raise IntegrityLost(self._path, "The content is damaged") from error

    def _close(self) -> None:
        with self._lock:
            self._is_closed = True
            file, self._file = self._file, None
            if file is not None:
                self._end(file)


def _reaches(file: IO[bytes], offset: int) -> bool:
    """Go to *offset*, or to the end where that comes first; False where it takes longer than a turn."""
    here = file.tell()
    if offset < here:
        here = file.seek(0)
    ends_at = time.monotonic() + _TURN_SECONDS
    while here < offset:
        if time.monotonic() > ends_at:
            return False
        wanted = min(offset, here + _STEP_BYTES)
        here = file.seek(wanted)
        if here < wanted:  # there is no more
            return True
    return True


class Gathering:
    """A `spi.WritableFile` that is gathered in memory, *most_bytes* at most, and given to *publish* when it is whole.

    *publish* gets the path, the bytes, and whether the name has to be new, and describes what it stored.
    """

    start = 0

    def __init__(
        self,
        path: VirtualPath,
        publish: Callable[[VirtualPath, bytes, bool], Awaitable[FileInfo]],
        most_bytes: int,
        *,
        is_new: bool = False,
    ) -> None:
        self.path = path
        self.ceiling: int | None = most_bytes
        self._publish = publish
        self._is_new = is_new
        self._data = bytearray()
        self._is_ended = False
        self._stored: FileInfo | None = None

    def descriptor(self) -> int | None:
        return None

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        if self._is_ended:
            raise Unsupported(self.path, "The upload has ended")
        piece = bytes(data)
        end = offset + len(piece)
        if self.ceiling is not None and end > self.ceiling:
            raise OverQuota(self.path, f"Larger than the {self.ceiling} bytes that one file may have")
        if len(self._data) < offset:
            self._data.extend(bytes(offset - len(self._data)))
        self._data[offset:end] = piece

    async def commit(self) -> FileInfo:
        """Hand the bytes over, once; a cancel that comes meanwhile lets it finish."""
        if not self._is_ended:
            self._is_ended = True
            data, self._data = bytes(self._data), bytearray()
            self._stored = await shielded(Deferred.fromCoroutine(self._published(data)))
        return self._stored or FileInfo(self.path.name, FileKind.FILE)

    async def abandon(self, *, keeps: bool = True) -> None:
        self._is_ended = True
        self._data = bytearray()

    async def _published(self, data: bytes) -> FileInfo:
        return await self._publish(self.path, data, self._is_new)
