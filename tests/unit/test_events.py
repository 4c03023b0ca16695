"""The fan-out of events."""

from __future__ import annotations

from ftpd.events import Events, LoggedIn, LoggedOut, SessionOpened
from ftpd.values import Peer

PEER = Peer("192.0.2.7", 40000, "192.0.2.1", 21, session="s1")
IN = LoggedIn(peer=PEER, account="ann")
OUT = LoggedOut(peer=PEER, account="ann")


class Picky(list):
    """Writes down the logins that it is told of, and wants nothing else."""

    event_kinds = (LoggedIn,)
    __call__ = list.append


class Friendly(LoggedIn):
    """An extension's own kind of login."""


def test_an_observer_is_told_of_everything():
    told = []
    events = Events([told.append])
    events.publish(IN)
    events.publish(OUT)
    assert told == [IN, OUT]


def test_an_observer_that_names_kinds_is_told_of_these_and_what_derives_from_them():
    picky = Picky()
    events = Events([picky])
    friendly = Friendly(peer=PEER, account="ann")
    for event in (IN, OUT, friendly):
        events.publish(event)
    assert picky == [IN, friendly]


def test_nobody_wants_what_no_observer_names():
    assert not Events().wants(LoggedIn)
    assert Events([Picky()]).wants(LoggedIn)
    assert not Events([Picky()]).wants(SessionOpened)
    assert Events([Picky(), [].append]).wants(SessionOpened)


def test_who_wants_what_is_judged_anew_when_observers_come_and_go():
    events, observer = Events(), [].append
    assert not events.wants(LoggedIn)
    events.add(observer)
    assert events.wants(LoggedIn)
    events.remove(observer)
    assert not events.wants(LoggedIn)


def test_an_observer_that_raises_does_not_stop_the_others():
    def broken(event):
        raise RuntimeError("broken")

    told = []
    Events([broken, told.append]).publish(IN)
    assert told == [IN]
