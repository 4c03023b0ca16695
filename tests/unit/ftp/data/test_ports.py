"""Data ports, over real sockets on loopback: who gets in, until when, and what is left afterwards.

Deadlines run on a clock of the test's own; the reactor is one too, and is checked to be empty after each test.
"""

from __future__ import annotations

import errno
import os
import resource
import socket as sockets
from collections.abc import Callable
from contextlib import ExitStack, closing
from typing import Any

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.errors import DataConnectionFailed
from ftpd.ftp.data import active, passive
from ftpd.ftp.data.faults import DataFaults
from ftpd.ftp.data.passive import BACKLOG
from ftpd.ftp.data.ports import DataPortFactory
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.reactors import ClockedReactor, spin, turn
from ftpd.transfer.accept import accepted
from ftpd.transfer.descriptor import SocketConnection
from tests.unit.ftp.data.loopback import DEADLINE, RANGE, can_listen, one_free_port, peer


@pytest.fixture
def make(reactor: ClockedReactor, tidy: ExitStack, faults: DataFaults) -> Callable[..., DataPortFactory]:
    def make(ports: tuple[int, int] = RANGE, source_port: int = 0) -> DataPortFactory:
        return tidy.enter_context(closing(DataPortFactory(reactor, ports, DEADLINE, source_port, faults=faults)))

    return make


@pytest.fixture
def connect(tidy: ExitStack) -> Callable[..., sockets.socket]:
    """Return a function that connects a client from an address of its own."""

    def connect(port: Any, source: str = "127.0.0.1") -> sockets.socket:
        client = tidy.enter_context(sockets.socket(sockets.AF_INET6 if ":" in source else sockets.AF_INET))
        client.bind((source, 0))
        client.connect((port.address, port.port))
        client.settimeout(5)
        return client

    return connect


@pytest.fixture
def wait(reactor: ClockedReactor, tidy: ExitStack) -> Callable[[Deferred[SocketConnection]], SocketConnection]:
    """Return a function that turns the reactor until a data port has its connection, or raises why not."""

    def wait(awaited: Deferred[SocketConnection]) -> SocketConnection:
        connection = spin(reactor, awaited)
        tidy.callback(connection.close)
        return connection

    return wait


def is_same(connection: SocketConnection, client: sockets.socket) -> bool:
    assert connection.socket is not None
    return bool(connection.socket.getpeername() == client.getsockname())


def is_cut(client: sockets.socket) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True


# Passive: before and after.


