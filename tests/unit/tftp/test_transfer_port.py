"""Ports that several transfers share, over real sockets on loopback: who hears what, whose end is whose, and when they are closed."""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import socket as sockets
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial
from typing import Any

import pytest
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.error import ConnectionDone
from twisted.internet.pollreactor import PollReactor
from twisted.internet.selectreactor import SelectReactor
from twisted.python.failure import Failure

from ftpd.binding import bound_to
from ftpd.epoll import ContextFreeReactor
from ftpd.testing.lines import private_reactor
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp import transfer_port
from ftpd.tftp.endpoint import IS_LINUX
from ftpd.tftp.path import PathProbe
from ftpd.tftp.transfer_port import PortLine, TransferPorts
from tests.unit.tftp.exchanges import pattern
from tests.unit.tftp.loopback import Told, turn_until

pytestmark = pytest.mark.skipif(not IS_LINUX, reason="machine: elsewhere each transfer has a socket of its own")

HOSTS = ("127.0.0.1", "::1")
UNKNOWN = b"\0\5\0\5Unknown transfer ID\0"


class Client:
    """A client's socket, and its line with what that has told."""

    def __init__(self, socket: sockets.socket, line: PortLine, told: Told) -> None:
        self.socket = socket
        self.line = line
        self.told = told

    @property
    def place(self) -> Any:
        """Where it hears from."""
        self.line.send(b"?")
        return self.socket.recvfrom(100)[1]


@pytest.fixture(params=[EPollReactor, ContextFreeReactor, PollReactor, SelectReactor, AsyncioSelectorReactor])
def any_reactor(request: pytest.FixtureRequest) -> Iterator[Any]:
    with closing(asyncio.new_event_loop()) as loop:
        kind = partial(request.param, loop) if request.param is AsyncioSelectorReactor else request.param
        with private_reactor(kind) as reactor:
            yield reactor


@pytest.fixture
def tidy() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ports_of(reactor: Any, tidy: ExitStack, numbers: tuple[int, int] = (0, 0)) -> TransferPorts:
    probe = PathProbe(reactor)
    tidy.callback(probe.close)
    ports = TransferPorts(reactor, numbers, probe)
    tidy.callback(ports.retire)
    return ports


@pytest.fixture
def ports(reactor: Any, tidy: ExitStack) -> TransferPorts:
    return ports_of(reactor, tidy)


def meet(ports: TransferPorts, tidy: ExitStack, host: str = "127.0.0.1") -> Client:
    """Let another client come, which shares the port that is open."""
    socket = tidy.enter_context(closing(bound_to(host, 0, sockets.SOCK_DGRAM)))
    socket.settimeout(10)
    socket.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 1 << 20)
    address = socket.getsockname()
    line = ports.line((host, 69, *address[2:]), address)
    assert line is not None
    tidy.callback(line.close)
    told = Told()
    line.tell(told)
    return Client(socket, line, told)


def test_each_client_is_heard_by_its_own_line(any_reactor, tidy, host):
    ports = ports_of(any_reactor, tidy)
    one, other = meet(ports, tidy, host), meet(ports, tidy, host)
    assert one.place == other.place
    other.socket.sendto(b"\0\4\0\2", other.place)
    one.socket.sendto(b"\0\4\0\1", one.place)
    turn_until(any_reactor, lambda: one.told.datagrams and other.told.datagrams)
    assert (one.told.datagrams, other.told.datagrams) == ([b"\0\4\0\1"], [b"\0\4\0\2"])


def test_closed_port_of_one_client_is_told_to_its_line_only(any_reactor, tidy, host):
    ports = ports_of(any_reactor, tidy)
    one, other = meet(ports, tidy, host), meet(ports, tidy, host)
    place = other.place
    one.socket.close()
    one.line.send(b"anybody there?")
    other.line.send(b"and you?")
    assert other.socket.recv(100) == b"and you?"
    turn_until(any_reactor, lambda: one.told.errors)
    other.socket.sendto(b"\0\4\0\1", place)
    turn_until(any_reactor, lambda: other.told.datagrams)
    assert (one.told.error_numbers, other.told.error_numbers) == ([errno.ECONNREFUSED], [])


