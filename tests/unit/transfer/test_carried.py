"""Carried without sockets and disks: whose turn it is, reactor or thread, and which end is told.

A scripted pump stands for all of them; threads are real only where a test is about two at once.
"""

from __future__ import annotations

import itertools
import os
import select
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock

from ftpd.errors import NoSpace, Unavailable
from ftpd.spi import Wanted
from ftpd.testing.lines import started
from ftpd.testing.paces import CountedPace
from ftpd.transfer.carried import AGAIN, DONE, INLINE_BYTES, READABLE, SLICE_BYTES, WRITABLE, Carried, Ended
from ftpd.transfer.crew import Crew, Crews
from ftpd.transfer.pump import Stalled
from ftpd.values import Outcome, TransferResult

STALL = 120.0
MIB = 1024 * 1024


class Reactor(Clock):
    """A clock that keeps what threads ask for until `run_calls`."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: SimpleQueue[Callable[[], None]] = SimpleQueue()

    def callFromThread(self, function: Callable[[], None]) -> None:
        self.asked.put(function)

    def run_calls(self) -> None:
        while not self.asked.empty():
            self.asked.get()()


class Connection:
    """A connection that remembers what is watched."""

    def __init__(self) -> None:
        self.reading: Callable[[], None] | None = None
        self.writing: Callable[[], None] | None = None
        self._ours, self._theirs = os.pipe()

    def fileno(self) -> int:
        return self._ours

    def watch_reading(self, callback: Callable[[], None]) -> None:
        self.reading = callback

    def ignore_reading(self) -> None:
        self.reading = None

    def watch_writing(self, callback: Callable[[], None]) -> None:
        self.writing = callback

    def ignore_writing(self) -> None:
        self.writing = None

    def set_low_water(self, count: int) -> None: ...

    def finish(self) -> Deferred[None]:
        return succeed(None)

    def unacknowledged(self) -> int:
        return 0

    def close(self) -> None:
        """As `SocketConnection.close`: whoever watches is called, also where one call would have been enough."""
        reading, writing = self.reading, self.writing
        self.reading = self.writing = None
        for callback in (writing, reading):
            if callback is not None:
                callback()

    def free(self) -> None:
        os.close(self._ours)
        os.close(self._theirs)


class Line(Crew):
    """A crew without threads: loads stand in line until `carry`."""

    def __init__(self, reactor: Reactor) -> None:
        super().__init__(reactor, "line")  # type: ignore[arg-type]  # nothing here is watched
        self.standing: list[Any] = []
        self.is_wanted = False
        self.has_threads = True  # so that whatever it takes is at work at once

    @property
    def is_awaited(self) -> bool:
        return self.is_wanted

    def take(self, load: Any) -> None:
        self.standing.append(load)

    def withdraw(self, load: Any) -> bool:
        if self.has_threads:
            return False
        self.standing.remove(load)
        return True

    def carry(self) -> None:
        """Have the first load carried, as a thread does; its `carried` follows by `Reactor.run_calls`."""
        load = self.standing.pop(0)
        load.carry(self)
        self._reactor.callFromThread(load.carried)


class Pump(Carried[Connection]):
    """Its steps are a script: each is a function that is given how much may move, or what it needs next."""

    def __init__(self, crews: Crews, connection: Connection, wanted: Wanted, script: Iterator[Any]) -> None:
        super().__init__(crews, connection, connection.fileno(), wanted)
        self.script = script
        self.sizes: list[int] = []
        self.entries: list[str] = []

    def step(self, most: int) -> int:
        self.sizes.append(most)
        said = next(self.script)
        need: int = said(most) if callable(said) else said
        return need

    def complete(self) -> None:
        self.end_finished()

    def watch(self, need: int) -> None:
        if need & READABLE:
            self._connection.watch_reading(self.go_on)
        if need & WRITABLE:
            self._connection.watch_writing(self.go_on)

    def move(self, count: int) -> None:
        self.spend(count)
        self.count(count)

    def enter(self) -> None:
        self.entries.append("enter")

    def leave(self) -> None:
        self.entries.append("leave")


class Room:
    """One pump with all that is about it."""

    def __init__(self, *script: Any, **wanted: Any) -> None:
        self.reactor = Reactor()
        self.connection = Connection()
        self.crews = Crews(self.reactor)  # type: ignore[arg-type]  # nothing here is watched
        self.line = Line(self.reactor)
        self.crews.of = lambda disk: self.line  # type: ignore[method-assign]
        self.pump = Pump(
            self.crews,
            self.connection,
            Wanted(**{"stall_seconds": STALL} | wanted),
            itertools.chain(script, itertools.repeat(DONE)),
        )
        self.results: list[TransferResult] = []

    def start(self) -> Deferred[TransferResult]:
        done = started(self.pump)
        done.addCallback(self._ended)
        return done

    def _ended(self, result: TransferResult) -> TransferResult:
        self.results.append(result)
        return result

    def carry(self) -> None:
        self.line.carry()
        self.reactor.run_calls()

    @property
    def outcomes(self) -> list[Outcome]:
        return [result.outcome for result in self.results]


@pytest.fixture
def room() -> Iterator[Callable[..., Room]]:
    rooms: list[Room] = []

    def make(*script: Any, **wanted: Any) -> Room:
        rooms.append(Room(*script, **wanted))
        return rooms[-1]

    yield make
    for one in rooms:
        one.connection.free()


def moves(pump: Callable[[], Pump], need: int) -> Callable[[int], int]:
    """A step that moves all it may."""

    def step(most: int) -> int:
        pump().move(most)
        return need

    return step


def raising(error: Exception) -> Callable[[int], int]:
    def step(most: int) -> int:
        raise error

    return step


Rooms = Callable[..., Room]


# Reactor or thread.


def test_slices_are_small_on_the_reactor_thread_and_large_in_a_thread(room: Rooms) -> None:
    one = room(AGAIN, DONE)
    one.start()
    one.carry()
    assert one.pump.sizes == [256 * 1024, 1024 * 1024]
    assert (INLINE_BYTES, SLICE_BYTES) == (256 * 1024, 1024 * 1024)
    assert one.outcomes == [Outcome.FINISHED]


def test_transfer_that_waits_for_its_socket_goes_to_no_thread(room: Rooms) -> None:
    one = room(READABLE, READABLE, DONE)
    one.start()
    for _ in range(2):
        assert one.connection.reading is not None
        one.connection.reading()
    assert one.line.standing == []
    assert one.outcomes == [Outcome.FINISHED]


def test_transfer_that_outruns_a_step_goes_to_a_thread(room: Rooms) -> None:
    one = room(READABLE, AGAIN)
    one.start()
    assert one.connection.reading is not None
    one.connection.reading()
    assert one.line.standing == [one.pump]
    assert one.pump.is_away


def test_nothing_is_watched_while_a_thread_has_it(room: Rooms) -> None:
    one = room(READABLE | WRITABLE, AGAIN)
    one.start()
    assert one.connection.reading is not None
    one.connection.reading()
    assert not any([one.connection.reading, one.connection.writing])


@pytest.mark.parametrize("need", [READABLE, WRITABLE])
def test_transfer_whose_peer_is_slow_comes_back(room: Rooms, need: int) -> None:
    one = room(AGAIN, *[need] * 5, DONE)
    one.start()
    one.pump._is_ready = lambda need: False  # type: ignore[method-assign]
    one.carry()
    assert not one.pump.is_away
    assert (one.connection.reading is not None, one.connection.writing is not None) == (need == READABLE, need == WRITABLE)


def test_thread_stays_with_a_socket_that_is_soon_ready_again(room: Rooms) -> None:
    one = room(AGAIN, *[READABLE] * 100, DONE)
    one.start()
    one.pump._is_ready = lambda need: True  # type: ignore[method-assign]
    one.carry()
    assert one.outcomes == [Outcome.FINISHED]


def test_thread_is_entered_and_left_once_each_time(room: Rooms) -> None:
    one = room(AGAIN, AGAIN, AGAIN, DONE)
    one.start()
    one.carry()
    assert one.pump.entries == ["enter", "leave"]


@pytest.mark.parametrize("fault", [Ended(Outcome.PEER_FAULT, ConnectionResetError()), ZeroDivisionError()])
def test_thread_is_left_also_by_a_fault(room: Rooms, fault: Exception) -> None:
    one = room(AGAIN, raising(fault))
    one.start()
    one.carry()
    assert one.pump.entries == ["enter", "leave"]


def test_thread_gives_way_after_its_turn_where_another_load_waits(room: Rooms) -> None:
    one = room(AGAIN)
    one.pump.script = itertools.repeat(moves(lambda: one.pump, AGAIN))
    one.line.is_wanted = True
    one.start()
    one.line.carry()
    assert one.pump.moved == 4 * MIB  # with the quarter of a MiB that was moved on the reactor thread
    one.reactor.run_calls()
    assert one.line.standing == [one.pump]
    one.line.carry()
    assert one.pump.moved == 8 * MIB


def test_thread_goes_on_where_nobody_waits(room: Rooms) -> None:
    one = room()
    one.pump.script = itertools.chain(itertools.repeat(moves(lambda: one.pump, AGAIN), 100), [DONE])
    one.start()
    one.carry()
    assert one.outcomes == [Outcome.FINISHED]


def test_thread_waits_for_no_socket_where_another_load_waits(room: Rooms) -> None:
    one = room(AGAIN, READABLE)
    one.line.is_wanted = True
    one.start()
    one.carry()
    assert one.pump.sizes == [256 * 1024, 1024 * 1024]
    assert one.connection.reading is not None


def test_socket_that_hangs_up_is_ready(room: Rooms) -> None:
    one = room()
    os.close(one.connection._theirs)
    one.connection._theirs = os.dup(one.connection._ours)
    assert one.pump._is_ready(select.POLLIN)


# The end.


def test_result_is_told_only_when_the_thread_is_back(room: Rooms) -> None:
    one = room(AGAIN)
    done = started(one)
    done.cancel()
    assert one.results == []
    one.line.carry()
    assert one.results == []
    one.reactor.run_calls()
    assert one.outcomes == [Outcome.CANCELLED]


def test_cancel_ends_the_work_of_the_thread_after_its_step(room: Rooms) -> None:
    def cancelled_meanwhile(most: int) -> int:
        done.cancel()
        return AGAIN

    one = room(AGAIN, cancelled_meanwhile)
    done = started(one)
    one.carry()
    assert len(one.pump.sizes) == 2
    assert one.outcomes == [Outcome.CANCELLED]


@pytest.mark.parametrize(
    "met",
    [DONE, READABLE, raising(Ended(Outcome.LOCAL_FAULT, NoSpace())), raising(ZeroDivisionError())],
    ids=["done", "dry", "full disk", "bug"],
)
def test_cancel_wins_over_what_the_thread_met_meanwhile(room: Rooms, met: Any) -> None:
    def step(most: int) -> int:
        done.cancel()
        return met(most) if callable(met) else int(met)

    one = room(AGAIN, step)
    done = started(one)
    one.carry()
    assert [(result.outcome, result.error) for result in one.results] == [(Outcome.CANCELLED, None)]
    assert (one.connection.reading, one.connection.writing) == (None, None)
    assert one.reactor.getDelayedCalls() == []


def test_cancel_of_a_load_that_still_stands_in_line_is_told_at_once(room: Rooms) -> None:
    one = room(AGAIN)
    one.line.has_threads = False
    done = started(one)
    assert one.pump.is_away
    done.cancel()
    assert one.outcomes == [Outcome.CANCELLED]
    assert one.line.standing == []
    assert one.reactor.getDelayedCalls() == []


def test_load_that_no_thread_has_taken_for_too_long_is_told_of_the_storage(room: Rooms) -> None:
    one = room(AGAIN)
    one.line.has_threads = False
    one.start()
    one.reactor.pump([STALL / 4] * 4)
    assert [(result.outcome, type(result.error)) for result in one.results] == [(Outcome.LOCAL_FAULT, Unavailable)]
    assert one.line.standing == []


def test_what_was_granted_is_given_back_by_a_load_that_stands_in_line(room: Rooms) -> None:
    pace = CountedPace(10 * MIB)
    one = room(AGAIN, pace=pace)
    one.line.has_threads = False
    done = started(one)
    one.reactor.advance(0.001)
    assert one.pump.is_away
    assert pace.allowed > 0
    done.cancel()
    assert one.outcomes == [Outcome.CANCELLED]
    assert pace.allowed == 0


def test_first_verdict_counts(room: Rooms) -> None:
    one = room(AGAIN)
    done = started(one)
    done.cancel()
    one.reactor.pump([STALL / 4] * 8)
    one.carry()
    assert one.outcomes == [Outcome.CANCELLED]


def test_fault_that_a_thread_met_is_told(room: Rooms) -> None:
    error = ConnectionResetError()
    one = room(AGAIN, raising(Ended(Outcome.PEER_FAULT, error)))
    one.start()
    one.carry()
    assert [(result.outcome, result.error) for result in one.results] == [(Outcome.PEER_FAULT, error)]


def test_bug_in_a_thread_is_our_fault(room: Rooms) -> None:
    one = room(AGAIN, raising(ZeroDivisionError()))
    one.start()
    one.carry()
    assert [(result.outcome, type(result.error)) for result in one.results] == [(Outcome.LOCAL_FAULT, ZeroDivisionError)]


def test_bug_on_the_reactor_thread_is_our_fault(room: Rooms) -> None:
    one = room(READABLE, raising(ZeroDivisionError()))
    one.start()
    assert one.connection.reading is not None
    one.connection.reading()
    assert [(result.outcome, type(result.error)) for result in one.results] == [(Outcome.LOCAL_FAULT, ZeroDivisionError)]


def test_bug_in_the_first_step_is_told_as_a_result(room: Rooms) -> None:
    one = room(raising(ZeroDivisionError()))
    one.start()
    assert [(result.outcome, type(result.error)) for result in one.results] == [(Outcome.LOCAL_FAULT, ZeroDivisionError)]


def without_threads(load: Any) -> None:
    raise RuntimeError("can't start new thread")


def test_machine_without_threads_is_our_fault(room: Rooms) -> None:
    one = room(READABLE, AGAIN)
    one.start()
    one.line.take = without_threads  # type: ignore[method-assign]
    assert one.connection.reading is not None
    one.connection.reading()
    assert one.outcomes == [Outcome.LOCAL_FAULT]


def test_machine_without_threads_is_told_by_the_result_also_at_the_start(room: Rooms) -> None:
    one = room(AGAIN)
    one.line.take = without_threads  # type: ignore[method-assign]
    one.start()
    assert one.outcomes == [Outcome.LOCAL_FAULT]


def test_disk_that_does_not_answer_a_thread_is_not_the_peers_fault(room: Rooms) -> None:
    one = room(AGAIN)
    one.start()
    one.reactor.pump([STALL / 4] * 4)
    assert one.results == []  # a thread is at work on connection and file
    one.carry()
    assert [(result.outcome, type(result.error)) for result in one.results] == [(Outcome.LOCAL_FAULT, Unavailable)]


def test_peer_that_moves_nothing_is_at_fault(room: Rooms) -> None:
    one = room(READABLE)
    one.start()
    one.reactor.pump([STALL / 4] * 4)
    assert [(result.outcome, type(result.error)) for result in one.results] == [(Outcome.PEER_FAULT, Stalled)]
    assert one.connection.reading is None


def test_connection_that_calls_twice_ends_it_once(room: Rooms) -> None:
    one = room(READABLE | WRITABLE, raising(Ended(Outcome.PEER_FAULT, ConnectionAbortedError())))
    one.start()
    one.connection.close()
    assert one.outcomes == [Outcome.PEER_FAULT]
    assert len(one.pump.sizes) == 2  # a step after the end would work on a descriptor that is somebody else's by then


def test_connection_that_calls_twice_makes_no_step_beside_the_thread(room: Rooms) -> None:
    one = room(READABLE | WRITABLE, AGAIN)
    one.start()
    one.connection.close()
    assert one.pump.is_away
    assert len(one.pump.sizes) == 2


# The pace.


def test_pace_is_asked_before_each_step(room: Rooms) -> None:
    pace = CountedPace(1000)
    one = room(pace=pace)
    one.pump.script = itertools.chain(itertools.repeat(moves(lambda: one.pump, READABLE), 3), [DONE])
    one.start()
    for _ in range(4):
        one.reactor.advance(1)
        if one.connection.reading is not None:
            one.connection.reading()
    assert one.pump.sizes[:3] == [1000, 1000, 1000]


def test_pace_is_asked_by_a_thread_never(room: Rooms) -> None:
    pace = CountedPace(5000)
    one = room(pace=pace)
    one.pump.script = itertools.repeat(moves(lambda: one.pump, AGAIN))
    one.start()
    for _ in range(5):
        one.reactor.advance(1)
        while one.line.standing:
            thread = threading.Thread(target=one.line.carry)  # the pace itself looks who asks
            thread.start()
            thread.join()
            one.reactor.run_calls()
    assert one.pump.moved == pace.allowed > 0


def test_transfer_without_pace_may_move_4_mib_before_anybody_is_asked(room: Rooms) -> None:
    one = room(AGAIN)
    one.start()
    assert one.pump._budget == 4 * MIB


def test_pace_that_grants_nothing_is_asked_again_once(room: Rooms) -> None:
    pace = CountedPace(1000)
    one = room(READABLE, pace=pace)
    one.start()
    assert pace.questions == 1
    assert len(one.reactor.getDelayedCalls()) == 2  # when to ask again, and the stall watch
    one.reactor.advance(1)
    assert len(one.pump.sizes) == 1


def test_connection_that_calls_twice_asks_the_pace_once(room: Rooms) -> None:
    pace = CountedPace(1000)
    one = room(READABLE | WRITABLE, pace=pace)
    one.start()
    one.reactor.advance(1)
    one.connection.close()
    assert pace.questions == 3
    assert len(one.reactor.getDelayedCalls()) == 2


def test_what_was_not_used_is_given_back_before_a_wait(room: Rooms) -> None:
    pace = CountedPace(1000)
    one = room(READABLE, pace=pace)
    one.start()
    one.reactor.advance(1)
    assert one.connection.reading is not None
    assert pace.allowed == 0


@pytest.mark.parametrize(
    "end",
    [DONE, raising(Ended(Outcome.PEER_FAULT, ConnectionResetError())), raising(Ended(Outcome.LOCAL_FAULT, NoSpace()))],
    ids=["finished", "peer", "disk"],
)
@pytest.mark.parametrize("is_away", [False, True])
def test_what_was_not_used_is_given_back_at_the_end(room: Rooms, end: Any, is_away: bool) -> None:
    def some(most: int) -> int:
        one.pump.move(100)
        return AGAIN if is_away else READABLE

    pace = CountedPace(1000)
    one = room(some, end, pace=pace)
    one.start()
    one.reactor.advance(1)
    if is_away:
        one.carry()
    else:
        assert one.connection.reading is not None
        one.connection.reading()
        one.reactor.advance(1)
    assert len(one.results) == 1
    assert (one.pump.moved, pace.allowed) == (100, 100)


def test_what_was_not_used_is_given_back_by_a_cancel(room: Rooms) -> None:
    def some(most: int) -> int:
        one.pump.move(100)
        return AGAIN

    pace = CountedPace(1000)
    one = room(some, pace=pace)
    done = started(one)
    one.reactor.advance(1)
    done.cancel()
    one.carry()
    assert one.outcomes == [Outcome.CANCELLED]
    assert pace.allowed == 100


def test_cancel_while_the_pace_holds_it_leaves_no_timer(room: Rooms) -> None:
    one = room(pace=CountedPace(1000))
    started(one).cancel()
    assert one.outcomes == [Outcome.CANCELLED]
    assert one.reactor.getDelayedCalls() == []


def test_time_held_by_the_pace_is_no_stall(room: Rooms) -> None:
    pace = CountedPace(1000, pause_seconds=10 * STALL)
    one = room(READABLE, pace=pace)
    one.start()
    one.reactor.pump([STALL / 4] * 39)
    assert one.results == []
    assert one.pump.is_held


# Many at once, with real threads.


def test_loads_take_turns_where_there_are_more_than_threads(tmp_path: Path) -> None:
    """100 loads that always have something to do: their slices differ by 10 % at most."""
    reactor = Reactor()
    crew = Crew(reactor, "test-crew", 2)  # type: ignore[arg-type]
    slices: Counter[int] = Counter()
    rooms = [Room(AGAIN) for _ in range(100)]
    enough = threading.Event()

    def counting(number: int, one: Room) -> Callable[[int], int]:
        def step(most: int) -> int:
            if enough.is_set():
                return DONE
            slices[number] += 1
            one.pump.move(most)
            if slices[number] >= 400:
                enough.set()
            return AGAIN

        return step

    for number, one in enumerate(rooms):
        one.pump._reactor = one.crews.reactor = reactor  # type: ignore[assignment]
        one.crews.of = lambda disk: crew  # type: ignore[method-assign]
        one.pump.script = itertools.chain([AGAIN], itertools.repeat(counting(number, one)))
        one.start()
    while not all(one.results for one in rooms):
        reactor.asked.get(timeout=30)()
    for one in rooms:
        one.connection.free()
    assert min(slices.values()) >= 0.9 * max(slices.values())
