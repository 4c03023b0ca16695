"""LocalUpload: an upload to the disk as sessions see it, a `spi.WritableFile` over a draft.

Apart from the drafts, which may block: here is on which thread their calls are made, and who frees the descriptor when.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from twisted.logger import Logger

from ftpd.disks import Disk
from ftpd.errors import FileTransferError, Unsupported, from_oserror
from ftpd.paths import VirtualPath
from ftpd.storage import staging
from ftpd.storage.describe import Describe
from ftpd.storage.draft import Draft
from ftpd.storage.lane import Descriptor, Lane, shielded
from ftpd.storage.root import Lengthy, errors_about
from ftpd.values import FileInfo, FileKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["LocalUpload"]

T = TypeVar("T")
Result = TypeVar("Result", covariant=True)


class _Ending(Protocol[Result]):
    def __call__(self, *, is_inline: bool) -> Result: ...


def _write_all(number: int, offset: int, data: ReadableBuffer) -> None:
    rest = memoryview(data).cast("B")
    while rest:
        written = os.pwrite(number, rest, offset)
        rest, offset = rest[written:], offset + written


def _unlocking(number: int, function: Callable[[], T]) -> T:
    try:
        return function()
    finally:
        staging.unlock(number)


def _dispose(draft: Draft, lane: Lane, number: int) -> None:
    draft.close()
    if lane.is_local and not lane.is_quick:
        staging.unlock(number)  # it will be closed in a thread, and a kept part may be wanted at once
    if draft.is_small:
        lane.dispose_small(number)
    else:
        lane.dispose(number)


class LocalUpload:
    """A `spi.WritableFile` over a draft."""

    __slots__ = ("_describe", "_draft", "_file", "_info", "_is_ended", "_lane")

    _log = Logger()

    def __init__(self, draft: Draft, lane: Lane, describe: Describe) -> None:
        self._draft = draft
        self._lane = lane
        self._describe = describe
        # No method of ours: the cycle would keep each upload until the garbage collector runs (tests/bench: stor).
        self._file = Descriptor(draft.number, partial(_dispose, draft, lane))
        self._info: FileInfo | None = None
        self._is_ended = False

    @property
    def path(self) -> VirtualPath:
        return self._draft.path

    @property
    def start(self) -> int:
        return self._draft.start

    @property
    def disk(self) -> Disk | None:
        return self._draft.disk

    @property
    def ceiling(self) -> int | None:
        return None

    def descriptor(self) -> int | None:
        return self._draft.number if self._lane.is_local else None

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        with errors_about(self.path):
            if self._is_ended:
                raise Unsupported(None, "The upload has ended")
            await self._lane.quick(_write_all, self._draft.number, offset, data, holding=self._file)

    async def commit(self) -> FileInfo:
        if not self._is_ended:
            status = await self._end(self._draft.publish)
            self._info = self._describe(self.path.name, status, None)
        return self._info or FileInfo(self.path.name, FileKind.FILE)

    async def abandon(self, *, keeps: bool = True) -> None:
        """Free it unpublished.  A disk that fails now leaves a staging file behind, for the sweep, and a line in the log."""
        if self._is_ended:
            return
        try:
            await self._end(partial(self._draft.drop, keeps=keeps))
        except FileTransferError as error:
            self._log.warn("cut upload to {path} was not cleared away: {error}", path=str(self.path), error=str(error))

    async def _end(self, function: _Ending[T]) -> T:
        self._is_ended = True
        try:
            if self._lane.is_quick:
                try:
                    return await self._lane.quick(partial(function, is_inline=True), holding=self._file)
                except Lengthy:
                    pass
            threaded = partial(function, is_inline=False)
            return await shielded(self._lane.blocking(_unlocking, self._draft.number, threaded, holding=self._file))
        except OSError as error:  # as `errors_about`, without its three calls (tests/bench: stor)
            raise from_oserror(error, self.path) from error
        except FileTransferError as error:
            if error.path is None:
                error.path = self.path
            raise
        finally:
            self._file.close()
