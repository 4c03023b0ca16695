"""Download: what pumps have in common that send a file by its descriptor.

Apart from them because the promise is one: the size that the client was told, every byte of it acknowledged.
"""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from ftpd.disks import Disk
from ftpd.errors import IntegrityLost
from ftpd.spi import Wanted
from ftpd.transfer.carried import INLINE_BYTES, C, Carried, Ended
from ftpd.transfer.crew import Crews
from ftpd.values import Outcome

__all__ = ["Download", "shrunk"]


class Download(Carried[C]):
    """Send *descriptor* from `wanted.start` to its size *end*, which the client was promised: a file that shrinks is a fault."""

    def __init__(self, crews: Crews, connection: C, descriptor: int, end: int, wanted: Wanted, disk: Disk | None = None) -> None:
        super().__init__(crews, connection, descriptor, wanted, disk)
        self._end_offset = end
        self._has_lent_pages = False  # of the file, to the socket
        self._finishing: Deferred[None] | None = None

    @property
    def left(self) -> int:
        """Bytes to send."""
        return self._end_offset - self._offset

    @property
    def wanted(self) -> int:
        return max(1, min(super().wanted, self.left))

    def begin(self) -> None:
        if self.left <= INLINE_BYTES:
            self.go_on()
        else:
            self.judged(self.hand_over)

    def stop(self) -> None:
        super().stop()
        if self._finishing is not None:
            self._finishing.cancel()

    def progress(self) -> int:
        return self.moved - self._connection.unacknowledged()

    def enter(self) -> None:
        if self.left > 0 and hasattr(os, "posix_fadvise"):  # not on macOS
            os.posix_fadvise(self._file, self._offset, self.left, os.POSIX_FADV_SEQUENTIAL)  # twice the read-ahead

    def complete(self) -> None:
        self.ignore()
        self._finishing = self._connection.finish()
        self._finishing.addCallbacks(self._delivered, self._undelivered)

    def _delivered(self, _: None) -> None:
        # Lent pages are the file's own until they are acknowledged: those that a truncation cut meanwhile went out as zeros.
        try:
            is_whole = not self._has_lent_pages or os.fstat(self._file).st_size >= self._end_offset
        except OSError as error:
            self.end_local_fault(error)
            return
        if is_whole:
            self.end_finished()
        else:
            self.end_as(shrunk())

    def _undelivered(self, failure: Failure) -> None:
        assert isinstance(failure.value, Exception)
        self.end_peer_fault(failure.value)  # without effect where `stop` cancelled the wait: the end is told already


def shrunk() -> Ended:
    """Return the end of a download whose file has become shorter than its size was."""
    return Ended(Outcome.LOCAL_FAULT, IntegrityLost(None, "The file became shorter while it was sent"))
