"""Clear download: one `os.sendfile` per step, and no other Python per block.

A small file that is in memory is read and sent on the reactor thread, where that is cheaper than sendfile; whatever is not in memory is
for a thread, since sendfile waits for the disk.
"""

from __future__ import annotations

import os
from typing import Final

from ftpd.disks import Disk
from ftpd.spi import Wanted
from ftpd.transfer.carried import AGAIN, DONE, INLINE_BYTES, WRITABLE, Ended
from ftpd.transfer.crew import Crews
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.download import Download, shrunk
from ftpd.transfer.scratch import scratch
from ftpd.values import Outcome

__all__ = ["SendFile"]

_COPIED_BYTES: Final = 64 * 1024  # up to here reading and sending is cheaper than a look for the pages and sendfile


class SendFile(Download[SocketConnection]):
    """See `Download`."""

    def __init__(
        self,
        crews: Crews,
        connection: SocketConnection,
        descriptor: int,
        end: int,
        wanted: Wanted,
        disk: Disk | None = None,
    ) -> None:
        super().__init__(crews, connection, descriptor, end, wanted, disk)
        self._is_refused = False

    def begin(self) -> None:
        """Send a small file at once: one step, without what stands around it for others (tests/bench: retr)."""
        count = self.left
        if not 0 < count <= _COPIED_BYTES or self._pace is not None or self._disk.is_slow:
            super().begin()
            return
        try:
            sent = self._send_cached(count)
            if sent != count:
                self.count(sent or 0)
                super().begin()
                return
            self.count(sent)
            self._is_done = True
            self.complete()
        except Ended as end:
            self.end_as(end)
        except Exception as error:
            self.end_local_fault(error)

    def watch(self, need: int) -> None:
        self._connection.watch_writing(self.go_on)
        self._connection.watch_reading(self._drop)

    def step(self, most: int) -> int:
        left = self.left
        if left <= 0:
            return DONE
        count = min(left, most)
        sent = self._send(count) if self.is_away else self._send_cached(count)
        if sent is None:
            return AGAIN
        self.spend(sent)
        self.count(sent)
        if sent == left:
            return DONE
        return AGAIN if sent == count else WRITABLE

    def complete(self) -> None:
        try:
            is_delivered = self._connection.is_delivered_at_once()
        except OSError as error:
            self.end_peer_fault(error)
            return
        if is_delivered:
            self._delivered(None)  # as most small files are: no Deferred for them
        else:
            super().complete()

    def _send(self, count: int) -> int:
        """Send up to *count* bytes and return how many went, 0 where the socket takes none."""
        if self._is_refused:
            return self._send_copied(count)
        self._has_lent_pages = True
        try:
            sent = os.sendfile(self._connection.fileno(), self._file, self._offset, count)
        except BlockingIOError:
            return 0
        except ConnectionError as error:
            raise Ended(Outcome.PEER_FAULT, error) from error
        except OSError:
            # Not every file system knows sendfile (EINVAL, ENOSYS, EOPNOTSUPP), and other errors may be the disk's or the network's
            # (ETIMEDOUT is both): reading and sending apart does the work, or shows whose fault it is.
            self._is_refused = True
            return self._send_copied(count)
        if not sent:
            raise shrunk()
        return sent

    def _send_copied(self, count: int) -> int:
        try:
            data = os.pread(self._file, min(count, INLINE_BYTES), self._offset)
        except OSError as error:
            raise Ended(Outcome.LOCAL_FAULT, error) from error
        return self._send_read(memoryview(data))

    def _send_cached(self, count: int) -> int | None:
        """As `_send`, but None where the disk would have to be waited for."""
        try:
            if count <= _COPIED_BYTES:
                read = self._disk.read_cached(self._file, scratch.plain[:count], self._offset)
                return None if read is None else self._send_read(scratch.plain[:read])
            if not self._disk.is_cached(self._file, self._offset, count):
                return None
        except OSError as error:
            raise Ended(Outcome.LOCAL_FAULT, error) from error
        return self._send(count)

    def _send_read(self, data: memoryview) -> int:
        """Send what was read; what the socket does not take is read again, from the page cache: nothing to keep between two steps."""
        if not data:
            raise shrunk()
        try:
            send = self._connection.send_last if len(data) == self.left else self._connection.send_some
            return send(data)
        except BlockingIOError:
            return 0
        except OSError as error:
            raise Ended(Outcome.PEER_FAULT, error) from error

    def _drop(self) -> None:
        """The peer has no business sending here; its end is no fault (it may close its sending side), a reset is."""
        try:
            if not self._connection.drop_input():
                self._connection.ignore_reading()
        except OSError as error:
            self.end_peer_fault(error)
