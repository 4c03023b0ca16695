from __future__ import annotations

import pytest

from ftpd.errors import DataConnectionFailed
from ftpd.testing.dataports import MemoryConnection, MemoryDataPorts
from ftpd.values import Peer

PEER = Peer("192.0.2.1", 40000, "192.0.2.9", 21, session="s")


def outcome(deferred):
    """What *deferred* has come to: a list of its result or of its error's class; empty while it waits."""
    found = []
    deferred.addCallbacks(found.append, lambda failure: found.append(failure.type))
    return found


@pytest.fixture
def connection():
    return MemoryConnection()


def test_client_reads_at_once(connection):
    assert outcome(connection.send(b"ab")) == [None]
    assert connection.received == b"ab"


def test_client_that_does_not_read_makes_send_wait(connection):
    connection.stop_reading()
    sending = outcome(connection.send(b"abc"))
    connection.take(2)
    assert (sending, connection.received, connection.unacknowledged()) == ([], b"ab", 1)
    connection.read_on()
    assert (sending, connection.received, connection.unacknowledged()) == ([None], b"abc", 0)


def test_finish_waits_until_everything_is_read(connection):
    connection.stop_reading()
    outcome(connection.send(b"abc"))
    finishing = outcome(connection.finish())
    assert finishing == []
    connection.read_on()
    assert finishing == [None]


def test_receive_gives_what_was_fed_and_then_the_end(connection):
    connection.feed(b"ab")
    connection.end()
    assert outcome(connection.receive()) == [b"ab"]
    assert outcome(connection.receive()) == [b""]


def test_receive_waits_for_what_comes(connection):
    waiting = outcome(connection.receive())
    connection.feed(b"ab")
    assert waiting == [b"ab"]


def test_reset_loses_what_was_under_way(connection):
    connection.feed(b"ab")
    connection.reset()
    assert outcome(connection.receive()) == [ConnectionResetError]
    assert outcome(connection.send(b"x")) == [ConnectionResetError]
    assert outcome(connection.finish()) == [ConnectionResetError]


def test_reset_wakes_whoever_waits(connection):
    connection.stop_reading()
    sending, receiving = outcome(connection.send(b"x")), outcome(connection.receive())
    connection.reset()
    assert (sending, receiving) == ([ConnectionResetError], [ConnectionResetError])


def test_cancelled_receive_takes_nothing_away(connection):
    waiting = connection.receive()
    outcome(waiting)
    waiting.cancel()
    connection.feed(b"ab")
    assert outcome(connection.receive()) == [b"ab"]


def test_closed_connection_is_an_error(connection):
    connection.close()
    assert outcome(connection.send(b"x")) == [ConnectionAbortedError]
    assert outcome(connection.receive()) == [ConnectionAbortedError]


def test_port_waits_for_the_client():
    port = MemoryDataPorts().listen(PEER)
    opened = outcome(port.open())
    assert opened == []
    connection = port.connect()
    assert opened == [connection]


def test_port_that_expires_fails_with_the_words_given():
    port = MemoryDataPorts().listen(PEER)
    opened = outcome(port.open())
    port.expire("Nobody came")
    assert opened == [DataConnectionFailed]


def test_ports_are_counted_from_50000():
    ports = MemoryDataPorts()
    assert [(ports.listen(PEER).address, ports.given[-1].port) for _ in range(2)] == [("192.0.2.9", 50000), ("192.0.2.9", 50001)]


def test_exhausted_ports_fail():
    ports = MemoryDataPorts()
    ports.is_exhausted = True
    with pytest.raises(DataConnectionFailed):
        ports.listen(PEER)


def test_closed_port_closes_a_connection_nobody_took():
    port = MemoryDataPorts().listen(PEER)
    connection = port.connect()
    port.close()
    assert connection.is_closed
