"""A UDP socket for each worker, on one port: a client has always the same one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from ftpd.listening import CannotListen
from ftpd.processes.datagrams import DatagramSockets, datagram_sockets
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp.settings import TFTPListenSettings

LOOPBACK = "127.0.0.1"
CLIENTS = 64  # so many, or the kernel's hash could give all to one by chance: 1 in 2**63

ANSWER = """
import socket, sys
place = socket.socket(fileno=int(sys.argv[1]))
for _ in range(int(sys.argv[3])):
    _, client = place.recvfrom(100)
    place.sendto(sys.argv[2].encode(), client)
"""


@pytest.fixture
def places():
    places = datagram_sockets(LOOPBACK, 0, 2)
    for place in places:
        place.settimeout(30)
    yield places
    for place in places:
        place.close()


@pytest.fixture
def clients():
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(CLIENTS)]
    for client in clients:
        client.bind((LOOPBACK, 0))
        client.settimeout(30)
    yield clients
    for client in clients:
        client.close()


def senders(place):
    """Return the ports from which something waits in *place*."""
    place.setblocking(False)
    found = set()
    try:
        while True:
            found.add(place.recvfrom(100)[1][1])
    except BlockingIOError:
        return found


def test_all_have_one_port(places):
    assert {place.getsockname() for place in places} == {(LOOPBACK, places[0].getsockname()[1])}


def test_a_client_has_always_the_same_socket(places, clients):
    address = places[0].getsockname()
    for client in clients:
        client.sendto(b"first", address)
    of_one, of_two = map(senders, places)
    assert of_one
    assert of_two
    assert of_one | of_two == {client.getsockname()[1] for client in clients}
    for _ in range(10):
        for client in clients:
            client.sendto(b"again", address)
        assert list(map(senders, places)) == [of_one, of_two]


def worker(place, name, answers):
    """A process that answers so many packets in *place* by *name*."""
    descriptor = place.fileno()
    return subprocess.Popen([sys.executable, "-c", ANSWER, str(descriptor), name, str(answers)], pass_fds=[descriptor])


def test_a_client_keeps_its_place_when_the_worker_there_is_replaced(places, clients):
    address = places[0].getsockname()
    for client in clients:
        client.sendto(b"whose am I?", address)
    owned = [len(senders(place)) for place in places]
    for generation in ("old", "new"):
        for client in clients:  # while nobody is there: it waits for who comes
            client.sendto(b"hello", address)
        workers = [worker(place, f"{generation} {index}", owned[index]) for index, place in enumerate(places)]
        answers = [client.recv(100).decode() for client in clients]
        assert [each.wait(30) for each in workers] == [0, 0]
        if generation == "old":
            first = answers
    assert answers == [answer.replace("old", "new") for answer in first]
    assert sorted({*first}) == ["old 0", "old 1"]


def test_a_port_that_is_taken_is_told_and_nothing_stays_open():
    before = os.listdir("/proc/self/fd")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, 0))
        port = other.getsockname()[1]
        with pytest.raises(CannotListen, match=f"^Cannot listen on 127.0.0.1 port {port}: another program"):
            datagram_sockets(LOOPBACK, port, 2)
    assert os.listdir("/proc/self/fd") == before


def test_every_ipv6_address_leaves_ipv4_to_others():
    try:
        six = datagram_sockets("::", 0, 2)
    except CannotListen:
        pytest.skip("machine: no IPv6")
    four = datagram_sockets("0.0.0.0", six[0].getsockname()[1], 2)
    assert {one.getsockname()[1] for one in four} == {six[0].getsockname()[1]}
    for one in (*six, *four):
        one.close()


def test_a_port_of_another_server_of_the_same_user_is_not_shared(places):
    with pytest.raises(CannotListen, match="another program, perhaps another ftpd, listens there already"):
        datagram_sockets(LOOPBACK, port_of(places), 2)


# Over reloads.


def listen(port=0, address=LOOPBACK):
    return TFTPListenSettings(address=address, port=port)


def port_of(places):
    [port] = {place.getsockname()[1] for place in places}
    return port


def are_open(places):
    return [place.fileno() != -1 for place in places]


@pytest.fixture
def sockets():
    sockets = DatagramSockets()
    yield sockets
    sockets.close()


@pytest.fixture
def given():
    """A socket as systemd would have opened it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind((LOOPBACK, 0))
        yield one


