"""Scan: part of an open file, given piece by piece to a function, in a thread of the crew of its disk.

Apart from the pumps, which have a connection at their other end: here nobody is waited for but the disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred

from ftpd.disks import disk_of
from ftpd.errors import IntegrityLost, OverLimit, Unavailable, from_oserror
from ftpd.transfer.crew import Crew, Crews
from ftpd.transfer.done import Done
from ftpd.transfer.scratch import scratch

__all__ = ["Scan"]

_STEP_BYTES: Final = 1024 * 1024  # what a cancel, or a transfer that wants the thread, waits for: 1.3 ms of MD5, the slowest hash
_INLINE_BYTES: Final = 64 * 1024  # up to here the work costs no more than a hop to a thread and back (80 us of MD5)


class Scan:
    """Give *length* bytes of the open file *descriptor*, from offset *start* on, to *take*, in order.

    *take* is called in threads, one call at a time, and with a buffer that is used again; `advance` likewise, with how many bytes that was.
    What is small and in memory is read at once, on the reactor thread.  It is a `crew.Load` that steps aside for every other one.
    """

    def __init__(
        self,
        crews: Crews,
        descriptor: int,
        start: int,
        length: int,
        take: Callable[[memoryview], object],
        advance: Callable[[int], object],
        seconds: float,
    ) -> None:
        self._disk = disk_of(descriptor)
        self._crews = crews
        self._file = descriptor
        self._offset = start
        self._left = length
        self._take = take
        self._advance = advance
        self._ends_at = time.monotonic() + seconds
        self._is_away = False
        self._is_cancelled = False
        self._fault: Exception | None = None
        self._done: Done[None] = Done(self._stop)

    def start(self) -> Deferred[None]:
        """Begin; the descriptor must stay open until the Deferred has fired, a cancel notwithstanding: that waits for one step at most.

        It fails with `IntegrityLost` where the file is shorter, `OverLimit` after *seconds*, and the `FileTransferError` of the disk.
        """
        if self._left > _INLINE_BYTES or not self._is_read_at_once():
            self._hand_over()
        elif self._fault is not None:
            self._done.errback(self._fault)
        else:
            self._done.callback(None)
        return self._done

    # crew.Load.

    def carry(self, crew: Crew) -> None:
        try:
            while self._left and not self._is_cancelled:
                self._step()
                if crew.is_awaited:
                    return
        except OSError as error:
            self._fault = from_oserror(error)
        except Exception as error:  # whatever it is, it is the end of this, and not of the thread
            self._fault = error

    def carried(self) -> None:
        self._is_away = False
        if self._is_cancelled:
            self._done.errback(CancelledError())
        elif self._fault is not None:
            self._done.errback(self._fault)
        elif self._left:
            self._hand_over()
        else:
            self._done.callback(None)

    def _hand_over(self) -> None:
        self._is_away = True
        try:
            self._crews.of(self._disk).take(self)
        except RuntimeError:
            self._is_away = False
            self._done.errback(Unavailable(None, "The machine has no more threads"))

    def _stop(self) -> None:
        self._is_cancelled = True
        # Where it still stands in line it is nobody's; else the thread ends its step first.
        if self._is_away and self._crews.of(self._disk).withdraw(self):
            self.carried()

    def _step(self) -> None:
        if time.monotonic() > self._ends_at:
            raise OverLimit(None, "Reading it takes longer than this server allows")
        buffer = scratch.plain[: min(self._left, _STEP_BYTES)]
        self._give(buffer[: os.preadv(self._file, (buffer,), self._offset)])

    def _is_read_at_once(self) -> bool:
        """Read and give all of it where the disk need not be waited for."""
        if self._disk.is_slow:
            return False
        buffer = scratch.plain[: self._left]
        try:
            count = self._disk.read_cached(self._file, buffer, self._offset) if self._left else 0
            if count != self._left:
                return False  # a file that is shorter is told by a thread
            if count:
                self._give(buffer)
        except OSError as error:
            self._fault = from_oserror(error)
        return True

    def _give(self, data: memoryview) -> None:
        if not data:
            raise IntegrityLost(None, "The file became shorter while it was read")
        self._take(data)
        self._offset += len(data)
        self._left -= len(data)
        self._advance(len(data))
