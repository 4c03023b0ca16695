"""The portable pump: any file, any connection, any transformation (TYPE A); one piece in memory at a time.

Back-pressure is the order of things: the next piece is read when the last is written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeAlias

from twisted.internet.defer import CancelledError, Deferred

from ftpd.errors import IntegrityLost, OverQuota
from ftpd.spi import DataConnection, Reactor, ReadableFile, WritableFile
from ftpd.transfer.pump import Course
from ftpd.values import TransferResult, Wanted

__all__ = ["CopyIn", "CopyOut", "Source", "pieces_of"]

Source: TypeAlias = Callable[[], Awaitable[bytes]]

_PIECE_BYTES = 256 * 1024


class _Copy(Course):
    """Run one coroutine that moves everything, and judge how it ended."""

    def __init__(self, reactor: Reactor, connection: DataConnection, wanted: Wanted) -> None:
        super().__init__(reactor, wanted.stall_seconds)
        self._connection = connection
        self._wanted = wanted
        self._moving: Deferred[None] | None = None

    def start(self) -> Deferred[TransferResult]:
        assert self._done is not None, "a pump starts once"
        done = self._done
        self._moving = Deferred.fromCoroutine(self._judge())
        return done

    def progress(self) -> int:
        return self.moved - self._connection.unacknowledged()

    def stop(self) -> None:
        if self._moving is not None:
            self._moving.cancel()

    async def _judge(self) -> None:
        error: Exception | None = None
        try:
            await self._move()
        except CancelledError:
            self._cancel()
        except Exception as fault:  # a store may be anybody's: whatever it raises is the transfer's end
            error = fault
        self._moving = None  # it is over: `stop` has nothing to cancel
        if error is None:
            self.end_finished()
        else:
            self.end_by(error)

    def _move(self) -> Coroutine[Any, Any, None]:
        raise AssertionError("each direction says how")


class CopyOut(_Copy):
    """Send what *source* gives, piece by piece, until it gives `b""`: a file, or a listing as it is read."""

    def __init__(self, reactor: Reactor, connection: DataConnection, source: Source, wanted: Wanted) -> None:
        super().__init__(reactor, connection, wanted)
        self._source = source

    async def _move(self) -> None:
        transform = self._wanted.transform
        while piece := await self._source():
            await self._send(transform(piece) if transform else piece)
        if transform:
            await self._send(transform(b""))
        await self._connection.finish()

    async def _send(self, piece: bytes) -> None:
        if piece:
            await self._connection.send(piece)
            self.moved += len(piece)


def pieces_of(file: ReadableFile, start: int) -> Source:
    """Return a source that reads *file* from *start* to the size it had when opened; a file that shrinks is `IntegrityLost`."""
    offset, end = start, file.info.size

    async def next_piece() -> bytes:
        nonlocal offset
        if offset >= end:
            return b""
        piece = await file.read_at(offset, min(_PIECE_BYTES, end - offset))
        if not piece:
            raise IntegrityLost(None, "The file became shorter while it was sent")
        offset += len(piece)
        return piece

    return next_piece


class CopyIn(_Copy):
    """Store what arrives, from offset `wanted.start` on, until the peer's truthful end."""

    def __init__(self, reactor: Reactor, connection: DataConnection, file: WritableFile, wanted: Wanted) -> None:
        super().__init__(reactor, connection, wanted)
        self._file = file
        self._offset = wanted.start

    async def _move(self) -> None:
        transform = self._wanted.transform
        while piece := await self._connection.receive():
            self.moved += len(piece)
            await self._store(transform(piece) if transform else piece)
        if transform:
            await self._store(transform(b""))

    async def _store(self, piece: bytes) -> None:
        if not piece:
            return
        ceiling = self._wanted.ceiling
        if ceiling is not None and self._offset + len(piece) - self._wanted.start > ceiling:
            raise OverQuota
        await self._file.write_at(self._offset, piece)
        self._offset += len(piece)
