"""The copy pump against stores that misbehave, conversions, and a peer so fast that nothing ever waits."""

from __future__ import annotations

import errno
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import Clock

from ftpd.errors import IntegrityLost, NoSpace, NotPermitted, OverQuota, TransferCut, Unavailable
from ftpd.spi import Wanted
from ftpd.testing.dataports import MemoryConnection
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.lines import started
from ftpd.transfer.copy import CopyIn, CopyOut
from ftpd.transfer.pump import Stalled
from ftpd.values import Mark, Outcome, TransferResult

STALL = 120.0


class Reactor(Clock):
    """A clock; nothing here has a socket."""

    def addReader(self, reader: Any) -> None: ...
    def removeReader(self, reader: Any) -> None: ...
    def addWriter(self, writer: Any) -> None: ...
    def removeWriter(self, writer: Any) -> None: ...


class Upload:
    """As much of a `spi.WritableFile` as the pump uses: each write waits for what `answers` gives."""

    def __init__(self, answer: Callable[[], Awaitable[None]] = lambda: succeed(None)) -> None:
        self.answer = answer
        self.written: list[tuple[int, bytes]] = []

    async def write_at(self, offset: int, data: Any) -> None:
        self.written.append((offset, bytes(data)))
        await self.answer()


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def connection() -> MemoryConnection:
    return MemoryConnection()


def copy_in(reactor: Reactor, connection: Any, file: Upload, **wanted: Any) -> tuple[CopyIn, list[TransferResult], Deferred[Any]]:
    pump = CopyIn(reactor, connection, file, Wanted(**{"stall_seconds": STALL} | wanted), InlineThreads())  # type: ignore[arg-type]
    results: list[TransferResult] = []
    done = started(pump)
    done.addCallback(results.append)
    return pump, results, done


def copy_out(reactor: Reactor, connection: Any, source: Any, **wanted: Any) -> tuple[CopyOut, list[TransferResult], Deferred[Any]]:
    pump = CopyOut(reactor, connection, source, Wanted(**{"stall_seconds": STALL} | wanted))
    results: list[TransferResult] = []
    done = started(pump)
    done.addCallback(results.append)
    return pump, results, done


def pieces(*data: bytes) -> Callable[[], Awaitable[bytes]]:
    rest = iter(data)

    async def next_piece() -> bytes:
        return next(rest, b"")

    return next_piece


def outcomes(results: list[TransferResult]) -> list[Outcome]:
    return [result.outcome for result in results]


# Stores that do not answer.


def test_write_that_never_ends_can_be_cancelled(reactor: Reactor, connection: MemoryConnection) -> None:
    connection.feed(b"data")
    _, results, done = copy_in(reactor, connection, Upload(Deferred))
    assert results == []
    done.cancel()
    assert outcomes(results) == [Outcome.CANCELLED]
    assert reactor.getDelayedCalls() == []


def test_read_that_never_ends_can_be_cancelled(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, done = copy_out(reactor, connection, Deferred)
    done.cancel()
    assert outcomes(results) == [Outcome.CANCELLED]
    assert reactor.getDelayedCalls() == []


def test_write_that_ends_in_spite_of_a_cancel_is_the_last(reactor: Reactor, connection: MemoryConnection) -> None:
    writing: list[Deferred[None]] = []

    async def stubborn() -> None:
        try:
            await Deferred()
        except CancelledError:
            writing.append(Deferred())
            await writing[0]  # a thread that cannot be stopped

    file = Upload(stubborn)
    connection.feed(b"first")
    _, results, done = copy_in(reactor, connection, file)
    done.cancel()
    assert outcomes(results) == [Outcome.CANCELLED]
    connection.feed(b"second")
    writing[0].callback(None)
    assert file.written == [(0, b"first")]
    assert outcomes(results) == [Outcome.CANCELLED]


def test_storage_that_does_not_answer_is_not_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    connection.feed(b"data")
    _, results, _ = copy_in(reactor, connection, Upload(Deferred))
    reactor.pump([STALL / 4] * 4)
    assert [(result.outcome, type(result.error)) for result in results] == [(Outcome.LOCAL_FAULT, Unavailable)]


def test_source_that_does_not_answer_is_not_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_out(reactor, connection, Deferred)
    reactor.pump([STALL / 4] * 4)
    assert [(result.outcome, type(result.error)) for result in results] == [(Outcome.LOCAL_FAULT, Unavailable)]


def test_peer_that_sends_nothing_is_at_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload())
    reactor.pump([STALL / 4] * 4)
    assert [(result.outcome, type(result.error)) for result in results] == [(Outcome.PEER_FAULT, Stalled)]


