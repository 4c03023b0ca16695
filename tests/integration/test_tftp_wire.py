"""Dialogues over TFTP, packet by packet: what the standards say of each, and what hostile or hurried clients send instead.

Apart from the real clients, which do neither, and from `test_tftp_policy`, where the operator has a say.  That nothing comes is shown by what
comes instead: one socket takes requests one after the other, so that whoever asks later and has been answered proves that those before were not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from tests.integration.fleet import wait_until
from tests.integration.tftp_server import Shelf, TftpServer
from tests.integration.tftp_wire import ACK, DATA, ERROR, Packet, TftpWire, ack, data, error, oack, refusal

CONTENT: Final = bytes(range(256)) * 5  # two and a half blocks
FIRST, SECOND, THIRD = (Packet(DATA, number, CONTENT[512 * (number - 1) : 512 * number]) for number in (1, 2, 3))
AGAIN: Final = {"utimeout": 50_000}  # microseconds: an interval that a test can wait for
HURRIED: Final = {"tftp": {"timeouts": {"first": 0.05, "longest": 0.05, "give_up": 0.2}}}
Connect = Callable[..., TftpWire]


@pytest.fixture
def connect(tftp_server: TftpServer) -> Iterator[Connect]:
    """Return what makes clients' sockets; the first argument is the server's place, if it is not that of the shared server."""
    with contextlib.ExitStack() as opened:
        yield lambda place=tftp_server.place, **options: opened.enter_context(TftpWire(place, **options))


@pytest.fixture
def client(connect: Connect) -> TftpWire:
    return connect()


@pytest.fixture
def there(shelf: Shelf) -> str:
    """The name of a file of three blocks, `CONTENT`."""
    return shelf.put("there", CONTENT)


@pytest.fixture
def there_long(shelf: Shelf) -> str:
    """The name of a file of many blocks, the first three `CONTENT`."""
    return shelf.put("there-long", CONTENT[: 2 * 512] + bytes(20_000))


def assert_unanswered(client: TftpWire) -> None:
    """Have somebody ask after *client* did, and be answered; *client* is not."""
    with TftpWire(client.server) as later:
        assert refusal(later.ask_read("missing"))[0] == 1
    assert client.waiting() == []


def lines_about(shelf: Shelf, name: str) -> list[str]:
    """Return what the log says of a file."""
    return [line for line in shelf.server.lines if shelf.remote(name) in line]


def assert_empty(shelf: Shelf) -> None:
    """Nothing was published; what was staged is removed once the client has been told."""
    assert [name for name in shelf.names() if not name.startswith(".")] == []
    wait_until(lambda: shelf.names() == [], "what was staged is gone")


def is_followed(client: TftpWire, awaited: Packet) -> bool:
    """Read on until *awaited* comes; packets that were sent twice may come before."""
    return any(client.receive() == awaited for _ in range(100))


# The dialogue (RFC 1350).


def test_a_file_comes_block_by_block_as_it_is_acknowledged(client: TftpWire, there: str) -> None:
    assert client.ask_read(there) == FIRST
    client.send(ack(1))
    assert client.receive() == SECOND
    client.send(ack(2))
    assert client.receive() == THIRD


def test_answers_come_from_a_port_of_their_own(client: TftpWire, there: str) -> None:
    client.ask_read(there)
    assert client.peer is not None
    assert client.peer[0] == client.server[0]
    assert client.peer[1] != client.server[1]


def test_a_file_of_whole_blocks_ends_with_an_empty_one(client: TftpWire, shelf: Shelf) -> None:
    assert client.ask_read(shelf.put("file", bytes(512))) == Packet(DATA, 1, bytes(512))
    client.send(ack(1))
    assert client.receive() == Packet(DATA, 2, b"")


def test_the_mode_is_read_in_any_case(client: TftpWire, there: str) -> None:
    assert client.ask_read(there, mode="OcTeT") == FIRST


def test_an_upload_is_acknowledged_block_by_block(client: TftpWire, shelf: Shelf) -> None:
    assert client.ask_write(shelf.remote("file")) == Packet(ACK, 0)
    client.send(data(1, bytes(512)))
    assert client.receive() == Packet(ACK, 1)
    client.send(data(2, b"end"))
    assert client.receive() == Packet(ACK, 2)
    assert shelf.content("file") == bytes(512) + b"end"


def test_the_last_block_is_acknowledged_again_as_often_as_it_comes(client: TftpWire, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"))
    for _ in range(3):
        client.send(data(1, b"end"))
        assert client.receive() == Packet(ACK, 1)
    assert shelf.content("file") == b"end"
    shelf.server.wait_for(rf"WRQ /{shelf.remote('file')} .* finished")
    assert len(lines_about(shelf, "file")) == 1


def test_a_block_that_comes_twice_is_stored_once(client: TftpWire, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"))
    client.send(data(1, b"a" * 512), data(1, b"a" * 512), data(2, b"b"))
    assert is_followed(client, Packet(ACK, 2))
    assert shelf.content("file") == b"a" * 512 + b"b"


def test_a_transfer_ends_in_one_line_of_the_log(client: TftpWire, shelf: Shelf, there: str) -> None:
    assert client.fetch(there, {"blksize": 600, "windowsize": 2}) == CONTENT
    shelf.server.wait_for(rf"RRQ /{there} 1280 bytes [\d.]+ s finished +\(3 blocks, 0 sent again, blksize=600 windowsize=2\)")
    assert len(lines_about(shelf, "there")) == 1


# Retransmission (RFC 1123 4.2.3).


def test_a_repeated_acknowledgement_sends_nothing_again(client: TftpWire, there: str) -> None:
    client.ask_read(there)
    client.send(ack(1), ack(1), ack(1), ack(2), ack(2), ack(3))
    assert client.receives(2) == [SECOND, THIRD]
    assert_unanswered(client)


def test_an_acknowledgement_from_the_future_says_nothing(client: TftpWire, there: str) -> None:
    client.ask_read(there)
    client.send(ack(2), ack(3), ack(40_000), ack(65_535), ack(1))
    assert client.receive() == SECOND
    assert_unanswered(client)


def test_what_is_not_acknowledged_comes_again(client: TftpWire, there: str) -> None:
    client.read(there, AGAIN)
    assert client.receives(3) == [oack(AGAIN)] * 3
    client.send(ack(0))
    assert is_followed(client, FIRST)
    assert client.receives(2) == [FIRST, FIRST]


def test_what_is_not_sent_is_asked_for_again(client: TftpWire, shelf: Shelf) -> None:
    client.write(shelf.remote("file"), AGAIN)
    assert client.receives(3) == [oack(AGAIN)] * 3
    client.send(data(1, bytes(512)))
    assert is_followed(client, Packet(ACK, 1))
    assert client.receives(2) == [Packet(ACK, 1)] * 2


def test_a_repeated_read_request_is_one_session(client: TftpWire, shelf: Shelf, there: str) -> None:
    for _ in range(3):
        assert client.ask_read(there) == FIRST  # from one port, or `receive` would fail
    client.send(ack(1), ack(2), ack(3))
    assert client.receives(2) == [SECOND, THIRD]
    shelf.server.wait_for(rf"RRQ /{there} .*finished")
    assert len(lines_about(shelf, "there")) == 1


def test_a_repeated_write_request_is_one_session(client: TftpWire, shelf: Shelf) -> None:
    for _ in range(3):
        assert client.ask_write(shelf.remote("file")) == Packet(ACK, 0)
    client.send(data(1, b"end"))
    assert client.receive() == Packet(ACK, 1)
    assert shelf.names() == ["file"]


def test_a_request_that_comes_late_disturbs_nothing(client: TftpWire, there: str) -> None:
    client.ask_read(there)
    client.send(ack(1))
    assert client.receive() == SECOND
    client.read(there)
    client.send(ack(2))
    assert client.receive() == THIRD
    assert_unanswered(client)


# Options (RFC 2347, 2348, 2349, 7440).


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        ({"tsize": 0}, {"tsize": 1280}),
        ({"blksize": 1428}, {"blksize": 1428}),
        ({"blksize": 8}, {"blksize": 8}),
        ({"blksize": 65464}, {"blksize": 65464}),
        ({"blksize": 65535}, {"blksize": 65464}),
        ({"blksize2": 1500}, {"blksize2": 1024}),
        ({"timeout": 1}, {"timeout": 1}),
        ({"timeout": 255}, {"timeout": 255}),
        ({"utimeout": 200_000}, {"utimeout": 200_000}),
        ({"windowsize": 1}, {"windowsize": 1}),
        ({"windowsize": 65535}, {"windowsize": 64}),
        ({"rollover": 1}, {"rollover": 1}),
        ({"tsize": 0, "blksize": 512, "timeout": 6}, {"tsize": 1280, "blksize": 512, "timeout": 6}),
        ({"windowsize": 4, "foo": "bar", "blksize": 1024}, {"windowsize": 4, "blksize": 1024}),
        ({"BLKSIZE": 1024}, {"blksize": 1024}),
    ],
)
def test_only_what_was_asked_for_is_granted_in_that_order(
    client: TftpWire, there: str, asked: dict[str, Any], granted: dict[str, Any]
) -> None:
    assert client.ask_read(there, asked) == oack(granted)


@pytest.mark.parametrize(
    "absurd",
    [
        {"blksize": 7},
        {"blksize": -1},
        {"blksize": ""},
        {"blksize": "1e3"},
        {"blksize": "٥١٢"},
        {"blksize": "9" * 300},
        {"timeout": 0},
        {"timeout": 256},
        {"utimeout": 1},
        {"windowsize": 0},
        {"tsize": "-5"},
        {"rollover": 2},
        {"multicast": ""},
        {"foo": "bar"},
        {"": ""},
    ],
)
def test_an_absurd_option_is_as_if_it_were_not_there(client: TftpWire, there: str, absurd: dict[str, Any]) -> None:
    assert client.ask_read(there, absurd) == FIRST


def test_netascii_is_told_no_size(client: TftpWire, there: str) -> None:
    assert client.ask_read(there, {"tsize": 0}, mode="netascii").opcode == DATA


def test_an_upload_is_told_its_own_size(client: TftpWire, shelf: Shelf) -> None:
    assert client.ask_write(shelf.remote("file"), {"tsize": 3}) == oack({"tsize": 3})
    client.send(data(1, b"end"))
    assert client.receive() == Packet(ACK, 1)


def test_an_upload_of_another_size_than_it_said_is_not_published(client: TftpWire, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"), {"tsize": 1000})
    client.send(data(1, b"end"))
    assert client.receive().opcode == ERROR
    assert_empty(shelf)


def test_a_window_is_sent_in_one_go_and_the_next_when_it_is_acknowledged(client: TftpWire, shelf: Shelf) -> None:
    asked = {"blksize": 8, "windowsize": 3}
    assert client.ask_read(shelf.put("file", bytes(60)), asked) == oack(asked)
    client.send(ack(0))
    assert [packet.number for packet in client.receives(3)] == [1, 2, 3]
    client.send(ack(3))
    assert [packet.number for packet in client.receives(3)] == [4, 5, 6]
    client.send(ack(6))
    assert client.receives(2) == [Packet(DATA, 7, bytes(8)), Packet(DATA, 8, bytes(4))]


def test_a_window_begins_anew_behind_what_arrived(client: TftpWire, shelf: Shelf) -> None:
    client.ask_read(shelf.put("file", bytes(60)), {"blksize": 8, "windowsize": 3})
    client.send(ack(0))
    client.receives(3)
    client.send(ack(1))  # the second was lost
    assert [packet.number for packet in client.receives(3)] == [2, 3, 4]


def test_a_window_is_acknowledged_once_and_a_gap_at_once(client: TftpWire, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"), {"blksize": 8, "windowsize": 3})
    client.send(*(data(number, bytes(8)) for number in (1, 2, 3)))
    assert client.receive() == Packet(ACK, 3)
    client.send(data(4, bytes(8)), data(6, bytes(8)))
    assert client.receive() == Packet(ACK, 4)
    client.send(data(5, bytes(8)), data(6, bytes(8)), data(7, b""))
    assert client.receive() == Packet(ACK, 7)
    assert shelf.content("file") == bytes(48)


@pytest.mark.parametrize("rollover", [0, 1])
def test_the_number_behind_65535_is_what_the_client_wants(client: TftpWire, shelf: Shelf, rollover: int) -> None:
    content = b"%7d\n" * 65_600 % tuple(range(65_600))
    options = {"blksize": 8, "windowsize": 64, "rollover": rollover}
    assert client.fetch(shelf.put("file", content), options, rollover=rollover) == content


@pytest.mark.parametrize("rollover", [0, 1])
def test_the_number_behind_65535_is_read_as_the_client_has_it(client: TftpWire, shelf: Shelf, rollover: int) -> None:
    content = b"%7d\n" * 65_600 % tuple(range(65_600))
    client.store(shelf.remote("file"), content, {"blksize": 8, "windowsize": 64, "rollover": rollover}, rollover=rollover)
    assert shelf.content("file") == content


# The size probe of UEFI.


@pytest.mark.parametrize("code", [0, 8])
def test_a_client_that_only_wants_the_size_is_no_failure(client: TftpWire, shelf: Shelf, there: str, code: int) -> None:
    assert client.ask_read(there, {"tsize": 0, "blksize": 1428}) == oack({"tsize": 1280, "blksize": 1428})
    client.send(error(code, "User aborted the transfer"))
    shelf.server.wait_for(rf"debug .* asked for the size of /{there}: 1280 bytes")
    assert len(lines_about(shelf, "there")) == 1


def test_a_client_that_has_asked_for_the_size_fetches_the_file_from_the_same_port(client: TftpWire, there: str) -> None:
    client.ask_read(there, {"tsize": 0})
    client.send(error(8, "User aborted the transfer"))
    client.peer = None
    assert client.ask_read(there, {"tsize": 0, "blksize": 1428}) == oack({"tsize": 1280, "blksize": 1428})
    client.send(ack(0))
    assert client.receive() == Packet(DATA, 1, CONTENT)


# Strangers (RFC 1350 4).


def test_a_stranger_is_told_that_nobody_knows_it_and_the_session_goes_on(client: TftpWire, connect: Connect, there: str) -> None:
    client.ask_read(there)
    assert client.peer is not None
    stranger = connect(client.peer)
    stranger.send(ack(1))
    assert refusal(stranger.receive())[0] == 5
    client.send(ack(1))
    assert client.receive() == SECOND


def test_the_kernel_tells_a_stranger_that_nobody_listens_to_it_where_a_transfer_has_a_socket_of_its_own(
    client: TftpWire, connect: Connect, there_long: str
) -> None:
    client.ask_read(there_long)
    assert client.peer is not None
    stranger = connect(client.peer)
    stranger.socket.connect(client.peer)  # so that a port that is closed for it is heard of
    stranger.send(ack(1))
    with pytest.raises(ConnectionRefusedError):
        stranger.socket.recv(1)
    client.send(ack(1))
    assert client.receive() == SECOND


def test_a_stranger_cannot_end_a_session(client: TftpWire, connect: Connect, there: str) -> None:
    client.ask_read(there)
    assert client.peer is not None
    stranger = connect(client.peer)
    with contextlib.suppress(ConnectionRefusedError):
        stranger.send(error(0, "over"), ack(1), ack(2), ack(3))
    client.send(ack(1), ack(2))
    assert client.receives(2) == [SECOND, THIRD]


def test_a_stranger_cannot_add_to_an_upload(client: TftpWire, connect: Connect, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"))
    assert client.peer is not None
    stranger = connect(client.peer)
    with contextlib.suppress(ConnectionRefusedError):
        stranger.send(data(1, b"theirs"))
    client.send(data(1, b"ours"))
    assert client.receive() == Packet(ACK, 1)
    assert shelf.content("file") == b"ours"


# Bad input.


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"\0\1", id="nothing-but-an-opcode"),
        pytest.param(b"\0\1name", id="no-end-of-the-name"),
        pytest.param(b"\0\1name\0octet", id="no-end-of-the-mode"),
        pytest.param(b"\0\1name\0", id="no-mode"),
        pytest.param(b"\0\1\0octet\0", id="empty-name"),
        pytest.param(b"\0\2\0octet\0", id="empty-name-to-write"),
        pytest.param(b"\0\1name\0mail\0", id="mail"),
        pytest.param(b"\0\1name\0octets\0", id="unknown-mode"),
        pytest.param(b"\0\1name\0\0", id="empty-mode"),
        pytest.param(b"\0\1" + b"n" * 2000 + b"\0octet\0", id="too-long"),
    ],
)
def test_a_request_that_is_none_is_an_illegal_operation(client: TftpWire, datagram: bytes) -> None:
    client.send(datagram)
    assert refusal(client.receive())[0] == 4


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"\0", id="one-byte"),
        pytest.param(b"\0\0name\0octet\0", id="opcode-0"),
        pytest.param(b"\0\7name\0octet\0", id="opcode-7"),
        pytest.param(b"\1\1name\0octet\0", id="opcode-257"),
        pytest.param(ack(1), id="ack"),
        pytest.param(data(1, b"data"), id="data"),
        pytest.param(error(0, "over"), id="error"),
        pytest.param(b"\0\6blksize\0512\0", id="oack"),
    ],
)
def test_what_is_no_request_is_not_answered_where_requests_come_in(client: TftpWire, datagram: bytes) -> None:
    client.send(datagram)
    assert_unanswered(client)


def test_nonsense_does_not_disturb_a_download(client: TftpWire, there: str) -> None:
    client.ask_read(there)
    client.send(b"", b"\0", b"\0\4", b"\0\4\0", b"\4\0\1\0", b"\0\4\0\1and more")
    assert client.receive() == SECOND


def test_a_block_that_is_longer_than_agreed_is_an_illegal_operation(client: TftpWire, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"))
    client.send(data(1, bytes(513)))
    assert refusal(client.receive())[0] == 4
    assert_empty(shelf)


def test_another_request_from_the_same_port_is_another_transfer(client: TftpWire, shelf: Shelf, there: str) -> None:
    client.ask_read(there)
    client.peer = None
    assert client.ask_read(shelf.put("other", b"other")) == Packet(DATA, 1, b"other")
    shelf.server.wait_for(rf"RRQ /{there} .* began another transfer")


# Clients that vanish.


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TftpServer]:
    """A server that gives clients up soon."""
    server = TftpServer(tmp_path_factory.mktemp("hurried"), HURRIED)
    yield server
    server.stop()


@pytest.mark.parametrize("answered", [0, 1, 2])
def test_a_client_that_vanishes_from_a_download_is_given_up(hurried: TftpServer, connect: Connect, answered: int) -> None:
    shelf = Shelf(hurried)
    client = connect(hurried.place)
    client.read(shelf.put("file", CONTENT))
    client.receive()
    for number in range(1, answered + 1):
        client.send(ack(number))
        assert is_followed(client, (FIRST, SECOND, THIRD)[number])
    hurried.wait_for(rf"RRQ /{shelf.remote('file')} {512 * answered} bytes .* peer-fault .*fell silent")


@pytest.mark.parametrize("sent", [0, 1, 2])
def test_an_upload_of_a_client_that_vanishes_is_not_published(hurried: TftpServer, connect: Connect, sent: int) -> None:
    shelf = Shelf(hurried)
    client = connect(hurried.place)
    assert client.ask_write(shelf.remote("file")) == Packet(ACK, 0)
    for number in range(1, sent + 1):
        client.send(data(number, bytes(512)))
        assert is_followed(client, Packet(ACK, number))
    hurried.wait_for(rf"WRQ /{shelf.remote('file')} {512 * sent} bytes .* peer-fault .*fell silent")
    assert_empty(shelf)


def test_a_client_whose_port_is_closed_is_given_up_at_once(client: TftpWire, shelf: Shelf, there: str) -> None:
    client.ask_read(there, {"windowsize": 2, "blksize": 8, "timeout": 1})
    client.send(ack(0))
    client.socket.close()
    shelf.server.wait_for(rf"RRQ /{there} .* peer-fault .*cannot be reached")


def test_a_client_that_gives_up_is_believed(client: TftpWire, shelf: Shelf) -> None:
    client.ask_write(shelf.remote("file"))
    client.send(data(1, bytes(512)))
    client.receive()
    client.send(error(3, "no more"))
    shelf.server.wait_for(rf"WRQ /{shelf.remote('file')} .* peer-fault .*error 3 no more")
    assert_empty(shelf)
