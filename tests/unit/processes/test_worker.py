"""Worker: what it tells its parent of sessions that were ended as somebody has asked, also where the last of them is its own end."""

from __future__ import annotations

import socket
from types import SimpleNamespace

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.epollreactor import EPollReactor

from ftpd.config.source import Source
from ftpd.config.tree import Config
from ftpd.errors import Unavailable
from ftpd.processes.channel import connect
from ftpd.processes.order import Order
from ftpd.processes.worker import Worker
from ftpd.testing.lines import turn
from ftpd.testing.reactors import retire
from ftpd.values import Request

KICK = Request("kick", "account", "ann")


class Sessions:
    """One listener's: ann's only, until she is kicked; then a drain is over."""

    def __init__(self):
        self.drained = Deferred()
        self.here = ["ann"]

    def rows(self):
        return iter(())

    def kick(self, field, value, reason):
        kicked, self.here = self.here, []
        if kicked:
            self.drained.callback(None)
        return kicked

    def lock(self, message): ...


class State:
    """The shared state of a worker; *asked* is what its next report finds."""

    def __init__(self):
        self.asked = []
        self.wait = None
        self.is_closed = False

    async def report(self, changed, gone):
        if self.is_closed:
            raise Unavailable(None, "closed")
        if self.wait is not None:
            await self.wait
        asked, self.asked = self.asked, []
        return asked

    async def close(self):
        self.is_closed = True


class World:
    def __init__(self):
        self.reactor = EPollReactor()
        self.reactor.stop = lambda: self.stops.append(1)
        self.stops = []
        self.said = []
        self.sessions = Sessions()
        self.state = State()
        server = SimpleNamespace(
            listeners=(),
            datagrams=(),
            served=(self.sessions,),
            drain=lambda *_: self.sessions.drained,
            stopService=lambda: succeed(None),
            reopen_logs=None,
            sweep=None,
        )
        balance = SimpleNamespace(leave=lambda slot: None, set=lambda *counts: None)
        order = Order(Source("ftpd.toml", "/etc/ftpd", ""), "w", 0, 1, "/run/state")
        self.ours, theirs = socket.socketpair()
        self.worker = Worker(self.reactor, order, Config(), server, self.state, balance, theirs)
        self.parent = connect(self.reactor, self.ours, self.said.append, lambda: None)

    def tell(self, deed, **more):
        self.parent.send({"do": deed, **more})
        self.turns()

    def turns(self):
        for _ in range(10):
            turn(self.reactor)


@pytest.fixture
def world():
    world = World()
    yield world
    retire(world.reactor)


def test_it_tells_how_many_sessions_it_was_when_it_is_told_to_look(world):
    world.state.asked = [KICK]
    world.tell("look", question=3)
    assert world.said == [{"said": "looked", "question": 3, "sessions": 1}]
    world.tell("look", question=4)
    assert world.said[1:] == [{"said": "looked", "question": 4, "sessions": 0}]


def test_what_a_report_of_the_second_has_found_is_told_too(world):
    world.state.asked = [KICK]
    world.worker._report()
    world.tell("look", question=1)
    assert world.said[-1] == {"said": "looked", "question": 1, "sessions": 1}


def test_last_session_of_one_that_drains_is_told_where_it_ends_before_it_is_told_to_look(world):
    world.tell("drain", idle=600, most=3600)
    world.state.asked = [KICK]
    world.worker._report()
    world.tell("look", question=1)
    assert [message for message in world.said if message["said"] in ("looked", "met")] == [{"said": "met", "sessions": 1}]
    assert world.stops


def test_only_the_last_question_is_answered(world):
    world.state.asked = [KICK]
    world.state.wait = Deferred()
    world.tell("look", question=1)
    world.tell("look", question=2)
    world.state.wait.callback(None)
    world.turns()
    assert world.said == [{"said": "looked", "question": 2, "sessions": 1}]
