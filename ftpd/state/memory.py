"""MemoryState: the shared state of a server that is one process.

Apart from the one in a file, since nothing here ever waits: a login is let in without a Deferred (tests/bench: login).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import attrs

from ftpd.spi import Clock
from ftpd.state.places import Holdings
from ftpd.state.tally import Tally, counted
from ftpd.values import Failures, Place, Request, SessionRow

__all__ = ["MemoryState"]

_MOST_ADDRESSES: Final = 65_536  # of failed logins remembered, about 20 MB; the one that failed longest ago is forgotten first


class MemoryState:
    """A `spi.State` that nobody else shares; *worker* is the name of the one process."""

    def __init__(self, clock: Clock, worker: str = "") -> None:
        self._clock = clock
        self._worker = worker
        self._held = Holdings()
        self._failed: dict[str, Tally] = {}  # in the order of the last failure
        self._rows: dict[str, SessionRow] = {}
        self._requests: list[Request] = []

    async def take(self, session: str, places: Sequence[Place]) -> Place | None:
        held = self._held
        held.leave(session)
        full = held.full(places)
        if full is None:
            held.enter(session, places)
        return full

    def give_back(self, session: str) -> None:
        self._held.leave(session)

    async def fail(self, address: str, *, window: float, most: int, ban: float) -> Failures:
        now = self._clock.seconds()
        tally = counted(self._failed.pop(address, None), now, window, most, ban)
        while len(self._failed) >= _MOST_ADDRESSES:
            del self._failed[next(iter(self._failed))]
        self._failed[address] = tally
        return tally.failures(now)

    def banned_until(self, address: str) -> float:
        tally = self._failed.get(address)
        return 0.0 if tally is None else tally.until

    async def report(self, changed: Sequence[SessionRow], gone: Sequence[str]) -> Sequence[Request]:
        for row in changed:
            self._rows[row.session] = attrs.evolve(row, worker=self._worker)
        for session in gone:
            self._rows.pop(session, None)
        requests, self._requests = self._requests, []
        return requests

    async def share(self, uses: Mapping[str, float]) -> Mapping[str, float]:
        return uses

    async def sessions(self) -> Sequence[SessionRow]:
        return sorted(self._rows.values(), key=lambda row: (row.since, row.session))

    async def ask(self, request: Request) -> None:
        if request.field != "worker" or request.value == self._worker:
            self._requests.append(request)

    async def forget(self, worker: str) -> None:
        if worker == self._worker:
            self._held.clear()
            self._rows.clear()
            self._requests.clear()

    async def close(self) -> None:
        await self.forget(self._worker)
