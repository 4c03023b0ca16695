"""SocketConnection by itself, on pairs of sockets."""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from ftpd.testing.lines import private_reactor, turn
from ftpd.transfer.descriptor import SocketConnection


@pytest.fixture
def reactor() -> Iterator[Any]:
    with private_reactor() as reactor:
        yield reactor


@pytest.fixture
def ends(reactor: Any) -> Iterator[tuple[SocketConnection, sockets.socket]]:
    ours, theirs = sockets.socketpair()
    ours.setblocking(False)
    connection = SocketConnection(reactor, ours)
    with theirs:
        yield connection, theirs
        connection.close()


def test_unacknowledged_counts_what_the_kernel_has_not_taken(ends: Any) -> None:
    connection, _ = ends
    sending = connection.send(b"x" * 10_000_000)
    assert not sending.called
    assert connection.unacknowledged() >= 10_000_000
    sending.addErrback(lambda failure: failure.trap(CancelledError))
    sending.cancel()
    assert connection.unacknowledged() < 10_000_000


def test_close_tells_whoever_receives(ends: Any) -> None:
    connection, _ = ends
    failures: list[Any] = []
    connection.receive().addErrback(failures.append)
    connection.close()
    assert [failure.type for failure in failures] == [ConnectionAbortedError]


def test_close_tells_whoever_sends(ends: Any) -> None:
    connection, _ = ends
    failures: list[Any] = []
    connection.send(b"x" * 10_000_000).addErrback(failures.append)
    connection.close()
    assert [failure.type for failure in failures] == [ConnectionAbortedError]


def test_close_may_be_called_twice(ends: Any) -> None:
    connection, _ = ends
    connection.close()
    connection.close()
    assert connection.fileno() == -1


def test_closed_connection_raises(ends: Any) -> None:
    connection, _ = ends
    connection.close()
    with pytest.raises(ConnectionAbortedError):
        connection.receive_into(bytearray(1))


def test_hang_up_is_judged_by_the_next_call(reactor: Any, ends: Any) -> None:
    connection, theirs = ends
    failures: list[Any] = []
    connection.send(b"x" * 10_000_000).addErrback(failures.append)
    theirs.close()
    for _ in range(5):
        turn(reactor)
    assert [failure.type for failure in failures] in ([BrokenPipeError], [ConnectionResetError])


def test_hang_up_leaves_what_arrived_before_it_readable(reactor: Any, ends: Any) -> None:
    connection, theirs = ends
    received: list[bytes] = []
    connection.receive().addCallback(received.append)
    theirs.send(b"last words")
    theirs.close()
    for _ in range(5):
        turn(reactor)
    assert received == [b"last words"]
    connection.receive().addCallback(received.append)
    assert received == [b"last words", b""]


def test_input_that_nobody_wants_is_dropped_within_bounds(ends: Any) -> None:
    connection, theirs = ends
    theirs.setblocking(False)
    sent = 0
    for _ in range(100):
        while True:
            try:
                sent += theirs.send(b"x" * 65_536)
            except BlockingIOError:
                break
        if not connection.drop_input():
            break
    assert sent < 4 * 1024 * 1024
    assert connection.drop_input() is False


def test_finish_with_nothing_outstanding_waits_for_nothing(ends: Any) -> None:
    connection, theirs = ends
    assert connection.finish().called
    assert theirs.recv(1) == b""


@pytest.fixture
def tcp(reactor: Any) -> Iterator[tuple[SocketConnection, sockets.socket]]:
    with sockets.create_server(("127.0.0.1", 0)) as listening, sockets.create_connection(listening.getsockname()) as theirs:
        theirs.settimeout(10)
        ours, _ = listening.accept()
        ours.setblocking(False)
        connection = SocketConnection(reactor, ours)
        yield connection, theirs
        connection.close()


def test_last_data_and_the_end_arrive_together(tcp: Any) -> None:
    connection, theirs = tcp
    assert connection.send_last(b"x" * 4096) == 4096
    theirs.setblocking(False)
    with pytest.raises(BlockingIOError):
        theirs.recv(5000)
    assert connection.is_delivered_at_once()
    assert (theirs.recv(5000), theirs.recv(5000)) == (b"x" * 4096, b"")


def test_few_last_bytes_do_not_wait_for_an_acknowledgement_that_comes_late(tcp: Any) -> None:
    connection, theirs = tcp
    assert connection.send_last(b"few") == 3
    assert theirs.recv(100) == b"few"
    assert connection.is_delivered_at_once()
    assert theirs.recv(100) == b""


def test_the_end_is_not_waited_for_as_if_it_were_a_byte(tcp: Any) -> None:
    connection, theirs = tcp
    connection.send_some(b"all of it")
    assert connection.is_delivered_at_once()
    assert connection.unacknowledged() == 0
    assert (theirs.recv(100), theirs.recv(100)) == (b"all of it", b"")


def test_what_the_peer_has_no_room_for_is_not_delivered_at_once(tcp: Any) -> None:
    connection, _ = tcp
    sending = connection.send(b"x" * 100_000_000)
    sending.addErrback(lambda failure: failure.trap(CancelledError))
    sending.cancel()
    assert not connection.is_delivered_at_once()
    assert connection.unacknowledged() > 0


def test_the_end_of_a_closed_connection_cannot_be_sent(ends: Any) -> None:
    connection, _ = ends
    connection.close()
    with pytest.raises(ConnectionAbortedError):
        connection.is_delivered_at_once()


def test_what_a_downloading_peer_has_said_does_not_make_the_close_a_reset(tcp: Any) -> None:
    connection, theirs = tcp
    theirs.send(b"what has no business here")
    connection.send_last(b"all of it")
    assert connection.is_delivered_at_once()
    connection.close()
    assert (theirs.recv(100), theirs.recv(100)) == (b"all of it", b"")
    assert theirs.getsockopt(sockets.SOL_SOCKET, sockets.SO_ERROR) == 0
