"""Tally: the sum of answers, whoever is missing."""

from __future__ import annotations

from twisted.internet.task import Clock

from ftpd.processes.tally import Tally


def total(tally):
    found = []
    tally.total.addCallback(found.append)
    return found


def test_answers_are_added_up_once_all_are_there():
    tally = Tally(Clock(), ["a", "b"])
    found = total(tally)
    tally.add("a", 2)
    assert found == []
    tally.add("b", 3)
    assert found == [5]


def test_nobody_answers_twice_and_nobody_unasked():
    tally = Tally(Clock(), ["a", "b"])
    tally.add("a", 1)
    tally.add("a", 1)
    tally.add("stranger", 100)
    tally.add("b", 1)
    assert total(tally) == [2]


def test_who_does_not_answer_is_not_waited_for_for_ever():
    clock = Clock()
    tally = Tally(clock, ["a", "b"])
    tally.add("a", 4)
    clock.advance(10)
    tally.add("b", 1)
    assert total(tally) == [4]
    assert tally.awaited == {"b"}
    assert clock.getDelayedCalls() == []


def test_without_workers_the_sum_is_nothing():
    clock = Clock()
    assert total(Tally(clock, [])) == [0]
    assert clock.getDelayedCalls() == []