def test_error_of_another_client_does_not_stop_a_datagram(reactor, tidy, ports):
    one, other = meet(ports, tidy), meet(ports, tidy)
    one.socket.close()
    for number in range(20):
        one.line.send(b"anybody there?")
        other.line.send(bytes((number,)))
    assert [other.socket.recv(100) for _ in range(20)] == [bytes((number,)) for number in range(20)]


def test_many_errors_are_no_busy_loop(reactor, tidy, ports):
    clients = [meet(ports, tidy) for _ in range(100)]
    for client in clients:
        client.socket.close()
        client.line.send(b"anybody there?")
    turn_until(reactor, lambda: all(client.told.errors for client in clients))
    turns = []
    port = clients[0].line._port
    port._recvfrom = lambda size: turns.append(size)
    reactor.doIteration(0)
    assert turns == []


def test_what_came_is_read_behind_an_error(reactor, tidy, ports):
    """Else whoever sends errors faster than we listen keeps every client of the port waiting."""
    gone, other = meet(ports, tidy), meet(ports, tidy)
    place = other.place
    gone.socket.close()
    gone.line.send(b"anybody there?")
    other.socket.sendto(b"\0\4\0\1", place)
    other.line._port.doRead()
    assert (gone.told.error_numbers, other.told.datagrams) == ([errno.ECONNREFUSED], [b"\0\4\0\1"])


def test_errors_without_end_end_the_read(reactor, tidy, ports, monkeypatch):
    def fail(size):
        met.append("error")
        raise OSError(errno.ECONNREFUSED, "nobody there")

    port = meet(ports, tidy).line._port
    met = []
    monkeypatch.setattr(port, "_recvfrom", fail)
    monkeypatch.setattr(port, "_hear_errors", lambda: met.append("heard"))
    port.doRead()
    assert met == ["error"] * 9 + ["heard"]


def test_several_errors_of_others_do_not_stop_a_datagram(reactor, tidy, ports, monkeypatch):
    client = meet(ports, tidy)
    sendto, errors = client.line._port.sendto, [errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ECONNREFUSED]

    def beset(datagram: bytes, peer: Any) -> int:
        if errors:
            raise OSError(errors.pop(), "of another client")
        return sendto(datagram, peer)

    monkeypatch.setattr(client.line, "_sendto", beset)
    client.line.send(b"here")
    assert client.socket.recv(100) == b"here"


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
def test_full_queue_is_tried_once(reactor, tidy, ports, monkeypatch, number):
    def full(datagram: bytes, peer: Any) -> int:
        tries.append(datagram)
        raise OSError(number, "no room")

    client = meet(ports, tidy)
    tries: list[bytes] = []
    monkeypatch.setattr(client.line, "_sendto", full)
    with pytest.raises(OSError, match="no room"):
        client.line.send(b"here")
    assert tries == [b"here"]


def test_error_of_every_try_is_told(reactor, tidy, ports, monkeypatch):
    def unreachable(datagram: bytes, peer: Any) -> int:
        raise OSError(errno.ENETUNREACH, "no route")

    client = meet(ports, tidy)
    monkeypatch.setattr(client.line, "_sendto", unreachable)
    with pytest.raises(OSError, match="no route"):
        client.line.send(b"here")


def test_stranger_is_told_so_and_the_transfer_goes_on(reactor, tidy, ports, host):
    client = meet(ports, tidy, host)
    place = client.place
    stranger = tidy.enter_context(closing(bound_to(host, 0, sockets.SOCK_DGRAM)))
    stranger.settimeout(10)
    stranger.sendto(b"\0\4\0\1", place)
    client.socket.sendto(b"\0\4\0\2", place)
    turn_until(reactor, lambda: client.told.datagrams)
    assert (stranger.recv(100), client.told.datagrams) == (UNKNOWN, [b"\0\4\0\2"])


@pytest.mark.parametrize("datagram", [b"", b"\0", b"\0\5\0\0stop\0", b"\0\1kernel\0octet\0", b"\0\6blksize\x001428\0"])
def test_stranger_who_believes_in_no_transfer_is_not_answered(reactor, tidy, ports, datagram):
    client = meet(ports, tidy)
    place = client.place
    stranger = tidy.enter_context(closing(bound_to("127.0.0.1", 0, sockets.SOCK_DGRAM)))
    stranger.sendto(datagram, place)
    stranger.sendto(b"\0\4\0\1", place)
    stranger.settimeout(10)
    reactor.iterate(0.05)
    reactor.iterate(0.05)
    assert stranger.recv(100) == UNKNOWN
    stranger.setblocking(False)
    with pytest.raises(BlockingIOError):
        stranger.recv(100)


