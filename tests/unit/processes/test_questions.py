"""Questions: every answer counts for the question that it is an answer to, however soon or late it comes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from ftpd.processes.operator import Refused
from ftpd.processes.questions import Questions
from ftpd.testing.fakes import result_of
from ftpd.values import Request

KICK = Request("kick", "account", "ann")


class Worker:
    def __init__(self, slot):
        self.serves = True
        self.pid = 4711
        self.order = SimpleNamespace(slot=slot)
        self.told = []

    def tell(self, deed, question):
        self.told.append((deed, question))


class World:
    """Two workers, and a state that has what was asked as soon as the test says so."""

    def __init__(self):
        self.clock = Clock()
        self.workers = [Worker(0), Worker(1)]
        self.asked = []
        self.questions = Questions(self.clock, self, lambda: self.workers)

    async def ask(self, request):
        self.asked.append(Deferred())
        await self.asked[-1]

    def kick(self, *, is_left=True):
        """Ask; the state has it, unless not *is_left*."""
        kicked = Deferred.fromCoroutine(self.questions.ask(KICK))
        if is_left:
            self.asked[-1].callback(None)
        return kicked

    def end(self, worker):
        self.workers.remove(worker)
        self.questions.ended(worker)


@pytest.fixture
def world():
    return World()


def test_workers_look_once_the_state_has_what_is_asked(world):
    kicked = world.kick(is_left=False)
    assert [worker.told for worker in world.workers] == [[], []]
    world.asked[0].callback(None)
    assert [worker.told for worker in world.workers] == [[("look", 1)], [("look", 1)]]
    for sessions, worker in enumerate(world.workers, 1):
        world.questions.looked(worker, 1, sessions)
    assert result_of(kicked) == 3


def test_one_that_does_not_serve_yet_is_not_asked(world):
    world.workers[1].serves = False
    kicked = world.kick()
    world.questions.looked(world.workers[0], 1, 1)
    assert (result_of(kicked), world.workers[1].told) == (1, [])


def test_sessions_of_a_worker_that_ends_before_it_is_told_to_look_count(world):
    """Its report of the second had found what is asked; the session was its last."""
    old, new = world.workers
    kicked = world.kick(is_left=False)
    world.questions.met(1)
    world.end(old)
    world.asked[0].callback(None)
    world.questions.looked(new, 1, 0)
    assert result_of(kicked) == 1


def test_sessions_of_a_worker_that_ends_before_it_hears_that_it_is_to_look_count(world):
    old, new = world.workers
    kicked = world.kick()
    world.questions.met(1)
    world.end(old)
    world.questions.looked(new, 1, 0)
    assert result_of(kicked) == 1


def test_late_answer_is_not_taken_for_that_to_the_next_question(world):
    slow, quick = world.workers
    first = world.kick()
    world.questions.looked(quick, 1, 0)
    world.clock.advance(10)
    with pytest.raises(Refused, match=r"to 0 sessions; .* worker 0 \(process 4711\) does not answer"):
        result_of(first)
    second = world.kick()
    world.questions.looked(quick, 2, 0)
    world.questions.looked(slow, 1, 0)
    world.questions.looked(slow, 2, 1)
    assert result_of(second) == 1


def test_questions_are_asked_one_after_the_other(world):
    first, second = world.kick(), world.kick(is_left=False)
    assert len(world.asked) == 1
    for worker in world.workers:
        world.questions.looked(worker, 1, 1)
    assert (result_of(first), len(world.asked)) == (2, 2)
    world.asked[1].callback(None)
    for worker in world.workers:
        world.questions.looked(worker, 2, 0)
    assert result_of(second) == 0


def test_what_nobody_has_asked_counts_for_nobody(world):
    world.questions.looked(world.workers[0], 0, 5)
    world.questions.met(5)
    world.questions.ended(world.workers[0])
    kicked = world.kick()
    for worker in world.workers:
        world.questions.looked(worker, 1, 0)
    assert result_of(kicked) == 0
