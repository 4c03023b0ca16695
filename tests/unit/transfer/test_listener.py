"""A listening socket whose connections become streams."""

from __future__ import annotations

import contextlib
import errno
import os
import socket as sockets

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import globalLogPublisher

from ftpd.testing.lines import private_reactor
from ftpd.transfer import listener as listener_module
from ftpd.transfer.accept import accepted
from ftpd.transfer.listener import StreamListener


class Greeter(Protocol):
    def connectionMade(self):
        self.factory.made.append(self)
        self.transport.write(b"220 hello\r\n")

    def connectionLost(self, reason):
        self.factory.made.remove(self)


class Greeters(Factory):
    protocol = Greeter
    noisy = False
    is_open = True

    def __init__(self):
        self.made = []
        self.life = []

    def startFactory(self):
        self.life.append("start")

    def stopFactory(self):
        self.life.append("stop")

    def buildProtocol(self, address):
        return super().buildProtocol(address) if self.is_open else None


@pytest.fixture
def reactor():
    with private_reactor() as reactor:
        yield reactor


@pytest.fixture
def factory():
    return Greeters()


@pytest.fixture
def listener(reactor, factory):
    listener = StreamListener(reactor, sockets.create_server(("127.0.0.1", 0)), factory, b"421 Full.\r\n")
    yield listener
    listener.close()
    for protocol in list(factory.made):
        protocol.transport.abortConnection()
    settle(reactor)


def settle(reactor):
    for _ in range(10):
        reactor.runUntilCurrent()
        reactor.doIteration(0.002)
    reactor.runUntilCurrent()


def connect(listener):
    return sockets.create_connection((listener.address.host, listener.address.port), timeout=10)


def test_each_connection_gets_a_protocol_of_the_factory(listener, factory, reactor):
    with connect(listener) as one, connect(listener) as two:
        settle(reactor)
        assert (one.recv(100), two.recv(100)) == (b"220 hello\r\n", b"220 hello\r\n")
        assert len(factory.made) == 2
        assert {protocol.transport.getPeer().port for protocol in factory.made} == {
            client.getsockname()[1] for client in (one, two)
        }


def test_accepted_sockets_have_what_a_control_connection_needs(listener, factory, reactor):
    with connect(listener):
        settle(reactor)
        socket = sockets.socket(fileno=sockets.dup(factory.made[0].transport.fileno()))
        with socket:
            options = [
                (sockets.IPPROTO_TCP, sockets.TCP_NODELAY),
                (sockets.SOL_SOCKET, sockets.SO_KEEPALIVE),
                (sockets.SOL_SOCKET, sockets.SO_OOBINLINE),
            ]
            assert all(socket.getsockopt(*option) for option in options)
            assert not os.get_blocking(socket.fileno())
            keepalive = (sockets.TCP_KEEPIDLE, sockets.TCP_KEEPINTVL, sockets.TCP_KEEPCNT)
            assert [socket.getsockopt(sockets.IPPROTO_TCP, option) for option in keepalive] == [75, 15, 5]


def test_a_factory_may_turn_a_client_away(listener, factory, reactor):
    factory.is_open = False
    with connect(listener) as client:
        settle(reactor)
        assert client.recv(100) == b""


def test_the_factory_is_started_and_stopped(listener, factory):
    listener.close()
    listener.close()
    assert factory.life == ["start", "stop"]


def test_closing_leaves_connections_alone(listener, factory, reactor):
    with connect(listener) as client:
        settle(reactor)
        listener.close()
        factory.made[0].transport.write(b"still here")
        assert client.recv(100) == b"220 hello\r\nstill here"


def test_without_descriptors_a_client_is_refused_in_words_and_the_reactor_does_not_spin(listener, factory, reactor, monkeypatch):
    calls = []

    def exhausted(socket, family):
        calls.append(socket)
        if len(calls) == 1:  # the second is made with the descriptor kept for this
            raise OSError(errno.EMFILE, "Too many open files")
        return accepted(socket, family)

    monkeypatch.setattr(listener_module, "accepted", exhausted)
    log = []
    globalLogPublisher.addObserver(log.append)
    try:
        with connect(listener) as client:
            settle(reactor)
            assert client.recv(100) == b"421 Full.\r\n"
            assert client.recv(100) == b""
    finally:
        globalLogPublisher.removeObserver(log.append)
    assert len(calls) == 2
    assert factory.made == []
    assert [event["error"] for event in log if "turned away" in event["log_format"]] == ["Too many open files"]


def test_it_accepts_again_when_there_are_descriptors(listener, factory, reactor, monkeypatch):
    left = [OSError(errno.EMFILE, "Too many open files"), OSError(errno.EMFILE, "Too many open files")]

    def exhausted(socket, family):
        if left:
            raise left.pop()
        return accepted(socket, family)

    monkeypatch.setattr(listener_module, "accepted", exhausted)
    with connect(listener) as client:
        for _ in range(200):
            settle(reactor)
            if factory.made:
                break
        assert client.recv(100) == b"220 hello\r\n"


def test_a_listener_on_all_addresses_tells_which_one_the_client_reached(factory, reactor):
    listener = StreamListener(reactor, sockets.create_server(("0.0.0.0", 0)), factory)
    with sockets.create_connection(("127.0.0.2", listener.address.port), timeout=10):
        settle(reactor)
        assert [protocol.transport.getHost().host for protocol in factory.made] == ["127.0.0.2"]
    listener.close()
    settle(reactor)


@pytest.fixture
def giving_way(reactor, factory):
    """A listener that is told to give way before each connection; the times that it asked, and the clients that wait."""
    asked = []

    def give_way():
        asked.append(True)
        return True

    listener = StreamListener(reactor, sockets.create_server(("127.0.0.1", 0), backlog=20), factory, gives_way=give_way)
    yield listener, asked
    listener.close()
    while factory.made:
        reactor.iterate(0.01)


def test_a_connection_that_another_process_should_have_waits_a_moment_and_is_taken_then(giving_way, reactor, factory):
    listener, asked = giving_way
    with connect(listener) as client:
        reactor.iterate(1)
        assert (len(asked), factory.made) == (1, [])
        while not factory.made:
            reactor.iterate(0.01)
        assert client.recv(100) == b"220 hello\r\n"
    assert listener.taken == 1


def test_after_a_vain_wait_several_are_taken_for_the_other_process_may_hang(giving_way, reactor, factory):
    listener, asked = giving_way
    with contextlib.ExitStack() as clients:
        for _ in range(9):
            clients.enter_context(connect(listener))
        while not factory.made:
            reactor.iterate(0.01)
        assert (len(asked), len(factory.made)) == (2, 8)
        while len(factory.made) < 9:
            reactor.iterate(0.01)
