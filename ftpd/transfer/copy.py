"""The portable pump: any file, any connection, any transformation (TYPE A); one piece in memory at a time.

Back-pressure is the order of things: the next piece is read when the last is written.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final, TypeAlias, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from ftpd.errors import IntegrityLost, OverQuota, Unavailable, from_oserror
from ftpd.spi import DataConnection, Pace, Reactor, ReadableFile, Wanted, WritableFile
from ftpd.transfer.pump import Course

__all__ = ["CopyIn", "CopyOut", "Source", "pieces_of"]

T = TypeVar("T")
Source: TypeAlias = Callable[[], Awaitable[bytes]]

_PIECE_BYTES: Final = 256 * 1024
_PIECES_PER_TURN: Final = (
    4  # 1 MiB, or the rows of some 1,000 files: about a millisecond, then others have their turn of the reactor
)


class _Copy(Course):
    """Run one coroutine, `move`, that moves everything, and judge how it ended."""

    def __init__(self, reactor: Reactor, connection: DataConnection, wanted: Wanted) -> None:
        super().__init__(reactor, wanted)
        self._connection = connection
        self._wanted = wanted
        self._moving: Deferred[None] | None = None
        self._pieces = 0
        self._is_storage_asked = False
        self._is_held = False

    @property
    def is_held(self) -> bool:
        return self._is_held

    def begin(self) -> None:
        self._moving = Deferred.fromCoroutine(self._run())

    def stop(self) -> None:
        if self._moving is not None:
            self._moving.cancel()

    def end_stalled(self) -> None:
        if self._is_storage_asked:
            self.end_local_fault(Unavailable(None, "The storage did not answer in time"))
        else:
            super().end_stalled()

    @abstractmethod
    async def move(self) -> None:
        """Move everything; return once it is stored, or acknowledged."""

    async def ask_storage(self, answer: Awaitable[T]) -> T:
        """Await *answer*; an `OSError` is the storage's here, and not a fault of the peer.

        A store may finish a call in spite of a cancel (a thread cannot be stopped); the pump then goes no step further.
        """
        self._is_storage_asked = True
        try:
            result = await answer
        except OSError as error:
            raise from_oserror(error) from error
        finally:
            self._is_storage_asked = False
        if not self.is_running:
            raise CancelledError
        return result

    async def take_turns(self) -> None:
        """Let the reactor turn now and then: with a fast peer nothing else would ever have to wait."""
        self._pieces += 1
        if self._pieces % _PIECES_PER_TURN == 0:
            await self._sleep(0)

    async def allowed(self, pace: Pace, most: int) -> int:
        """Return how many of *most* bytes may move, once some may."""
        self._is_held = True
        try:
            while not (count := pace.take(most)):
                await self._sleep(pace.pause())
        finally:
            self._is_held = False
        return count

    def _sleep(self, seconds: float) -> Deferred[None]:
        turn: Deferred[None] = Deferred(lambda _: timer.cancel())
        timer = self._reactor.callLater(seconds, turn.callback, None)
        return turn

    async def _run(self) -> None:
        try:
            await self.move()
        except CancelledError:
            end = self.end_cancelled
        except OSError as error:
            end = partial(self.end_peer_fault, error)
        except Exception as error:  # a store may be anybody's: whatever it raises is the transfer's end
            end = partial(self.end_local_fault, error)
        else:
            end = self.end_finished
        self._moving = None  # it is over: `stop` has nothing to cancel
        end()


class CopyOut(_Copy):
    """Send what *source* gives, piece by piece, until it gives `b""`: a file, or a listing as it is read."""

    def __init__(self, reactor: Reactor, connection: DataConnection, source: Source, wanted: Wanted) -> None:
        super().__init__(reactor, connection, wanted)
        self._source = source
        self._handed_over = 0

    def progress(self) -> int:
        return self._handed_over - self._connection.unacknowledged()

    async def move(self) -> None:
        transform = self._wanted.transform
        while piece := await self.ask_storage(self._source()):
            if transform:
                piece = transform(piece)
            await self._send(piece)
            del piece  # before the next is read: two would be twice the memory
            await self.take_turns()
        if transform:
            await self._send(transform(b""))
        await self._connection.finish()

    async def _send(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            count = len(rest) if self._pace is None else await self.allowed(self._pace, len(rest))
            self._handed_over += count
            await self._connection.send(rest[:count])
            self.moved += count
            rest = rest[count:]


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

    async def move(self) -> None:
        transform = self._wanted.transform
        while piece := await self._receive():
            count = len(piece)
            if transform:
                piece = transform(piece)
            await self._store(piece)
            del piece
            self.moved += count
            await self.take_turns()
        if transform:
            await self._store(transform(b""))

    async def _receive(self) -> bytes:
        pace = self._pace
        if pace is None:
            return await self._connection.receive(_PIECE_BYTES)
        most, piece = await self.allowed(pace, _PIECE_BYTES), b""
        try:
            piece = await self._connection.receive(most)
        finally:
            if len(piece) < most:
                pace.give_back(most - len(piece))
        return piece

    async def _store(self, piece: bytes) -> None:
        if not piece:
            return
        ceiling = self._wanted.ceiling
        if ceiling is not None and self._offset + len(piece) - self._wanted.start > ceiling:
            raise OverQuota
        await self.ask_storage(self._file.write_at(self._offset, piece))
        self._offset += len(piece)
