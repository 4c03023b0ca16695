"""Ports: TCP and UDP together, for each worker what is its own."""

from __future__ import annotations

import socket

import pytest
from twisted.logger import Logger

from ftpd.config.tree import Config, ListenSettings
from ftpd.listening import CannotListen
from ftpd.processes.ports import Opened, Ports, tell_opened
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp.settings import TFTPListenSettings, TFTPSettings

LOOPBACK = "127.0.0.1"


def config(*, streams=1, datagrams=1, **listener):
    return Config(
        listen=tuple(ListenSettings(port=0) for _ in range(streams)),
        tftp=TFTPSettings(listeners=tuple(TFTPListenSettings(**{"port": 0, **listener}) for _ in range(datagrams))),
    )


@pytest.fixture
def ports():
    ports = Ports()
    yield ports
    ports.close()


@pytest.fixture
def given():
    """Two sockets as systemd would hand them over: UDP and TCP."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, socket.create_server((LOOPBACK, 0)) as stream:
        datagrams.bind((LOOPBACK, 0))
        yield [datagrams, stream]


def test_workers_share_tcp_and_have_each_its_own_of_udp(ports):
    opened = ports.claim(config(streams=2, datagrams=2), 2)
    one, two = opened.of(0), opened.of(1)
    assert [each.type for each in one] == [socket.SOCK_STREAM] * 2 + [socket.SOCK_DGRAM] * 2
    assert one[:2] == two[:2] == list(opened.streams)
    assert not set(one[2:]) & set(two[2:])
    ports.keep(opened)


def test_without_listeners_there_is_nothing_of_udp(ports):
    opened = ports.claim(config(datagrams=0), 2)
    assert opened.of(1) == list(opened.streams)
    assert opened.datagrams == ()
    ports.keep(opened)


def test_given_sockets_are_told_apart_by_what_they_are_for(given):
    datagrams, stream = given
    ports = Ports(given)
    opened = ports.claim(config(), 2)
    assert opened == Opened((stream,), ((datagrams, datagrams),))
    ports.keep(opened)
    ports.close()
    assert [one.fileno() for one in given] == [-1, -1]


def test_a_claim_that_fails_for_udp_leaves_nothing_once_the_old_is_kept(ports, given):
    taken = given[0].getsockname()[1]
    first = ports.claim(config(), 2)
    ports.keep(first)
    with pytest.raises(CannotListen):
        ports.claim(config(streams=2, port=taken), 2)
    ports.keep(first)
    assert ports.claim(config(), 2) == first


def test_one_socket_for_all_workers_cannot_be_a_single_port(given):
    ports = Ports(given[:1])
    port = given[0].getsockname()[1]
    with pytest.raises(CannotListen) as caught:
        ports.claim(config(port=port, single_port=True), 2)
    assert str(caught.value) == (
        f"tftp 127.0.0.1:{port} cannot be a single port: it needs a socket for each worker, and systemd has opened one for all; either"
        " process.workers = 1, or the server opens the port itself."
    )
    assert ports.claim(config(port=port, single_port=True), 1).datagrams == ((given[0],),)
    ports.close()


def test_what_was_not_there_before_is_told(ports):
    both = config(streams=1, datagrams=2)
    opened = ports.claim(both, 2)
    with recorded_log() as lines:
        tell_opened(Logger(), both, opened, Opened())
    assert [line.partition(" {")[0] for line in lines] == [
        f"listening on 127.0.0.1 port {opened.streams[0].getsockname()[1]}",
        *(f"answering TFTP requests on 127.0.0.1 port {places[0].getsockname()[1]}" for places in opened.datagrams),
    ]
    with recorded_log() as lines:
        tell_opened(Logger(), both, opened, opened)
    assert lines == []
    ports.keep(opened)
