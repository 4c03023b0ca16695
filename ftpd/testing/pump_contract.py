"""What every pump promises, as tests to inherit: one kit for those that send, one for those that receive.

    class TestMine(SenderContract):
        def make_pump(self, reactor, connection, file, wanted):
            return MyPump(reactor, connection, file, wanted)

Both run over real TCP on loopback, with a reactor of the test's own: what a kernel says of resets, half-closes and full buffers is what is
to be judged here.  With `line_kind = TLSLine` a kit runs over TLS.  For a pump that has threads work there are `ThreadedSenderContract` and
`ThreadedReceiverContract`; it says in `held_calls` within which functions of `os` its threads can be met.
"""

from __future__ import annotations

import gc
import os
import resource
import socket as sockets
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor

from ftpd.errors import FileTransferError, IntegrityLost, NoSpace, OverQuota, Unavailable
from ftpd.spi import Pump, Wanted
from ftpd.testing.gate import Gate
from ftpd.testing.lines import (
    AT_MOST_SECONDS,
    MIB,
    CountingConnection,
    DiskFile,
    Line,
    TLSLine,
    crews_of,
    drive,
    every,
    pattern,
    private_reactor,
    started,
    tls_context,
    turn,
)
from ftpd.testing.paces import CountedPace
from ftpd.transfer import carried
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.pump import Stalled
from ftpd.values import Outcome, TransferResult

__all__ = [
    "CountingConnection",
    "DiskFile",
    "Line",
    "ReceiverContract",
    "SenderContract",
    "TLSLine",
    "ThreadedReceiverContract",
    "ThreadedSenderContract",
    "crews_of",
    "drive",
    "every",
    "pattern",
    "private_reactor",
    "started",
    "tls_context",
    "turn",
]

_STALL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0
_LONG_SECONDS: Final = 300.0  # the stall timeout of servers
_REST_SECONDS: Final = 0.25  # longer than a late acknowledgement takes
_MOST_LOAD: Final = 0.01  # of a core
_GRANT: Final = 5000  # bytes, less than a small step
_SMALL_STEP: Final = 4096  # then little data suffices to outrun a step, and to go to a thread
_FEW_DESCRIPTORS: Final = 64
_RANDOM: Final = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)  # each makes a connection; a kit's tests run in many classes


class Running(NamedTuple):
    """A pump that was started, and what tells its end."""

    pump: Pump
    done: Deferred[TransferResult]


