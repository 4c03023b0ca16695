"""The portable pump: any file, any connection, any conversion (TYPE, STRU, MODE); one piece in memory at a time.

Back-pressure is the order of things: the next piece is read when the last is written.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Iterator
from functools import partial
from typing import Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as NothingCame

from ftpd.errors import OverQuota, TransferCut, Unavailable, from_oserror
from ftpd.spi import Conversion, DataConnection, Pace, Reactor, Threads, Wanted, WritableFile
from ftpd.transfer.pump import Course
from ftpd.transfer.source import Source
from ftpd.values import Mark

__all__ = ["CopyIn", "CopyOut"]

T = TypeVar("T")

_PIECE_BYTES: Final = 256 * 1024
_PARTS_PER_TURN: Final = 16
_END_SECONDS: Final = 1.0  # for a peer to close behind the end of its stream
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

    async def take_turns(self, pieces: int = _PIECES_PER_TURN) -> None:
        """Let the reactor turn after so many *pieces*: with a fast peer nothing else would ever have to wait."""
        self._pieces += 1
        if self._pieces % pieces == 0:
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
        except (OSError, TransferCut) as error:
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
        while piece := await self.ask_storage(self._source()):
            await self._send(piece)
            del piece  # before the next is read: two would be twice the memory
            await self.take_turns()
        await self._connection.finish()

    async def _send(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            count = len(rest) if self._pace is None else await self.allowed(self._pace, len(rest))
            self._handed_over += count
            await self._connection.send(rest[:count])
            self.moved += count
            rest = rest[count:]


class CopyIn(_Copy):
    """Store what arrives, from offset `wanted.start` on, until the peer's truthful end, or the one that its stream has said."""

    def __init__(self, reactor: Reactor, connection: DataConnection, file: WritableFile, wanted: Wanted, threads: Threads) -> None:
        super().__init__(reactor, connection, wanted)
        self._file = file
        self._offset = wanted.start
        self._threads = threads  # for a conversion that is costly

    async def move(self) -> None:
        conversion = self._wanted.conversion
        while piece := await self._receive():
            count = len(piece)
            if conversion is None:
                await self._store(piece)
            else:
                await self._store_converted(conversion, conversion.convert(piece))
            del piece
            self.moved += count
            if conversion is not None and conversion.is_complete:
                await self._see_the_end()
                return
            await self.take_turns()
        if conversion is not None:
            await self._store_converted(conversion, conversion.end())

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

    async def _see_the_end(self) -> None:
        """Let a peer that closes behind the end of its stream do so first: our close would be a reset for it.  One need not close."""
        asked: Deferred[bytes] = Deferred.fromCoroutine(_awaited(self._connection.receive(1)))
        try:
            rest = await asked.addTimeout(_END_SECONDS, self._reactor)  # type: ignore[arg-type]  # it wants no more than a clock
        except (NothingCame, OSError):
            return
        if rest:
            raise TransferCut("Bytes came behind the end of the file", self.moved)

    async def _store_converted(self, conversion: Conversion, parts: Iterator[bytes | Mark]) -> None:
        while (part := await self._next_of(conversion, parts)) is not None:
            if isinstance(part, Mark):
                if self._wanted.mark is not None:
                    self._wanted.mark(part, self._offset)
            else:
                await self._store(part)
            await self.take_turns(_PARTS_PER_TURN)  # a piece may hold thousands of markers, or of blocks with nothing in them

    async def _next_of(self, conversion: Conversion, parts: Iterator[T]) -> T | None:
        if not conversion.is_costly:
            return next(parts, None)
        return await self.ask_storage(self._threads.run(next, parts, None))

    async def _store(self, piece: bytes) -> None:
        if not piece:
            return
        ceiling = self._wanted.ceiling
        if ceiling is not None and self._offset + len(piece) - self._wanted.start > ceiling:
            raise OverQuota
        await self.ask_storage(self._file.write_at(self._offset, piece))
        self._offset += len(piece)


async def _awaited(answer: Awaitable[T]) -> T:
    return await answer
