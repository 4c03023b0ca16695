"""How the bytes of a file are framed on the wire, STRU and MODE: the two contracts, and the framing that adds nothing.

Apart because record, block, compressed and deflate framing fulfil them, each in a module of its own, and know nothing of one another.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from ftpd.errors import BadOffset
from ftpd.values import Mark

__all__ = ["Framing", "MarkedFraming", "PlainFraming", "PlainUnframing", "SkippingFraming", "Unframing"]


class Framing(Protocol):
    """Frames one download."""

    def frame(self, data: bytes) -> bytes:
        """Return *data* framed; nothing of it is held back, but by deflate."""

    def end(self) -> bytes:
        """Return what ends the file; called once."""


class MarkedFraming(Framing, Protocol):
    """Frames one download in a mode that has restart markers."""

    def mark(self, text: bytes) -> bytes:
        """Return the marker *text* framed; its bytes are printable, and 127 at most."""


class Unframing(Protocol):
    """Undoes the framing of one upload.  `TransferCut` is raised for bytes that cannot be, and for bytes behind the end of the file."""

    @property
    def is_ended(self) -> bool:
        """Whether the stream itself has said its end."""

    def unframe(self, data: bytes) -> Iterator[bytes | Mark]:
        """Yield what *data* holds; between two yields lies a bounded amount of work, and `b""` is yielded where that found nothing."""

    def end(self) -> None:
        """The connection has ended: raise `TransferCut` where the stream has not."""


class PlainFraming:
    """STRU F in MODE S: the bytes as they are."""

    def frame(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        return b""


class SkippingFraming:
    """Leave out the first *count* bytes of what *inner* frames: REST counts bytes as they are sent (RFC 3659 5.3)."""

    def __init__(self, inner: Framing, count: int) -> None:
        self._inner = inner
        self._left = count

    def frame(self, data: bytes) -> bytes:
        return self._rest(self._inner.frame(data))

    def end(self) -> bytes:
        """Return what ends the file; `BadOffset` where there are fewer bytes than were to be left out."""
        end = self._rest(self._inner.end())
        if self._left:
            raise BadOffset
        return end

    def _rest(self, framed: bytes) -> bytes:
        skipped = min(self._left, len(framed))
        self._left -= skipped
        return framed[skipped:]


class PlainUnframing:
    """STRU F in MODE S: the end of the connection is the end of the file."""

    is_ended = False

    def unframe(self, data: bytes) -> Iterator[bytes | Mark]:
        yield data

    def end(self) -> None:
        pass
