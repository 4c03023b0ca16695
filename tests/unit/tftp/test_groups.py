"""Groups over real sockets on loopback, with a reactor that only remembers: addresses, ports, and what is freed when."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from ftpd.tftp.groups import Groups, Place
from ftpd.tftp.settings import TFTPMulticastSettings
from ftpd.tftp.timing import Timing
from ftpd.values import FileInfo, FileKind

LOCAL = ("127.0.0.1", 0)
FILE = FileInfo("file", FileKind.FILE, 5000, 1_000_000_000, 0o644, unique="1g2")


class Watching:
    """As much of a reactor as lines need."""

    def __init__(self) -> None:
        self.reading: set[Any] = set()
        self.writing: set[Any] = set()
        self.addReader, self.removeReader = self.reading.add, self.reading.discard
        self.addWriter, self.removeWriter = self.writing.add, self.writing.discard


class Listening:
    """An exchange, as far as a line knows it."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.has_room = 0

    def received(self, datagram: bytes) -> None:
        self.heard.append(datagram)

    def writable(self) -> None:
        self.has_room += 1

    def broken(self, error: OSError) -> None:
        raise error


class Room:
    """Groups, and clients that join them."""

    def __init__(self, addresses: str = "239.69.2.0/24", ports: tuple[int, int] = (0, 0)) -> None:
        self.reactor = Watching()
        settings = TFTPMulticastSettings(enabled=True, addresses=ipaddress.ip_network(addresses), port=17580)
        self.groups = Groups(self.reactor, settings, ports)
        self.clients: list[socket.socket] = []
        self.places: list[Place] = []

    def join(self, block_size: int = 512, local: tuple[str, int] = LOCAL, **file: Any) -> Place | None:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.bind(LOCAL)
        client.settimeout(30)
        self.clients.append(client)
        place = self.groups.join(FILE._replace(**file), block_size, local, client.getsockname(), Timing(1, 8, 30))
        if place is not None:
            place.line.tell(Listening())
            self.places.append(place)
        return place

    def joined(self, block_size: int = 512, local: tuple[str, int] = LOCAL, **file: Any) -> Place:
        place = self.join(block_size, local, **file)
        assert place is not None
        return place

    def end(self, place: Place) -> None:
        """End as an exchange does."""
        place.line.close()
        place.leave(0.0)

    def close(self) -> None:
        for place in self.places:
            self.end(place)
        for client in self.clients:
            client.close()


@pytest.fixture
def room() -> Iterator[Room]:
    made = Room()
    yield made
    made.close()


def group(place: Place) -> str:
    return place.granted.split(",")[0]


# Who is together.


def test_the_first_is_granted_mastership_and_the_next_the_same_group(room: Room) -> None:
    first, second = room.joined(), room.joined()
    assert first.granted == f"{group(first)},17580,1"
    assert second.granted == f"{group(first)},17580,0"
    assert ipaddress.ip_address(group(first)) in ipaddress.ip_network("239.69.2.0/24")


@pytest.mark.parametrize(
    "other",
    [
        {"block_size": 1428},
        {"local": ("127.0.0.2", 0)},
        {"unique": "1g3"},
        {"size": 5001},
        {"modified_ns": 2_000_000_000},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_has_a_group_of_its_own(room: Room, other: dict[str, Any]) -> None:
    first, second = room.joined(), room.joined(**other)
    assert second.seat.is_master
    assert group(first) != group(second)


def test_the_granted_value_follows_the_turn(room: Room) -> None:
    first, second = room.joined(), room.joined()
    room.end(first)
    assert second.granted == f"{group(second)},17580,1"


@pytest.mark.parametrize(
    ("file", "can"),
    [
        ({"size": 65535 * 512 - 1}, True),
        ({"size": 65535 * 512}, False),
        ({"unique": ""}, False),
    ],
)
def test_what_can_be_sent_to_a_group(room: Room, file: dict[str, Any], can: bool) -> None:
    assert room.groups.can_send(FILE._replace(**file), 512) is can


# Sockets.


def test_what_is_said_to_clients_of_a_group_comes_from_one_port(room: Room) -> None:
    first, second = room.joined(), room.joined()
    first.line.send(b"\0\6first\0")
    second.line.send(b"\0\6second\0")
    heard = [client.recvfrom(100) for client in room.clients]
    assert [datagram for datagram, _ in heard] == [b"\0\6first\0", b"\0\6second\0"]
    assert len({source for _, source in heard}) == 1


def test_each_line_hears_its_own_client(room: Room) -> None:
    places = [room.joined() for _ in range(3)]
    places[0].line.send(b"\0\6\0\0")
    source = room.clients[0].recvfrom(100)[1]
    for number, client in enumerate(room.clients):
        client.sendto(bytes((0, 4, 0, number)), source)
    for place in places:
        place.line.doRead()
    heard = [place.line._listener.heard for place in places]  # type: ignore[attr-defined]
    assert heard == [[b"\0\4\0\0"], [b"\0\4\0\1"], [b"\0\4\0\2"]]


def test_blocks_go_to_nobody_alone(room: Room) -> None:
    first, second = room.joined(), room.joined()
    first.line.send(b"\0\3\0\1block")
    first.line.send(b"\0\5\0\0error\0")
    second.line.send(b"\0\5\0\0error\0")
    assert [client.recv(100) for client in room.clients] == [b"\0\5\0\0error\0"] * 2


def test_who_waits_for_room_waits_for_the_way_to_the_group(room: Room) -> None:
    first, second = room.joined(), room.joined()
    first.line.await_room()
    second.line.await_room()
    [way] = room.reactor.writing
    way.doWrite()
    assert [place.line._listener.has_room for place in (first, second)] == [0, 1]  # type: ignore[attr-defined]
    assert room.reactor.writing == set()


def test_answers_come_from_the_range_of_ports() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(LOCAL)
        port = probe.getsockname()[1]
    room = Room(ports=(port, port))
    first, second = room.joined(), room.joined()
    first.line.send(b"\0\6\0")
    second.line.send(b"\0\6\0")
    assert [client.recvfrom(100)[1][1] for client in room.clients] == [port, port]
    assert room.join(unique="another") is None  # the range has one port, and a group has taken it
    room.close()


# Addresses.


def test_an_address_is_for_one_file_at_a_time_and_comes_free_with_its_last_client() -> None:
    room = Room("239.69.2.9/32")
    first, second = room.joined(), room.joined()
    assert room.join(unique="another") is None
    room.end(first)
    assert room.join(unique="another") is None
    room.end(second)
    assert room.joined(unique="another").granted == "239.69.2.9,17580,1"
    room.close()


def test_no_two_listeners_have_the_same_address() -> None:
    room, other = Room("239.69.2.8/31"), Room("239.69.2.8/31")
    taken = [room.joined(), other.joined()]
    assert sorted(map(group, taken)) == ["239.69.2.8", "239.69.2.9"]
    assert room.join(unique="another") is None
    room.close()
    other.close()


def test_an_address_is_not_used_again_at_once(room: Room) -> None:
    first = room.joined()
    was = group(first)
    room.end(first)
    assert group(room.joined()) != was


def test_nothing_is_left_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    room = Room()
    first, second = room.joined(), room.joined()
    second.line.await_room()
    room.end(first)
    room.end(first)
    room.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert room.reactor.reading == room.reactor.writing == set()
