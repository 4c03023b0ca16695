from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred, fail, succeed

from ftpd.paths import ROOT
from ftpd.storage.memory import MemoryStore
from ftpd.testing.fakes import HeldThreads, InlineThreads, SlowStore, ThreadedClock, begin, finish, result_of
from ftpd.values import Account


async def root_of(store):
    return await (await store.open(Account("ann"))).stat(ROOT)


def test_inline_threads_call_at_once_and_count():
    threads = InlineThreads()
    assert (result_of(threads.run(int, "7")), threads.calls) == (7, 1)


def test_held_threads_call_when_told_oldest_first():
    threads = HeldThreads()
    first, second = threads.run(int, "1"), threads.run(int, "2")
    assert not first.called
    threads.finish()
    assert (result_of(first), second.called) == (1, False)


def test_a_slow_store_waits_with_each_call_until_it_is_let_go():
    store = SlowStore(MemoryStore())
    asked = begin(root_of(store))
    assert store.waiting == ["open"]
    store.let_go()
    assert store.waiting == ["stat"]
    store.let_go()
    assert result_of(asked).name == ""


def test_a_slow_store_of_some_calls_waits_with_these_alone():
    store = SlowStore(MemoryStore(), {"stat"})
    begin(root_of(store))
    assert store.waiting == ["stat"]


def test_a_call_to_a_slow_store_may_fail():
    store = SlowStore(MemoryStore())
    asked = begin(root_of(store))
    store.let_go(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        result_of(asked)


def test_a_cancelled_call_to_a_slow_store_waits_no_more():
    store = SlowStore(MemoryStore())
    asked = begin(root_of(store))
    asked.cancel()
    assert store.waiting == []
    with pytest.raises(CancelledError):
        result_of(asked)


def test_the_result_of_what_has_one_is_returned_or_raised():
    assert result_of(succeed(7)) == 7
    with pytest.raises(ZeroDivisionError):
        result_of(fail(ZeroDivisionError()))


def test_what_has_no_result_yet_fails():
    with pytest.raises(AssertionError, match="waits for something"):
        result_of(Deferred())


def test_a_coroutine_that_waits_is_not_finished():
    async def wait():
        await Deferred()

    with pytest.raises(AssertionError, match="waits for something"):
        finish(wait())


def test_a_threaded_clock_does_what_threads_ask():
    clock, done = ThreadedClock(), Deferred()
    clock.callFromThread(done.callback, 7)
    assert clock.wait(done) == 7


def test_a_threaded_clock_does_not_wait_for_ever():
    with pytest.raises(AssertionError, match=r"within 0\.01 s"):
        ThreadedClock().wait(Deferred(), 0.01)
