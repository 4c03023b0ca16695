"""The MAC address of a client, from a kernel that answers as a test says, and from this machine's."""

from __future__ import annotations

import errno
import socket
import struct
import sys

import pytest

from ftpd.tftp import neighbours
from ftpd.tftp.neighbours import Neighbours

MAC = bytes.fromhex("0123456789ab")
ROUTE_ANSWER, NEIGHBOUR_ANSWER, ERROR_ANSWER = 24, 28, 2
DESTINATION, INTERFACE, GATEWAY, SEVERAL, VIA = 1, 4, 5, 9, 18
ADDRESS, HARDWARE_ADDRESS, CACHE = 1, 2, 3


def attribute(kind, value):
    return struct.pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def message(kind, fixed, **attributes):
    body = bytes(fixed) + b"".join(attribute(globals()[name], value) for name, value in attributes.items())
    return struct.pack("=IHHII", 16 + len(body), kind, 0, 0, 0) + body


def route(**attributes):
    return message(ROUTE_ANSWER, 12, DESTINATION=bytes([192, 0, 2, 7]), **attributes)


def neighbour(**attributes):
    return message(NEIGHBOUR_ANSWER, 12, ADDRESS=bytes([192, 0, 2, 7]), CACHE=bytes(16), **attributes)


NO = message(ERROR_ANSWER, 20)
DIRECT = route(INTERFACE=struct.pack("=I", 3))


class Kernel:
    """Gives its answers in turn; `asked` are the questions, as their type and their body."""

    def __init__(self, answers):
        self.answers = list(answers)
        self.asked = []
        self.is_closed = False

    def send(self, question):
        length, kind, flags, _, _ = struct.unpack_from("=IHHII", question)
        assert (length, flags) == (len(question), 1)
        self.asked.append((kind, question[16:]))

    def recv(self, _size):
        answer = self.answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer

    def close(self):
        self.is_closed = True


@pytest.fixture
def kernels(monkeypatch):
    """Return a function that sets what the kernel answers, one list for each socket; the list that it returns gets what stands for them."""

    def answering(*answers):
        waiting = [Kernel(each) for each in answers]
        opened = []

        def make(*_arguments):
            opened.append(waiting.pop(0))
            return opened[-1]

        monkeypatch.setattr(neighbours.socket, "socket", make)
        return opened

    return answering


def test_mac_address_is_that_of_the_neighbour_on_the_interface_of_the_route(kernels):
    opened = kernels([DIRECT, neighbour(HARDWARE_ADDRESS=MAC)])
    assert Neighbours().mac_of("192.0.2.7") == "01-23-45-67-89-ab"
    address = struct.pack("=HH", 8, 1) + bytes([192, 0, 2, 7])
    assert opened[0].asked == [
        (26, struct.pack("=BBBBBBBBI", socket.AF_INET, 32, *[0] * 7) + address),
        (30, struct.pack("=BxxxiHBB", socket.AF_INET, 3, 0, 0, 0) + address),
    ]


def test_ipv6_is_asked_for_as_such(kernels):
    opened = kernels([DIRECT, neighbour(HARDWARE_ADDRESS=MAC)])
    assert Neighbours().mac_of("2001:db8::7") == "01-23-45-67-89-ab"
    assert [question[0] for _, question in opened[0].asked] == [socket.AF_INET6] * 2
    assert opened[0].asked[0][1][1] == 128


@pytest.mark.parametrize(
    "answers",
    [
        [NO],
        [route()],
        [route(GATEWAY=bytes([192, 0, 2, 1]), INTERFACE=struct.pack("=I", 3))],
        [route(VIA=bytes(18), INTERFACE=struct.pack("=I", 3))],
        [route(SEVERAL=bytes(16))],
        [DIRECT, NO],
        [DIRECT, neighbour()],
        [DIRECT, neighbour(HARDWARE_ADDRESS=bytes(6))],
        [DIRECT, neighbour(HARDWARE_ADDRESS=bytes(range(20)))],
        [DIRECT, neighbour(HARDWARE_ADDRESS=b"")],
    ],
    ids=[
        "no-route",
        "no-interface",
        "router",
        "router-of-another-kind",
        "routers",
        "unknown",
        "sought",
        "loopback",
        "infiniband",
        "none",
    ],
)
def test_no_mac_address_is_known(kernels, answers):
    kernels(answers)
    assert Neighbours().mac_of("192.0.2.7") is None


def test_socket_is_kept_for_the_next_question(kernels):
    opened = kernels([DIRECT, neighbour(HARDWARE_ADDRESS=MAC)] * 2)
    known = Neighbours()
    assert [known.mac_of("192.0.2.7"), known.mac_of("192.0.2.7")] == ["01-23-45-67-89-ab"] * 2
    assert len(opened) == 1


def test_socket_whose_answer_was_lost_is_not_asked_again(kernels):
    opened = kernels([OSError(errno.ENOBUFS, "")], [DIRECT, neighbour(HARDWARE_ADDRESS=MAC)])
    known = Neighbours()
    assert known.mac_of("192.0.2.7") is None
    assert opened[0].is_closed
    assert known.mac_of("192.0.2.7") == "01-23-45-67-89-ab"


def test_no_mac_address_is_known_without_a_socket(monkeypatch):
    def refuse(*_arguments):
        raise OSError(errno.EMFILE, "")

    monkeypatch.setattr(neighbours.socket, "socket", refuse)
    assert Neighbours().mac_of("192.0.2.7") is None


def test_no_mac_address_is_known_elsewhere_than_on_linux(monkeypatch, kernels):
    opened = kernels([DIRECT, neighbour(HARDWARE_ADDRESS=MAC)])
    monkeypatch.setattr(sys, "platform", "freebsd14")
    assert Neighbours().mac_of("192.0.2.7") is None
    assert opened == []


def test_close_may_come_twice_and_first(kernels):
    opened = kernels([NO])
    known = Neighbours()
    known.close()
    known.mac_of("192.0.2.7")
    known.close()
    known.close()
    assert opened[0].is_closed


@pytest.mark.skipif(sys.platform != "linux", reason="machine: no netlink")
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_this_machine_is_no_neighbour_of_its_own(address):
    known = Neighbours()
    try:
        assert known.mac_of(address) is None
    finally:
        known.close()
