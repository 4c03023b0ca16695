"""The pace that holds a transfer to a rate: nothing beyond it, and what was not used is given back.

Apart from other promises of both directions: a pump of one's own may be without any other fault, and forget this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from ftpd.testing.lines import Line, drive, turn
from ftpd.testing.paces import CountedPace
from ftpd.testing.pump_contract.trial import LONG_SECONDS, STALL_SECONDS, PumpTrial
from ftpd.values import Outcome

__all__ = ["PacedContract"]

_GRANT: Final = 5000  # bytes, less than a small step


class PacedContract(PumpTrial):
    """How a pump keeps to its pace."""

    def test_nothing_moves_beyond_what_the_pace_allows(self, reactor: Any, narrow: Line, os_path: Path, begin: Any) -> None:
        pace = CountedPace(_GRANT)
        self.offer(narrow, os_path, 300_000)
        pump, done = begin(narrow, os_path, pace=pace)
        most = 0

        def step() -> None:
            nonlocal most
            self.client_helps(narrow)
            most = max(most, pump.moved - pace.allowed)

        assert drive(reactor, done, step).outcome is Outcome.FINISHED
        assert most <= 0
        assert pump.moved == pace.allowed == 300_000

    def test_time_held_by_the_pace_is_no_stall(self, reactor: Any, line: Line, os_path: Path, begin: Any) -> None:
        pace = CountedPace(_GRANT, pause_seconds=3 * STALL_SECONDS)
        self.offer(line, os_path, 2 * _GRANT)
        result = drive(reactor, begin(line, os_path, pace=pace, stall_seconds=STALL_SECONDS).done, lambda: self.client_helps(line))
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 2 * _GRANT)

    @pytest.mark.parametrize("turns", [1, 2, 5, 13])
    def test_what_a_cancel_leaves_unused_is_given_back(
        self, reactor: Any, narrow: Line, os_path: Path, begin: Any, turns: int
    ) -> None:
        pace = CountedPace(100 * _GRANT)
        self.fill(os_path)
        pump, done = begin(narrow, os_path, pace=pace)
        for _ in range(turns):
            self.client_goes_on(narrow)
            turn(reactor)
        self.cancelled(reactor, done)
        assert pump.moved <= pace.allowed <= pump.moved + self.under_way_bytes

    def test_what_a_reset_leaves_unused_is_given_back(self, reactor: Any, narrow: Line, os_path: Path, begin: Any) -> None:
        pace = CountedPace(100 * _GRANT)
        self.fill(os_path)
        pump, done = begin(narrow, os_path, pace=pace)
        for _ in range(5):
            self.client_goes_on(narrow)
            turn(reactor)
        narrow.reset()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT
        assert pump.moved <= pace.allowed <= pump.moved + self.under_way_bytes

    def test_cancel_while_the_pace_holds_it_is_cancelled(self, reactor: Any, line: Line, os_path: Path, begin: Any) -> None:
        self.offer(line, os_path, 100_000)
        done = begin(line, os_path, pace=CountedPace(_GRANT, pause_seconds=LONG_SECONDS)).done
        for _ in range(5):
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED
