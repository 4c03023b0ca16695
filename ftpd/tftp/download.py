"""Download: a file on its way to a client (RRQ).

Apart from the window machine, which says which blocks go when, and from the frames, which are those blocks as datagrams: here they meet the
line, the disk and the rate.
"""

from __future__ import annotations

import errno
from typing import Any, Final, Protocol

from ftpd.errors import FileTransferError
from ftpd.events import SizeProbed
from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile
from ftpd.stepping import stepped
from ftpd.tftp.exchange import Exchange, Visitor
from ftpd.tftp.line import Line
from ftpd.tftp.multicast import Seat
from ftpd.tftp.window import Sender
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import ACK, ERROR, OACK, ErrorCode
from ftpd.values import Outcome

__all__ = ["Download", "Frames"]

_HEADER: Final = 4
_LOST: Final = frozenset(
    (errno.ENOBUFS, errno.ENOMEM, errno.EMSGSIZE)
)  # what a packet may meet on its way as well: the next try may do better


class Frames(Protocol):
    """Where datagrams come from: see `frames.FileFrames` and `stream.StreamFrames`."""

    @property
    def last(self) -> int | None:
        """The number of the last block, as soon as it is known."""

    @property
    def size(self) -> int | None:
        """How many bytes there are to send, headers not counted, as soon as it is known."""

    def send(self, line: Line, first: int, count: int) -> int | None: ...
    async def fetch(self, first: int, count: int) -> None: ...
    def close(self) -> None: ...


