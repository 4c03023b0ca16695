"""Many transfers: at the same time, and one after the other.

Apart from what one transfer shows: what a pump wastes, time or descriptors, shows in numbers.
"""

from __future__ import annotations

import gc
import socket as sockets
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, Final

from ftpd.testing.lines import Line, drive, opened
from ftpd.testing.pump_contract.descriptors import count_descriptors, many_descriptors
from ftpd.testing.pump_contract.trial import LONG_SECONDS, PumpTrial
from ftpd.testing.reactors import AT_MOST_SECONDS, turns
from ftpd.values import Outcome

__all__ = ["CrowdContract"]

_REST_SECONDS: Final = 0.25  # longer than a late acknowledgement takes
_MOST_LOAD: Final = 0.01  # of a core


class CrowdContract(PumpTrial):
    """What many transfers cost."""

    def test_thousand_stalled_transfers_keep_no_core_busy(self, reactor: Any, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        with many_descriptors(4 * self.streams), ExitStack() as closers:
            lines = [closers.enter_context(closing(type(self).line_kind(reactor, is_narrow=True))) for _ in range(self.streams)]
            running = [run(line, os_path, stall_seconds=LONG_SECONDS) for line in lines]
            self.settle(reactor, lines)
            settled = wakeups(lines)
            began = time.process_time()
            turns(reactor, 1.0)
            spent, woken = time.process_time() - began, wakeups(lines) - settled
            for done in running:
                done.cancel()
            for done in running:
                drive(reactor, done)
        assert woken <= self.streams / 10  # a kernel's timer wakes one or the other; a busy loop would wake each, and many times
        assert spent <= _MOST_LOAD, (spent, woken)

    def settle(self, reactor: Any, lines: list[Line]) -> None:
        """Turn until everything in flight has arrived, late acknowledgements too, and only the reactor waits."""
        end = time.monotonic() + AT_MOST_SECONDS
        settled = -1
        while settled != wakeups(lines) or not {line.below for line in lines} <= {*reactor.getReaders(), *reactor.getWriters()}:
            assert time.monotonic() < end, "it does not come to rest"
            settled = wakeups(lines)
            turns(reactor, _REST_SECONDS)

    def test_transfers_leave_no_descriptor(self, reactor: Any, os_path: Path) -> None:
        os_path.write_bytes(b"x" * 100)
        with sockets.create_server(("127.0.0.1", 0)) as listener:
            gc.collect()  # sockets of earlier tests, in cycles
            before = count_descriptors()
            for _ in range(self.transfers):
                with closing(type(self).line_kind(reactor, listener=listener)) as line, opened(os_path) as file:
                    line.write(b"y" * 100)
                    line.end()
                    result = drive(reactor, self.started(reactor, line, file).done)
                assert result.outcome is Outcome.FINISHED
            assert count_descriptors() == before


def wakeups(lines: list[Line]) -> int:
    return sum(line.below.wakeups for line in lines)
