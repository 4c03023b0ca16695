"""The command's reactor does what Twisted's does; only the logging context around events is gone."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.logger import globalLogPublisher
from twisted.python import context

import ftpd.alarm
import ftpd.epoll
from ftpd.epoll import ContextFreeReactor
from ftpd.testing.lines import private_reactor

pytestmark = pytest.mark.unit


class Ear:
    """A reader over one end of a socket pair that calls *heard* with what it reads."""

    def __init__(self, end: socket.socket, heard: Callable[[bytes], None]) -> None:
        self._end = end
        self._heard = heard
        self.reason: Any = None

    def fileno(self) -> int:
        return self._end.fileno()

    def doRead(self) -> None:
        self._heard(self._end.recv(100))

    def logPrefix(self) -> str:
        return "ear"

    def connectionLost(self, reason: Any) -> None:
        self.reason = reason
        self._end.close()


@pytest.fixture
def reactor() -> Iterator[Any]:
    with private_reactor(ContextFreeReactor) as reactor:
        yield reactor


@pytest.fixture
def pair(reactor: Any) -> Iterator[tuple[socket.socket, socket.socket]]:
    ends = socket.socketpair()
    yield ends
    reactor.removeAll()
    for end in ends:
        end.close()


def test_its_clock_is_one_that_nobody_sets(reactor: Any) -> None:
    before = time.monotonic()
    assert before <= reactor.seconds() <= time.monotonic()
    call = reactor.callLater(60, lambda: None)
    assert before + 60 <= call.getTime() <= time.monotonic() + 60
    call.cancel()


def test_a_reader_is_called(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    heard: list[bytes] = []
    reactor.addReader(Ear(pair[0], heard.append))
    pair[1].send(b"hello")
    reactor.doIteration(1)
    assert heard == [b"hello"]


def test_no_logging_context_is_made(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    seen: list[Any] = []
    before = context.get("system")
    reactor.addReader(Ear(pair[0], lambda _: seen.append(context.get("system"))))
    pair[1].send(b"hello")
    reactor.doIteration(1)
    assert seen == [before]


def test_what_a_descriptor_raises_is_logged_and_ends_it_alone(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    logged: list[Any] = []

    def observe(event: Any) -> None:
        logged.append(event)

    globalLogPublisher.addObserver(observe)

    def fail(_: bytes) -> None:
        raise ArithmeticError("unforeseen")

    ear = Ear(pair[0], fail)
    try:
        reactor.addReader(ear)
        pair[1].send(b"hello")
        reactor.doIteration(1)
    finally:
        globalLogPublisher.removeObserver(observe)
    assert ear.reason.check(ArithmeticError)
    assert any(event.get("isError") for event in logged)


def test_a_descriptor_that_another_one_closed_in_this_round_is_not_called(reactor: Any) -> None:
    called: list[str] = []
    pairs = {name: socket.socketpair() for name in ("one", "other")}
    ears: dict[str, Ear] = {}

    def close_the_other(name: str) -> Callable[[bytes], None]:
        def heard(_: bytes) -> None:
            called.append(name)
            rival = ears["other" if name == "one" else "one"]
            reactor.removeReader(rival)

        return heard

    for name, (near, far) in pairs.items():
        ears[name] = Ear(near, close_the_other(name))
        reactor.addReader(ears[name])
        far.send(b"hello")
    reactor.doIteration(1)
    assert len(called) == 1
    reactor.removeAll()
    for ends in pairs.values():
        for end in ends:
            end.close()


def test_a_poll_without_a_time_waits_for_an_event(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    heard: list[bytes] = []
    reactor.addReader(Ear(pair[0], heard.append))
    child = os.fork()
    if not child:
        pair[1].send(b"late")
        os._exit(0)
    reactor.doIteration(None)
    os.waitpid(child, 0)
    assert heard == [b"late"]


# The main loop, run as the process runs it.


def test_timed_calls_and_readers_take_turns(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    order: list[Any] = []
    reactor.addReader(Ear(pair[0], order.append))
    reactor.callLater(0, lambda: (order.append("timer"), pair[1].send(b"reader"), reactor.callLater(0.01, late)))

    def late() -> None:
        order.append("later timer")
        reactor.stop()

    reactor.run(installSignalHandlers=False)
    assert order == ["timer", b"reader", "later timer"]


def test_a_call_made_by_a_reader_comes_in_its_time(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    order: list[Any] = []

    def heard(_: bytes) -> None:
        order.append("reader")
        reactor.callLater(0, lambda: (order.append("its call"), reactor.stop()))

    reactor.addReader(Ear(pair[0], heard))
    pair[1].send(b"hello")
    reactor.run(installSignalHandlers=False)
    assert order == ["reader", "its call"]


def test_readers_have_a_turn_between_a_call_and_the_one_that_it_makes(
    reactor: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    order: list[str] = []

    def call() -> None:
        order.append("call")
        pair[1].send(b"x")
        if len(order) < 6:
            reactor.callLater(0, call)
        else:
            reactor.stop()

    reactor.addReader(Ear(pair[0], lambda _: order.append("reader")))
    reactor.callLater(0, call)
    reactor.run(installSignalHandlers=False)
    assert order[:6] == ["call", "reader"] * 3


def test_what_a_call_from_a_thread_says_is_not_slept_through(reactor: Any) -> None:
    said: list[str] = []
    reactor.callFromThread(lambda: (said.append("first"), reactor.callFromThread(lambda: (said.append("second"), reactor.stop()))))
    reactor.run(installSignalHandlers=False)
    assert said == ["first", "second"]


def test_a_loop_that_was_broken_off_may_run_again(reactor: Any) -> None:
    reactor.callLater(0.02, reactor.stop)
    reactor.callLater(0, reactor.crash)
    reactor.run(installSignalHandlers=False)
    reactor.run(installSignalHandlers=False)
    assert not reactor.running


def test_calls_at_the_same_time_and_one_that_is_put_off_all_come(reactor: Any) -> None:
    order: list[str] = []
    at = reactor.seconds() + 0.01
    calls = [reactor.callLater(1, order.append, name) for name in ("one", "other")]
    for call in calls:
        call.reset(at - reactor.seconds())
        call.time = at
    put_off = reactor.callLater(0.005, order.append, "put off")
    put_off.reset(0.02)
    reactor.callLater(0.001, lambda: None).cancel()
    reactor.callLater(0.03, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert sorted(order[:2]) == ["one", "other"]
    assert order[2:] == ["put off"]


def test_while_it_waits_the_kernel_is_told_of_no_time(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[Any] = []
    poll = reactor.doPoll

    def watched(timeout: Any) -> None:
        waits.append(timeout)
        poll(timeout)

    monkeypatch.setattr(reactor, "doPoll", watched)
    reactor.callLater(0.01, reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert set(waits[:-1]) == {None}


def test_its_alarm_goes_with_the_loop(reactor: Any) -> None:
    before = set(os.listdir("/proc/self/fd"))
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert set(os.listdir("/proc/self/fd")) <= before


def test_without_an_alarm_the_loop_is_twisted_s_own(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftpd.alarm, "_libc", None)
    monkeypatch.setattr(reactor, "_turn", None)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert not reactor.running


def test_a_timer_moved_to_an_earlier_time_is_not_slept_through(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    timer = reactor.callLater(3600, reactor.stop)
    reactor.addReader(Ear(pair[0], lambda _: timer.reset(0)))
    pair[1].send(b"hello")
    reactor.run(installSignalHandlers=False)
    assert not timer.active()


def test_a_call_from_a_thread_wakes_it(reactor: Any) -> None:
    thread = threading.Thread(target=lambda: reactor.callFromThread(reactor.stop))
    reactor.callWhenRunning(thread.start)
    reactor.run(installSignalHandlers=False)
    thread.join()
    assert not reactor.running


def test_stop_said_by_a_reader_ends_it_with_its_triggers(reactor: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    told: list[str] = []
    reactor.addSystemEventTrigger("before", "shutdown", told.append, "shutdown")
    reactor.addReader(Ear(pair[0], lambda _: reactor.stop()))
    pair[1].send(b"hello")
    reactor.run(installSignalHandlers=False)
    assert told == ["shutdown"]


def test_what_a_poll_raises_is_logged_and_the_loop_goes_on(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[Any] = []
    polls: list[Any] = []

    def poll(timeout: Any) -> None:
        polls.append(timeout)
        if len(polls) == 1:
            raise ArithmeticError("unforeseen")
        if reactor.running:
            reactor.stop()

    monkeypatch.setattr(reactor, "doPoll", poll)
    globalLogPublisher.addObserver(logged.append)
    try:
        reactor.run(installSignalHandlers=False)
    finally:
        globalLogPublisher.removeObserver(logged.append)
    assert [event["failure"].type for event in logged if event.get("isError")] == [ArithmeticError]


def test_without_what_it_reads_of_twisted_the_loop_is_twisted_s_own(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ftpd.epoll, "_READ", ("_gone_in_some_later_version",))
    monkeypatch.setattr(reactor, "_turn", None)
    reactor.callWhenRunning(reactor.stop)
    reactor.run(installSignalHandlers=False)
    assert not reactor.running


def test_this_twisted_has_what_it_reads(reactor: Any) -> None:
    assert [name for name in ftpd.epoll._READ if not hasattr(reactor, name)] == []
