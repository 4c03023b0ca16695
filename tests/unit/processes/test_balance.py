"""Balance: numbers in shared memory, and who has notably more than another."""

from __future__ import annotations

import os

import pytest

from ftpd.processes.balance import Balance, make_memory


@pytest.fixture
def memory():
    with make_memory(3) as memory:
        yield memory


@pytest.fixture
def worker(memory):
    """Return what makes the balance as the worker in a place has it."""

    def join(place):
        balance = Balance(memory.fileno(), 3)
        balance.join(place)
        return balance

    return join


def test_who_is_alone_is_never_ahead(worker):
    one = worker(1)
    one.set(1, 1000, 1000)
    assert not one.is_ahead(1)


@pytest.mark.parametrize(
    ("mine", "other", "is_ahead"),
    [(0, 0, False), (8, 0, False), (9, 0, True), (1000, 1000, False), (1000, 940, True), (500, 990, False)],
)
def test_ahead_is_who_has_notably_more_sessions_than_another(worker, mine, other, is_ahead):
    one, two = worker(0), worker(1)
    one.set(0, mine, 0)
    two.set(1, other, 0)
    assert one.is_ahead(0) is is_ahead


@pytest.mark.parametrize(("mine", "other", "is_ahead"), [(32, 0, False), (33, 0, True), (1000, 980, False), (10, 30, False)])
def test_of_as_many_sessions_ahead_is_who_has_had_notably_more_turns(worker, mine, other, is_ahead):
    one, two = worker(0), worker(1)
    one.set(0, 3, mine)
    two.set(1, 5, other)
    assert one.is_ahead(0) is is_ahead


def test_sessions_count_before_turns(worker):
    one, two = worker(0), worker(1)
    one.set(0, 2, 60)
    two.set(1, 20, 0)
    assert [one.is_ahead(0), two.is_ahead(1)] == [False, True]


def test_who_comes_later_owes_nothing_and_is_owed_nothing(worker):
    one = worker(0)
    one.set(0, 0, 1000)
    two = worker(1)
    assert [one.is_ahead(0), two.is_ahead(1)] == [False, False]
    two.set(1, 0, 33)
    assert [one.is_ahead(0), two.is_ahead(1)] == [False, True]


def test_who_was_busy_for_long_is_not_owed_everything(worker):
    one, two = worker(0), worker(1)
    one.set(0, 0, 1000)
    two.set(1, 0, 0)
    assert one.is_ahead(0)
    two.set(1, 0, 31)
    assert one.is_ahead(0)
    two.set(1, 0, 32)
    assert not one.is_ahead(0)


def test_a_place_in_which_nobody_serves_waits_for_nothing(worker):
    one, two = worker(0), worker(1)
    one.set(0, 100, 100)
    two.leave(1)
    assert not one.is_ahead(0)


def test_what_one_process_writes_another_sees(worker, memory):
    one = worker(0)
    one.set(0, 100, 100)
    child = os.fork()
    if not child:
        Balance(memory.fileno(), 3).join(2)
        os._exit(0)
    os.waitpid(child, 0)
    assert one.is_ahead(0)


def test_the_memory_is_on_no_disk(memory):
    assert os.readlink(f"/proc/self/fd/{memory.fileno()}").startswith("/memfd:")


def test_closing_leaves_no_descriptor(memory):
    before = os.listdir("/proc/self/fd")
    balance = Balance(memory.fileno(), 3)
    balance.join(0)
    balance.close()
    balance.close()
    assert os.listdir("/proc/self/fd") == before