class Download(Exchange):
    """Send *file*, cut into *frames*, as *terms* have it, by the pace of *timer*, its window machine."""

    __slots__ = ("_credit", "_frames", "_is_fetching", "_later", "_oack", "_owed", "_stride")

    direction = "download"
    timer: Sender | Seat

    def __init__(
        self, visitor: Visitor, path: VirtualPath, terms: Terms, file: ReadableFile, timer: Sender | Seat, frames: Frames
    ) -> None:
        super().__init__(visitor, path, terms, file, timer)
        self._frames = frames
        self._stride = terms.block_size + _HEADER
        self._oack = terms.oack
        self._owed: tuple[int, int] | None = None  # blocks that could not be sent yet
        self._is_fetching = False
        self._later: Any = None
        self._credit = 0  # bytes that the rate has granted, less than a block

    @property
    def moved(self) -> int:
        acknowledged = max(0, self.timer.base)
        sent: int = acknowledged * self._terms.block_size
        return sent if self._frames.size is None else min(sent, self._frames.size)

    @property
    def size(self) -> int | None:
        return self._frames.size

    @property
    def blocks(self) -> int:
        return max(0, self.timer.base)

    @property
    def retransmissions(self) -> int:
        return self.timer.retransmissions

    def start(self) -> None:
        if self._terms.window > 1:
            self._line.cut_at(self._stride, 0)
        self._send(*self.timer.start(self._seconds()))

    def repeated(self) -> None:
        """Send what was answered first once more, as long as nothing has come back."""
        if self.timer.base <= 0 and not self._is_fetching and self._owed is None:
            first = 0 if self._oack else 1
            if self.timer.base < first:
                self._send(first, 1)

    def received(self, datagram: bytes) -> None:
        if len(datagram) < _HEADER or datagram[0]:
            return
        if datagram[1] == ACK:
            seconds = self._seconds
            burst = self.timer.acknowledge(datagram[2] << 8 | datagram[3], seconds())
            if burst is not None:
                first, count = burst
                self._send(first, count)
            elif self.timer.is_finished:
                self.end(Outcome.FINISHED)
        elif datagram[1] == ERROR:
            if self._may_be_probe:
                self._was_probe()
            else:
                self.told_error(datagram)
        elif datagram[1] != OACK:
            self.refuse(ErrorCode.ILLEGAL_OPERATION, "An acknowledgement was expected", Outcome.PEER_FAULT)

    def broken(self, error: OSError) -> None:
        if self._may_be_probe:
            self._was_probe()
        else:
            super().broken(error)

    def expired(self, now: float) -> None:
        if self._is_fetching or self._owed is not None:
            self.timer.sent(now)  # it is us who are late
            return
        highest = self.timer.next - 1
        burst = self.timer.expire(now)
        if burst is not None:
            self._send(*burst)
        elif self.timer.is_lost:
            awaited = "of the last block " if highest == self.timer.last else ""
            self.end(Outcome.PEER_FAULT, f"The client fell silent: no acknowledgement {awaited}came")

    def writable(self) -> None:
        owed, self._owed = self._owed, None
        if owed is not None and not self.is_over:
            self._send(*owed)

    def free(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._pace is not None and self._credit:
            self._pace.give_back(self._credit)
        self._frames.close()
        if not self._is_fetching:
            self._close_file()

    def _close_file(self) -> None:
        self._dispose(self._file.close())

    @property
    def _may_be_probe(self) -> bool:
        """Whether a client that goes away now may have wanted the size only."""
        return self.timer.base < 0 and "tsize" in self._terms.acknowledged

    def _was_probe(self) -> None:
        """The client wanted the size only (UEFI, PXELINUX): that is how it says so."""
        if self.is_over:
            return
        self.is_over = True
        visitor = self.visitor
        visitor.hands_on = True
        self._home.publish(SizeProbed(peer=visitor.peer, account=visitor.name, path=str(self.path), size=self.size or 0))
        self.close()

    def _send(self, first: int, count: int) -> None:
        """Send *count* blocks from *first* on; what cannot go now goes later, unless the client asks for other ones until then."""
        self._owed = None
        line = self._line
        try:
            if not first:
                line.send(self._oack)
                return
            if count == 1 and self._pace is None and self._frames.send(line, first, 1):
                return  # lock-step, mostly (tests/bench: tftp-storm)
            while count > 0:
                asked = count
                if self._pace is not None and not (asked := self._granted(asked)):
                    self._owed = (first, count)
                    return
                length = self._frames.send(line, first, asked)
                if length is None:
                    if not self._fetch(first, count):
                        return
                    last = self.timer.last
                    count = count if last is None else min(count, last + 1 - first)
                    continue
                if not length:  # the file has ended before what was asked for
                    return
                sent = -(-length // self._stride)
                if self._pace is not None:
                    self._credit -= length - sent * _HEADER
                first += sent
                count -= sent
        except BlockingIOError:
            self._owed = (first, count)
            line.await_room()
        except OSError as error:
            self._cannot_send(error, first, count)
        except FileTransferError as error:
            self.fail(error)

    def _cannot_send(self, error: OSError, first: int, count: int) -> None:
        """Take another way where the kernel cannot cut for us, else blame the client's end."""
        if self._line.segments > 1 and error.errno != errno.ECONNREFUSED:
            self._line.segments = 1
            self._send(first, count)
        elif error.errno not in _LOST:
            self.broken(error)

    def _granted(self, asked: int) -> int:
        """Return how many blocks the rate lets go now; 0: some later, and that is seen to."""
        assert self._pace is not None
        size = self._terms.block_size
        if self._credit < asked * size:
            self._credit += self._pace.take(asked * size - self._credit)
        if self._credit < size and self._later is None:
            self._later = self._home.reactor.callLater(self._pace.pause(), self._go_on)
        return min(asked, self._credit // size)

    def _go_on(self) -> None:
        self._later = None
        if self._owed is not None:
            self.timer.sent(self._seconds())
            self.writable()

    def _fetch(self, first: int, count: int) -> bool:
        """Have the disk, or the store, bring what is to be sent; whether it is there already, else it is sent when it comes."""
        if not self._is_fetching:
            self._is_fetching = True
            try:
                fetching = stepped(self._frames.fetch(first, count))
            except Exception as error:
                self._not_fetched(error)
                return False
            if fetching is None:
                self._is_fetching = False
                self.timer.last = self._frames.last
                return True
            fetching.addCallbacks(self._fetched, lambda failure: self._not_fetched(failure.value))
        self._owed = (first, count)
        return False

    def _fetched(self, _: object) -> None:
        self._is_fetching = False
        if self.is_over:
            self._close_file()
            return
        self.timer.last = self._frames.last
        self.timer.sent(self._seconds())
        owed, self._owed = self._owed, None
        if owed is not None:
            first, count = owed
            last = self.timer.last
            self._send(first, count if last is None else min(count, last + 1 - first))

    def _not_fetched(self, error: Exception) -> None:
        """Tell the client; a `CancelledError` as well, for nobody cancels this: it is the store that stops."""
        self._is_fetching = False
        if self.is_over:
            self._close_file()
        else:
            self.fail(error)
