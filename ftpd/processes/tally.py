"""Tally: the answers of several workers to one question, added up."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred

from ftpd.processes.process import WorkerProcess
from ftpd.spi import DelayedCall

__all__ = ["Tally"]

_LONGEST_SECONDS: Final = 10.0


class Tally:
    """Wait for the answers of some workers, but not for ever: `total` fires with the sum of what they said.

    `awaited` are those who have not answered, also then.
    """

    def __init__(self, reactor: Any) -> None:
        self.awaited: set[WorkerProcess] = set()
        self.total: Deferred[int] = Deferred()
        self._reactor = reactor
        self._sum = 0
        self._deadline: DelayedCall | None = None

    def wait_for(self, workers: Iterable[WorkerProcess]) -> None:
        """Have `total` fire when *workers* have answered, or answer no more; to be called once."""
        self.awaited.update(workers)
        self._deadline = self._reactor.callLater(_LONGEST_SECONDS, self._finish)
        if not self.awaited:
            self._finish()

    def add(self, worker: WorkerProcess, count: int) -> None:
        """*worker* has answered, or answers no more; what was not asked counts nothing."""
        if worker in self.awaited and not self.total.called:
            self.awaited.remove(worker)
            self._sum += count
            if not self.awaited:
                self._finish()

    def count(self, count: int) -> None:
        """Add what a worker has done that is not asked any more, or not yet."""
        self._sum += count

    def _finish(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        if not self.total.called:
            self.total.callback(self._sum)
