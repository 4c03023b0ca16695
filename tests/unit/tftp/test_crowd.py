"""Crowds, over real sockets: who is read, in what order, and what one that fails means for the others."""

from __future__ import annotations

import errno
import os
import select
import socket as sockets
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from twisted.internet.error import ConnectionLost
from twisted.python.failure import Failure

from ftpd.binding import bound_to
from ftpd.tftp import crowd as crowd_module
from ftpd.tftp.crowd import Crowd, crowd_of
from ftpd.tftp.endpoint import IS_LINUX
from ftpd.tftp.line import ConnectedLine
from tests.unit.tftp.loopback import Told, turn_until

NEEDS_EPOLL = pytest.mark.skipif(not IS_LINUX, reason="machine: epoll is Linux's")
FEW, ROW = 1, 2


class Member:
    """One end of a socket pair, which tells *heard* its name when it is read; `on_read` is called next."""

    def __init__(self, name: str, heard: list[str]) -> None:
        self.name = name
        self.heard = heard
        self.reasons: list[Failure] = []
        self.on_read: Callable[[], None] = lambda: None
        self.end, self.client = sockets.socketpair(sockets.AF_UNIX, sockets.SOCK_DGRAM)

    def fileno(self) -> int:
        return self.end.fileno()

    def logPrefix(self) -> str:
        return "member"

    def doRead(self) -> None:
        self.end.recv(100)
        self.heard.append(self.name)
        self.on_read()

    def connectionLost(self, reason: Failure) -> None:
        self.reasons.append(reason)

    def send(self) -> None:
        self.client.send(b"\0\4\0\1")

    def close(self) -> None:
        self.end.close()
        self.client.close()


class Room:
    """A crowd of *reactor*'s, and who has come in: `a` and `b` to the first row, `c` and `d` to the second; `a` to the reactor itself while alone."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.crowd = Crowd()
        self.heard: list[str] = []
        self.members: dict[str, Member] = {}

    def enter(self, names: str) -> None:
        for name in names:
            self.members[name] = Member(name, self.heard)
            self.crowd.enter(self.reactor, self.members[name])  # type: ignore[arg-type]

    def leave(self, name: str) -> None:
        member = self.members.pop(name)
        self.crowd.leave(self.reactor, member)
        member.close()

    def send(self, names: str) -> None:
        for name in names:
            self.members[name].send()

    def close(self) -> None:
        for name in list(self.members):
            self.leave(name)


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which stands still, in one place."""
    time = [100.0]
    monkeypatch.setattr(crowd_module, "monotonic", lambda: time[0])
    return time