def test_late_datagram_of_a_client_that_is_done_is_not_answered(reactor, tidy, ports):
    client, other = meet(ports, tidy), meet(ports, tidy)
    place = client.place
    client.line.close()
    client.socket.sendto(b"\0\4\0\1", place)
    other.socket.sendto(b"\0\4\0\1", place)
    turn_until(reactor, lambda: other.told.datagrams)
    client.socket.setblocking(False)
    with pytest.raises(BlockingIOError):
        client.socket.recv(100)
    assert client.told.datagrams == []


def test_no_client_meets_the_same_port_twice(reactor, tidy, ports):
    client = meet(ports, tidy)
    address = client.socket.getsockname()
    client.line.close()
    assert ports.line(("127.0.0.1", 69), address) is None


def test_port_takes_so_many_clients(reactor, tidy, ports, monkeypatch):
    monkeypatch.setattr(transfer_port, "_MOST_CLIENTS", 2)
    places = [meet(ports, tidy).place for _ in range(5)]
    assert places[0] == places[1] != places[2] == places[3] != places[4]


def test_port_takes_clients_for_a_second(reactor, tidy, ports):
    """What has begun there goes on there."""
    before = len(os.listdir("/proc/self/fd"))
    client = meet(ports, tidy)
    place = client.place
    ports.retire()
    other = meet(ports, tidy)
    assert other.place != place
    client.socket.sendto(b"\0\4\0\1", place)
    turn_until(reactor, lambda: client.told.datagrams)
    client.line.close()
    client.line.close()
    other.line.close()
    ports.retire()
    ports.retire()
    client.socket.close()
    other.socket.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_ports_are_those_of_the_range(reactor, tidy):
    ports = ports_of(reactor, tidy, (30_221, 30_221))
    client = meet(ports, tidy)
    assert client.place[1] == 30_221
    ports.retire()
    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
        ports.line(("127.0.0.1", 69), ("127.0.0.1", 2070))


def test_port_of_a_range_is_freed_with_its_last_client(reactor, tidy):
    """Another listener, or another process, may have to answer from it."""
    ports, others = ports_of(reactor, tidy, (30_222, 30_222)), ports_of(reactor, tidy, (30_222, 30_222))
    one, two = meet(ports, tidy), meet(ports, tidy)
    assert one.place == two.place
    one.line.close()
    two.line.close()
    other = meet(others, tidy)
    assert other.place[1] == 30_222
    other.line.close()
    assert meet(ports, tidy).place[1] == 30_222


def test_port_without_room_takes_no_client(reactor, tidy, ports):
    one = meet(ports, tidy)
    one.line.await_room()
    assert meet(ports, tidy).place != one.place


def test_port_has_room_for_what_all_its_clients_miss(reactor, tidy, ports):
    """What is on its way to clients that are gone may stand in the kernel for seconds, until nobody answers for their addresses."""
    socket = meet(ports, tidy).line._port._socket
    assert socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF) > 300_000


def test_addresses_of_ours_have_so_many_ports_open_at_most(reactor, tidy, ports, monkeypatch):
    monkeypatch.setattr(transfer_port, "_MOST_ADDRESSES", 2)
    before = len(os.listdir("/proc/self/fd"))
    for number in range(2, 10):
        line = ports.line((f"127.0.0.{number}", 69), ("127.0.0.1", 2070))
        assert line is not None
        line.close()
    assert len(os.listdir("/proc/self/fd")) <= before + 2


def test_each_address_of_ours_answers_for_itself(reactor, tidy, ports):
    lines = [ports.line((f"127.0.0.{number}", 69), ("127.0.0.1", 2070)) for number in (2, 3)]
    for line in lines:
        assert line is not None
        tidy.callback(line.close)
    assert [line._port._socket.getsockname()[0] for line in lines] == ["127.0.0.2", "127.0.0.3"]


