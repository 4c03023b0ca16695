"""Signals and what they do: a call on the reactor's thread, an end in order, an end at once."""

from __future__ import annotations

import signal

import pytest
from twisted.internet.error import ReactorNotRunning

from ftpd.signals import Ending, Signals


class Reactor:
    """Makes calls at once, and can be stopped once, as Twisted's."""

    def __init__(self):
        self.stops = 0

    def callFromThread(self, call):
        call()

    def stop(self):
        if self.stops:
            raise ReactorNotRunning
        self.stops += 1


@pytest.mark.parametrize(("chains", "told"), [(True, ["ours", "former", "former"]), (False, ["ours", "former"])])
def test_a_signal_is_ours_while_it_runs_and_the_former_owners_after(chains, told):
    calls = []
    before = signal.signal(signal.SIGUSR1, lambda *_: calls.append("former"))
    try:
        signals = Signals(Reactor(), {signal.SIGUSR1: lambda: calls.append("ours")}, chains=chains)
        signals.startService()
        signal.raise_signal(signal.SIGUSR1)
        signals.stopService()
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert calls == told


@pytest.mark.parametrize(
    ("numbers", "hurries"),
    [
        ((signal.SIGTERM,), 0),
        ((signal.SIGTERM, signal.SIGTERM), 0),
        ((signal.SIGINT,), 0),
        ((signal.SIGINT, signal.SIGINT), 1),
        ((signal.SIGTERM, signal.SIGINT), 1),
        ((signal.SIGQUIT,), 1),
    ],
)
def test_the_second_interrupt_and_quit_are_in_a_hurry(numbers, hurries):
    reactor, hurried = Reactor(), []
    actions = Ending(reactor, lambda: hurried.append(True)).actions()
    for number in numbers:
        actions[number]()
    assert (reactor.stops, len(hurried)) == (1, hurries)


def test_a_reactor_that_somebody_else_has_stopped_is_not_stopped_again():
    reactor = Reactor()
    reactor.stop()
    Ending(reactor, lambda: None).begin()
    assert reactor.stops == 1
