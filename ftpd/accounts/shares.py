"""Shares: the rounds in which processes tell each other what they do with the rates that they have together.

Apart from `rates`, which knows whose the rates are, and from `portion`, which knows what follows.  By way of the state, four times a second as long
as something moves here, and at once when it begins to; no transfer waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ftpd.accounts.portion import PERIOD_SECONDS, Portion
from ftpd.errors import Unavailable
from ftpd.spi import Clock, DelayedCall, State

__all__ = ["Movers", "Shares"]

_SOON_SECONDS: Final = 0.05  # between two rounds at least: many who begin at once are told of together


@attrs.frozen
class Movers:
    """Who moves something one way: the *server* in all, and its accounts, each with the number of sessions that have a transfer under way."""

    server: Portion
    accounts: Sequence[tuple[Portion, int]]


class Shares:
    """Keeps the portions of *movers*, asked for in each round, as the others leave them."""

    _log = Logger()

    def __init__(self, state: State, clock: Clock, movers: Callable[[], Iterable[Movers]]) -> None:
        self._state = state
        self._clock = clock
        self._movers = movers
        self._totals: Mapping[str, float] = {}
        self._next: DelayedCall | None = None
        self._due = 0.0
        self._began_at = clock.seconds() - _SOON_SECONDS
        self._is_asking = False

    def wake(self, portions: Iterable[Portion]) -> None:
        """Something moves that these hold back: have a round soon, where the others do not know of it."""
        if any(portion.rate and not portion.is_told for portion in portions):
            self._schedule(max(self._clock.seconds(), self._began_at + _SOON_SECONDS))

    def _schedule(self, due: float) -> None:
        if self._next is not None:
            if self._due <= due:
                return
            self._next.cancel()
        self._due = due
        self._next = self._clock.callLater(max(0.0, due - self._clock.seconds()), self._round)

    def _round(self) -> None:
        self._next = None
        now = self._clock.seconds()
        if self._is_asking:  # the state is slow
            self._schedule(now + _SOON_SECONDS)
            return
        self._began_at = now
        told = list(self._movers())
        uses = self._told_by(told)
        if uses:
            self._schedule(now + PERIOD_SECONDS)
        asking: Deferred[None] = Deferred.fromCoroutine(self._exchange(told, uses))
        asking.addErrback(lambda failure: self._log.failure("sharing the rates failed", failure=failure))

    def _told_by(self, told: Iterable[Movers]) -> dict[str, float]:
        """Return what is to be told.  An account that has sessions here and elsewhere wants its part of the server's rate once, not once in each."""
        uses: dict[str, float] = {}
        for movers in told:
            weight = 0.0
            for portion, sessions in movers.accounts:
                uses |= portion.tell(sessions)
                if sessions and movers.server.rate:
                    key = _sessions_of(portion)
                    uses[key] = sessions
                    weight += sessions / max(sessions, self._totals.get(key, 0.0))
            uses |= movers.server.tell(weight)
        return uses

    async def _exchange(self, told: Iterable[Movers], uses: Mapping[str, float]) -> None:
        self._is_asking = True
        try:
            self._totals = await self._state.share(uses)
        except Unavailable:
            return  # the state says so in the log; what was agreed stands
        finally:
            self._is_asking = False
        for movers in told:
            movers.server.hear(self._totals)
            for portion, sessions in movers.accounts:
                portion.hear(self._totals)
                if sessions:
                    portion.stand_for(sessions, self._totals.get(_sessions_of(portion), 0.0))


def _sessions_of(portion: Portion) -> str:
    return f"sessions/{portion.key}"
