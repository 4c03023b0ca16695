from __future__ import annotations

import queue
import sqlite3
from contextlib import contextmanager

import pytest
from twisted.internet.defer import Deferred

from ftpd.state import writer as module
from ftpd.state.calls import Close, GiveBack, Sessions, Take
from ftpd.state.writer import Writer
from ftpd.testing.login_contract import recorded_log

AT_MOST_SECONDS = 30


class Parts:
    """Database and ledger of a writer, which note what they are asked; `error` is what the ledger raises."""

    connection = None

    def __init__(self):
        self.done = []
        self.noted = []
        self.error = None
        self.is_closed = False
        self.lock = queue.SimpleQueue()  # an entry for each time that the lock may be had
        self.is_behind = False
        self.is_simple = False  # what is asked can be done without it

    @contextmanager
    def locked(self):
        self.lock.get(timeout=AT_MOST_SECONDS)
        yield

    def run(self, work):
        work(None)

    def run_at_once(self, work, *, is_timed=False):
        return self.is_simple and work(None)

    def close(self):
        self.is_closed = True

    def prepare(self, call):
        pass

    def apply(self, sql, calls):
        if self.error is not None:
            raise self.error
        self.done.append(list(calls))
        self.is_behind = False

    def enter_at_once(self, sql, calls):
        self.apply(sql, calls)
        return True

    take_at_once = enter_at_once

    def committed(self):
        pass

    def read(self, sql, calls):
        pass

    def note(self, calls):
        self.noted += calls
        self.is_behind = True


@pytest.fixture
def parts():
    return Parts()


@pytest.fixture
def delivered():
    return queue.SimpleQueue()


@pytest.fixture
def writer(parts, delivered, monkeypatch):
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    writer = Writer(parts, parts, lambda calls, trouble: delivered.put((list(calls), trouble)))
    yield writer
    writer.put(Close())
    for _ in range(10):
        parts.lock.put(None)
    writer.ring()


def awaited():
    call = Sessions()
    call.answer = Deferred()
    return call


def receive(delivered):
    return delivered.get(timeout=AT_MOST_SECONDS)


def test_what_comes_while_others_have_the_lock_goes_along(writer, parts, delivered):
    first, second = GiveBack("a"), GiveBack("b")
    writer.put(first)
    writer.ring()
    writer.put(second)
    parts.lock.put(None)
    assert receive(delivered) == ([first, second], None)
    assert parts.done == [[first, second]]


def test_what_can_be_done_without_the_lock_does_not_wait_for_it(writer, parts, delivered):
    parts.is_simple = True
    call = GiveBack("a")
    writer.put(call)
    writer.ring()
    assert receive(delivered) == ([call], None)


def test_an_error_without_the_lock_is_told_too(writer, parts, delivered):
    parts.is_simple = True
    parts.error = sqlite3.OperationalError("disk I/O error")
    call = GiveBack("a")
    writer.put(call)
    writer.ring()
    assert receive(delivered) == ([call], "disk I/O error")
    assert parts.noted == [call]


def test_what_cannot_waits_for_it_in_its_order(writer, parts, delivered):
    calls = [GiveBack(name) for name in "abc"]
    for call in calls:
        writer.put(call)
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered) == (calls, None)


def test_what_is_not_rung_for_waits(writer, parts):
    parts.lock.put(None)
    writer.put(GiveBack("a"))
    assert (len(writer._waiting), parts.done) == (1, [])


def test_the_bell_may_be_rung_again_and_again(writer, parts, delivered):
    for name in "abc":
        writer.put(GiveBack(name))
        writer.ring()
        writer.ring()
    parts.lock.put(None)
    assert [call.session for call in receive(delivered)[0]] == ["a", "b", "c"]


def test_an_error_is_told_and_what_was_asked_is_noted(writer, parts, delivered):
    parts.error = sqlite3.OperationalError("disk I/O error")
    call = GiveBack("a")
    writer.put(call)
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered) == ([call], "disk I/O error")
    assert parts.noted == [call]


def test_after_an_error_it_tries_again_by_itself(writer, parts, delivered):
    parts.error = OSError("no such directory")
    writer.put(GiveBack("a"))
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered)[1] == "no such directory"
    parts.error = None
    parts.lock.put(None)
    assert receive(delivered) == ([], None)


def test_a_fault_of_ours_is_a_traceback_in_the_log_and_does_not_end_the_thread(writer, parts, delivered):
    parts.error = ZeroDivisionError("ours")
    with recorded_log() as log:
        writer.put(GiveBack("a"))
        writer.ring()
        parts.lock.put(None)
        assert receive(delivered)[1] == "ours"
    assert ["ZeroDivisionError: ours" in line for line in log] == [True]
    parts.error = None
    parts.lock.put(None)
    assert receive(delivered) == ([], None)


def test_noting_leaves_what_is_awaited_and_what_came_after_it(writer, parts, delivered):
    first, second, third = GiveBack("a"), awaited(), GiveBack("b")
    for call in (first, second, third):
        writer.put(call)
    writer.note()
    assert (parts.noted, list(writer._waiting)) == ([first], [second, third])


def test_what_was_noted_is_told_though_nothing_waits(writer, parts, delivered):
    writer.put(GiveBack("a"))
    writer.note()
    writer.put(GiveBack("b"))
    writer.ring()
    writer.note()
    parts.lock.put(None)
    assert receive(delivered)[1] is None
    assert not parts.is_behind


def test_no_turn_is_taken_for_nothing(writer, parts, delivered):
    first, second, third = GiveBack("a"), GiveBack("b"), GiveBack("c")
    for call in (first, second):
        writer.put(call)
        writer.ring()
    parts.lock.put(None)
    assert receive(delivered)[0][0] is first
    writer.put(third)
    writer.ring()
    parts.lock.put(None)
    parts.lock.put(None)
    done = [first]
    while third not in done:
        done += receive(delivered)[0]
    assert [] not in parts.done


def test_it_ends_after_a_close(parts, delivered):
    writer = Writer(parts, parts, lambda calls, trouble: delivered.put((trouble, parts.is_closed)))
    writer.put(Close())
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered) == (None, True)


def test_it_ends_after_a_close_that_failed(parts, delivered):
    parts.error = OSError("gone")
    writer = Writer(parts, parts, lambda calls, trouble: delivered.put((trouble, parts.is_closed)))
    writer.put(Close())
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered) == ("gone", True)


def test_an_attempt_takes_what_waits_along_and_needs_no_thread(writer, parts):
    parts.is_simple = True
    left, taken = GiveBack("a"), Take("b", ())
    writer.put(left)
    assert writer.attempt(taken)
    assert parts.done == [[left, taken]]
    assert taken.is_asking


def test_an_attempt_that_fails_leaves_what_waits_in_its_order(writer, parts, delivered):
    calls, taken = [GiveBack(name) for name in "abc"], Take("d", ())
    for call in calls:
        writer.put(call)
    assert not writer.attempt(taken)
    assert not taken.is_asking
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered) == (calls, None)


def test_what_waits_is_told_here_and_now_and_needs_no_thread(writer, parts):
    parts.is_simple = True
    left = GiveBack("a")
    writer.put(left)
    assert writer.tell()
    assert parts.done == [[left]]


def test_what_cannot_be_told_here_waits_for_the_thread(writer, parts, delivered):
    left = GiveBack("a")
    writer.put(left)
    assert not writer.tell()
    writer.ring()
    parts.lock.put(None)
    assert receive(delivered) == ([left], None)
