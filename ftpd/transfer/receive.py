"""Clear upload: one `recv_into` and one `pwrite` per wake-up, through one buffer that the whole process reuses.

The buffer can be shared because it is empty again when the callback returns.  1 MiB: 1.2 times as fast as 256 KiB, and it holds the
reactor for 0.6 ms at most (datapath measurements).
"""

from __future__ import annotations

import errno
import os
from typing import Final

from ftpd.errors import OverQuota
from ftpd.spi import Reactor, Wanted
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.pump import Course

__all__ = ["Receive"]

_buffer: Final = memoryview(bytearray(1024 * 1024))


class Receive(Course):
    """Write what the peer sends to *descriptor*, from offset `wanted.start`, until its truthful end."""

    def __init__(self, reactor: Reactor, connection: SocketConnection, descriptor: int, wanted: Wanted) -> None:
        super().__init__(reactor, wanted.stall_seconds)
        self._connection = connection
        self._file = descriptor
        self._offset = wanted.start
        self._ceiling = wanted.ceiling

    def begin(self) -> None:
        self._pull()
        if self.is_running:
            self._connection.watch_reading(self._pull)

    def stop(self) -> None:
        self._connection.ignore_reading()

    def _pull(self) -> None:
        try:
            count = self._connection.receive_into(_buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self.end_peer_fault(error)
            return
        if count == 0:
            self.end_finished()
        elif self._ceiling is not None and self.moved + count > self._ceiling:
            self.end_local_fault(OverQuota())
        else:
            self._store(_buffer[:count])
            if self.moved == count < len(_buffer) and self.is_running:
                self._pull()  # the end of a small file stands right behind its only piece: one wake-up less (tests/bench: stor)

    def _store(self, data: memoryview) -> None:
        try:
            while data:
                written = os.pwrite(self._file, data, self._offset)
                if not written:  # no disk should; a FUSE server may, and asking again for ever would stop every session
                    raise OSError(errno.EIO, "the disk took nothing")
                self._offset += written
                self.moved += written
                data = data[written:]
        except OSError as error:
            self.end_local_fault(error)