def test_fault_over_one_clients_datagram_is_the_end_of_no_other(reactor, tidy, ports):
    one, other = meet(ports, tidy), meet(ports, tidy)
    place, fault = one.place, RuntimeError("a bug")

    def fail() -> None:
        raise fault

    one.told.on_datagram = fail
    with recorded_log() as log:
        one.socket.sendto(b"\0\4\0\1", place)
        other.socket.sendto(b"\0\4\0\1", place)
        turn_until(reactor, lambda: one.told.faults and other.told.datagrams)
    assert one.told.faults == [fault]
    assert ["RuntimeError: a bug" in line for line in log] == [True]


def test_fault_of_one_client_over_room_is_the_end_of_no_other(reactor, tidy, ports):
    one, other = meet(ports, tidy), meet(ports, tidy)
    fault = RuntimeError("a bug")

    def fail() -> None:
        raise fault

    one.told.on_room = fail
    one.line.await_room()
    other.line.await_room()
    with recorded_log() as log:
        turn_until(reactor, lambda: one.told.faults and other.told.rooms)
    assert one.told.faults == [fault]
    assert ["RuntimeError: a bug" in line for line in log] == [True]
    assert other.place == one.place


def test_fault_over_a_client_that_is_gone_is_the_end_of_no_other(any_reactor, tidy):
    ports = ports_of(any_reactor, tidy)
    one, other = meet(ports, tidy), meet(ports, tidy)
    place, fault = other.place, RuntimeError("a bug")

    def fail() -> None:
        raise fault

    one.told.on_error = fail
    one.socket.close()
    one.line.send(b"anybody there?")
    with recorded_log() as log:
        turn_until(any_reactor, lambda: one.told.faults)
        other.socket.sendto(b"\0\4\0\1", place)
        turn_until(any_reactor, lambda: other.told.datagrams)
    assert one.told.faults == [fault]
    assert ["RuntimeError: a bug" in line for line in log] == [True]


def test_error_that_is_no_longer_there_closes_nothing(reactor, tidy, ports):
    """A reactor may tell of one that was met in the same turn, or that was of a socket whose number ours has now."""
    client = meet(ports, tidy)
    place = client.place
    client.line._port.connectionLost(Failure(ConnectionDone()))
    client.socket.sendto(b"\0\4\0\1", place)
    turn_until(reactor, lambda: client.told.datagrams)


def test_port_closed_while_it_is_read_reads_no_more(reactor, tidy, ports):
    one, other = meet(ports, tidy), meet(ports, tidy)
    place = one.place

    def end() -> None:
        ports.retire()
        one.line.close()
        other.line.close()

    one.told.on_datagram = other.told.on_datagram = end
    one.socket.sendto(b"one", place)
    other.socket.sendto(b"two", place)
    turn_until(reactor, lambda: one.told.datagrams or other.told.datagrams)
    reactor.iterate(0)
    assert one.told.datagrams + other.told.datagrams == [b"one"]


def test_room_is_told_to_those_who_wait_once(reactor, tidy, ports):
    one, other, gone = meet(ports, tidy), meet(ports, tidy), meet(ports, tidy)
    for client in (one, gone, one):
        client.line.await_room()
    gone.line.close()
    turn_until(reactor, lambda: one.told.rooms)
    reactor.iterate(0)
    assert (one.told.rooms, other.told.rooms, gone.told.rooms) == (1, 0, 0)


def test_close_while_room_is_awaited_leaves_nothing(reactor, tidy, ports):
    client = meet(ports, tidy)
    client.line.await_room()
    ports.retire()
    client.line.close()
    assert reactor.getWriters() == []


def test_kernel_cuts_a_burst(reactor, tidy, ports, host):
    client = meet(ports, tidy, host)
    client.line.cut_at(516, 0)
    assert client.line.segments == 64
    packets = [bytes((0, 3, 0, number)) + pattern(512) for number in range(16)]
    client.line.burst((memoryview(b"".join(packets)),))
    assert [client.socket.recv(1000) for _ in packets] == packets


def test_end_of_the_reactor_is_the_end_of_the_port(reactor, tidy, ports):
    client = meet(ports, tidy)
    port = client.line._port
    reactor.disconnectAll()
    assert port.fileno() == -1


def test_closed_line_is_garbage_without_a_collector(reactor, tidy, ports):
    client = meet(ports, tidy)
    client.told.line = client.line  # type: ignore[attr-defined]  # as an exchange has one
    gone, line = weakref.ref(client.told), client.line
    line.close()
    gc.disable()
    try:
        del client
        assert gone() is None
    finally:
        gc.enable()
