"""SocketConnection by itself, on pairs of sockets."""

from __future__ import annotations

import socket as sockets
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import CancelledError

from ftpd.testing.pump_contract import private_reactor, turn
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
