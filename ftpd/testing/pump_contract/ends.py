"""Every end of a transfer that is not its own: a cancel, a reset, a stall, a connection that is gone.

Apart from the kits for each direction, since neither may end in another way.
"""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftpd.testing.lines import MIB, Line, drive, opened, turn
from ftpd.testing.pump_contract.trial import A_FEW_EXAMPLES, STALL_SECONDS, PumpTrial
from ftpd.testing.reactors import AT_MOST_SECONDS
from ftpd.transfer.pump import Stalled
from ftpd.values import Outcome

__all__ = ["EndsContract"]


class EndsContract(PumpTrial):
    """How a transfer ends before its time: once, for the right reason, and leaving nothing."""

    def test_cancel_right_after_the_start_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        assert self.cancelled(reactor, run(narrow, os_path)).outcome is Outcome.CANCELLED

    @pytest.mark.parametrize("turns", [1, 2, 3, 5, 8, 13])
    def test_cancel_under_way_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any, turns: int) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        for _ in range(turns):
            self.client_goes_on(narrow)
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED

    def test_nothing_runs_after_a_cancel(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        moved = self.cancelled(reactor, run(narrow, os_path)).moved
        before = os_path.read_bytes()
        for _ in range(5):
            self.client_goes_on(narrow)
            turn(reactor)
        assert narrow.below.wakeups == 0
        assert os_path.read_bytes() == before
        assert moved <= len(before)

    def test_reset_is_the_peers_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        for _ in range(5):
            self.client_goes_on(narrow)
            turn(reactor)
        narrow.reset()
        result = drive(reactor, done)
        assert result.outcome is Outcome.PEER_FAULT
        assert isinstance(result.error, OSError)

    def test_reset_before_the_start_is_the_peers_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        line.reset()
        assert drive(reactor, run(line, os_path)).outcome is Outcome.PEER_FAULT

    def test_stall_is_the_peers_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        result = drive(reactor, run(narrow, os_path, stall_seconds=STALL_SECONDS))
        assert result.outcome is Outcome.PEER_FAULT
        assert isinstance(result.error, Stalled)

    def test_connection_closed_under_way_is_a_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        end = time.monotonic() + AT_MOST_SECONDS
        while narrow.below not in reactor.getReaders() + reactor.getWriters():  # nor may it be closed while a thread works on it
            assert time.monotonic() < end, "nothing waits for the socket"
            turn(reactor)
        narrow.connection.close()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    @given(data=some.data())
    @A_FEW_EXAMPLES
    def test_cancel_at_any_moment_ends_it_once(self, data: some.DataObject) -> None:
        turns = data.draw(some.integers(0, 60), "turns before it")
        is_narrow = data.draw(some.booleans(), "small buffers")
        with self.room() as (reactor, folder), closing(type(self).line_kind(reactor, is_narrow=is_narrow)) as line:
            self.offer(line, folder / "file", 2 * MIB)
            before = (folder / "file").read_bytes()
            with opened(folder / "file") as file:
                done = self.started(reactor, line, file).done
                for _ in range(turns):
                    self.client_helps(line)
                    turn(reactor)
                done.cancel()
                result = drive(reactor, done)
            self.check_partly(line, folder / "file", before, result)
        assert result.outcome in (Outcome.CANCELLED, Outcome.FINISHED)
