"""Lines, over real sockets on loopback: what leaves, what comes, and what the errors of a socket mean."""

from __future__ import annotations

import errno
import gc
import os
import socket as sockets
import weakref
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import pytest

from ftpd.binding import bound_to
from ftpd.tftp import line as line_module
from ftpd.tftp.endpoint import IS_LINUX
from ftpd.tftp.line import ConnectedLine, SharedLine
from ftpd.tftp.path import PathProbe
from ftpd.tftp.port import RequestPort
from tests.unit.tftp.exchanges import pattern
from tests.unit.tftp.loopback import Told, turn_until

NEEDS_LINUX = pytest.mark.skipif(not IS_LINUX, reason="machine: UDP segmentation offload is Linux's")


@pytest.fixture(params=["127.0.0.1", "::1"])
def client(request: pytest.FixtureRequest, tidy: ExitStack) -> sockets.socket:
    try:
        bound = bound_to(request.param, 0, sockets.SOCK_DGRAM)
    except OSError:
        pytest.skip("machine: no IPv6")
    bound.settimeout(10)
    bound.setsockopt(sockets.SOL_SOCKET, sockets.SO_RCVBUF, 1 << 20)
    return tidy.enter_context(closing(bound))


@pytest.fixture
def connect(reactor: Any, tidy: ExitStack, client: sockets.socket) -> Callable[..., tuple[ConnectedLine, Told]]:
    def connect(ports: tuple[int, int] = (0, 0)) -> tuple[ConnectedLine, Told]:
        address = client.getsockname()
        line = ConnectedLine(reactor, (address[0], 69, *address[2:]), address, ports)
        tidy.callback(line.close)
        told = Told()
        line.tell(told)
        return line, told

    return connect


def test_datagrams_go_both_ways(reactor, client, connect):
    line, told = connect()
    line.send(b"\0\3\0\1hello")
    datagram, source = client.recvfrom(100)
    client.sendto(b"\0\4\0\1", source)
    turn_until(reactor, lambda: told.datagrams)
    assert (datagram, told.datagrams) == (b"\0\3\0\1hello", [b"\0\4\0\1"])


def test_stranger_is_not_heard(reactor, client, connect, tidy):
    line, told = connect()
    line.send(b"?")
    source = client.recvfrom(100)[1]
    stranger = tidy.enter_context(closing(bound_to(client.getsockname()[0], 0, sockets.SOCK_DGRAM)))
    stranger.sendto(b"\0\5\0\0stop\0", source)
    client.sendto(b"\0\4\0\1", source)
    turn_until(reactor, lambda: told.datagrams)
    assert told.datagrams == [b"\0\4\0\1"]


@NEEDS_LINUX
@pytest.mark.parametrize(("size", "count"), [(516, 64), (1432, 45), (12, 64)])
def test_kernel_cuts_a_burst(client, connect, size, count):
    line, _ = connect()
    line.cut_at(size, 0)
    assert line.segments >= count
    packets = [bytes((0, 3, 0, number)) + pattern(size - 4) for number in range(count)]
    packets[-1] = packets[-1][:7]
    line.burst((memoryview(b"".join(packets)),))
    assert [client.recv(70_000) for _ in packets] == packets


@NEEDS_LINUX
def test_of_blocks_of_which_no_two_fit_a_call_the_kernel_is_asked_to_cut_nothing():
    """It would refuse one that has become too large for the path, which send() does not."""
    assert line_module.offload(65468, 65464) == (1, [])


@NEEDS_LINUX
def test_burst_has_no_more_than_the_kernel_takes(client, connect):
    line, _ = connect()
    for size in (12, 516, 1432, 8196, 65464 + 4):
        line.cut_at(size, 0)
        packets = [pattern(size)] * line.segments
        line.burst((memoryview(b"".join(packets)),))
        assert [client.recv(70_000) for _ in packets] == packets


def test_block_larger_than_the_path_is_not_cut_by_the_kernel(connect, monkeypatch):
    line, _ = connect()
    monkeypatch.setattr(line_module, "mtu_block", lambda connected, family: 1468)
    line.cut_at(1473, 0)
    assert line.segments == 1
    line.cut_at(1472, 0)
    assert line.segments == (44 if IS_LINUX else 1)


@NEEDS_LINUX
def test_routers_may_cut_what_does_not_fit(client, connect):
    """Else the first large block through a tunnel is EMSGSIZE, and the end."""
    line, _ = connect()
    option = (sockets.IPPROTO_IP, 10) if client.family == sockets.AF_INET else (sockets.IPPROTO_IPV6, 23)
    assert line._socket is not None
    assert line._socket.getsockopt(*option) == 0