def test_client_that_connects_before_the_transfer_command_is_there_at_once(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    client = connect(port)
    opened = port.open()
    assert opened.called
    assert is_same(wait(opened), client)


def test_client_that_connects_after_the_transfer_command_is_taken(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    opened = port.open()
    assert not opened.called
    client = connect(port)
    assert is_same(wait(opened), client)


def test_connection_does_not_block(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    connect(port)
    assert wait(port.open()).socket.getblocking() is False


def test_port_is_free_again_once_the_connection_is_there(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    connect(port)
    wait(port.open())
    assert can_listen(port.port)


def test_second_connection_is_refused(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    first, second = connect(port), connect(port)
    assert is_same(wait(port.open()), first)
    assert is_cut(second)


def test_port_is_of_one_use(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    connect(port)
    wait(port.open())
    with pytest.raises(DataConnectionFailed):
        wait(port.open())


def test_it_listens_on_the_address_that_the_client_reached(make: Any) -> None:
    port = make().listen(peer(local="127.0.0.9"))
    assert port.address == "127.0.0.9"
    assert can_listen(port.port, "127.0.0.1")


def test_ipv6_works(make: Any, connect: Any, wait: Any) -> None:
    if not sockets.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("machine: no IPv6")
    port = make().listen(peer("::1", "::1"))
    client = connect(port, "::1")
    assert is_same(wait(port.open()), client)


# Strangers.


def test_stranger_is_turned_away_and_the_client_that_comes_after_gets_in(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer("127.0.0.2"))
    stranger, client = connect(port, "127.0.0.3"), connect(port, "127.0.0.2")
    assert is_same(wait(port.open()), client)
    assert is_cut(stranger)


def test_stranger_after_the_transfer_command_is_turned_away(reactor: ClockedReactor, make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer("127.0.0.2"))
    opened = port.open()
    stranger = connect(port, "127.0.0.3")
    turn(reactor)
    assert is_cut(stranger)
    assert not opened.called
    client = connect(port, "127.0.0.2")
    assert is_same(wait(opened), client)


def test_client_behind_a_queue_of_strangers_gets_in(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer("127.0.0.2"))
    strangers = [connect(port, "127.0.0.3") for _ in range(20)]
    client = connect(port, "127.0.0.2")
    assert is_same(wait(port.open()), client)
    assert all(map(is_cut, strangers))


def test_client_behind_a_full_queue_of_strangers_gets_in(make: Any, connect: Any, wait: Any, tidy: ExitStack) -> None:
    port = make().listen(peer("127.0.0.2"))
    for _ in range(BACKLOG + 1):
        connect(port, "127.0.0.3")
    client = tidy.enter_context(sockets.socket())
    client.bind(("127.0.0.2", 0))
    client.setblocking(False)
    client.connect_ex((port.address, port.port))
    assert is_same(wait(port.open()), client)


def test_anybody_may_connect_where_that_is_a_right(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer("127.0.0.2"), from_anywhere=True)
    client = connect(port, "127.0.0.3")
    assert is_same(wait(port.open()), client)


# The deadline.


def test_nobody_connects_until_the_deadline(reactor: ClockedReactor, make: Any, wait: Any) -> None:
    port = make().listen(peer())
    opened = port.open()
    reactor.clock.advance(DEADLINE - 1)
    assert not opened.called
    reactor.clock.advance(1)
    with pytest.raises(DataConnectionFailed, match="within 30 seconds"):
        wait(opened)
    assert can_listen(port.port)


def test_deadline_runs_from_the_announcement(reactor: ClockedReactor, make: Any, wait: Any) -> None:
    port = make().listen(peer())
    reactor.clock.advance(DEADLINE)
    assert can_listen(port.port)
    with pytest.raises(DataConnectionFailed, match="within 30 seconds"):
        wait(port.open())


def test_deadline_runs_again_from_the_transfer_command(reactor: ClockedReactor, make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    reactor.clock.advance(DEADLINE - 1)
    opened = port.open()
    reactor.clock.advance(DEADLINE - 1)
    client = connect(port)
    assert is_same(wait(opened), client)


def test_deadline_does_not_end_a_connection_that_stands_in_the_queue(
    reactor: ClockedReactor, make: Any, connect: Any, wait: Any
) -> None:
    port = make().listen(peer("127.0.0.2"))
    for _ in range(40):
        connect(port, "127.0.0.3")
    client = connect(port, "127.0.0.2")
    reactor.clock.advance(10 * DEADLINE)
    assert is_same(wait(port.open()), client)


# What is told of it.


def faults_of(told: list[Any]) -> list[tuple[str, int, str]]:
    return [(event.fault, event.port, event.other) for event in told]


@pytest.mark.parametrize("is_opened", [False, True])
def test_that_nobody_connects_is_told(reactor: ClockedReactor, make: Any, told: list[Any], is_opened: bool) -> None:
    port = make().listen(peer())
    if is_opened:
        port.open().addErrback(lambda _: None)
    reactor.clock.advance(DEADLINE)
    assert faults_of(told) == [("nobody-connected", port.port, "")]


def test_who_connected_instead_is_told(reactor: ClockedReactor, make: Any, connect: Any, told: list[Any]) -> None:
    port = make().listen(peer("127.0.0.2"))
    connect(port, "127.0.0.3")
    port.open().addErrback(lambda _: None)
    reactor.clock.advance(DEADLINE)
    assert faults_of(told) == [("stranger-connected", port.port, "127.0.0.3")]


def test_a_stranger_beside_the_client_is_nothing_to_tell(
    reactor: ClockedReactor, make: Any, connect: Any, wait: Any, told: list[Any]
) -> None:
    port = make().listen(peer("127.0.0.2"))
    connect(port, "127.0.0.3")
    connect(port, "127.0.0.2")
    wait(port.open())
    reactor.clock.advance(DEADLINE)
    assert told == []


def test_a_stranger_on_a_port_that_several_wait_on_is_nobodys(
    reactor: ClockedReactor, make: Any, connect: Any, told: list[Any]
) -> None:
    number = one_free_port()
    factory = make((number, number))
    first, second = factory.listen(peer("127.0.0.2")), factory.listen(peer("127.0.0.3"))
    connect(first, "127.0.0.4")
    first.open().addErrback(lambda _: None)
    second.open().addErrback(lambda _: None)
    reactor.clock.advance(DEADLINE)
    assert faults_of(told) == [("nobody-connected", number, "")]


def test_two_ports_dropped_unused_are_nothing_to_tell(reactor: ClockedReactor, make: Any, told: list[Any]) -> None:
    factory = make()
    for _ in range(2):
        factory.listen(peer()).close()
    reactor.clock.advance(DEADLINE)
    assert told == []


def test_three_ports_dropped_unused_in_a_row_are_told(make: Any, told: list[Any]) -> None:
    factory = make()
    ports = [factory.listen(peer()) for _ in range(3)]
    ports[0].close()
    ports[1].open().addErrback(lambda _: None)
    ports[1].close()
    ports[1].close()
    assert told == []
    ports[2].open().addErrback(lambda _: None).cancel()
    assert faults_of(told) == [("ports-given-up", ports[2].port, "")]


@pytest.mark.parametrize("is_opened", [False, True])
def test_a_client_that_comes_through_ends_the_row(make: Any, connect: Any, wait: Any, told: list[Any], is_opened: bool) -> None:
    factory = make()
    for _ in range(3):
        factory.listen(peer()).close()
        factory.listen(peer()).close()
        port = factory.listen(peer())
        connect(port)
        if is_opened:
            wait(port.open())
        port.close()
    assert told == []


def test_ports_dropped_with_the_factory_are_nothing_to_tell(make: Any, told: list[Any]) -> None:
    factory = make()
    for _ in range(5):
        factory.listen(peer())
    factory.close()
    assert told == []


# The range.


def test_ports_are_taken_at_random(make: Any) -> None:
    factory = make()
    numbers = [factory.listen(peer()).port for _ in range(20)]
    assert len(set(numbers)) == 20
    assert all(RANGE[0] <= number <= RANGE[1] for number in numbers)
    assert numbers != sorted(numbers)


def test_port_that_is_busy_is_skipped(make: Any, tidy: ExitStack) -> None:
    busy = one_free_port()
    tidy.enter_context(sockets.create_server(("127.0.0.1", busy)))
    free = next(number for number in range(busy + 1, RANGE[1]) if can_listen(number))
    for _ in range(10):
        port = make((busy, free)).listen(peer())
        assert port.port != busy
        port.close()


def test_port_that_another_listens_on_only_after_our_bind_is_skipped(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = one_free_port()
    refused: list[int] = []

    def listen(self: sockets.socket, backlog: int) -> None:
        if not refused:
            refused.append(self.getsockname()[1])
            raise OSError(errno.EADDRINUSE, "busy")
        real(self, backlog)

    real = sockets.socket.listen
    monkeypatch.setattr(sockets.socket, "listen", listen)
    port = make((first, first + 20)).listen(peer())
    assert [port.port] != refused


def test_range_is_tried_once(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def bind(self: sockets.socket, address: Any) -> None:
        tried.append(address[1])
        raise OSError(errno.EADDRINUSE, "busy")

    monkeypatch.setattr(sockets.socket, "bind", bind)
    with pytest.raises(DataConnectionFailed, match="No free port"):
        make((40_000, 40_049)).listen(peer())
    assert sorted(tried) == list(range(40_000, 40_050))


def test_search_of_a_large_range_is_bounded(make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def bind(self: sockets.socket, address: Any) -> None:
        tried.append(address[1])
        raise OSError(errno.EADDRINUSE, "busy")

    monkeypatch.setattr(sockets.socket, "bind", bind)
    with pytest.raises(DataConnectionFailed):
        make((20_000, 60_000)).listen(peer())
    assert len(tried) == 1024


def test_address_that_is_not_ours_is_tried_once_and_told(make: Any) -> None:
    with recorded_log() as lines, pytest.raises(DataConnectionFailed, match="operator's log"):
        make().listen(peer(local="192.0.2.1"))
    assert len(lines) == 1


def test_sessions_of_different_addresses_share_the_only_port(make: Any, connect: Any, wait: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    sources = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    ports = [factory.listen(peer(source)) for source in sources]
    assert [port.port for port in ports] == [number] * 3
    opened = [port.open() for port in ports]
    clients = [connect(port, source) for port, source in zip(ports, reversed(sources), strict=True)]
    connections = [wait(one) for one in opened]
    assert [is_same(one, client) for one, client in zip(connections, reversed(clients), strict=True)] == [True] * 3
    assert can_listen(number)


def test_second_session_of_one_address_finds_the_only_port_taken(make: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    factory.listen(peer())
    with pytest.raises(DataConnectionFailed, match="No free port"):
        factory.listen(peer())


def test_only_port_can_be_announced_again_once_dropped(make: Any, connect: Any, wait: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    factory.listen(peer()).close()
    port = factory.listen(peer())
    client = connect(port)
    assert is_same(wait(port.open()), client)


def test_port_for_anybody_shares_with_nobody(make: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    factory.listen(peer(), from_anywhere=True)
    with pytest.raises(DataConnectionFailed):
        factory.listen(peer("127.0.0.2"))


def test_port_that_somebody_waits_on_is_not_given_to_anybody(make: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    factory.listen(peer())
    with pytest.raises(DataConnectionFailed):
        factory.listen(peer("127.0.0.2"), from_anywhere=True)


def test_connection_made_for_an_earlier_use_is_not_handed_on(make: Any, connect: Any, wait: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    factory.listen(peer("127.0.0.3"))  # keeps the listener
    dropped = factory.listen(peer("127.0.0.2"))
    stale = connect(dropped, "127.0.0.2")
    dropped.close()
    port = factory.listen(peer("127.0.0.2"))
    opened = port.open()
    assert not opened.called
    client = connect(port, "127.0.0.2")
    assert is_same(wait(opened), client)
    assert is_cut(stale)


def test_joining_a_port_whose_last_client_stands_in_the_queue_keeps_it_open(make: Any, connect: Any, wait: Any) -> None:
    number = one_free_port()
    factory = make((number, number))
    first = factory.listen(peer("127.0.0.2"))
    early = connect(first, "127.0.0.2")
    second = factory.listen(peer("127.0.0.3"))
    late = connect(second, "127.0.0.3")
    assert is_same(wait(second.open()), late)
    assert is_same(wait(first.open()), early)


# A machine that lacks descriptors.


def test_no_descriptor_at_accept_does_not_keep_the_reactor_busy(
    reactor: ClockedReactor, make: Any, connect: Any, wait: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def accept(listening: sockets.socket, family: int) -> Any:
        calls.append(listening)
        if len(calls) < 3:
            raise OSError(errno.EMFILE, "Too many open files")
        return accepted(listening, family)

    port = make().listen(peer())
    client = connect(port)
    monkeypatch.setattr(passive, "accepted", accept)
    with recorded_log() as lines:
        opened = port.open()
        for _ in range(10):
            turn(reactor)
        assert len(calls) == 2
        reactor.clock.advance(1)
        assert is_same(wait(opened), client)
    assert ["Too many open files" in line for line in lines] == [True]


def test_no_descriptor_for_a_listener_is_told(make: Any) -> None:
    factory = make()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    in_use = max(map(int, os.listdir("/proc/self/fd"))) + 1
    with ExitStack() as filler, recorded_log() as lines:
        while (number := os.dup(0)) < in_use:
            filler.callback(os.close, number)
        filler.callback(os.close, number)
        resource.setrlimit(resource.RLIMIT_NOFILE, (number + 1, hard))
        try:
            with pytest.raises(DataConnectionFailed, match="operator's log"):
                factory.listen(peer())
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert ["Too many open files" in line for line in lines] == [True]


# Closing.


def test_closing_frees_the_port(make: Any, connect: Any) -> None:
    port = make().listen(peer())
    client = connect(port)
    port.close()
    port.close()
    assert is_cut(client)
    assert can_listen(port.port)


def test_connection_handed_over_is_not_closed_with_the_port(make: Any, connect: Any, wait: Any) -> None:
    port = make().listen(peer())
    client = connect(port)
    connection = wait(port.open())
    port.close()
    connection.socket.send(b"x")
    assert client.recv(1) == b"x"


def test_cancelling_the_wait_frees_the_port(make: Any, wait: Any) -> None:
    port = make().listen(peer())
    opened = port.open()
    opened.cancel()
    with pytest.raises(CancelledError):
        wait(opened)
    assert can_listen(port.port)


def test_closing_the_factory_ends_every_wait(make: Any, wait: Any) -> None:
    factory = make()
    port = factory.listen(peer())
    opened = port.open()
    factory.close()
    with pytest.raises(DataConnectionFailed, match="closed"):
        wait(opened)
    assert can_listen(port.port)


# Active.


@pytest.fixture
def client_port(tidy: ExitStack) -> sockets.socket:
    listener = tidy.enter_context(sockets.create_server(("127.0.0.1", 0)))
    listener.settimeout(5)
    return listener


def test_active_connects_only_when_opened(client_port: sockets.socket, make: Any, wait: Any) -> None:
    port = make().target(peer(), *client_port.getsockname())
    client_port.setblocking(False)
    with pytest.raises(BlockingIOError):
        client_port.accept()
    connection = wait(port.open())
    client_port.settimeout(5)
    with client_port.accept()[0] as client:
        assert is_same(connection, client)


def test_active_comes_from_the_address_of_the_control_connection(client_port: sockets.socket, make: Any, wait: Any) -> None:
    connection = wait(make().target(peer(local="127.0.0.7"), *client_port.getsockname()).open())
    assert connection.socket.getsockname()[0] == "127.0.0.7"


def test_active_comes_from_the_set_source_port(client_port: sockets.socket, make: Any, wait: Any) -> None:
    source = one_free_port()
    connection = wait(make(source_port=source).target(peer(), *client_port.getsockname()).open())
    assert connection.socket.getsockname()[1] == source


def test_active_takes_any_port_where_the_set_one_is_not_to_be_had_and_says_so_once(
    client_port: sockets.socket, make: Any, wait: Any, tidy: ExitStack
) -> None:
    source = one_free_port()
    tidy.enter_context(sockets.create_server(("127.0.0.1", source)))
    factory = make(source_port=source)
    with recorded_log() as lines:
        for _ in range(2):
            connection = wait(factory.target(peer(), *client_port.getsockname()).open())
            assert connection.socket.getsockname()[1] != source
    assert len(lines) == 1


@pytest.fixture
def no_right(monkeypatch: pytest.MonkeyPatch) -> OSError:
    """Let this process have no right to port 20, whoever runs the tests."""
    denied = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(active, "forbidden_source_port", lambda port: denied if port == 20 else None)
    return denied


@pytest.mark.usefixtures("no_right")
def test_active_without_the_right_to_the_set_port_is_said_at_the_start_and_takes_any(
    client_port: sockets.socket, make: Any, wait: Any
) -> None:
    with recorded_log() as lines:
        factory = make(source_port=20)
        [line] = lines
        for _ in range(2):
            assert wait(factory.target(peer(), *client_port.getsockname()).open()).socket.getsockname()[1] != 20
    assert line.startswith(
        "active mode cannot use source port 20 (Permission denied): any port is used instead; this is said once "
    )
    assert len(lines) == 1


@pytest.mark.usefixtures("no_right")
def test_active_without_the_right_is_not_said_again_by_who_is_started_by_another(reactor: ClockedReactor) -> None:
    with recorded_log() as lines, closing(DataPortFactory(reactor, RANGE, DEADLINE, 20, has_told=True)):
        assert lines == []


def test_a_source_port_that_somebody_listens_on_is_not_forbidden(tidy: ExitStack) -> None:
    source = one_free_port()
    tidy.enter_context(sockets.create_server(("0.0.0.0", source)))
    assert active.forbidden_source_port(source) is None


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_a_source_port_that_the_system_denies_is_forbidden(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    class Denied(sockets.socket):
        def bind(self, address: object) -> None:
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr(active.sockets, "socket", Denied)
    error = active.forbidden_source_port(20)
    assert error is not None
    assert error.errno == number


def test_active_to_a_port_where_nobody_listens_is_refused(make: Any, wait: Any) -> None:
    number = one_free_port()
    with pytest.raises(DataConnectionFailed, match=f"127.0.0.1 port {number}: Connection refused"):
        wait(make().target(peer(), "127.0.0.1", number).open())


def test_active_to_an_address_without_route_fails(make: Any, wait: Any) -> None:
    with pytest.raises(DataConnectionFailed):
        wait(make().target(peer(), "192.0.2.1", 2000).open())  # from a loopback address nothing leaves the machine


@pytest.fixture
def deaf_port(tidy: ExitStack) -> tuple[str, int]:
    """A port whose queue is full: the kernel answers no SYN."""
    listener = tidy.enter_context(sockets.create_server(("127.0.0.1", 0), backlog=0))
    for _ in range(3):
        filler = tidy.enter_context(sockets.socket())
        filler.setblocking(False)
        filler.connect_ex(listener.getsockname())
    address: tuple[str, int] = listener.getsockname()
    return address


def test_active_that_gets_no_answer_fails_at_the_deadline(
    reactor: ClockedReactor, deaf_port: tuple[str, int], make: Any, wait: Any
) -> None:
    opened = make().target(peer(), *deaf_port).open()
    for _ in range(3):
        turn(reactor)
    reactor.clock.advance(DEADLINE)
    with pytest.raises(DataConnectionFailed, match="within 30 seconds"):
        wait(opened)


def test_cancelling_an_active_connect_closes_its_socket(
    reactor: ClockedReactor, deaf_port: tuple[str, int], make: Any, wait: Any
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    opened = make().target(peer(), *deaf_port).open()
    turn(reactor)
    opened.cancel()
    with pytest.raises(CancelledError):
        wait(opened)
    assert len(os.listdir("/proc/self/fd")) == before


def test_closing_the_factory_ends_an_active_connect(deaf_port: tuple[str, int], make: Any, wait: Any) -> None:
    factory = make()
    opened = factory.target(peer(), *deaf_port).open()
    factory.close()
    with pytest.raises(DataConnectionFailed, match="closed"):
        wait(opened)


def test_active_port_that_was_closed_connects_no_more(client_port: sockets.socket, make: Any, wait: Any) -> None:
    port = make().target(peer(), *client_port.getsockname())
    port.close()
    with pytest.raises(DataConnectionFailed):
        wait(port.open())


def test_active_reaches_ipv6_from_an_ipv4_control_connection(make: Any, wait: Any, tidy: ExitStack) -> None:
    if not sockets.has_ipv6 or not os.path.exists("/proc/net/if_inet6"):
        pytest.skip("machine: no IPv6")
    listener = tidy.enter_context(sockets.create_server(("::1", 0), family=sockets.AF_INET6))
    connection = wait(make().target(peer(), "::1", listener.getsockname()[1]).open())
    assert connection.socket.getpeername()[0] == "::1"


def test_a_client_that_cannot_be_reached_is_told(make: Any, wait: Any, told: list[Any]) -> None:
    number = one_free_port()
    with pytest.raises(DataConnectionFailed):
        wait(make().target(peer(), "127.0.0.1", number).open())
    assert [(event.fault, event.address, event.port) for event in told] == [("target-unreachable", "127.0.0.1", number)]


def test_a_client_that_does_not_answer_is_told(
    reactor: ClockedReactor, deaf_port: tuple[str, int], make: Any, wait: Any, told: list[Any]
) -> None:
    opened = make().target(peer(), *deaf_port).open()
    opened.addErrback(lambda _: None)
    reactor.clock.advance(DEADLINE)
    assert [(event.fault, event.port) for event in told] == [("target-unreachable", deaf_port[1])]
