"""Generation: one worker in each place; the dead have successors, the stillborn only so many."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from ftpd.config.source import Source
from ftpd.config.tree import Config
from ftpd.processes import generation as module
from ftpd.processes.generation import CannotServe, Generation
from ftpd.processes.order import Order
from ftpd.processes.ports import Opened
from ftpd.schema import ConfigError

SOURCE = Source("ftpd.toml", "/etc/ftpd", "")


class FakeWorker:
    """A worker process as a generation knows it."""

    def __init__(self, reactor, order, memory, listening, owner):
        self.order = order
        self.owner = owner
        self.pid = order.slot + 100
        self.since = 0.0
        self.started = reactor.seconds()
        self.serves = False
        self.is_heard = True
        self.is_ending = False
        self.sessions = self.transfers = 0
        self.told = []
        self.was_killed = False
        made.append(self)

    def tell(self, deed, **more):
        self.is_ending = self.is_ending or deed in ("drain", "stop", "quit")
        self.told.append((deed, more))

    def kill(self):
        self.was_killed = True

    def begin(self):
        self.serves = True
        self.owner.serves(self)

    def die(self):
        self.owner.ended(self, "signal 9")


made: list[FakeWorker] = []


class Home:
    def __init__(self):
        self.dead = []
        self.serving_counts = []
        self.errors = []

    def make_order(self, generation, slot, *, succeeds):
        return Order(generation.source, f"w{len(made)}", slot, 2, "/run/state", succeeds=succeeds)

    def serving(self, generation):
        self.serving_counts.append(sum(worker.serves for worker in generation.workers.values()))

    def drains(self, worker): ...
    def looked(self, worker, question, sessions): ...

    def met(self, sessions): ...
    def told(self, worker, level, text): ...

    def ended(self, worker):
        self.dead.append(worker.order.name)

    def lost(self, error):
        self.errors.append(error)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    made.clear()
    monkeypatch.setattr(module, "WorkerProcess", FakeWorker)
    return clock


@pytest.fixture
def home():
    return Home()


@pytest.fixture
def make(clock, home):
    """Make generations, and bring each to its end."""
    generations = []

    def make_one(count, patience):
        generations.append(Generation(home, clock, 1, SOURCE, Config(), count, Opened(), patience))
        return generations[-1]

    yield make_one
    for generation in generations:
        generation.end("quit")
        for worker in list(generation.workers.values()):
            worker.die()


@pytest.fixture
def generation(make):
    generation = make(2, 10)
    generation.start()
    return generation


def serve(generation):
    for worker in list(generation.workers.values()):
        worker.begin()


def test_it_is_ready_once_all_serve(generation):
    results = []
    generation.ready.addCallback(results.append)
    made[0].begin()
    assert results == []
    made[1].begin()
    assert results == [None]


def test_a_few_start_at_a_time_and_each_that_serves_lets_the_next_one_start(make):
    generation = make(100, 10)
    generation._at_once = 4
    generation.start()
    assert len(made) == 4
    made[2].begin()
    assert len(made) == 5
    for worker in made:  # grows as they begin
        if not worker.serves:
            worker.begin()
    assert len(made) == 100
    assert generation.ready.called


def test_one_that_dies_at_its_start_lets_the_next_one_start(make, clock):
    generation = make(10, 10)
    generation._at_once = 2
    generation.start()
    made[0].die()
    assert [worker.order.slot for worker in made] == [0, 1, 2]
    made[1].begin()
    made[2].begin()
    clock.advance(60)
    assert len(made) == 5  # the successor's turn comes after those that have waited


def test_patience_with_a_worker_begins_when_it_starts(make, clock):
    generation = make(2, 10)
    generation._at_once = 1
    generation.start()
    for _ in range(11):
        clock.advance(5)
    made[0].begin()
    for _ in range(11):
        made[0].is_heard = True
        clock.advance(5)
    assert [worker.was_killed for worker in made] == [False, False]


def test_how_many_serve_is_told_with_each(generation, home):
    for worker in list(generation.workers.values()):
        worker.begin()
    assert home.serving_counts == [1, 2]


def test_whoever_waits_for_a_turn_is_not_started_once_the_end_was_told(make, clock):
    generation = make(10, 10)
    generation._at_once = 2
    generation.start()
    generation.end("stop")
    for worker in made:
        worker.die()
    clock.advance(100)
    assert len(made) == 2
    assert generation.gone.called


def test_a_worker_that_died_has_a_successor_that_knows_it(generation, clock, home):
    serve(generation)
    clock.advance(60)
    made[1].die()
    assert home.dead == ["w1"]
    clock.advance(0)
    assert [(worker.order.slot, worker.order.succeeds) for worker in made] == [(0, False), (1, False), (1, True)]
    assert generation.restarts == {0: 0, 1: 1}


def test_successors_of_those_that_die_soon_wait_longer_and_longer(generation, clock):
    serve(generation)
    pauses = []
    for _ in range(4):
        made[-1].die()
        pause = min(call.getTime() for call in clock.getDelayedCalls()) - clock.seconds()
        pauses.append(round(pause, 3))
        clock.advance(pause)
        made[-1].begin()
    assert pauses == [0.2, 0.4, 0.8, 1.6]


def test_many_that_die_at_once_do_not_wait_for_each_other(make, clock):
    generation = make(8, 10)
    generation._at_once = 8
    generation.start()
    serve(generation)
    for worker in made[:8]:
        worker.die()
    clock.advance(0.2)
    assert [worker.order.slot for worker in made[8:]] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_ten_deaths_at_start_in_a_row_are_the_end(generation, clock, home):
    serve(generation)
    clock.advance(60)
    made[0].die()
    for _ in range(10):
        clock.advance(31)
        made[-1].die()
    clock.advance(31)
    assert len(made) == 12
    [error] = home.errors
    assert "10 times in a row" in str(error)


def test_a_worker_that_serves_ends_the_row(generation, clock, home):
    serve(generation)
    for _ in range(3):
        for _ in range(9):
            made[-1].die()
            clock.advance(31)
        made[-1].begin()
    assert home.errors == []


def test_what_the_first_workers_cannot_do_is_told_to_who_waits(generation):
    errors = []
    generation.ready.addErrback(lambda failure: errors.append(failure.value))
    made[0].owner.failed(made[0], ["tls.certificates[0].chain: cannot be read"])
    [error] = errors
    assert isinstance(error, ConfigError)
    assert str(error) == "tls.certificates[0].chain: cannot be read"


def test_a_generation_on_trial_fails_with_its_first_death(make):
    generation = make(2, 1)
    errors = []
    generation.ready.addErrback(lambda failure: errors.append(failure.value))
    generation.start()
    made[0].die()
    assert [type(error) for error in errors] == [CannotServe]


def test_a_trial_that_is_given_up_costs_nobody_who_has_come_in_his_session(make):
    generation = make(2, 1)
    generation.start()
    made[0].begin()
    generation.give_up(idle=60, most=3600)
    assert [worker.told for worker in made] == [[("drain", {"idle": 60, "most": 3600})]] * 2
    assert [worker.was_killed for worker in made] == [False, True]


def test_a_generation_that_has_stood_its_trial_bears_deaths_at_start(make, clock, home):
    generation = make(2, 1)
    generation.start()
    serve(generation)
    clock.advance(60)
    for _ in range(10):
        made[-1].die()
        clock.advance(31)
    assert home.errors == []
    made[-1].begin()


def test_processes_that_cannot_be_made_fail_the_trial_and_nothing_else(clock, make, home, monkeypatch):
    def refuse(*arguments):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(module, "WorkerProcess", refuse)
    generation = make(3, 1)
    generation.start()
    errors = []
    generation.ready.addErrback(lambda failure: errors.append(failure.value))
    generation.end("quit")
    assert [type(error) for error in errors] == [CannotServe]
    assert home.errors == []


@pytest.mark.parametrize("deed", ["drain", "stop", "quit"])
def test_the_end_is_told_to_all_and_reached_with_the_last(generation, clock, deed):
    serve(generation)
    gone = []
    generation.gone.addCallback(gone.append)
    generation.end(deed)
    assert [worker.told for worker in made] == [[(deed, {})]] * 2
    made[0].die()
    assert gone == []
    made[1].die()
    assert gone == [None]
    assert clock.getDelayedCalls() == []
    assert len(made) == 2


def test_no_successor_is_started_once_the_end_was_told(generation, clock):
    serve(generation)
    made[0].die()
    generation.end("stop")
    clock.advance(60)
    assert len(made) == 2


def test_a_worker_that_says_nothing_for_a_minute_is_killed(generation, clock):
    serve(generation)
    for _ in range(13):
        made[1].is_heard = True
        clock.advance(5)
    assert [worker.was_killed for worker in made] == [True, False]


def test_a_process_that_cannot_be_made_counts_as_a_death_at_start(clock, make, monkeypatch):
    def refuse(*arguments):
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(module, "WorkerProcess", refuse)
    generation = make(1, 3)
    errors = []
    generation.ready.addErrback(lambda failure: errors.append(failure.value))
    generation.start()
    clock.pump([1] * 10)
    assert [type(error) for error in errors] == [CannotServe]


def test_who_is_killed_to_end_before_it_serves_has_not_died(generation):
    events = []
    globalLogPublisher.addObserver(events.append)
    made[0].begin()
    generation.end("stop")
    for worker in made:
        worker.was_killed = True
        worker.die()
    globalLogPublisher.removeObserver(events.append)
    assert [event.get("event") for event in events] == ["worker-started", "worker-died", "worker-ended"]
