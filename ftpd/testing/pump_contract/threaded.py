"""What holds while a thread is within a call, for pumps that have threads work.

Apart from the kits for any pump, which these inherit.
"""

from __future__ import annotations

import os
import socket as sockets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, ClassVar, Final

import pytest

from ftpd.errors import IntegrityLost, Unavailable
from ftpd.testing.gate import Gate
from ftpd.testing.lines import MIB, DiskFile, Line, drive, every, opened, pattern, turn
from ftpd.testing.pump_contract.descriptors import count_descriptors
from ftpd.testing.pump_contract.held import Held, Others
from ftpd.testing.pump_contract.receiver import ReceiverContract
from ftpd.testing.pump_contract.sender import SenderContract
from ftpd.testing.pump_contract.trial import STALL_SECONDS, PumpTrial
from ftpd.testing.reactors import AT_MOST_SECONDS
from ftpd.transfer import carried
from ftpd.values import Outcome, TransferResult

__all__ = ["ThreadedReceiverContract", "ThreadedSenderContract"]

_SMALL_STEP: Final = 4096  # then little data suffices to outrun a step, and to go to a thread


class _ThreadedContract(PumpTrial):
    """What holds while a thread is within a call."""

    held_calls: ClassVar[tuple[tuple[str, int], ...]]  # functions of `os`, each with the number of calls before the one to be met

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "held_call" in metafunc.fixturenames:
            metafunc.parametrize("held_call", type(self).held_calls, ids=lambda call: f"{call[0]}-{call[1]}")

    @pytest.fixture
    def small_steps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Little data suffice to outrun a step on the reactor thread."""
        monkeypatch.setattr(carried, "INLINE_BYTES", _SMALL_STEP)

    @pytest.fixture
    def hold(
        self, reactor: Any, line: Line, os_path: Path, held_call: tuple[str, int], small_steps: None
    ) -> Iterator[Callable[..., Held]]:
        with Gate(*held_call) as gate:
            held = Held(line, os_path, reactor, gate)

            def begin(**wanted: Any) -> Held:
                self.offer(line, os_path, 2 * MIB)
                file = DiskFile(os_path)
                held.begin(self.started(reactor, line, file, **wanted), file, lambda: self.client_helps(line))
                return held

            yield begin

    def test_cancel_within_a_call_waits_for_it_and_nothing_lands_elsewhere(self, hold: Any) -> None:
        held = hold()
        held.done.cancel()
        others = Others(held.os_path.parent)
        held.turn()
        assert held.results == []
        before = held.os_path.read_bytes()
        result = held.finish()
        others.open_more()  # with the numbers that are free again
        held.turn()
        others.check_untouched()
        assert result.outcome is Outcome.CANCELLED
        self.check_after_call(held, before)

    def check_after_call(self, held: Held, before: bytes) -> None:
        """Assert what is in the file, where *before* was in it when the transfer was cancelled, within a call."""
        raise NotImplementedError

    def test_reset_within_a_call_is_the_peers_fault(self, hold: Any) -> None:
        held = hold()
        held.line.reset()
        held.turn()
        assert held.results == []
        assert held.finish().outcome is Outcome.PEER_FAULT

    def test_transfer_goes_on_after_a_call_that_took_long(self, hold: Any) -> None:
        held = hold()
        held.turn()
        result = held.finish(lambda: self.client_helps(held.line))
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 2 * MIB)

    def test_call_that_does_not_return_in_time_is_not_the_peers_fault(self, hold: Any) -> None:
        held = hold(stall_seconds=3 * STALL_SECONDS)
        held.wait_until_judged()
        assert held.results == []  # the thread is still there
        result = held.finish()
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, Unavailable)

    def test_transfers_in_threads_leave_no_descriptor(self, reactor: Any, os_path: Path, small_steps: None) -> None:
        counts = []
        with sockets.create_server(("127.0.0.1", 0)) as listener:
            for _ in range(30):
                with closing(type(self).line_kind(reactor, listener=listener)) as line:
                    self.offer(line, os_path, 600_000)
                    with opened(os_path) as file:
                        result = drive(reactor, self.started(reactor, line, file).done, lambda: self.client_helps(line))
                assert (result.outcome, result.moved) == (Outcome.FINISHED, 600_000)
                counts.append(count_descriptors())
        assert counts[-1] == counts[0]  # what is kept for the next transfer is kept since the first

    def test_two_transfers_in_two_threads_do_not_mix(self, reactor: Any, tmp_path: Path, small_steps: None) -> None:
        kind = type(self).line_kind
        with closing(kind(reactor)) as one, closing(kind(reactor)) as other, ExitStack() as files:
            pairs = [(one, tmp_path / "one"), (other, tmp_path / "other")]
            results: list[TransferResult] = []
            for number, (line, path) in enumerate(pairs):
                self.offer(line, path, 4 * MIB + number)
                self.disguise(line, path, number)
                self.started(reactor, line, files.enter_context(opened(path))).done.addCallback(results.append)
            end = time.monotonic() + AT_MOST_SECONDS
            while len(results) < 2:
                assert time.monotonic() < end, "the transfers do not end"
                for line, _ in pairs:
                    self.client_helps(line)
                turn(reactor)
            assert [result.outcome for result in results] == [Outcome.FINISHED] * 2
            for number, (line, path) in enumerate(pairs):
                assert self.arrived(line, path) == _disguised(pattern(4 * MIB + number), number)

    def disguise(self, line: Line, path: Path, number: int) -> None:
        """Make what is offered unlike any other."""
        raise NotImplementedError

    def arrived(self, line: Line, path: Path) -> bytes:
        """Return what has arrived at the other side."""
        raise NotImplementedError


class ThreadedSenderContract(_ThreadedContract, SenderContract):
    """For pumps that send, in threads too."""

    def check_after_call(self, held: Held, before: bytes) -> None:
        assert held.os_path.read_bytes() == before == pattern(2 * MIB)
        assert before.startswith(held.line.received)

    def disguise(self, line: Line, path: Path, number: int) -> None:
        path.write_bytes(_disguised(path.read_bytes(), number))

    def arrived(self, line: Line, path: Path) -> bytes:
        return line.read_all()

    def test_file_that_shrinks_within_a_call_is_our_fault(self, hold: Any) -> None:
        held = hold()
        os.truncate(held.os_path, 0)
        result = held.finish(lambda: self.client_helps(held.line))
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)

    def test_file_that_grows_within_a_call_is_sent_as_promised(self, hold: Any) -> None:
        held = hold()
        with held.os_path.open("ab") as file:
            file.write(b"more" * 100_000)
        result = held.finish(lambda: self.client_helps(held.line))
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 2 * MIB)
        assert held.line.read_all() == pattern(2 * MIB)


class ThreadedReceiverContract(_ThreadedContract, ReceiverContract):
    """For pumps that store, in threads too."""

    def check_after_call(self, held: Held, before: bytes) -> None:
        stored = held.os_path.read_bytes()
        assert len(before) <= len(stored) == held.pump.moved < 2 * MIB
        assert pattern(2 * MIB).startswith(stored)

    def disguise(self, line: Line, path: Path, number: int) -> None:
        line.unsent = _disguised(line.unsent, number)

    def arrived(self, line: Line, path: Path) -> bytes:
        return path.read_bytes()

    def test_low_water_is_one_whenever_the_reactor_waits(
        self, reactor: Any, line: Line, os_path: Path, run: Any, small_steps: None
    ) -> None:
        found = set()

        def step() -> None:
            line.write_and_end()
            if line.below in reactor.getReaders():
                found.add(line.low_water())

        line.unsent = pattern(600_000)
        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert found <= {1}

    def test_client_that_turns_slow_in_a_thread_is_served(
        self, reactor: Any, line: Line, os_path: Path, run: Any, small_steps: None
    ) -> None:
        """A burst that a thread takes, then a byte now and then, for longer than the stall timeout."""
        stall = 2 * STALL_SECONDS
        line.unsent = pattern(64 * 1024)
        done = run(line, os_path, stall_seconds=stall)
        while line.unsent:
            line.write()
            turn(reactor)
        line.unsent = pattern(64 * 1024 + 20)[-20:]

        def write() -> None:
            line.write(count=1)
            if not line.unsent:
                line.end()

        result = drive(reactor, done, every(reactor, stall / 10, write))
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 64 * 1024 + 20)
        assert result.seconds > stall
        assert os_path.read_bytes() == pattern(64 * 1024 + 20)


def _disguised(data: bytes, number: int) -> bytes:
    return data.translate(bytes((value + number) % 256 for value in range(256)))