def test_peer_that_takes_a_little_of_a_piece_is_waited_for(reactor: Reactor, connection: MemoryConnection) -> None:
    connection.stop_reading()
    _, results, _ = copy_out(reactor, connection, pieces(b"x" * 100))
    for _ in range(99):
        reactor.advance(STALL / 2)
        connection.take(1)
    assert results == []
    connection.take(1)
    assert outcomes(results) == [Outcome.FINISHED]


# Stores that fail.


@pytest.mark.parametrize("error", [NoSpace(), NotPermitted(), IntegrityLost()])
def test_fault_of_the_store_is_told_as_it_is(reactor: Reactor, connection: MemoryConnection, error: Exception) -> None:
    async def fail() -> None:
        raise error

    connection.feed(b"data")
    pump, results, _ = copy_in(reactor, connection, Upload(fail))
    assert [(result.outcome, result.error) for result in results] == [(Outcome.LOCAL_FAULT, error)]
    assert pump.moved == 0


def test_oserror_of_a_store_is_not_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    async def fail() -> None:
        raise OSError(errno.ENOSPC, "full")

    connection.feed(b"data")
    _, results, _ = copy_in(reactor, connection, Upload(fail))
    assert [(result.outcome, type(result.error)) for result in results] == [(Outcome.LOCAL_FAULT, NoSpace)]


def test_oserror_of_a_source_is_not_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    async def fail() -> bytes:
        raise ConnectionResetError(errno.ECONNRESET, "the storage's own network")

    _, results, _ = copy_out(reactor, connection, fail)
    assert outcomes(results) == [Outcome.LOCAL_FAULT]


def test_bug_of_a_store_is_our_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    async def fail() -> bytes:
        raise ZeroDivisionError

    _, results, _ = copy_out(reactor, connection, fail)
    assert [(result.outcome, type(result.error)) for result in results] == [(Outcome.LOCAL_FAULT, ZeroDivisionError)]


def test_bug_of_a_conversion_is_our_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    class Faulty(HeldBack):
        def convert(self, piece: bytes) -> Iterator[bytes]:
            raise ZeroDivisionError

    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Faulty())
    connection.feed(b"a")
    assert outcomes(results) == [Outcome.LOCAL_FAULT]


def test_bytes_that_no_conversion_takes_are_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    class Choosy(HeldBack):
        def convert(self, piece: bytes) -> Iterator[bytes]:
            raise TransferCut("no such header")

    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Choosy())
    connection.feed(b"a")
    assert outcomes(results) == [Outcome.PEER_FAULT]


def test_reset_is_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload())
    connection.feed(b"data")
    connection.reset()
    assert outcomes(results) == [Outcome.PEER_FAULT]


# Conversions.


class HeldBack:
    """A conversion that holds everything until the end."""

    is_costly = False
    is_complete = False

    def __init__(self) -> None:
        self.held = bytearray()

    def convert(self, piece: bytes) -> Iterator[bytes | Mark]:
        self.held.extend(piece)
        return iter(())

    def end(self) -> Iterator[bytes | Mark]:
        yield bytes(self.held)


class Doubled(HeldBack):
    """A conversion that says everything twice; a full stop ends its stream, and an exclamation mark is a restart marker."""

    def convert(self, piece: bytes) -> Iterator[bytes | Mark]:
        self.is_complete = b"." in piece
        for byte in piece.rstrip(b"."):
            yield Mark("!") if byte == ord("!") else bytes([byte, byte])

    def end(self) -> Iterator[bytes | Mark]:
        raise TransferCut("no full stop")


def test_what_a_conversion_holds_back_is_stored_at_the_end(reactor: Reactor, connection: MemoryConnection) -> None:
    file = Upload()
    _, results, _ = copy_in(reactor, connection, file, conversion=HeldBack(), start=7)
    connection.feed(b"ab")
    connection.feed(b"cd")
    connection.end()
    assert outcomes(results) == [Outcome.FINISHED]
    assert file.written == [(7, b"abcd")]


