"""Upload: a file on its way from a client (WRQ).

Apart from the window machine, which says what is in order and what is acknowledged when: here blocks become a file.  The last one is
acknowledged once the file is stored under its name, and not before: that acknowledgement is all that TFTP has of a 226.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Final

from ftpd.errors import OverQuota, TransferCut
from ftpd.paths import VirtualPath
from ftpd.spi import WritableFile
from ftpd.stepping import stepped
from ftpd.tftp.exchange import Exchange, Visitor
from ftpd.tftp.window import ACKNOWLEDGE, STORE, Receiver
from ftpd.tftp.wire.netascii import Decoder
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import DATA, ERROR, ErrorCode, Mode, ack
from ftpd.values import Outcome

__all__ = ["Upload"]

_HEADER: Final = 4
_WORTH_WRITING: Final = 64 * 1024  # bytes


class Dally:
    """The clock of an upload that is stored: until its deadline repeats of the last block are acknowledged again."""

    __slots__ = ("deadline",)

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline


class Upload(Exchange):
    """Take *file* as *terms* have it, *ceiling* bytes at most, by the rules of *timer*, its window machine."""

    direction = "upload"
    timer: Receiver | Dally

    def __init__(
        self, visitor: Visitor, path: VirtualPath, terms: Terms, file: WritableFile, timer: Receiver, ceiling: int | None
    ) -> None:
        super().__init__(visitor, path, terms, file, timer)
        self._machine = timer
        self._ceiling = ceiling
        self._decoder = Decoder() if visitor.request.mode is Mode.NETASCII else None
        self._largest = terms.block_size + _HEADER
        self._first_answer = terms.oack or ack(0)
        self._pending = bytearray()
        self._length = 0  # of the file so far, what is pending included
        self._written = 0
        self._taken = 0  # bytes, as they came
        self._most = terms.window  # the number of the last block that may come before the next acknowledgement
        self._resent = 0
        self._is_busy = False  # with the disk, which is asked for one thing at a time
        self._is_committing = False
        self._is_stored = False
        self._has_begun = False  # to send: it has heard the first answer, and a second OACK would be progress to atftp
        self._is_unwanted = False  # it was ended while nobody could take it back
        self._last_number = 0
        self._last_answer = b""
        self._debt = 0  # bytes that came before the rate allowed them
        self._counted = 0  # bytes that it was told of
        self._later: Any = None

    @property
    def moved(self) -> int:
        return self._taken

    @property
    def blocks(self) -> int:
        return self._machine.taken

    @property
    def retransmissions(self) -> int:
        return self._resent

    @property
    def size(self) -> int | None:
        return self._terms.declared_size

    def start(self) -> None:
        self._line.cut_at(_HEADER, self._largest + 1)  # one more, so that a longer one shows
        self._machine.start(self._seconds())
        self._tell(self._first_answer)

    def repeated(self) -> None:
        if not self._machine.taken:
            self._tell(self._first_answer)

    def received(self, datagram: bytes) -> None:
        size = len(datagram) - _HEADER
        if size < 0 or datagram[0]:
            return
        if datagram[1] != DATA:
            if datagram[1] == ERROR and not self._is_stored:
                self.told_error(datagram)
            return
        if size > self._terms.block_size:
            self.refuse(ErrorCode.ILLEGAL_OPERATION, "A block is longer than was agreed", Outcome.PEER_FAULT)
            return
        self._has_begun = True
        number = datagram[2] << 8 | datagram[3]
        if self._is_stored:
            if number == self._last_number:
                self._tell(self._last_answer)
            return
        machine = self._machine
        if machine.taken >= self._most:  # more than it may send: who ignores windows shall neither fill memory nor outrun a rate
            return
        flags = machine.receive(number, size < self._terms.block_size, self._seconds())
        if flags & STORE:
            self._store(datagram, size)
        if self.is_over:
            return
        if flags & ACKNOWLEDGE:
            self._acknowledge()
        elif flags & STORE and machine.is_complete:
            self._complete(number)

    def writable(self) -> None:
        """Nothing waits for that: an acknowledgement that cannot go is lost, as others are on their way."""

    def expired(self, now: float) -> None:
        if self._is_stored:
            self.close()
        elif self._is_busy or self._later is not None:
            self._machine.start(now)  # it is us who are late
        elif self._machine.expire(now):
            self._resent += 1
            self._answer()
        else:
            self.end(Outcome.PEER_FAULT, "The client fell silent: no block came")

    def refuse(self, code: int, message: str, outcome: Outcome) -> None:
        if self._is_committing:
            self.end(outcome, message)
        else:
            super().refuse(code, message, outcome)

    def end(self, outcome: Outcome, cause: str = "") -> None:
        """Be over, unless it is being published: nobody can take that back, and how it goes is what the client hears then."""
        if self._is_committing:
            self._is_unwanted = True
        else:
            super().end(outcome, cause)

    def free(self) -> None:
        self._wait_no_more()
        if not self._is_busy and not self._is_stored:
            self._abandon()

    def _store(self, datagram: bytes, size: int) -> None:
        data = datagram[_HEADER:] if self._decoder is None else self._decoder.decode(datagram[_HEADER:], self._machine.is_complete)
        self._taken += size
        self._length += len(data)
        self._pending += data
        if self._ceiling is not None and self._length > self._ceiling:
            self.fail(OverQuota(self.path))

    # Acknowledgements.

    def _acknowledge(self) -> None:
        """Acknowledge, once there is room for as much again and the rate lets it come."""
        if self._is_busy:
            return  # that does it
        if len(self._pending) >= _WORTH_WRITING:
            self._begin(self._flush())
        elif not self._is_held():
            self._answer()

    def _answer(self) -> None:
        self._most = self._machine.taken + self._terms.window
        self._tell(ack(self._machine.acknowledgement) if self._has_begun else self._first_answer)

    def _is_held(self) -> bool:
        """Whether the rate wants us to wait before more is asked for; then that is seen to."""
        if self._pace is None:
            self._counted = self._taken  # a rate that is set later is not about what has come
            return False
        if self._later is None:
            self._debt += self._taken - self._counted
            self._counted = self._taken
            if self._debt:
                self._debt -= self._pace.take(self._debt)
            if not self._debt:
                return False
            self._later = self._home.reactor.callLater(self._pace.pause(), self._go_on)
        return True

    def _go_on(self) -> None:
        self._later = None
        if not self._is_busy:
            self._answer_late()

    def _answer_late(self) -> None:
        self._machine.start(self._seconds())
        if not self._is_held():
            self._answer()

    def _wait_no_more(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None

    # The file.

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Have the disk do *work*.  Whatever it raises ends us, a `CancelledError` as well: nobody cancels this, it is the store that stops."""
        self._is_busy = True
        try:
            working = stepped(work)
        except Exception as error:
            self._failed(error)
        else:
            if working is not None:
                working.addErrback(self._failed_later)

    def _complete(self, number: int) -> None:
        """The last block is here, and *number* is its own; what was before it may still be on its way to the disk."""
        self._last_number = number
        self._wait_no_more()
        if not self._is_busy:
            self._begin(self._finish())

    async def _flush(self) -> None:
        await self._write_pending()
        if self._machine.is_complete:
            await self._finish()
            return
        self._is_busy = False
        if self.is_over:
            self._abandon()
        else:
            self._answer_late()

    async def _finish(self) -> None:
        if not self.is_over:
            await self._write_pending()
        if self.is_over:
            self._is_busy = False
            self._abandon()
            return
        self._check_size()
        self._is_committing = True
        await self._file.commit()
        self._is_busy = self._is_committing = False
        self._is_stored = True
        self._stored()

    async def _write_pending(self) -> None:
        pending, self._pending = self._pending, bytearray()
        if pending:
            await self._file.write_at(self._file.start + self._written, pending)
            self._written += len(pending)

    def _check_size(self) -> None:
        """Raise `TransferCut` where another size came than was announced (RFC 2349).  Clients that send netascii count in different ways."""
        declared = self._terms.declared_size
        if declared and self._decoder is None and declared != self._taken:
            raise TransferCut(f"{declared} bytes were announced (tsize), and {self._taken} came")

    def _stored(self) -> None:
        """Say so, and stay for a while: the acknowledgement may be lost."""
        self.is_over = True
        self._last_answer = ack(self._last_number)
        self._tell(self._last_answer)
        self.publish_end(Outcome.FINISHED, "")
        if self._is_unwanted or not self._home.dallies:
            self.close()
        else:
            self.visitor.leave()  # what stays counts no more: a client may store a file after the other
            self.timer = Dally(self._seconds() + self._machine.interval)

    def _failed(self, error: Exception) -> None:
        self._is_busy = self._is_committing = False
        if self.is_over:
            self._abandon()
        else:
            self.fail(error)

    def _failed_later(self, failure: Any) -> None:
        self._failed(failure.value)

    def _abandon(self) -> None:
        self._dispose(self._file.abandon(keeps=False))
