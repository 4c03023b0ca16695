"""Tally: the sum of answers, whoever is missing."""

from __future__ import annotations

from twisted.internet.task import Clock

from ftpd.processes.tally import Tally


def total(tally):
    found = []
    tally.total.addCallback(found.append)
    return found


def waiting(clock, *workers):
    tally = Tally(clock)
    tally.wait_for(workers)
    return tally


def test_answers_are_added_up_once_all_are_there():
    tally = waiting(Clock(), "a", "b")
    found = total(tally)
    tally.add("a", 2)
    assert found == []
    tally.add("b", 3)
    assert found == [5]


def test_nobody_answers_twice_and_nobody_unasked():
    tally = waiting(Clock(), "a", "b")
    tally.add("a", 1)
    tally.add("a", 1)
    tally.add("stranger", 100)
    tally.add("b", 1)
    assert total(tally) == [2]


def test_who_does_not_answer_is_not_waited_for_for_ever():
    clock = Clock()
    tally = waiting(clock, "a", "b")
    tally.add("a", 4)
    clock.advance(10)
    tally.add("b", 1)
    assert total(tally) == [4]
    assert tally.awaited == {"b"}
    assert clock.getDelayedCalls() == []


def test_without_workers_the_sum_is_nothing():
    clock = Clock()
    assert total(waiting(clock)) == [0]
    assert clock.getDelayedCalls() == []


def test_what_was_done_unasked_counts_before_and_while_others_are_waited_for():
    tally = Tally(Clock())
    tally.count(1)
    tally.wait_for(["a"])
    tally.count(2)
    tally.add("a", 4)
    assert total(tally) == [7]
