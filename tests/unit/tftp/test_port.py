"""The request port, over real sockets on loopback: who asked, and which of our addresses."""

from __future__ import annotations

import socket as sockets
import struct
from contextlib import ExitStack, closing
from typing import Any

import pytest

from ftpd.binding import bound_to
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp import port as port_module
from ftpd.tftp.port import RequestPort
from tests.unit.tftp.loopback import turn_until

IP_PKTINFO = 8


class Heard:
    """A port, and what it handed over."""

    def __init__(self, reactor: Any, tidy: ExitStack, address: str) -> None:
        self.datagrams: list[tuple[bytes, Any, Any]] = []
        self.rooms: list[Any] = []
        try:
            bound = bound_to(address, 0, sockets.SOCK_DGRAM)
        except OSError:
            pytest.skip("machine: no IPv6")
        self.port = RequestPort(reactor, bound, self.received, self.rooms.append)
        tidy.callback(self.port.close)

    def received(self, datagram: bytes, source: Any, arrival: Any) -> None:
        self.datagrams.append((datagram, source, arrival))


@pytest.fixture
def hear(reactor, tidy):
    return lambda address="127.0.0.1": Heard(reactor, tidy, address)


@pytest.fixture
def client_at(tidy):
    def client_at(address: str) -> sockets.socket:
        bound = bound_to(address, 0, sockets.SOCK_DGRAM)
        bound.settimeout(10)
        return tidy.enter_context(closing(bound))

    return client_at