def test_costly_conversion_is_done_in_threads(reactor: Reactor, connection: MemoryConnection) -> None:
    class Costly(Doubled):
        is_costly = True

    threads, file = InlineThreads(), Upload()
    done = started(CopyIn(reactor, connection, file, Wanted(conversion=Costly()), threads))  # type: ignore[arg-type]
    connection.feed(b"ab.")
    connection.end()
    assert done.result.outcome is Outcome.FINISHED  # type: ignore[attr-defined]
    assert threads.calls == 3  # two pieces, and that there is no third


def test_ceiling_counts_what_is_stored(reactor: Reactor, connection: MemoryConnection) -> None:
    file = Upload()
    _, results, _ = copy_in(reactor, connection, file, conversion=Doubled(), ceiling=5)
    connection.feed(b"ab")
    connection.feed(b"c")
    assert [type(result.error) for result in results] == [OverQuota]
    assert file.written == [(0, b"aa"), (2, b"bb")]


def test_marker_is_told_with_the_offset_up_to_which_all_is_stored(reactor: Reactor, connection: MemoryConnection) -> None:
    told: list[tuple[str, int]] = []
    file = Upload()
    copy_in(reactor, connection, file, conversion=Doubled(), start=10, mark=lambda mark, offset: told.append((mark.text, offset)))
    connection.feed(b"ab!c")
    assert told == [("!", 14)]
    assert file.written == [(10, b"aa"), (12, b"bb"), (14, b"cc")]


def test_stream_that_says_its_end_needs_no_close(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Doubled())
    connection.feed(b"ab.")
    assert results == []  # a close that comes now would be met by a reset
    reactor.advance(1)
    assert outcomes(results) == [Outcome.FINISHED]


def test_stream_that_says_its_end_and_closes_is_finished_at_once(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Doubled())
    connection.feed(b"ab.")
    connection.end()
    assert outcomes(results) == [Outcome.FINISHED]


def test_bytes_behind_the_end_of_the_stream_are_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Doubled())
    connection.feed(b"ab.")
    connection.feed(b"c")
    assert outcomes(results) == [Outcome.PEER_FAULT]


def test_close_before_the_end_of_the_stream_is_the_peers_fault(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Doubled())
    connection.feed(b"ab")
    connection.end()
    assert outcomes(results) == [Outcome.PEER_FAULT]


# Fairness.


def test_piece_of_many_parts_lets_the_reactor_turn(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_in(reactor, connection, Upload(), conversion=Doubled())
    connection.feed(b"a" * 40 + b".")
    connection.end()
    assert results == []
    reactor.pump([0, 0, 0])
    assert outcomes(results) == [Outcome.FINISHED]


def test_fast_peer_lets_the_reactor_turn(reactor: Reactor, connection: MemoryConnection) -> None:
    pump, results, _ = copy_out(reactor, connection, pieces(*[b"x" * 262_144] * 7))
    assert pump.moved == 1024 * 1024
    assert results == []
    reactor.advance(0)
    assert outcomes(results) == [Outcome.FINISHED]


def test_cancel_while_others_have_their_turn_leaves_no_timer(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, done = copy_out(reactor, connection, pieces(*[b"x" * 262_144] * 9))
    done.cancel()
    assert outcomes(results) == [Outcome.CANCELLED]
    assert reactor.getDelayedCalls() == []


def test_small_file_ends_within_its_first_turn(reactor: Reactor, connection: MemoryConnection) -> None:
    _, results, _ = copy_out(reactor, connection, pieces(b"small"))
    assert outcomes(results) == [Outcome.FINISHED]


def test_pump_starts_once(reactor: Reactor, connection: MemoryConnection) -> None:
    pump, _, _ = copy_out(reactor, connection, pieces(b"small"))
    with pytest.raises(AssertionError):
        pump.start()


def test_pump_that_is_not_started_holds_no_timer(reactor: Reactor, connection: MemoryConnection) -> None:
    CopyOut(reactor, connection, pieces(), Wanted(stall_seconds=STALL))
    assert reactor.getDelayedCalls() == []
