"""StateTrial: the states under trial, one for each worker, their clock, and what a test says in one word.

Apart from the promises, which all stand on it.
"""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpd.spi import State
from ftpd.testing.fakes import begin, result_of
from ftpd.values import Failures, Place, Request, SessionRow

__all__ = ["ADDRESS", "KICK", "ONE", "TWO", "StateTrial", "row"]

T = TypeVar("T")

ADDRESS: Final = "192.0.2.1"
ONE: Final = Place("one", 1)
TWO: Final = Place("two", 2)
KICK: Final = Request("kick", "account", "ann")


def row(session: str, since: float = 0.0, **values: Any) -> SessionRow:
    """A session from a client that has said nothing yet."""
    return SessionRow(session, ADDRESS, 40000, "ftp", "ftp", since, since, **values)


class StateTrial:
    """What a subclass says of its state, and how tests ask it."""

    clock: Any

    def make_state(self, worker: str) -> State:
        """Return the state as *worker* sees it; it is closed by the kit."""
        raise NotImplementedError

    def wait(self, awaited: Coroutine[Any, Any, T] | Deferred[T]) -> T:
        """Return the result of *awaited*, or raise its error."""
        return result_of(begin(awaited))

    @pytest.fixture(autouse=True)
    def _states(self) -> Any:
        self.clock = self.make_clock()
        self.states: list[State] = []
        yield
        for state in self.states:
            self.wait(state.close())

    def make_clock(self) -> Any:
        """Return the clock that the states of one test have."""
        return Clock()

    def open(self, worker: str = "worker") -> State:
        """Return the state as *worker* sees it, to be closed when the test is over."""
        state = self.make_state(worker)
        self.states.append(state)
        self.wait(state.report([], []))
        return state

    def take(self, state: State, session: str, *places: Place) -> Place | None:
        return self.wait(state.take(session, places))

    def fail(self, state: State, address: str = ADDRESS, **rule: Any) -> Failures:
        return self.wait(state.fail(address, **{"window": 60.0, "most": 2, "ban": 100.0, **rule}))

    def report(self, state: State, *changed: SessionRow, gone: Sequence[str] = ()) -> Sequence[Request]:
        return self.wait(state.report(changed, gone))

    def share(self, state: State, **uses: float) -> dict[str, float]:
        """Tell *uses*, and return the sums for the same keys."""
        sums = self.wait(state.share(uses))
        return {key: sums[key] for key in uses}

    def sessions(self, state: State) -> list[tuple[str, str]]:
        """Return the sessions of all workers, in order: each one's worker and name."""
        return [(found.worker, found.session) for found in self.wait(state.sessions())]
