"""Where the restart markers of a download stand: behind each so many bytes of the file (RFC 959 3.5).

Apart because it counts the file's bytes, and framing those of the wire.  A marker's text is the offset in the file, so that REST can take it
without a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

__all__ = ["Markers"]


class Markers:
    """Puts markers, as *frame* frames them, behind each *every_bytes* of a file that is read from offset *start* on.

    With *minds_cr* none follows a CR: in TYPE A, a restart between CR and LF would send another CR.
    """

    def __init__(self, frame: Callable[[bytes], bytes], start: int, every_bytes: int, *, minds_cr: bool) -> None:
        self._frame = frame
        self._offset = start
        self._every_bytes = every_bytes
        self._due = start + every_bytes
        self._minds_cr = minds_cr

    def cut(self, piece: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Yield the next *piece* of the file in parts, each with the marker behind it, framed; `b""` where none is due."""
        place = 0
        while end := self._next_place(piece, place):
            offset = self._offset + end
            yield piece[place:end], self._frame(str(offset).encode())
            place, self._due = end, offset + self._every_bytes
        if place < len(piece):
            yield piece[place:], b""
        self._offset += len(piece)

    def _next_place(self, piece: bytes, place: int) -> int:
        """Return where in *piece*, behind *place*, the next marker may stand; 0 if nowhere."""
        end = max(self._due - self._offset, place + 1)
        if self._minds_cr and piece[end - 1 : end] == b"\r":
            end = len(piece) - len(piece[end:].lstrip(b"\r")) + 1
        return end if end <= len(piece) else 0
