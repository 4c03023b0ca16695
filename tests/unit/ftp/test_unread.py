from __future__ import annotations

import socket

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory

from ftpd.ftp.unread import has_unread
from ftpd.transfer.stream import Stream


def ours(end):
    return Stream(MemoryReactorClock(), end, Protocol(), None, None)


def twisteds(end):
    return Connection(end, Protocol(), MemoryReactorClock())


def wrapped(end):
    """As behind an `ssl:` or `haproxy:` endpoint."""
    wrapper = ProtocolWrapper(WrappingFactory(None), Protocol())
    wrapper.makeConnection(twisteds(end))
    return wrapper


@pytest.fixture(params=[ours, twisteds, wrapped])
def ends(request):
    """A transport, and the socket at its other end."""
    here, there = socket.socketpair()
    with here, there:
        yield request.param(here), there


def test_nothing_is_unread_where_nothing_came(ends):
    assert not has_unread(ends[0])


def test_one_byte_is_unread(ends):
    transport, peer = ends
    peer.send(b"A")
    assert has_unread(transport)


def test_end_is_unread(ends):
    transport, peer = ends
    peer.close()
    assert has_unread(transport)


def test_bytes_before_the_end_are_unread(ends):
    transport, peer = ends
    peer.send(b"ABOR\r\n")
    peer.close()
    assert has_unread(transport)


def test_closed_socket_has_nothing_unread():
    here, there = socket.socketpair()
    here.close()
    there.close()
    assert not has_unread(ours(here))


@pytest.mark.parametrize("transport", [None, StringTransport()])
def test_transport_without_a_socket_has_nothing_unread(transport):
    assert not has_unread(transport)
