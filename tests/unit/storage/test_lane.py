from __future__ import annotations

import os
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpd.disks import Disk
from ftpd.errors import Unavailable
from ftpd.storage.lane import Descriptor, LocalLane, SlowLane, shielded
from ftpd.testing.fakes import HeldThreads


@pytest.fixture
def threads() -> HeldThreads:
    return HeldThreads()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lane(threads: HeldThreads, clock: Clock) -> SlowLane:
    return SlowLane(threads, clock, 30)


def failure_of(deferred: Deferred[Any]) -> BaseException | None:
    caught: list[Failure] = []
    deferred.addErrback(caught.append)
    return caught[0].value


def test_a_descriptor_closes_when_let_go() -> None:
    closed: list[int] = []
    descriptor = Descriptor(7, closed.append)
    descriptor.close()
    descriptor.close()
    assert closed == [7]


def test_a_descriptor_outlives_the_call_on_it() -> None:
    closed: list[int] = []
    descriptor = Descriptor(7, closed.append)
    descriptor.enter()
    descriptor.close()
    assert closed == []
    descriptor.leave()
    assert closed == [7]


def test_a_cancelled_call_holds_its_descriptor_until_its_thread_ends(threads: HeldThreads) -> None:
    closed: list[int] = []
    descriptor = Descriptor(7, closed.append)
    call = LocalLane(threads, Disk(0)).blocking(lambda: 1, holding=descriptor)
    call.cancel()
    descriptor.close()
    assert isinstance(failure_of(call), CancelledError)
    assert closed == []
    threads.finish()
    assert closed == [7]


def test_a_result_nobody_waits_for_is_discarded(threads: HeldThreads) -> None:
    discarded: list[int] = []
    call = LocalLane(threads, Disk(0)).blocking(lambda: 5, discard=discarded.append)
    call.cancel()
    failure_of(call)
    threads.finish()
    assert discarded == [5]


def test_a_result_somebody_waits_for_is_not_discarded(threads: HeldThreads) -> None:
    discarded: list[int] = []
    results: list[int] = []
    LocalLane(threads, Disk(0)).blocking(lambda: 5, discard=discarded.append).addCallback(results.append)
    threads.finish()
    assert (results, discarded) == ([5], [])


def test_a_session_has_at_most_one_thread_of_a_slow_disk(threads: HeldThreads, lane: SlowLane) -> None:
    lane.blocking(lambda: 1)
    lane.blocking(lambda: 2)
    assert len(threads.calls) == 1
    threads.finish()
    assert len(threads.calls) == 1


def test_a_call_past_the_timeout_is_unavailable(threads: HeldThreads, clock: Clock, lane: SlowLane) -> None:
    call = lane.blocking(lambda: 1)
    clock.advance(30)
    assert isinstance(failure_of(call), Unavailable)


def test_a_call_that_waits_behind_a_hung_one_is_unavailable_too(threads: HeldThreads, clock: Clock, lane: SlowLane) -> None:
    first = lane.blocking(lambda: 1)
    clock.advance(10)
    second = lane.blocking(lambda: 2)
    clock.advance(20)
    failure_of(first)
    assert not second.called
    clock.advance(10)
    assert isinstance(failure_of(second), Unavailable)
    threads.calls.pop()[1].callback(1)
    assert threads.calls == []


def test_a_late_result_is_discarded_and_frees_the_lane(threads: HeldThreads, clock: Clock, lane: SlowLane) -> None:
    discarded: list[int] = []
    failure: list[object] = []

    def hang() -> int:
        clock.advance(30)
        return 1

    lane.blocking(hang, discard=discarded.append).addErrback(failure.append)
    threads.finish()
    assert failure
    assert discarded == [1]
    results: list[int] = []
    lane.blocking(lambda: 2).addCallback(results.append)
    threads.finish()
    assert results == [2]


def test_a_call_that_has_no_thread_when_its_time_is_over_is_not_made(threads: HeldThreads, clock: Clock, lane: SlowLane) -> None:
    made: list[int] = []
    closed: list[int] = []
    descriptor = Descriptor(7, closed.append)
    call = lane.blocking(made.append, 1, holding=descriptor)
    descriptor.close()
    clock.advance(30)
    assert isinstance(failure_of(call), Unavailable)
    function, ended = threads.calls.pop()
    with pytest.raises(Unavailable):
        function()
    assert made == []
    assert closed == []
    ended.errback(Unavailable())
    assert closed == [7]


def test_no_timer_is_left_behind(threads: HeldThreads, clock: Clock, lane: SlowLane) -> None:
    lane.blocking(lambda: 1)
    threads.finish()
    assert clock.getDelayedCalls() == []


def test_a_close_that_finds_the_pool_full_is_tried_again(threads: HeldThreads, clock: Clock, lane: SlowLane) -> None:
    number = os.open("/", os.O_RDONLY)
    lane.dispose(number)
    _, refused = threads.calls.pop()
    refused.errback(Unavailable())
    clock.advance(1)
    threads.finish()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_descriptor_of_a_disk_that_is_gone_is_closed_all_the_same(threads: HeldThreads, monkeypatch: pytest.MonkeyPatch) -> None:
    number = os.open("/", os.O_RDONLY)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", lambda _: os.stat("/nothing/there"))
        LocalLane(threads, Disk(0)).dispose(number)
    threads.finish()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_cancel_does_not_reach_what_is_shielded() -> None:
    inner: Deferred[int] = Deferred()
    results: list[int] = []

    async def commit() -> None:
        results.append(await shielded(inner))

    ended: list[object] = []
    outer = Deferred.fromCoroutine(commit())
    outer.addBoth(ended.append)
    outer.cancel()
    assert ended == []
    inner.callback(1)
    assert (results, ended) == ([1], [None])
