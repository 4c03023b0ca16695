"""Upload: what pumps have in common that store into a file by its descriptor.

Apart from them because the rules are one: no byte beyond the ceiling, and every byte written before the next is asked for.
"""

from __future__ import annotations

import errno
import os
from typing import Final

from ftpd.disks import Disk
from ftpd.errors import OverQuota
from ftpd.spi import Wanted
from ftpd.transfer.carried import C, Carried, Ended
from ftpd.transfer.crew import Crews
from ftpd.values import Outcome

__all__ = ["LOW_WATER", "Upload", "took_nothing"]

LOW_WATER: Final = 256 * 1024  # what a thread waits for: a wake-up for each segment would cost more than the bytes


class Upload(Carried[C]):
    """Write what the peer sends to *descriptor*, from offset `wanted.start`, until its truthful end."""

    def __init__(self, crews: Crews, connection: C, descriptor: int, wanted: Wanted, disk: Disk | None = None) -> None:
        super().__init__(crews, connection, descriptor, wanted, disk)
        self._ceiling = wanted.ceiling

    def complete(self) -> None:
        self.end_finished()

    def enter(self) -> None:
        self._connection.set_low_water(LOW_WATER)

    def leave(self) -> None:
        self._connection.set_low_water(1)  # the reactor hears of every byte, and so does the stall watch

    def check_ceiling(self, count: int) -> None:
        """Refuse *count* bytes more where they are too many."""
        if self._ceiling is not None and self.moved + count > self._ceiling:
            raise Ended(Outcome.LOCAL_FAULT, OverQuota())

    def write(self, data: memoryview) -> None:
        """Write all of *data* behind what is there."""
        try:
            while written := self.ask_disk(os.pwrite, self._file, data, self._offset):
                self.spend(written)
                self.count(written)
                if written == len(data):
                    return
                data = data[written:]
            raise took_nothing()  # no disk should; a FUSE server may, and asking again for ever would stop every session
        except OSError as error:
            raise Ended(Outcome.LOCAL_FAULT, error) from error


def took_nothing() -> OSError:
    """Return the error that a file system should have given."""
    return OSError(errno.EIO, "the disk took nothing")