def test_there_is_a_socket_for_each_worker_of_each_listener(sockets):
    one, two = sockets.claim([listen(), listen(address="127.0.0.2")], 3)
    assert [len(set(one)), len(set(two))] == [3, 3]
    assert [one[0].getsockname()[0], two[0].getsockname()[0]] == ["127.0.0.1", "127.0.0.2"]
    sockets.keep([one, two])


@pytest.mark.parametrize("port", [0, None])
def test_what_is_open_is_used_again(sockets, port):
    first = sockets.claim([listen(), listen()], 2)
    sockets.keep(first)
    ports = [port_of(places) if port is None else port for places in first]
    assert sockets.claim([listen(port) for port in ports], 2) == first


def test_more_workers_have_more_sockets_on_the_same_port(sockets):
    [first] = sockets.claim([listen()], 2)
    sockets.keep([first])
    [second] = sockets.claim([listen()], 4)
    sockets.keep([second])
    assert second[:2] == first
    assert len(set(second)) == 4
    assert port_of(second) == port_of(first)


def test_fewer_workers_leave_no_socket_that_nobody_reads(sockets):
    [first] = sockets.claim([listen()], 3)
    sockets.keep([first])
    [second] = sockets.claim([listen()], 1)
    assert second == first[:1]
    sockets.keep([second])
    assert are_open(first) == [True, False, False]


def test_listeners_that_are_gone_are_closed(sockets):
    one, two = sockets.claim([listen(), listen()], 2)
    sockets.keep([one, two])
    sockets.keep(sockets.claim([listen(port_of(two))], 2))
    assert [are_open(one), are_open(two)] == [[False, False], [True, True]]


def test_a_claim_that_fails_changes_nothing(sockets, given):
    first = sockets.claim([listen()], 2)
    sockets.keep(first)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(CannotListen, match="another program"):
        sockets.claim([listen(), listen(address="127.0.0.3"), listen(given.getsockname()[1])], 3)
    assert os.listdir("/proc/self/fd") == before
    assert sockets.claim([listen()], 2) == first


def test_what_was_claimed_and_is_not_kept_is_closed(sockets):
    first = sockets.claim([listen()], 2)
    sockets.keep(first)
    more, other = sockets.claim([listen(), listen(address="127.0.0.2")], 3)
    sockets.keep(first)  # a reload that failed later
    assert [are_open(more), are_open(other)] == [[True, True, False], [False] * 3]


def test_more_workers_than_the_user_may_have_sockets_for_is_a_sentence(sockets, monkeypatch):
    [first] = sockets.claim([listen()], 1)
    sockets.keep([first])

    def forbidden(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("ftpd.processes.datagrams.bound_to", forbidden)
    with pytest.raises(CannotListen) as caught:
        sockets.claim([listen()], 2)
    assert str(caught.value) == (
        f"Cannot open 127.0.0.1 port {port_of(first)} for more workers than before: Permission denied. With privileges that were given up, that"
        " needs a restart."
    )


def test_closing_closes_all_and_may_be_done_twice(given):
    sockets = DatagramSockets([given])
    [claimed] = sockets.claim([listen(address="127.0.0.2")], 2)
    sockets.keep([claimed])
    sockets.close()
    sockets.close()
    assert are_open([*claimed, given]) == [False] * 3


def test_a_given_socket_serves_all_workers(given):
    sockets = DatagramSockets([given])
    assert sockets.claim([listen(given.getsockname()[1])], 3) == [(given,) * 3]
    sockets.keep([(given,) * 3])
    assert sockets.claim([listen()], 2) == [(given,) * 2]


def test_a_given_socket_that_nobody_names_is_told_once_and_kept(given):
    sockets = DatagramSockets([given])
    with recorded_log() as lines:
        for _ in range(2):
            sockets.keep([])
    [line] = lines
    assert (
        f"no [[tftp.listeners]] names 127.0.0.1 port {given.getsockname()[1]}, where systemd listens for this server: clients there wait in vain"
        in line
    )
    assert sockets.claim([listen(given.getsockname()[1])], 1) == [(given,)]
