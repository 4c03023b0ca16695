"""Download and upload over TLS, between a `TLSConnection` and a file descriptor.

Apart from the copy pump, which would move the same bytes through a coroutine on the reactor thread: OpenSSL lets other threads run while it
encrypts, so that the transfers of a crew use every core.
"""

from __future__ import annotations

import os

from ftpd.spi import Wanted
from ftpd.transfer.carried import AGAIN, DONE, READABLE, WRITABLE, Ended
from ftpd.transfer.crew import Crews
from ftpd.transfer.download import Download, shrunk
from ftpd.transfer.scratch import scratch
from ftpd.transfer.tls import TLSConnection
from ftpd.transfer.tunnel import PIECE_BYTES, TunnelBroken
from ftpd.transfer.upload import Upload
from ftpd.values import Outcome

__all__ = ["ReceiveProtected", "SendProtected"]


class SendProtected(Download[TLSConnection]):
    """See `Download`.  What is encrypted counts as moved once the kernel has all of it."""

    def __init__(self, crews: Crews, connection: TLSConnection, descriptor: int, end: int, wanted: Wanted) -> None:
        super().__init__(crews, connection, descriptor, end, wanted)
        self._encrypted = 0

    def progress(self) -> int:
        # A thread that encrypts keeps the books that `unacknowledged` reads.
        return self.moved if self.is_away else super().progress()

    def watch(self, need: int) -> None:
        self._connection.watch_writing(self.go_on)
        if self._connection.is_listening:
            self._connection.watch_reading(self.go_on)
        else:
            self._connection.ignore_reading()

    def step(self, most: int) -> int:
        try:
            if not self._flush():
                return self._awaited()
            count = min(self.left, most, PIECE_BYTES)
            if count <= 0:
                return DONE
            read = self._read(scratch.plain[:count])
            if read is None:
                return AGAIN
            self._connection.push(scratch.plain[:read], is_last=read == self.left)
            self._encrypted = read
            self.spend(read)
            if not self._flush():
                return self._awaited()
        except OSError as error:
            raise _broken(self._connection, error) from error
        return AGAIN if self.left > 0 else DONE

    def _awaited(self) -> int:
        """Hear what TLS itself has to say, for which the peer may wait; return what the next step needs."""
        self._connection.hear()
        return WRITABLE | READABLE if self._connection.is_listening else WRITABLE

    def _flush(self) -> bool:
        if not self._connection.flush():
            return False
        self.count(self._encrypted)
        self._encrypted = 0
        return True

    def _read(self, buffer: memoryview) -> int | None:
        """Fill *buffer*; return how many bytes, None where the disk would have to be waited for here."""
        try:
            read = (
                os.preadv(self._file, [buffer], self._offset)
                if self.is_away
                else self._disk.read_cached(self._file, buffer, self._offset)
            )
        except OSError as error:
            raise Ended(Outcome.LOCAL_FAULT, error) from error
        if read == 0:
            raise shrunk()
        return read


class ReceiveProtected(Upload[TLSConnection]):
    """See `Upload`."""

    def watch(self, need: int) -> None:
        self._connection.watch_reading(self.go_on)

    def step(self, most: int) -> int:
        while most > 0:
            buffer = scratch.plain[:most]
            try:
                count = self._connection.pull(buffer)
            except OSError as error:
                raise _broken(self._connection, error) from error
            if count is None:
                return READABLE
            if not count:
                return DONE
            self.check_ceiling(count)
            self.write(buffer[:count])
            most -= count
        return AGAIN


def _broken(connection: TLSConnection, error: OSError) -> Ended:
    if isinstance(error, TunnelBroken):
        connection.flush_quietly()  # the alert
    return Ended(Outcome.PEER_FAULT, error)
