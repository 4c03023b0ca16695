"""Clear upload: on the reactor thread one `recv_into` and one `pwrite` per wake-up; in a thread `splice` through a pipe.

In a thread nothing but the kernel touches a byte: a fifth less CPU than the other way on the reactor thread (docs/performance.md).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import Final

from ftpd.disks import Disk
from ftpd.spi import Wanted
from ftpd.transfer.carried import AGAIN, DONE, READABLE, Ended
from ftpd.transfer.crew import Crews
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.pipe import NoPipe, lent_pipe
from ftpd.transfer.scratch import scratch
from ftpd.transfer.upload import LOW_WATER, Upload, took_nothing
from ftpd.values import Outcome

__all__ = ["Receive"]

_NO_SPLICE: Final = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP)


class Receive(Upload[SocketConnection]):
    """See `Upload`."""

    def __init__(
        self, crews: Crews, connection: SocketConnection, descriptor: int, wanted: Wanted, disk: Disk | None = None
    ) -> None:
        super().__init__(crews, connection, descriptor, wanted, disk)
        self._is_refused = not hasattr(os, "splice")  # Linux

    def watch(self, need: int) -> None:
        self._connection.watch_reading(self.go_on)

    def step(self, most: int) -> int:
        if self.is_away and not self._is_refused:
            with suppress(NoPipe):  # an upload under way shall not end because others took the last descriptors
                return self._splice(most)
        return self._copy(most)

    def _copy(self, most: int) -> int:
        buffer = scratch.wire[:most]
        try:
            count = self._connection.receive_into(buffer)
        except BlockingIOError:
            return READABLE
        except OSError as error:
            raise Ended(Outcome.PEER_FAULT, error) from error
        if not count:
            return DONE
        self.check_ceiling(count)
        self.write(buffer[:count])
        if count == most:
            return AGAIN
        if self.moved == count:
            # The end of a small file stands right behind its only piece: one wake-up less (tests/bench: stor).
            return self._copy(most - count)
        return READABLE

    def _splice(self, most: int) -> int:
        with lent_pipe() as (reading, writing):
            try:
                count = os.splice(self._connection.fileno(), writing, most, flags=os.SPLICE_F_NONBLOCK)
            except BlockingIOError:
                count = 0
            except OSError as error:
                raise Ended(Outcome.PEER_FAULT, error) from error
            if count:
                self.check_ceiling(count)
                self._drain(reading, count)
                return AGAIN if count >= min(most, LOW_WATER) else READABLE
        # Splice stops before an urgent byte, says that nothing is there, or even that this was the end: only recv tells.
        return self._copy(most)

    def _drain(self, pipe: int, count: int) -> None:
        """Move what is in the *pipe* to the file; one that knows no splice has it written."""
        while count:
            if self._is_refused:
                data = os.read(pipe, count)
                self.write(memoryview(data))
                count -= len(data)
                continue
            try:
                written = self.ask_disk(os.splice, pipe, self._file, count, None, self._offset)
            except OSError as error:
                if error.errno not in _NO_SPLICE:
                    raise Ended(Outcome.LOCAL_FAULT, error) from error
                self._is_refused = True
                continue
            if not written:
                raise Ended(Outcome.LOCAL_FAULT, took_nothing())
            self.spend(written)
            self.count(written)
            count -= written
