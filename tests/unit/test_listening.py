"""Listeners of the configuration: bound by this process, or given to it; and what the log has of them."""

from __future__ import annotations

import errno
import socket

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger

from ftpd import listening
from ftpd.config.tree import ListenSettings
from ftpd.listening import CannotListen, Listener, bound_socket, cannot_listen, takes_ipv4_too, tell_listening, tell_source_port
from ftpd.testing.lines import private_reactor
from ftpd.testing.login_contract import recorded_log

SETTINGS = ListenSettings(port=0)


class Greeters(Factory):
    protocol = Protocol
    noisy = False
    refusal = b"421 Full.\r\n"


@pytest.fixture
def reactor():
    with private_reactor() as reactor:
        yield reactor


def first_words(lines):
    """Return the messages alone."""
    return [line.partition(" {")[0] for line in lines]


def test_a_listener_binds_and_says_where(reactor):
    listener = Listener(SETTINGS, Greeters(), reactor)
    with recorded_log() as lines:
        listener.listen()
        listener.listen()
    host, port = listener.address
    assert host == "127.0.0.1"
    assert first_words(lines) == [f"listening on 127.0.0.1 port {port}"]
    listener.close()
    listener.close()
    assert listener.address == ("127.0.0.1", 0)


def test_a_given_socket_is_served_in_silence(reactor):
    given = socket.create_server(("127.0.0.1", 0))
    address = given.getsockname()
    listener = Listener(SETTINGS, Greeters(), reactor, given)
    with recorded_log() as lines:
        listener.listen()
        assert listener.address == address
    assert lines == []
    listener.close()


def test_closing_a_given_socket_closes_no_other_of_the_same(reactor):
    with socket.create_server(("127.0.0.1", 0)) as parents:
        listener = Listener(SETTINGS, Greeters(), reactor, parents.dup())
        listener.listen()
        listener.close()
        with socket.create_connection(parents.getsockname(), timeout=10):
            parents.accept()[0].close()


def test_it_counts_what_it_takes(reactor):
    listener = Listener(SETTINGS, Greeters(), reactor)
    assert listener.taken == 0
    listener.listen()
    with socket.create_connection(listener.address):
        while not listener.taken:
            reactor.iterate(0.01)
    assert listener.taken == 1
    listener.close()
    for _ in range(3):
        reactor.iterate(0.01)


def test_tls_and_old_devices_are_told():
    with socket.create_server(("127.0.0.1", 0)) as bound, recorded_log() as lines:
        tell_listening(Logger(), ListenSettings(port=990, implicit_tls=True, old_devices=True), bound)
        port = bound.getsockname()[1]
    assert first_words(lines) == [
        f"listening on 127.0.0.1 port {port} (implicit TLS)",
        "127.0.0.1:990 takes TLS 1.0 and weak ciphers, for old devices",
    ]


def test_ours_for_every_ipv6_address_leaves_ipv4_alone_and_one_for_both_is_told():
    try:
        ours = bound_socket(ListenSettings(address="::", port=0))
    except CannotListen:
        pytest.skip("machine: no IPv6")
    with ours, socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as both, recorded_log() as lines:
        tell_listening(Logger(), ListenSettings(address="::", port=0), both)
        assert [takes_ipv4_too(ours), takes_ipv4_too(both)] == [False, True]
        assert first_words(lines) == [f"listening on :: port {both.getsockname()[1]} (IPv4 too)"]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        (errno.EADDRINUSE, "another program, perhaps another ftpd, listens there already"),
        (
            errno.EACCES,
            "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE, and where a reload names them a restart",
        ),
        (errno.EADDRNOTAVAIL, "this machine does not have that address"),
        (errno.EAFNOSUPPORT, "this machine does not have that kind of address"),
        (errno.EMFILE, "Too many open files"),
    ],
)
def test_what_is_in_the_way_is_a_sentence(number, reason):
    error = cannot_listen(OSError(number, "Too many open files"), "192.0.2.1", 21)
    assert str(error) == f"Cannot listen on 192.0.2.1 port 21: {reason}."


def test_a_socket_that_cannot_be_bound_is_not_left_open():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=f"^Cannot listen on 127.0.0.1 port {port}: another program"):
            bound_socket(ListenSettings(port=port))  # a ResourceWarning would fail this test


def test_a_source_port_that_this_process_may_not_have_is_told(monkeypatch):
    denied = PermissionError(errno.EACCES, "Permission denied")
    monkeypatch.setattr(listening, "forbidden_source_port", lambda port: denied if port == 20 else None)
    with recorded_log() as lines:
        tell_source_port(Logger(), 2020)
        tell_source_port(Logger(), 20)
    assert first_words(lines) == [
        "active mode cannot use source port 20 (Permission denied): any port is used instead; this is said once"
    ]