@pytest.mark.parametrize(("listens", "asked"), [("0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("::", "::1")])
def test_answer_leaves_from_the_address_that_was_asked(reactor, hear, client_at, listens, asked):
    heard = hear(listens)
    client = client_at("::1" if ":" in asked else "127.0.0.1")
    client.sendto(b"request", (asked, heard.port.address[1]))
    turn_until(reactor, lambda: heard.datagrams)
    datagram, source, (address, ancillary) = heard.datagrams[0]
    assert (datagram, source[:2], address[0]) == (b"request", client.getsockname()[:2], asked)
    heard.port.send(b"answer", source, ancillary)
    assert client.recvfrom(100)[1][:2] == (asked, heard.port.address[1])


@pytest.mark.parametrize(("listens", "asked"), [("0.0.0.0", "127.0.0.2"), ("::", "::1")])
def test_request_that_came_before_anybody_read_is_answered(reactor, tidy, client_at, listens, asked):
    """The socket may be a unit's of systemd, or the parent's: the server starts because of that request, or while it stands there."""
    bound = bound_to(listens, 0, sockets.SOCK_DGRAM)
    client = client_at("::1" if ":" in asked else "127.0.0.1")
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_BROADCAST, 1)
    if ":" not in asked:
        client.sendto(b"to all", ("127.255.255.255", bound.getsockname()[1]))
    client.sendto(b"to one", (asked, bound.getsockname()[1]))
    heard: list[Any] = []
    port = RequestPort(reactor, bound, lambda *what: heard.append(what), heard.append)
    tidy.callback(port.close)
    turn_until(reactor, lambda: heard)
    datagram, source, (address, ancillary) = heard[0]
    assert (datagram, address[0]) == (b"to one", asked)
    port.send(b"answer", source, ancillary)
    assert client.recvfrom(100)[1][:2] == (asked, port.address[1])


def test_port_of_one_address_asks_the_kernel_for_nothing(reactor, hear, client_at):
    heard = hear()
    client_at("127.0.0.1").sendto(b"request", heard.port.address)
    turn_until(reactor, lambda: heard.datagrams)
    assert heard.datagrams[0][2] == (heard.port.address, [])


def test_broadcast_is_not_heard(reactor, hear, client_at):
    heard = hear("0.0.0.0")
    client = client_at("127.0.0.1")
    client.setsockopt(sockets.SOL_SOCKET, sockets.SO_BROADCAST, 1)
    client.sendto(b"to all", ("127.255.255.255", heard.port.address[1]))
    client.sendto(b"to one", ("127.0.0.1", heard.port.address[1]))
    turn_until(reactor, lambda: heard.datagrams)
    assert [datagram for datagram, _, _ in heard.datagrams] == [b"to one"]


@pytest.mark.parametrize("address", ["224.0.0.1", "239.255.69.1", "255.255.255.255", "127.255.255.255"])
def test_request_to_many_that_came_before_anybody_read_is_not_heard(address):
    data = struct.pack("=i4s4s", 0, bytes(4), sockets.inet_aton(address))
    assert port_module._read_arrival(sockets.IPPROTO_IP, IP_PKTINFO, data) is None


def test_multicast_of_ipv6_is_not_heard():
    data = struct.pack("=16si", sockets.inet_pton(sockets.AF_INET6, "ff02::1"), 2)
    assert port_module._read_arrival(sockets.IPPROTO_IPV6, sockets.IPV6_PKTINFO, data) is None


def test_link_local_address_keeps_its_interface():
    data = struct.pack("=16si", sockets.inet_pton(sockets.AF_INET6, "fe80::1"), 2)
    assert port_module._read_arrival(sockets.IPPROTO_IPV6, sockets.IPV6_PKTINFO, data) == (
        ("fe80::1", 0, 0, 2),
        [(sockets.IPPROTO_IPV6, sockets.IPV6_PKTINFO, data)],
    )


def test_other_address_leaves_its_interface_to_the_routes():
    data = struct.pack("=i4s4s", 3, sockets.inet_aton("10.0.0.1"), sockets.inet_aton("10.0.0.1"))
    assert port_module._read_arrival(sockets.IPPROTO_IP, IP_PKTINFO, data) == (
        ("10.0.0.1", 0),
        [(sockets.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4s", 0, sockets.inet_aton("10.0.0.1"), bytes(4)))],
    )


def test_addresses_that_are_remembered_are_bounded(hear):
    heard = hear("0.0.0.0")
    for number in range(3000):
        address = struct.pack("!I", 0x7F000001 + number)
        heard.port._arrival([(sockets.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4s", 1, address, address))])
    assert len(heard.port._arrivals) <= 1024


def test_fault_over_one_datagram_does_not_close_the_port(reactor, hear, client_at):
    heard = hear()
    client = client_at("127.0.0.1")

    def fail(datagram, source, arrival):
        heard.datagrams.append(datagram)
        raise RuntimeError("a bug")

    heard.port._received = fail
    with recorded_log() as log:
        for number in range(2):
            client.sendto(b"request", heard.port.address)
            turn_until(reactor, lambda number=number: len(heard.datagrams) > number)
    assert heard.port.fileno() != -1
    assert any("a bug" in message for message in log)


def test_answer_to_a_closed_port_is_forgotten(reactor, hear, client_at):
    heard = hear()
    client = client_at("127.0.0.1")
    address = client.getsockname()
    client.close()
    heard.port.send(b"answer", address, [])
    other = client_at("127.0.0.1")
    other.sendto(b"request", heard.port.address)
    turn_until(reactor, lambda: heard.datagrams)


def test_room_is_told_to_all_who_await_it(reactor, hear):
    heard = hear()
    for number in (1, 2, 1):
        heard.port.await_room(("10.0.0.7", number))
    turn_until(reactor, lambda: heard.rooms)
    reactor.doIteration(0)
    assert sorted(heard.rooms) == [("10.0.0.7", 1), ("10.0.0.7", 2)]


def test_closed_port_is_closed_twice_and_sends_nothing(reactor, hear):
    heard = hear()
    heard.port.await_room(("10.0.0.7", 1))
    heard.port.close()
    heard.port.close()
    heard.port.send(b"answer", ("127.0.0.1", 9), [])
    assert heard.port.fileno() == -1


def test_port_that_is_closed_while_it_is_read_reads_no_more(reactor, hear, client_at):
    heard = hear()
    client = client_at("127.0.0.1")

    def close(datagram, source, arrival):
        heard.datagrams.append(datagram)
        heard.port.close()

    heard.port._received = close
    client.sendto(b"one", heard.port.address)
    client.sendto(b"two", heard.port.address)
    turn_until(reactor, lambda: heard.datagrams)
    assert heard.datagrams == [b"one"]


def test_ipv6_socket_takes_ipv6_only(tidy):
    try:
        bound = tidy.enter_context(closing(bound_to("::", 0, sockets.SOCK_DGRAM)))
    except OSError:
        pytest.skip("machine: no IPv6")
    assert bound.getsockopt(sockets.IPPROTO_IPV6, sockets.IPV6_V6ONLY) == 1


def test_address_in_use_is_an_os_error(tidy):
    bound = tidy.enter_context(closing(bound_to("127.0.0.1", 0, sockets.SOCK_DGRAM)))
    with pytest.raises(OSError, match="in use"):
        bound_to("127.0.0.1", bound.getsockname()[1], sockets.SOCK_DGRAM)


def test_port_has_room_for_what_nobody_takes(hear):
    """Answers to addresses where nobody is stand in the kernel for seconds, and others would wait behind them."""
    socket = hear().port._socket
    assert socket.getsockopt(sockets.SOL_SOCKET, sockets.SO_SNDBUF) > 300_000
