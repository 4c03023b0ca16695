"""Files of an `IFTPShell`, open for reading or for writing.

Apart from the filesystem, because a shell's file is not read and written but pushes at a consumer and is pushed at: producers and consumers
become `read_at` and `write_at` here, with back-pressure both ways.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IPushProducer
from twisted.protocols.ftp import IFinishableConsumer
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd import errors
from ftpd.ftp.shell.errors import errors_about, translated
from ftpd.paths import VirtualPath
from ftpd.storage.lane import shielded
from ftpd.values import FileInfo, FileKind

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["ShellReader", "ShellWriter"]

_MOST_BUFFERED_BYTES: Final = 256 * 1024  # then a push producer is paused: one piece of the copy pump


@implementer(IFinishableConsumer)
class ShellReader:
    """A `spi.StreamedFile` from an `IReadFile`: what the shell pushes waits here until it is asked for, in order.

    A pull producer is asked for one more write when the buffer is empty, a push producer is paused while it is full.  A shell that registers no
    producer has everything in its own memory anyway.  The end is what `send` says, never the size that `stat` claimed.
    """

    def __init__(self, path: VirtualPath, info: FileInfo, file: Any) -> None:
        self.info = info
        self._path = path
        self._file = file
        self._buffer = bytearray()
        self._offset = 0  # of the first byte in the buffer
        self._producer: Any = None
        self._is_streaming = False
        self._is_paused = False
        self._sending: Deferred[None] | None = None
        self._is_over = False
        self._error: BaseException | None = None
        self._reader: Deferred[None] | None = None

    def descriptor(self) -> None:
        return None

    async def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes from *offset* on, which may skip forward and never back (`Unsupported`)."""
        if offset < self._offset:
            raise errors.Unsupported(self._path, "This store is read from start to end only")
        await self._skip_to(offset)
        while len(self._buffer) < length and await self._produce():
            pass
        return self._take(length)

    def pieces(self, start: int) -> Callable[[], Awaitable[bytes]]:
        async def next_piece() -> bytes:
            await self._skip_to(start)
            if not self._buffer:
                await self._produce()
            return self._take(_MOST_BUFFERED_BYTES)

        return next_piece

    async def close(self) -> None:
        """Stop the producer and what is left of `send`; a file that was never read is only forgotten, since `IReadFile` has no `close`."""
        self._is_over = True
        self._buffer.clear()
        producer, self._producer = self._producer, None
        try:
            if producer is not None:
                producer.stopProducing()
        finally:
            if self._sending is not None:
                self._sending.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    # IFinishableConsumer: what the shell calls.

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._is_over:
            producer.stopProducing()  # too late: the transfer was stopped while the shell was still finding its file
            return
        self._producer, self._is_streaming, self._is_paused = producer, streaming, False
        if self._reader is not None and not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None

    def finish(self) -> None:
        """Nothing: who says so has not said yet that it went well; that is `send`'s to say."""

    def write(self, data: bytes) -> None:
        if self._is_over or not data:
            return
        self._buffer += data
        if self._is_streaming and self._producer is not None and not self._is_paused and len(self._buffer) >= _MOST_BUFFERED_BYTES:
            self._is_paused = True
            self._producer.pauseProducing()
        self._wake()

    # Inside.

    async def _skip_to(self, offset: int) -> None:
        """Drop what comes before *offset*; behind it nothing happens."""
        while self._offset < offset:
            if not self._buffer and not await self._produce():
                return
            self._take(offset - self._offset)

    async def _produce(self) -> bool:
        """Wait until the buffer holds more than now; False at the end.  Raises what the shell failed with."""
        before = len(self._buffer)
        if self._sending is None and not self._is_over:
            self._sending = maybeDeferred(self._file.send, self).addCallbacks(self._ended, self._failed)
        if len(self._buffer) == before and not self._is_over:
            await self._demand()
        if self._error is not None:
            raise self._error
        return len(self._buffer) > before

    def _demand(self) -> Deferred[None]:
        waiting = self._reader = Deferred[None]()
        if self._producer is not None and (self._is_paused or not self._is_streaming):
            self._is_paused = False
            self._producer.resumeProducing()
        return waiting

    def _take(self, count: int) -> bytes:
        piece = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._offset += len(piece)
        return piece

    def _ended(self, _: object) -> None:
        self._is_over = True
        self._wake()

    def _failed(self, failure: Failure) -> None:
        if not self._is_over and failure.value is not None:
            self._error = translated(failure.value, self._path)
        self._ended(None)

    def _wake(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.callback(None)


@implementer(IPushProducer)
class ShellWriter:
    """A `spi.WritableFile` over an `IWriteFile` and the consumer that its `receive` gave.

    The shell publishes as it pleases, Twisted's own from the first byte on: `IWriteFile` has `close` and no word for "this was cut".  So
    `abandon` can only close; the client still hears 426, and what stands under the name is the shell's.  A consumer that is an
    `IFinishableConsumer` is told more: `finish` means that the file is whole, and a close without it that it is not.
    """

    start = 0
    ceiling = None

    def __init__(self, path: VirtualPath, file: Any, consumer: Any) -> None:
        self.path = path
        self._file = file
        self._consumer = consumer
        self._is_ended = False
        self._is_refused = False
        self._resumed: Deferred[None] | None = None
        self._size = 0
        consumer.registerProducer(self, True)

    def descriptor(self) -> None:
        return None

    async def write_at(self, offset: int, data: ReadableBuffer) -> None:
        """Hand *data* to the shell as soon as it does not ask to pause; *offset* is where the last call ended."""
        if self._resumed is not None:
            await self._resumed
        if self._is_ended or self._is_refused:
            raise errors.Unavailable(self.path, "The store takes no more")
        piece = bytes(data)
        with errors_about(self.path):
            self._consumer.write(piece)
        self._size += len(piece)

    async def commit(self) -> FileInfo:
        await self._end(is_whole=True)
        return FileInfo(name=self.path.name, kind=FileKind.FILE, size=self._size)

    async def abandon(self, *, keeps: bool = True) -> None:
        await self._end(is_whole=False)

    # IPushProducer: what the consumer calls.

    def pauseProducing(self) -> None:
        if self._resumed is None:
            self._resumed = Deferred()

    def resumeProducing(self) -> None:
        resumed, self._resumed = self._resumed, None
        if resumed is not None:
            resumed.callback(None)

    def stopProducing(self) -> None:
        """The consumer wants no more: the next write is refused."""
        self._is_refused = True
        self.resumeProducing()

    async def _end(self, *, is_whole: bool) -> None:
        """Close, once.  Python's files write what they still hold when they are closed: a full disk may show only here."""
        if self._is_ended:
            return
        self._is_ended = True
        with errors_about(self.path):
            try:
                self._consumer.unregisterProducer()
                if is_whole and IFinishableConsumer.providedBy(self._consumer):
                    self._consumer.finish()  # type: ignore[no-untyped-call]
            finally:
                await shielded(maybeDeferred(self._file.close))