class _PumpContract:
    """What both directions share: the rooms where pumps are tried, and the promises about every end."""

    reactor_kind: ClassVar[Callable[[], Any]] = EPollReactor
    line_kind: ClassVar[type[Line]] = Line
    streams: ClassVar[int] = 1000  # that stall at the same time; select() can watch fewer
    transfers: ClassVar[int] = 10_000  # one after the other
    large_bytes: ClassVar[int] = 1024 * MIB
    under_way_bytes: ClassVar[int] = 0  # that the pace allowed, and of which nobody can say at a bad end whether they moved

    def make_pump(self, reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
        """Return the pump to be tried; *wanted* asks for no transformation."""
        raise NotImplementedError

    def fill(self, file: Path) -> None:
        """Prepare *file* for a transfer that does not end by itself."""

    def offer(self, line: Line, file: Path, size: int) -> None:
        """Prepare a transfer of `pattern(size)` into or from *file*."""
        raise NotImplementedError

    def client_goes_on(self, line: Line) -> None:
        """The client takes or gives a little more."""
        raise NotImplementedError

    def client_helps(self, line: Line) -> None:
        """The client takes or gives as much as it can, and ends when that was all."""
        raise NotImplementedError

    def check_partly(self, line: Line, file: Path, before: bytes, result: TransferResult) -> None:
        """Assert that of what was offered a part has moved, and nothing else; *before* is what *file* had in it."""
        raise NotImplementedError

    @pytest.fixture
    def reactor(self) -> Iterator[Any]:
        with private_reactor(type(self).reactor_kind) as reactor:
            yield reactor

    @pytest.fixture
    def line(self, reactor: Any) -> Iterator[Line]:
        with closing(type(self).line_kind(reactor)) as line:
            yield line

    @pytest.fixture
    def narrow(self, reactor: Any) -> Iterator[Line]:
        with closing(type(self).line_kind(reactor, is_narrow=True)) as line:
            yield line

    @pytest.fixture
    def os_path(self, tmp_path: Path) -> Path:
        return tmp_path / "file"

    @pytest.fixture
    def begin(self, reactor: Any) -> Iterator[Callable[..., Running]]:
        """Return a function that starts a pump over a line, with a file that is closed at the end."""
        numbers: list[int] = []

        def start(line: Line, os_path: Path | str, **wanted: Any) -> Running:
            file = DiskFile(os_path)
            numbers.append(file.descriptor())
            return self.started(reactor, line, file, **wanted)

        yield start
        for number in numbers:
            os.close(number)

    @pytest.fixture
    def run(self, begin: Callable[..., Running]) -> Callable[..., Deferred[TransferResult]]:
        """As `begin`, for those who want only the end."""
        return lambda *arguments, **wanted: begin(*arguments, **wanted).done

    def started(self, reactor: Any, line: Line, file: DiskFile, **wanted: Any) -> Running:
        pump = self.make_pump(reactor, line.connection, file, Wanted(**{"stall_seconds": _PATIENCE_SECONDS} | wanted))
        return Running(pump, started(pump))

    def cancelled(self, reactor: Any, done: Deferred[TransferResult]) -> TransferResult:
        """Cancel and return the result, with the reactor clean of the transfer; a thread at work is waited for."""
        done.cancel()
        done.cancel()
        result = drive(reactor, done)
        assert not [call for call in reactor.getDelayedCalls() if call.active()]
        assert not [one for one in reactor.getReaders() + reactor.getWriters() if isinstance(one, SocketConnection)]
        return result

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
        result = drive(reactor, run(narrow, os_path, stall_seconds=_STALL_SECONDS))
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

    def test_thousand_stalled_transfers_keep_no_core_busy(self, reactor: Any, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        with many_descriptors(4 * self.streams), ExitStack() as closers:
            lines = [closers.enter_context(closing(type(self).line_kind(reactor, is_narrow=True))) for _ in range(self.streams)]
            running = [run(line, os_path, stall_seconds=_LONG_SECONDS) for line in lines]
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
            before = descriptors()
            for _ in range(self.transfers):
                with closing(type(self).line_kind(reactor, listener=listener)) as line, opened(os_path) as file:
                    line.write(b"y" * 100)
                    line.end()
                    result = drive(reactor, self.started(reactor, line, file).done)
                assert result.outcome is Outcome.FINISHED
            assert descriptors() == before

    # The pace.

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
        pace = CountedPace(_GRANT, pause_seconds=3 * _STALL_SECONDS)
        self.offer(line, os_path, 2 * _GRANT)
        result = drive(reactor, begin(line, os_path, pace=pace, stall_seconds=_STALL_SECONDS).done, lambda: self.client_helps(line))
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
        done = begin(line, os_path, pace=CountedPace(_GRANT, pause_seconds=_LONG_SECONDS)).done
        for _ in range(5):
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED

    # Any moment.

    @given(data=some.data())
    @_RANDOM
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

    @contextmanager
    def room(self) -> Iterator[tuple[Any, Path]]:
        """Make reactor and folder for one of many examples."""
        with private_reactor(type(self).reactor_kind) as reactor, tempfile.TemporaryDirectory() as folder:
            yield reactor, Path(folder)


_SIZES: Final = (0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 3)


class SenderContract(_PumpContract):
    """For pumps that send `file.info.size - wanted.start` bytes of a file."""

    def fill(self, file: Path) -> None:
        file.write_bytes(pattern(4 * MIB))

    def offer(self, line: Line, file: Path, size: int) -> None:
        file.write_bytes(pattern(size))

    def client_goes_on(self, line: Line) -> None:
        line.read(512)

    def client_helps(self, line: Line) -> None:
        line.read()

    def check_partly(self, line: Line, file: Path, before: bytes, result: TransferResult) -> None:
        assert file.read_bytes() == before
        assert before.startswith(line.received)

    @pytest.mark.parametrize("size", _SIZES)
    def test_every_byte_arrives(self, reactor: Any, line: Line, os_path: Path, run: Any, size: int) -> None:
        os_path.write_bytes(pattern(size))
        result = drive(reactor, run(line, os_path), line.read)
        assert (result.outcome, result.moved, result.error) == (Outcome.FINISHED, size, None)
        assert line.read_all() == pattern(size)

    @pytest.mark.parametrize("start", [1, 4095, 256 * 1024, MIB - 1, MIB + 6, MIB + 7])
    def test_start_at_an_offset_sends_the_rest(self, reactor: Any, line: Line, os_path: Path, run: Any, start: int) -> None:
        data = pattern(MIB + 7)
        os_path.write_bytes(data)
        result = drive(reactor, run(line, os_path, start=start), line.read)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, len(data) - start)
        assert line.read_all() == data[start:]

    @given(data=some.data())
    @_RANDOM
    def test_start_anywhere_sends_the_rest(self, data: some.DataObject) -> None:
        content = pattern(data.draw(some.integers(0, 2 * MIB), "size"))
        start = data.draw(some.integers(0, len(content)), "start")
        with self.room() as (reactor, folder), closing(type(self).line_kind(reactor)) as line:
            (folder / "file").write_bytes(content)
            with opened(folder / "file") as file:
                result = drive(reactor, self.started(reactor, line, file, start=start).done, line.read)
            assert (result.outcome, result.moved) == (Outcome.FINISHED, len(content) - start)
            assert line.read_all() == content[start:]

    def test_gigabyte_arrives(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(b"")
        with os_path.open("r+b") as file:  # sparse: only the marks take room
            for number in range(self.large_bytes // MIB):
                _mark(file.fileno(), number)
        line.received = received = _Checked()
        result = drive(reactor, run(line, os_path), line.read)
        os_path.unlink()
        line.read_to_end()
        assert (result.outcome, result.moved) == (Outcome.FINISHED, self.large_bytes)
        assert received.count == self.large_bytes

    def test_client_that_waits_for_the_reply_before_it_closes_is_served(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(50_000))
        result = drive(reactor, run(narrow, os_path), lambda: narrow.read(5000))
        assert result.outcome is Outcome.FINISHED

    def test_finished_means_acknowledged(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(100_000))
        assert drive(reactor, run(narrow, os_path), narrow.read).outcome is Outcome.FINISHED
        assert narrow.connection.unacknowledged() <= 1  # the end itself counts as one

    def test_client_that_ends_its_sending_side_still_gets_the_file(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(200_000))
        narrow.end()
        assert drive(reactor, run(narrow, os_path), narrow.read).outcome is Outcome.FINISHED
        assert narrow.read_all() == pattern(200_000)

    def test_client_that_ends_its_sending_side_under_way_still_gets_the_file(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(200_000))
        done = run(narrow, os_path)
        turn(reactor)
        narrow.end()
        assert drive(reactor, done, narrow.read).outcome is Outcome.FINISHED
        assert narrow.read_all() == pattern(200_000)

    @pytest.mark.parametrize("size", [4096, 3 * MIB])
    def test_client_that_talks_during_a_download_gets_the_file_and_its_end(
        self, reactor: Any, line: Line, os_path: Path, run: Any, size: int
    ) -> None:
        os_path.write_bytes(pattern(size))
        line.write(b"j" * 100_000)
        assert drive(reactor, run(line, os_path), line.read).outcome is Outcome.FINISHED
        line.connection.close()
        assert line.read_all() == pattern(size)

    def test_client_that_never_stops_talking_does_not_stop_the_download(
        self, reactor: Any, line: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(8 * MIB))

        def step() -> None:
            line.write(b"j" * (256 * 1024 - len(line.unsent)))
            line.read(64 * 1024)

        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert bytes(line.received) == pattern(8 * MIB)[: len(line.received)]

    def test_client_that_closes_with_data_unread_is_at_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        turn(reactor)
        narrow.client.close()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_reset_after_the_last_byte_left_us_is_not_finished(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        done = run(narrow, os_path)
        for _ in range(10):
            turn(reactor)
        assert narrow.connection.unacknowledged() > 0
        narrow.reset()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_stall_after_the_last_byte_left_us_is_not_finished(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        result = drive(reactor, run(narrow, os_path, stall_seconds=_STALL_SECONDS))
        assert (result.outcome, type(result.error)) == (Outcome.PEER_FAULT, Stalled)

    def test_cancel_after_the_last_byte_left_us_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        done = run(narrow, os_path)
        for _ in range(10):
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED

    def test_client_that_reads_slowly_for_longer_than_the_stall_timeout_is_served(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(40_000))
        # Kernels open a full window late: with buffers this small a byte may wait for the sender's probe, a quarter of a second.
        stall = 5 * _STALL_SECONDS
        read = every(reactor, stall / 25, lambda: narrow.read(1000))
        result = drive(reactor, run(narrow, os_path, stall_seconds=stall), read)
        assert result.outcome is Outcome.FINISHED
        assert result.seconds > stall
        assert narrow.read_all() == pattern(40_000)

    def test_file_that_shrinks_under_way_is_our_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        os.truncate(os_path, MIB)
        result = drive(reactor, done, narrow.read)
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)
        assert result.moved <= MIB

    def test_file_that_shrinks_to_nothing_before_the_first_byte_is_our_fault(self, reactor: Any, line: Line, os_path: Path) -> None:
        os_path.write_bytes(pattern(4096))
        file = DiskFile(os_path)
        os.truncate(os_path, 0)
        result = drive(reactor, started(self.make_pump(reactor, line.connection, file, Wanted())), line.read)
        os.close(file.descriptor())
        assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, IntegrityLost, 0)

    def test_file_that_grows_under_way_is_sent_as_promised(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(300_000))
        done = run(narrow, os_path)
        with os_path.open("ab") as file:
            file.write(b"more" * 100_000)
        result = drive(reactor, done, narrow.read)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 300_000)
        assert narrow.read_all() == pattern(300_000)


class ReceiverContract(_PumpContract):
    """For pumps that store what comes until the peer's truthful end."""

    def client_goes_on(self, line: Line) -> None:
        line.write(b"data" * 100)

    def client_helps(self, line: Line) -> None:
        line.write_and_end()

    def fill(self, file: Path) -> None:
        file.touch()

    def offer(self, line: Line, file: Path, size: int) -> None:
        file.touch()
        line.unsent = pattern(size)

    def check_partly(self, line: Line, file: Path, before: bytes, result: TransferResult) -> None:
        stored = file.read_bytes()
        assert result.moved == len(stored) - len(before)
        assert before + pattern(result.moved) == stored

    @pytest.mark.parametrize("size", _SIZES)
    def test_every_byte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any, size: int) -> None:
        line.unsent = pattern(size)
        result = drive(reactor, run(line, os_path), line.write_and_end)
        assert (result.outcome, result.moved, result.error) == (Outcome.FINISHED, size, None)
        assert os_path.read_bytes() == pattern(size)

    def test_start_at_an_offset_leaves_what_is_before_it(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(b"0123456789")
        line.unsent = b"abc"
        result = drive(reactor, run(line, os_path, start=7), line.write_and_end)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 3)
        assert os_path.read_bytes() == b"0123456abc"

    @given(data=some.data())
    @_RANDOM
    def test_start_anywhere_leaves_what_is_before_it(self, data: some.DataObject) -> None:
        before = pattern(data.draw(some.integers(0, MIB), "size before"))[::-1]
        content = pattern(data.draw(some.integers(0, 2 * MIB), "size"))
        start = data.draw(some.integers(0, len(before)), "start")
        with self.room() as (reactor, folder), closing(type(self).line_kind(reactor)) as line:
            (folder / "file").write_bytes(before)
            line.unsent = content
            with opened(folder / "file") as file:
                result = drive(reactor, self.started(reactor, line, file, start=start).done, line.write_and_end)
            assert (result.outcome, result.moved) == (Outcome.FINISHED, len(content))
            assert (folder / "file").read_bytes() == before[:start] + content + before[start + len(content) :]

    def test_gigabyte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        numbers = iter(range(self.large_bytes // MIB))

        def step() -> None:
            if not line.unsent and (number := next(numbers, None)) is not None:
                line.unsent = _block(number)
            elif line.unsent:
                line.write()
            else:
                line.write_and_end()

        result = drive(reactor, run(line, os_path), step)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, self.large_bytes)
        stored = _Checked()
        with os_path.open("rb") as file:
            while block := file.read(MIB):
                stored += block
        os_path.unlink()
        assert stored.count == self.large_bytes

    def test_byte_by_byte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(300)

        def step() -> None:
            if line.unsent:
                line.write(count=1)
            else:
                line.end()

        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert os_path.read_bytes() == pattern(300)

    def test_client_that_sends_slowly_for_longer_than_the_stall_timeout_is_served(
        self, reactor: Any, line: Line, os_path: Path, run: Any
    ) -> None:
        stall = 2 * _STALL_SECONDS
        line.unsent = pattern(40)

        def write() -> None:
            line.write(count=1)
            if not line.unsent:
                line.end()

        result = drive(reactor, run(line, os_path, stall_seconds=stall), every(reactor, stall / 10, write))
        assert result.outcome is Outcome.FINISHED
        assert result.seconds > 2 * stall

    def test_reset_after_all_data_is_not_finished(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        done = run(line, os_path)
        line.write(b"all there is")
        for _ in range(5):
            turn(reactor)
        line.reset()
        result = drive(reactor, done)
        assert (result.outcome, result.moved) == (Outcome.PEER_FAULT, 12)

    def test_ceiling_is_reached_without_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(1000)
        assert drive(reactor, run(line, os_path, ceiling=1000), line.write_and_end).outcome is Outcome.FINISHED

    @pytest.mark.parametrize("start", [0, 7])
    def test_one_byte_above_the_ceiling_is_over_quota(self, reactor: Any, line: Line, os_path: Path, run: Any, start: int) -> None:
        line.unsent = pattern(1001)
        result = drive(reactor, run(line, os_path, ceiling=1000, start=start), line.write_and_end)
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, OverQuota)
        assert os_path.stat().st_size <= start + 1000

    def test_nothing_above_the_ceiling_is_ever_written(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(3 * MIB)
        result = drive(reactor, run(line, os_path, ceiling=2 * MIB), line.write)
        assert isinstance(result.error, OverQuota)
        assert result.moved <= 2 * MIB
        assert os_path.read_bytes() == pattern(3 * MIB)[: os_path.stat().st_size]
        assert os_path.stat().st_size <= 2 * MIB

    def test_full_disk_is_our_fault(self, reactor: Any, line: Line, run: Any) -> None:
        line.unsent = pattern(10)
        result = drive(reactor, run(line, "/dev/full"), line.write_and_end)
        assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, NoSpace, 0)

    def test_file_too_large_for_the_disk_is_our_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(3000)
        done = run(line, os_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            result = drive(reactor, done, line.write_and_end)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert result.outcome is Outcome.LOCAL_FAULT
        assert isinstance(result.error, FileTransferError)

    def test_nothing_is_read_after_a_fault_of_ours(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.write(pattern(100))
        drive(reactor, run(line, os_path, ceiling=10))
        wakeups = line.below.wakeups
        line.write(pattern(100))
        for _ in range(5):
            turn(reactor)
        assert line.below.wakeups == wakeups
        assert line.unread() >= 100


class Held:
    """A transfer whose thread is within a call; like a session it closes connection and file when, and only when, it is told the end."""

    def __init__(self, line: Line, os_path: Path, reactor: Any, gate: Gate) -> None:
        self.line = line
        self.os_path = os_path
        self.gate = gate
        self.results: list[TransferResult] = []
        self.reactor = reactor

    def begin(self, running: Running, file: DiskFile, help_on: Callable[[], None]) -> None:
        """Go on until the thread is within the call."""
        self.pump, self.done = running
        self._file = file
        self.done.addCallback(self._ended)
        self._until(lambda: self.gate.is_reached, help_on)

    def turn(self) -> None:
        """Give whatever might happen the time to happen."""
        for _ in range(20):
            turn(self.reactor)

    def wait_until_judged(self) -> None:
        """Go on until the pump has found that nothing moves."""
        pump: Any = self.pump
        with patch.object(pump, "end_stalled", wraps=pump.end_stalled) as judged:
            self._until(lambda: judged.called, lambda: None)

    def finish(self, help_on: Callable[[], None] = lambda: None) -> TransferResult:
        """Let the thread go on, and return the result."""
        self.gate.open()
        self._until(lambda: bool(self.results), help_on)
        [result] = self.results
        return result

    def _ended(self, result: TransferResult) -> None:
        self.results.append(result)
        self.line.connection.close()
        os.close(self._file.descriptor())

    def _until(self, is_over: Callable[[], bool], help_on: Callable[[], None]) -> None:
        end = time.monotonic() + AT_MOST_SECONDS
        while not is_over():
            assert time.monotonic() < end, "it does not come to that"
            help_on()
            turn(self.reactor)


class Others:
    """Files and connections that others use meanwhile, for whatever lands where it should not."""

    _content: Final = b"somebody else's"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._closing = ExitStack()
        self._files: list[Path] = []
        self._ends: list[sockets.socket] = []
        self.open_more()

    def open_more(self) -> None:
        for _ in range(_FEW_DESCRIPTORS):
            path = self._folder / f"other{len(self._files)}"
            self._files.append(path)
            file = self._closing.enter_context(path.open("w+b", buffering=0))
            file.write(self._content)
            pair = sockets.socketpair()
            for end in pair:
                end.setblocking(False)
                self._ends.append(self._closing.enter_context(end))

    def check_untouched(self) -> None:
        with self._closing:
            for path in self._files:
                assert path.read_bytes() == self._content
            for end in self._ends:
                with pytest.raises(BlockingIOError):
                    end.recv(1)


class _ThreadedContract(_PumpContract):
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
        held = hold(stall_seconds=3 * _STALL_SECONDS)
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
                counts.append(descriptors())
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
        stall = 2 * _STALL_SECONDS
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


# A gigabyte without the memory for it: zeros, with a mark at both ends of each MiB that tells one from the other.

_MARK: Final = struct.Struct(">Q")


def _block(number: int) -> bytes:
    mark = _MARK.pack(number + 1)
    return mark + bytes(MIB - 2 * _MARK.size) + mark


def _mark(descriptor: int, number: int) -> None:
    mark = _MARK.pack(number + 1)
    os.pwrite(descriptor, mark, number * MIB)
    os.pwrite(descriptor, mark, (number + 1) * MIB - _MARK.size)


class _Checked:
    """Takes the place of `Line.received`: compares what comes, and forgets it."""

    def __init__(self) -> None:
        self.count = 0
        self._block = b""

    def __iadd__(self, data: bytes) -> Self:
        view = memoryview(data)
        while view:
            number, place = divmod(self.count, MIB)
            if not place:
                self._block = _block(number)
            piece = view[: MIB - place]
            assert bytes(piece) == self._block[place : place + len(piece)], f"MiB {number} is not what it was"
            self.count += len(piece)
            view = view[len(piece) :]
        return self


def _disguised(data: bytes, number: int) -> bytes:
    return data.translate(bytes((value + number) % 256 for value in range(256)))


@contextmanager
def opened(os_path: Path) -> Iterator[DiskFile]:
    """Open a file as stores do, and close it."""
    file = DiskFile(os_path)
    try:
        yield file
    finally:
        os.close(file.descriptor())


@contextmanager
def many_descriptors(count: int) -> Iterator[None]:
    """Let this process have *count* descriptors more, as far as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, descriptors() + count)), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def descriptors() -> int:
    """Return how many are open."""
    return len(os.listdir("/proc/self/fd"))


def wakeups(lines: list[Line]) -> int:
    return sum(line.below.wakeups for line in lines)


def turns(reactor: Any, seconds: float) -> None:
    """Let *reactor* turn for some time."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        turn(reactor, left)
