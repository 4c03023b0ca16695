"""A UDP socket for each worker, on one port: a client has always the same one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from ftpd.listening import CannotListen
from ftpd.processes.datagrams import datagram_sockets

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
