"""A control connection's socket as a transport, over real sockets and a reactor of the test's own."""

from __future__ import annotations

import socket as sockets
import struct

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IConsumer, IPushProducer, ITransport
from twisted.internet.protocol import Protocol
from zope.interface.verify import verifyObject

from ftpd.testing.lines import private_reactor
from ftpd.transfer.stream import Stream

HERE = IPv4Address("TCP", "127.0.0.1", 1)
THERE = IPv4Address("TCP", "127.0.0.1", 2)


class Heard(Protocol):
    """Writes down what happens."""

    def __init__(self):
        self.data = b""
        self.ended = []
        self.paused = []
        self.on_data = lambda: None

    def dataReceived(self, data):
        self.data += data
        self.on_data()

    def connectionLost(self, reason):
        self.ended.append(reason.type)

    def pauseProducing(self):
        self.paused.append("pause")

    def resumeProducing(self):
        self.paused.append("resume")


@pytest.fixture
def reactor():
    with private_reactor() as reactor:
        yield reactor


@pytest.fixture
def line(reactor):
    """A protocol, its stream, and the client's socket."""
    with sockets.create_server(("127.0.0.1", 0)) as server:
        client = sockets.create_connection(server.getsockname(), timeout=10)
        socket, _ = server.accept()
    socket.setblocking(False)
    protocol = Heard()
    stream = Stream(reactor, socket, protocol, HERE, THERE)
    stream.start()
    yield protocol, stream, client
    client.close()
    stream.abortConnection()
    turn(reactor)


def turn(reactor, until=lambda: False):
    """Turn the reactor until something is so, at most 200 times."""
    for _ in range(200):
        reactor.runUntilCurrent()
        if until():
            return
        reactor.doIteration(0.005)


def settle(reactor):
    for _ in range(5):
        reactor.runUntilCurrent()
        reactor.doIteration(0.002)
    reactor.runUntilCurrent()


def received_until_end(client, reactor):
    """Turn the reactor and read until the end comes."""
    received = b""
    client.setblocking(False)
    for _ in range(100_000):
        reactor.runUntilCurrent()
        reactor.doIteration(0)
        try:
            piece = client.recv(1 << 20)
        except BlockingIOError:
            reactor.doIteration(0.001)
            continue
        if not piece:
            break
        received += piece
    return received


def test_it_is_what_protocols_expect(line):
    _, stream, _ = line
    assert verifyObject(ITransport, stream)
    assert verifyObject(IConsumer, stream)
    assert verifyObject(IPushProducer, stream)
    assert (stream.getHost(), stream.getPeer()) == (HERE, THERE)


def test_what_the_peer_sends_is_heard(line, reactor):
    protocol, _, client = line
    client.sendall(b"NOOP\r\n")
    turn(reactor, lambda: protocol.data)
    assert protocol.data == b"NOOP\r\n"


def test_what_is_written_is_on_its_way_at_once(line):
    _, stream, client = line
    stream.write(b"220 ")
    stream.writeSequence([b"rea", b"dy"])
    assert client.recv(100) == b"220 ready"


def test_the_end_of_the_peer_is_told_once(line, reactor):
    protocol, _, client = line
    client.close()
    turn(reactor, lambda: protocol.ended)
    settle(reactor)
    assert protocol.ended == [ConnectionDone]


def test_a_reset_is_a_lost_connection(line, reactor):
    protocol, _, client = line
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionLost]


def test_losing_the_connection_is_not_told_in_the_middle_of_the_call(line, reactor):
    protocol, stream, client = line
    stream.write(b"221 Goodbye.\r\n")
    stream.loseConnection()
    assert protocol.ended == []
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionDone]
    assert (client.recv(100), client.recv(100)) == (b"221 Goodbye.\r\n", b"")


def say_goodbye(protocol, stream, data=b"221 Goodbye.\r\n"):
    """Let *protocol* answer what it hears with *data* and the end; return what it had been told by then."""
    told = []

    def on_data():
        stream.write(data)
        stream.loseConnection()
        told.append(list(protocol.ended))

    protocol.on_data = on_data
    return told


def test_a_connection_lost_over_what_was_heard_ends_once_that_is_done(line, reactor):
    protocol, stream, client = line
    told = say_goodbye(protocol, stream)
    client.sendall(b"QUIT\r\n")
    turn(reactor, lambda: protocol.ended)
    settle(reactor)
    assert told == [[]]
    assert protocol.ended == [ConnectionDone]
    assert (client.recv(100), client.recv(100)) == (b"221 Goodbye.\r\n", b"")


def test_what_is_unsent_goes_out_before_the_end_that_follows_what_was_heard(line, reactor):
    protocol, stream, client = line
    say_goodbye(protocol, stream, b"r" * 8_000_000)
    client.sendall(b"QUIT\r\n")
    turn(reactor, lambda: protocol.data)
    assert protocol.ended == []
    assert len(received_until_end(client, reactor)) == 8_000_000
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionDone]


def test_aborting_over_what_was_heard_is_a_reset(line, reactor):
    protocol, stream, client = line
    protocol.on_data = stream.abortConnection
    client.sendall(b"QUIT\r\n")
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionAborted]
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_nothing_is_written_or_heard_after_the_connection_was_given_up(line, reactor):
    protocol, stream, client = line
    stream.loseConnection()
    stream.write(b"more")
    client.sendall(b"more")
    settle(reactor)
    assert protocol.data == b""
    assert client.recv(100) == b""


def test_the_last_reply_survives_input_that_nobody_read(line, reactor):
    protocol, stream, client = line
    client.sendall(b"x" * 20_000)
    stream.pauseProducing()
    stream.write(b"421 Too much.\r\n")
    stream.loseConnection()
    turn(reactor, lambda: protocol.ended)
    assert client.recv(100) == b"421 Too much.\r\n"


def test_aborting_is_a_reset(line, reactor):
    protocol, stream, client = line
    stream.abortConnection()
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionAborted]
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_peer_that_does_not_read_stops_the_writer_and_gets_everything_in_the_end(line, reactor):
    protocol, stream, client = line
    stream.registerProducer(protocol, True)
    sent = 0
    while not protocol.paused:
        stream.write(b"r" * 65_536)
        sent += 65_536
        assert sent < 100_000_000, "the kernel takes everything"
    assert protocol.paused == ["pause"]
    received = 0
    client.setblocking(False)
    for _ in range(100_000):
        reactor.doIteration(0)
        try:
            received += len(client.recv(1 << 20))
        except BlockingIOError:
            reactor.doIteration(0.001)
        if received == sent:
            break
    settle(reactor)
    assert received == sent
    assert protocol.paused == ["pause", "resume"]


def test_a_paused_connection_hears_nothing_until_it_goes_on(line, reactor):
    protocol, stream, client = line
    stream.pauseProducing()
    client.sendall(b"later")
    settle(reactor)
    assert protocol.data == b""
    stream.resumeProducing()
    turn(reactor, lambda: protocol.data)
    assert protocol.data == b"later"


def test_a_write_to_a_peer_that_is_gone_ends_the_connection_even_while_paused(line, reactor):
    protocol, stream, client = line
    stream.pauseProducing()
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    stream.write(b"250 OK\r\n")
    stream.write(b"250 OK\r\n")
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionLost]


def test_what_is_unsent_goes_out_before_the_close(line, reactor):
    protocol, stream, client = line
    data = b"r" * 8_000_000
    stream.write(data)
    stream.loseConnection()
    assert received_until_end(client, reactor) == data
    turn(reactor, lambda: protocol.ended)
    assert protocol.ended == [ConnectionDone]
