"""Undertaking: long work of one command on files, beside which STAT and NOOP are answered, and which ABOR stops.

Apart from the commands, for they all have to look, between two steps, whether anybody still wants what they do.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from twisted.internet.defer import CancelledError, Deferred

from ftpd.ftp.session import Session, Transfer
from ftpd.paths import VirtualPath
from ftpd.spi import Pace

__all__ = ["Undertaking"]


class Undertaking:
    """A context manager: within it STAT shows *command*, *path* and how many bytes it has been told of.

    *direction* is what `ftpd who` shows, such as "copy".
    """

    def __init__(self, session: Session, command: str, direction: str, path: VirtualPath, size: int | None = None) -> None:
        self.moved = 0
        self._session = session
        self._transfer = Transfer(command, direction, path, size, session.factory.reactor.seconds())
        self._transfer.pump = self

    def __enter__(self) -> Self:
        self._session.transfer = self._transfer
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._session.transfer = None

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return self._session.factory.reactor.seconds() - self._transfer.started

    def advance(self, count: int) -> None:
        """Tell of *count* bytes more; from any one thread at a time."""
        self.moved += count

    def hold_to(self, pace: Pace) -> None:
        """Rates are for what goes over the network."""

    async def turn(self) -> None:
        """Let everybody else have the reactor.  Raises `CancelledError` where the client, or the server, wants no more of this.

        To be asked between two steps as well as waited for: a step may be one that a cancel lets finish.
        """
        turned: Deferred[None] = Deferred(lambda _: call.cancel())
        call = self._session.factory.reactor.callLater(0, turned.callback, None)
        await turned
        if self._session.stop is not None:
            raise CancelledError