@pytest.fixture
def room(reactor: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(crowd_module, "_FEW", FEW)
    monkeypatch.setattr(crowd_module, "_ROW", ROW)
    with closing(Room(reactor)) as room:
        yield room


def test_each_is_read(room):
    room.enter("abcdefg")
    room.send("gfedcba")
    turn_until(room.reactor, lambda: len(room.heard) == 7)
    assert sorted(room.heard) == list("abcdefg")


@NEEDS_EPOLL
def test_few_are_read_by_the_reactor_and_more_by_way_of_the_crowd(room):
    room.enter("a")
    assert room.members["a"] in room.reactor.getReaders()
    room.enter("bcd")
    assert room.crowd in room.reactor.getReaders()
    assert not set(room.members.values()) & set(room.reactor.getReaders())


def test_who_has_left_is_not_read(room):
    room.enter("abcde")
    gone = [room.members[name] for name in "abd"]
    for member in gone:
        room.crowd.leave(room.reactor, member)
        member.send()
    room.send("ce")
    turn_until(room.reactor, lambda: len(room.heard) == 2)
    assert sorted(room.heard) == ["c", "e"]
    for member in gone:
        room.crowd.enter(room.reactor, member)


@NEEDS_EPOLL
def test_row_goes_on_as_long_as_its_clients_answer(room, now):
    room.enter("abcd")
    for name in "ab":
        room.members[name].on_read = room.members[name].send
    room.send("ab")
    room.reactor.iterate(1)
    room.send("cd")
    for _ in range(3):
        room.reactor.iterate(1)
    assert room.heard == ["a", "b"] * 4


@NEEDS_EPOLL
def test_row_has_its_share_of_the_time_only(room, now):
    room.enter("abcd")
    for name in "abcd":
        room.members[name].on_read = room.members[name].send
    room.send("abcd")
    for _ in range(4):
        room.reactor.iterate(1)
        now[0] += crowd_module._ROUND_SECONDS / 2
    assert room.heard == list("abcdabcd")


@NEEDS_EPOLL
def test_row_with_nothing_to_read_gives_way(room, now):
    room.enter("abcd")
    room.send("abcd")
    for _ in range(2):
        room.reactor.iterate(1)
    assert room.heard == list("abcd")


@NEEDS_EPOLL
def test_what_else_the_reactor_reads_does_not_wait_for_a_row(room, now):
    room.enter("abcd")
    for name in "ab":
        room.members[name].on_read = room.members[name].send
    room.send("ab")
    room.reactor.iterate(1)
    with closing(Member("other", room.heard)) as other:
        room.reactor.addReader(other)
        other.send()
        room.reactor.iterate(1)
        room.reactor.removeReader(other)
    assert "other" in room.heard


@NEEDS_EPOLL
def test_whom_an_earlier_one_has_closed_is_not_read(room):
    room.enter("abc")
    room.members["a"].on_read = lambda: room.leave("b")
    room.send("ab")
    turn_until(room.reactor, lambda: room.heard)
    room.send("c")
    turn_until(room.reactor, lambda: room.heard == ["a", "c"])


@NEEDS_EPOLL
def test_row_may_be_closed_by_whom_it_serves(room):
    room.enter("abc")
    room.members["a"].on_read = lambda: [room.leave(name) for name in "ab"]
    room.send("a")
    turn_until(room.reactor, lambda: "a" not in room.members)
    room.send("c")
    turn_until(room.reactor, lambda: room.heard == ["a", "c"])


@NEEDS_EPOLL
def test_fault_over_one_is_told_to_it_alone(room):
    room.enter("abc")

    def fail() -> None:
        raise ArithmeticError("unforeseen")

    room.members["a"].on_read = fail
    room.send("ab")
    turn_until(room.reactor, lambda: "b" in room.heard)
    (reason,) = room.members["a"].reasons
    assert reason.check(ArithmeticError)
    assert room.members["b"].reasons == []


@NEEDS_EPOLL
def test_end_of_the_reactor_is_told_to_all(room):
    room.enter("abcd")
    reason = Failure(ConnectionLost())
    room.crowd.connectionLost(reason)
    assert [room.members[name].reasons for name in "abcd"] == [[reason]] * 4


@NEEDS_EPOLL
def test_crowd_that_is_gone_has_no_descriptors(room):
    before = os.listdir("/proc/self/fd")
    room.enter("abcd")
    room.close()
    assert os.listdir("/proc/self/fd") == before
    assert room.crowd.fileno() == -1


@NEEDS_EPOLL
def test_row_that_was_closed_is_made_anew(room):
    room.enter("abc")
    room.close()
    room.enter("abc")
    room.send("ab")
    turn_until(room.reactor, lambda: room.heard == ["a", "b"])


def test_without_epoll_the_reactor_reads_all(room, monkeypatch):
    monkeypatch.delattr(select, "epoll", raising=False)
    room.enter("abcde")
    assert set(room.members.values()) <= set(room.reactor.getReaders())


@NEEDS_EPOLL
def test_without_a_descriptor_left_the_reactor_reads_all(room, monkeypatch):
    def refuse() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr(select, "epoll", refuse)
        room.enter("abc")
    assert set(room.members.values()) <= set(room.reactor.getReaders())


def test_line_in_a_row_hears_its_client_and_that_it_is_gone(reactor, tidy, monkeypatch):
    monkeypatch.setattr(crowd_module, "_FEW", 0)
    client = tidy.enter_context(closing(bound_to("127.0.0.1", 0, sockets.SOCK_DGRAM)))
    line = ConnectedLine(reactor, ("127.0.0.1", 69), client.getsockname(), (0, 0))
    tidy.callback(line.close)
    told = Told()
    line.tell(told)
    line.send(b"\0\3\0\1hello")
    client.sendto(b"\0\4\0\1", client.recvfrom(100)[1])
    turn_until(reactor, lambda: told.datagrams == [b"\0\4\0\1"])
    client.close()
    line.send(b"\0\3\0\2")
    turn_until(reactor, lambda: told.error_numbers == [errno.ECONNREFUSED])


def test_each_reactor_has_a_crowd_of_its_own(reactor):
    class Other: ...

    assert crowd_of(reactor) is crowd_of(reactor)
    assert crowd_of(reactor) is not crowd_of(Other())  # type: ignore[arg-type]
