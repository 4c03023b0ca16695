"""MulticastDownload: a client's part in a file that goes to a group (RFC 2090).

Apart from `download`, of which it is one: with a login, a row, an event and an end of its own.  It differs in what it says when its turn comes.
"""

from __future__ import annotations

from ftpd.paths import VirtualPath
from ftpd.spi import ReadableFile
from ftpd.tftp.download import Download, Frames
from ftpd.tftp.exchange import Visitor
from ftpd.tftp.groups import Place
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import oack

__all__ = ["MulticastDownload"]


class MulticastDownload(Download):
    """Send *file* to the group in which the client has *place*, as often as it is the client's turn.

    Each client has opened the file itself, and blocks are taken from the master's: so whoever ends takes along what is its own only.
    """

    def __init__(self, visitor: Visitor, path: VirtualPath, terms: Terms, file: ReadableFile, frames: Frames, place: Place) -> None:
        super().__init__(visitor, path, terms, file, place.seat, frames)
        self._place = place
        self._seat = place.seat
        self._seat.told = self._say_role
        self.attach(place.line)

    def repeated(self) -> None:
        """Answer again, for as long as the client may have heard nothing."""
        if self._seat.awaits_oack:
            self._tell(self._oack)

    def free(self) -> None:
        super().free()
        self._place.leave(self._seconds())

    @property
    def _may_be_probe(self) -> bool:
        return super()._may_be_probe and not self._seat.has_listened

    def _say_role(self) -> None:
        """Tell the client whether it is the master, in whole: atftp 0.8 does not take the short form of RFC 2090 3, without the address."""
        self._oack = oack({**self._terms.acknowledged, "multicast": self._place.granted})
        self._tell(self._oack)