def test_closed_port_of_the_client_is_named(reactor, client, connect):
    line, told = connect()
    client.close()
    line.send(b"anybody there?")
    turn_until(reactor, lambda: told.errors)
    assert told.error_numbers == [errno.ECONNREFUSED]
    assert told.errors[0].strerror == os.strerror(errno.ECONNREFUSED)


def test_line_closed_while_it_is_read_tells_nothing_more(reactor, client, connect):
    line, told = connect()
    line.send(b"?")
    source = client.recvfrom(100)[1]
    told.on_datagram = line.close
    client.sendto(b"one", source)
    client.sendto(b"two", source)
    turn_until(reactor, lambda: told.datagrams)
    reactor.doIteration(0)
    assert (told.datagrams, told.errors, line.fileno()) == ([b"one"], [], -1)


def test_upload_is_taken_many_at_a_time(reactor, client, connect):
    line, told = connect()
    line.cut_at(4, 1433)
    line.send(b"?")
    source = client.recvfrom(100)[1]
    packets = [bytes((number,)) * 1432 for number in range(30)]
    for packet in packets:
        client.sendto(packet, source)
    reactor.doIteration(1)
    assert told.datagrams == packets


def test_largest_block_is_received_whole(reactor, client, connect):
    line, told = connect()
    line.cut_at(4, 65464 + 5)
    line.send(b"?")
    source = client.recvfrom(100)[1]
    client.sendto(pattern(65464 + 4), source)
    turn_until(reactor, lambda: told.datagrams)
    assert told.datagrams == [pattern(65464 + 4)]


def test_longer_block_than_agreed_shows(reactor, client, connect):
    line, told = connect()
    line.cut_at(4, 1428 + 5)
    line.send(b"?")
    client.sendto(pattern(3000), client.recvfrom(100)[1])
    turn_until(reactor, lambda: told.datagrams)
    assert len(told.datagrams[0]) == 1428 + 5


def test_room_is_told_once(reactor, connect):
    line, told = connect()
    line.await_room()
    line.await_room()
    turn_until(reactor, lambda: told.rooms)
    reactor.doIteration(0)
    assert told.rooms == 1


def test_close_while_room_is_awaited_leaves_nothing(connect):
    line, _ = connect()
    line.await_room()
    line.close()
    line.close()


def test_closed_line_sends_nothing(connect):
    line, _ = connect()
    line.close()
    with pytest.raises(OSError, match=os.strerror(errno.EBADF)):
        line.send(b"?")


def test_ports_are_those_of_the_range(client, connect):
    used = set()
    for _ in range(3):
        connect((30_205, 30_207))[0].send(b"?")
        used.add(client.recvfrom(100)[1][1])
    assert used == {30_205, 30_206, 30_207}
    with pytest.raises(OSError, match=os.strerror(errno.EADDRINUSE)):
        connect((30_205, 30_207))


def test_closed_line_is_garbage_without_a_collector(client, connect, tidy):
    line, told = connect()
    told.line = line  # type: ignore[attr-defined]  # as an exchange has one
    gone = weakref.ref(told)
    line.close()
    tidy.pop_all()
    tidy.callback(client.close)
    gc.disable()
    try:
        del told
        assert line.fileno() == -1
        assert gone() is None
    finally:
        gc.enable()


# The listening socket as a line.


@pytest.fixture
def probe(reactor: Any, tidy: ExitStack) -> PathProbe:
    return tidy.enter_context(closing(PathProbe(reactor)))


@NEEDS_LINUX
def test_shared_line_cuts_bursts_too(reactor, client, tidy, probe):
    address = client.getsockname()
    port = RequestPort(reactor, bound_to(address[0], 0, sockets.SOCK_DGRAM), lambda *_: None, lambda _: None)
    tidy.callback(port.close)
    line = SharedLine(port, probe, (address[0], 0, *address[2:]), address, [])
    line.cut_at(516, 0)
    packets = [bytes((0, 3, 0, number)) + pattern(512) for number in range(64)]
    line.burst((memoryview(b"".join(packets)),))
    received = [client.recvfrom(1000) for _ in packets]
    assert [datagram for datagram, _ in received] == packets
    assert {source[1] for _, source in received} == {port.address[1]}
    line.send(b"one")
    assert client.recv(100) == b"one"
