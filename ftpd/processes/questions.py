"""Questions: what the workers are asked to do by way of the state, and to how many sessions they have done it.

Apart from the fleet, which knows what they are asked for, and from the tally, which adds up one.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.defer import DeferredLock

from ftpd.processes.operator import Refused
from ftpd.processes.process import WorkerProcess
from ftpd.processes.tally import Tally
from ftpd.spi import State
from ftpd.values import Request

__all__ = ["Questions"]


class Questions:
    """Ask all of *workers* that serve, one question at a time, by way of *state*; each has a number, or the answer to one would be taken for the next's.

    A worker may find what is asked before it is told to look, and end with the session that it was done to: what it says then counts, however early.
    """

    def __init__(self, reactor: Any, state: State, workers: Callable[[], Iterable[WorkerProcess]]) -> None:
        self._reactor = reactor
        self._state = state
        self._workers = workers
        self._turn = DeferredLock()
        self._numbers = itertools.count(1)
        self._number = 0
        self._tally: Tally | None = None

    async def ask(self, request: Request) -> int:
        """Have every worker do *request*, and return how many sessions it was for.  Raises `Refused` where one does not say, and what the state does."""
        await self._turn.acquire()
        try:
            tally = self._tally = Tally(self._reactor)  # before anybody can find it
            self._number = next(self._numbers)
            await self._state.ask(request)
            tally.wait_for(worker for worker in self._workers() if worker.serves)
            for worker in tally.awaited:
                worker.tell("look", question=self._number)
            sessions = await tally.total
            if tally.awaited:
                silent = ", ".join(f"{worker.order.slot} (process {worker.pid})" for worker in tally.awaited)
                raise Refused(f"It was done to {sessions} sessions; of others nobody knows, for worker {silent} does not answer.")
            return sessions
        finally:
            self._tally = None
            self._turn.release()

    def looked(self, worker: WorkerProcess, question: int, sessions: int) -> None:
        """*worker* has answered *question*."""
        if self._tally is not None and question == self._number:
            self._tally.add(worker, sessions)

    def met(self, sessions: int) -> None:
        """A worker that ends has done what it was asked to so many *sessions*, and said so to nobody yet."""
        if self._tally is not None:
            self._tally.count(sessions)

    def ended(self, worker: WorkerProcess) -> None:
        """*worker* is gone."""
        if self._tally is not None:
            self._tally.add(worker, 0)
