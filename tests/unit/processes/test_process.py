"""WorkerProcess: what a worker says is taken for what it is, and nonsense is the end of it."""

from __future__ import annotations

import os
import socket
import struct
import tempfile

import pytest
from twisted.internet.epollreactor import EPollReactor

from ftpd.config.source import Source
from ftpd.processes.channel import send_last
from ftpd.processes.order import CHANNEL, Order
from ftpd.processes.process import WorkerProcess
from ftpd.testing.lines import turn

ENDED = type("Reason", (), {"value": type("How", (), {"exitCode": 1})()})


class Owner:
    """What is told of the worker."""

    def __init__(self):
        self.told_of = []

    def __getattr__(self, name):
        return lambda worker, *more: self.told_of.append((name, *more))


class FakeProcess:
    pid = 4711

    def __init__(self):
        self.signals = []

    def signalProcess(self, name):
        self.signals.append(name)


class World:
    """A worker process that is none: the test speaks on its end of the channel."""

    def __init__(self, monkeypatch):
        self.reactor = EPollReactor()
        self.process = FakeProcess()
        self.owner = Owner()
        monkeypatch.setattr(self.reactor, "spawnProcess", self._spawn, raising=False)
        with tempfile.TemporaryFile() as memory:
            order = Order(Source("ftpd.toml", "/etc/ftpd", ""), "w", 0, 1, "/run/state")
            self.worker = WorkerProcess(self.reactor, order, memory, [], self.owner)

    def _spawn(self, protocol, executable, arguments, environment, childFDs):
        self.end = socket.socket(fileno=os.dup(childFDs[CHANNEL]))
        return self.process

    def hear(self, until):
        for _ in range(2000):
            if until():
                return
            turn(self.reactor)
        raise AssertionError("it does not come to that")


@pytest.fixture
def world(monkeypatch):
    world = World(monkeypatch)
    yield world
    world.end.close()
    world.worker.processEnded(ENDED)
    turn(world.reactor)


def framed(data):
    return struct.pack("!I", len(data)) + data


def test_what_it_says_is_told_to_its_owner(world):
    for message in (
        {"said": "ready"},
        {"said": "alive", "sessions": 3, "transfers": 2},
        {"said": "looked", "question": 7, "sessions": 1},
        {"said": "met", "sessions": 2},
        {"said": "drains"},
        {"said": "log", "level": "warn", "text": "hot"},
    ):
        send_last(world.end, message)
    world.hear(lambda: len(world.owner.told_of) == 5)
    assert world.owner.told_of == [("serves",), ("looked", 7, 1), ("met", 2), ("drains",), ("told", "warn", "hot")]
    assert (world.worker.serves, world.worker.sessions, world.worker.transfers) == (True, 3, 2)


def test_it_begins_to_serve_once(world):
    for message in ({"said": "ready"}, {"said": "ready"}, {"said": "looked", "question": 1, "sessions": 0}):
        send_last(world.end, message)
    world.hear(lambda: ("looked", 1, 0) in world.owner.told_of)
    assert world.owner.told_of.count(("serves",)) == 1


def test_what_it_said_at_its_end_is_told_before_its_end(world):
    send_last(world.end, {"said": "looked", "question": 1, "sessions": 1})
    send_last(world.end, {"said": "log", "level": "warn", "text": "x" * 20_000})
    world.worker.processEnded(ENDED)
    assert [what for what, *_ in world.owner.told_of] == ["looked", "told", "ended"]


def test_nonsense_that_it_said_at_its_end_kills_nobody(world):
    """Its number may be another process's by now."""
    world.end.sendall(framed(b"no JSON") * 2)
    world.worker.processEnded(ENDED)
    assert ([what for what, *_ in world.owner.told_of], world.process.signals) == (["ended"], [])


def test_what_a_child_of_it_goes_on_saying_is_not_heard_for_ever(world):
    """It still has the channel, and fills it as fast as it is read."""
    read = []

    class Endless:
        def recv(self, most):
            read.append(framed(b'{"said": "ready"}'))
            return read[-1]

    world.worker._channel._socket = Endless()
    world.worker.processEnded(ENDED)
    assert sum(map(len, read)) < 2 * 1024 * 1024
    assert world.owner.told_of[-1][0] == "ended"


def test_a_line_of_a_level_that_there_is_not_is_an_error(world):
    send_last(world.end, {"said": "log", "level": "whisper", "text": "hot"})
    world.hear(lambda: world.owner.told_of)
    assert world.owner.told_of == [("told", "error", "hot")]


@pytest.mark.parametrize(
    "data",
    [
        framed(b"no JSON"),
        framed(b"[]"),
        framed(b"[" * 200_000),
        framed(b"{}"),
        framed(b'{"said": "anything"}'),
        framed(b'{"said": ["ready"]}'),
        framed(b'{"said": "alive", "sessions": "many", "transfers": 0}'),
        framed(b'{"said": "alive", "sessions": 1}'),
        framed(b'{"said": "looked", "question": 1, "sessions": true}'),
        framed(b'{"said": "looked", "sessions": 1}'),
        framed(b'{"said": "met", "sessions": null}'),
        framed(b'{"said": "failed", "problems": "all"}'),
        struct.pack("!I", 1024 * 1024 + 1),
        struct.pack("!I", 2**32 - 1),
    ],
)
def test_a_worker_that_talks_nonsense_is_killed(world, data):
    world.end.sendall(data)
    world.hear(lambda: world.process.signals)
    assert world.process.signals == ["KILL"]
    assert world.owner.told_of == []
