"""ClientEnd: the transport of a control connection in memory, with the client at its other end.

Apart from the steps of the dialogue, which say what the client makes of what it reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.testing import StringTransport

__all__ = ["ClientEnd"]

_PRODUCER_LIMIT: Final = 64 * 1024  # bytes unread before a transport asks for a pause, as Twisted's does


class ClientEnd(StringTransport):
    """`writes` has each piece that the server wrote, `hear` is told what the client reads: at once, or with `read_all` unless `is_read`."""

    def __init__(self, here: IPv4Address | IPv6Address, there: IPv4Address | IPv6Address) -> None:
        super().__init__(here, there, lenient=True)  # type: ignore[no-untyped-call]
        self.writes: list[bytes] = []
        self.unread = bytearray()
        self.is_read = True
        self.hear: Callable[[bytes], None] = lambda _: None

    def write(self, data: bytes) -> None:
        assert isinstance(data, bytes), "a transport takes bytes"
        self.writes.append(data)
        if self.is_read:
            self.hear(data)
            return
        self.unread += data
        if len(self.unread) > _PRODUCER_LIMIT and self.producer is not None:
            self.producer.pauseProducing()

    def read_all(self) -> None:
        """Read what waits; the server may go on writing."""
        self.is_read = True
        data = bytes(self.unread)
        self.unread.clear()
        self.hear(data)
        if self.producer is not None:
            self.producer.resumeProducing()
