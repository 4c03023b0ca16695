"""What the operator decides about TFTP: who may store what, how much, under which names, from which addresses and ports, how many at a time.

Apart from `test_tftp_wire`, where it is the standards that decide.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.conftest import ServeTftp
from tests.integration.fleet import wait_until
from tests.integration.network import BROADCAST, SERVER, SERVER6, Network, made
from tests.integration.tftp_server import Shelf, TftpServer
from tests.integration.tftp_wire import ACK, DATA, RRQ, Packet, Refused, TftpWire, ack, data, error, oack, refusal, request
from tests.integration.wire import free_port

SECRET: Final = b"the secret of another account"
OPEN: Final = {"address": "127.0.0.1", "write": "any"}
Serve = Callable[..., TftpServer]
Connect = Callable[..., TftpWire]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what makes clients' sockets, given the server's place."""
    with contextlib.ExitStack() as opened:
        yield lambda place, **options: opened.enter_context(TftpWire(place, **options))


@pytest.fixture
def network() -> Iterator[Network]:
    with made(Network) as network:
        yield network


def forged(source: str, place: tuple[str, int], content: bytes) -> bytes:
    """Return an IPv4 packet with a datagram to *place* that *source* has not sent; the kernel fills in what is 0."""
    host, port = place
    datagram = struct.pack("!HHHH", 2000, port, 8 + len(content), 0) + content
    addresses = socket.inet_aton(source) + socket.inet_aton(host)
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 0, 0, 64, socket.IPPROTO_UDP, 0) + addresses + datagram


def listening(serve: ServeTftp, *listeners: dict[str, Any], **tftp: Any) -> TftpServer:
    """Start a server with *listeners*, on 127.0.0.1 unless they say otherwise, and further settings of TFTP."""
    return serve({"tftp": {"listeners": [{"address": "127.0.0.1", **listener} for listener in listeners], **tftp}})


def code_of(wire: TftpWire, name: str | bytes) -> int:
    """Return the code of the error that a read request is refused with."""
    return refusal(wire.ask_read(name))[0]


# Writing.


@pytest.mark.parametrize(
    ("write", "new", "old"),
    [("never", 2, 2), ("existing", 1, None), ("create", None, 6), ("any", None, None)],
)
def test_what_may_be_stored(serve_tftp: ServeTftp, connect: Connect, write: str, new: int | None, old: int | None) -> None:
    server = listening(serve_tftp, {"write": write})
    (server.files / "old").write_bytes(b"before")
    for name, code in (("new", new), ("old", old)):
        answer = connect(server.place).ask_write(name)
        assert answer == Packet(ACK, 0) if code is None else refusal(answer)[0] == code
    assert (server.files / "old").read_bytes() == b"before"
    assert not (server.files / "new").exists()


def test_nobody_stores_anything_unless_the_listener_says_so(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {})
    assert refusal(connect(server.place).ask_write("new"))[0] == 2


def test_the_account_has_to_allow_it_too(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = serve_tftp({"tftp": {"listeners": [OPEN]}, "account": {"permissions": ["view"]}})
    assert refusal(connect(server.place).ask_write("new"))[0] == 2


def test_clients_are_anonymous_where_the_listener_names_no_account(serve_tftp: ServeTftp, connect: Connect) -> None:
    settings = {"tftp": {"listeners": [{"account": "", "address": "127.0.0.1"}]}, "anonymous": {"enabled": True, "home": "/public"}}
    server = serve_tftp(settings)
    (server.root / "public").mkdir()
    (server.root / "public" / "file").write_bytes(b"public")
    assert connect(server.place).fetch("file") == b"public"
    server.wait_for(r"anonymous 127\.0\.0\.1:\d+ RRQ /file 6 bytes .* finished")


def test_a_file_that_says_it_is_too_large_is_refused_before_it_is_sent(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, OPEN, largest_file=1000)
    assert refusal(connect(server.place).ask_write("file", {"tsize": 1001}))[0] == 3
    assert connect(server.place).ask_write("file", {"tsize": 1000}) == oack({"tsize": 1000})


@pytest.mark.parametrize("settings", [{"tftp": {"listeners": [OPEN], "largest_file": 1000}}, {"account": {"max_file_size": 1000}}])
def test_a_file_that_turns_out_too_large_is_refused_and_not_published(
    serve_tftp: ServeTftp, connect: Connect, settings: dict[str, Any]
) -> None:
    server = serve_tftp(settings)
    wire = connect(server.place)
    with pytest.raises(Refused) as refused:
        wire.store("file", bytes(1001))
    assert refused.value.code == 3
    wait_until(lambda: os.listdir(server.files) == [], "what was staged is gone")


def test_a_file_that_is_just_not_too_large_is_stored(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, OPEN, largest_file=1024)
    connect(server.place).store("file", bytes(1024), {"tsize": 1024})
    assert (server.files / "file").read_bytes() == bytes(1024)


def test_an_old_file_stays_until_the_new_one_is_complete(tftp_server: TftpServer, connect: Connect, shelf: Shelf) -> None:
    writer, reader = connect(tftp_server.place), connect(tftp_server.place)
    name = shelf.put("file", b"old")
    writer.ask_write(name)
    writer.send(data(1, bytes(512)))
    assert writer.receive() == Packet(ACK, 1)
    assert reader.fetch(name) == b"old"
    writer.send(data(2, b"new"))
    assert writer.receive() == Packet(ACK, 2)
    assert shelf.content("file") == bytes(512) + b"new"


def test_a_file_that_is_replaced_does_not_change_for_who_fetches_it(
    tftp_server: TftpServer, connect: Connect, shelf: Shelf
) -> None:
    writer, reader = connect(tftp_server.place), connect(tftp_server.place)
    name = shelf.put("file", b"a" * 100_000)
    reader.ask_read(name)
    writer.store(name, b"b" * 100_000)
    reader.send(ack(1))
    assert reader.receive() == Packet(DATA, 2, b"a" * 512)


# Names.


@pytest.fixture
def beside(tftp_server: TftpServer) -> Path:
    """A file beside what clients see, `SECRET`."""
    file = tftp_server.root / "secret"
    file.write_bytes(SECRET)
    return file


CLIMBING: Final = [
    b"../secret",
    b"/../secret",
    b"//../secret",
    b"./../secret",
    b"a/../../secret",
    b"../../root/secret",
    b"..\\secret",
    b"\\..\\secret",
    b"a\\..\\..\\secret",
    b"..\\/secret",
    b"....//secret",
    b"%2e%2e/secret",
    b"..%2fsecret",
    b"..\xc0\xafsecret",
    b"\xc0\xae\xc0\xae/secret",
    b".. /secret",
    b"...\x7f/../../secret",
    b"c:\\..\\secret",
    b"~/../secret",
]


@pytest.mark.parametrize("name", CLIMBING)
def test_no_name_leads_out_to_read(tftp_server: TftpServer, connect: Connect, beside: Path, name: bytes) -> None:
    assert code_of(connect(tftp_server.place), name) in (1, 2)


@pytest.mark.parametrize("name", CLIMBING)
def test_no_name_leads_out_to_write(tftp_server: TftpServer, connect: Connect, beside: Path, name: bytes) -> None:
    with contextlib.suppress(Refused):
        connect(tftp_server.place).store(name.decode("latin-1"), b"overwritten")
    assert beside.read_bytes() == SECRET
    assert {path.name for path in tftp_server.root.iterdir()} <= {"booter", "passwords", "secret"}


def test_no_link_leads_out(tftp_server: TftpServer, connect: Connect, shelf: Shelf) -> None:
    (tftp_server.root / "passwords").write_bytes(SECRET)
    (shelf.folder / "absolute").symlink_to(tftp_server.root / "passwords")
    (shelf.folder / "relative").symlink_to("../../passwords")
    (shelf.folder / "above").symlink_to("../..")
    for name in ("absolute", "relative", "above/passwords"):
        assert code_of(connect(tftp_server.place), shelf.remote(name)) in (1, 2)


def test_an_absolute_path_is_one_below_the_root(tftp_server: TftpServer, connect: Connect, shelf: Shelf, beside: Path) -> None:
    assert code_of(connect(tftp_server.place), str(beside)) == 1
    assert connect(tftp_server.place).fetch("/" + shelf.put("file", b"mine")) == b"mine"


def test_a_directory_is_no_file(tftp_server: TftpServer, connect: Connect, shelf: Shelf) -> None:
    assert code_of(connect(tftp_server.place), shelf.name) == 2
    assert code_of(connect(tftp_server.place), "/") == 2


def test_a_backslash_is_a_slash(tftp_server: TftpServer, connect: Connect, shelf: Shelf) -> None:
    shelf.put("file", b"mine")
    assert connect(tftp_server.place).fetch(f"\\{shelf.name}\\file") == b"mine"


def test_names_are_folded_where_that_is_wanted(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {"fold_case": True})
    (server.files / "pxelinux.0").write_bytes(b"loader")
    assert connect(server.place).fetch("PXELINUX.0") == b"loader"


def test_a_missing_file_is_told_to_the_log_at_debug(tftp_server: TftpServer, connect: Connect, shelf: Shelf) -> None:
    assert code_of(connect(tftp_server.place), shelf.remote("missing")) == 1
    tftp_server.wait_for(rf"debug \S+ booter 127\.0\.0\.1:\d+ RRQ /?{shelf.remote('missing')} refused: No such file")


# Roots.


def test_a_network_has_a_root_of_its_own(serve_tftp: ServeTftp, connect: Connect) -> None:
    networks = [{"networks": ["127.0.0.2/32", "127.0.0.4/30"], "root": "/guests"}]
    server = listening(serve_tftp, {"networks": networks, "root": "/hosts"})
    for root in ("hosts", "guests"):
        (server.files / root / "who").write_text(root)
    assert connect(server.place).fetch("who") == b"hosts"
    assert connect(server.place, source="127.0.0.2").fetch("who") == b"guests"
    assert connect(server.place, source="127.0.0.6").fetch("who") == b"guests"
    assert code_of(connect(server.place, source="127.0.0.2"), "../hosts/who") in (1, 2)


def test_a_client_has_the_directory_of_its_address_where_there_is_one(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {"unique_root": "address"})
    (server.files / "127.0.0.2").mkdir()
    (server.files / "127.0.0.2" / "who").write_bytes(b"two")
    (server.files / "who").write_bytes(b"anybody")
    assert connect(server.place, source="127.0.0.2").fetch("who") == b"two"
    assert connect(server.place, source="127.0.0.3").fetch("who") == b"anybody"


# Options.


def test_options_have_ceilings(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {}, options={"largest_block": 1000, "largest_window": 2, "refuse": ["tsize", "timeout"]})
    (server.files / "file").write_bytes(bytes(3000))
    asked = {"tsize": 0, "blksize": 1428, "timeout": 1, "windowsize": 16}
    assert connect(server.place).ask_read("file", asked) == oack({"blksize": 1000, "windowsize": 2})


def test_the_number_behind_65535_is_the_operators_choice(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, OPEN, options={"rollover": 1})
    content = b"%7d\n" * 65_600 % tuple(range(65_600))
    connect(server.place).store("file", content, {"blksize": 8, "windowsize": 64}, rollover=1)
    assert connect(server.place).fetch("file", {"blksize": 8, "windowsize": 64}, rollover=1) == content


# Ports and addresses.


def test_answers_come_from_the_ports_that_are_set(serve_tftp: ServeTftp, connect: Connect) -> None:
    first = free_port(3)
    server = listening(serve_tftp, {"ports": [first, first + 2]})
    (server.files / "file").write_bytes(bytes(20_000))
    wires = [connect(server.place) for _ in range(3)]
    for wire in wires:
        assert wire.ask_read("file").number == 1
    assert sorted(wire.peer[1] for wire in wires if wire.peer) == [first, first + 1, first + 2]


def test_a_client_for_whom_no_port_is_free_hears_nothing_until_one_is(serve_tftp: ServeTftp, connect: Connect) -> None:
    only = free_port()
    server = listening(serve_tftp, {"ports": [only, only]})
    (server.files / "long").write_bytes(bytes(20_000))
    first, second = connect(server.place), connect(server.place)
    first.ask_read("long")
    second.send(request(RRQ, "long"))
    server.wait_for("turned away: No port is free to answer from")
    assert second.waiting() == []
    first.send(error(0, "enough"))
    server.wait_for("gave up")
    assert second.fetch("long") == bytes(20_000)


def test_one_port_is_enough_for_short_files_and_then_for_a_long_one(serve_tftp: ServeTftp, connect: Connect) -> None:
    only = free_port()
    server = listening(serve_tftp, {"ports": [only, only]})
    (server.files / "short").write_bytes(bytes(2000))
    (server.files / "long").write_bytes(bytes(20_000))
    wires = [connect(server.place) for _ in range(3)]
    for wire in wires:
        assert wire.ask_read("short").number == 1
    assert {wire.peer[1] for wire in wires if wire.peer} == {only}
    for wire in wires:
        wire.send(error(0, "enough"))
    wait_until(lambda: server.log.count("gave up") == len(wires), "the end of all three")
    assert connect(server.place).fetch("long") == bytes(20_000)


def test_listeners_can_answer_from_the_same_port_in_turns(serve_tftp: ServeTftp, connect: Connect) -> None:
    only = free_port()
    server = listening(serve_tftp, {"ports": [only, only]}, {"ports": [only, only]})
    (server.files / "file").write_bytes(bytes(2000))
    for place in server.places * 2:
        assert connect(place).fetch("file") == bytes(2000)


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TftpServer]:
    """A server that answers from the port that it is asked at."""
    server = TftpServer(
        tmp_path_factory.mktemp("single"), {"tftp": {"listeners": [{**OPEN, "address": "0.0.0.0", "single_port": True}]}}
    )
    yield server
    assert server.stop() == 0


def test_a_single_port_serves_many_clients(single: TftpServer, connect: Connect) -> None:
    place = ("127.0.0.1", single.place[1])
    wires = [connect(place) for _ in range(5)]
    for index, wire in enumerate(wires):
        (single.files / f"file{index}").write_bytes(bytes([index]) * 600)
        assert wire.ask_read(f"file{index}") == Packet(DATA, 1, bytes([index]) * 512)
        assert wire.peer == place
    for index, wire in reversed(list(enumerate(wires))):
        wire.send(ack(1))
        assert wire.receive() == Packet(DATA, 2, bytes([index]) * 88)
        wire.send(ack(2))


def test_a_single_port_takes_files(single: TftpServer, connect: Connect) -> None:
    content = os.urandom(100_000)
    wire = connect(("127.0.0.1", single.place[1]))
    wire.store("stored", content, {"blksize": 1428, "windowsize": 8})
    assert wire.peer == wire.server
    assert (single.files / "stored").read_bytes() == content


def test_a_single_port_repeats_its_answer_to_a_repeated_request(single: TftpServer, connect: Connect) -> None:
    wire = connect(("127.0.0.1", single.place[1]))
    (single.files / "again").write_bytes(b"content")
    assert [wire.ask_read("again") for _ in range(3)] == [Packet(DATA, 1, b"content")] * 3


def test_a_single_port_tells_strangers_that_they_are(single: TftpServer, connect: Connect) -> None:
    wire = connect(("127.0.0.1", single.place[1]))
    wire.send(ack(1))
    assert refusal(wire.receive())[0] == 5


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "127.0.0.3"])
@pytest.mark.parametrize("is_single", [False, True])
def test_the_answer_leaves_from_the_address_that_was_asked(
    serve_tftp: ServeTftp, single: TftpServer, connect: Connect, address: str, is_single: bool
) -> None:
    server = single if is_single else listening(serve_tftp, {"address": "0.0.0.0"})
    (server.files / "file").write_bytes(bytes(600))
    wire = connect((address, server.place[1]))
    assert wire.fetch("file") == bytes(600)
    assert wire.peer is not None
    assert wire.peer[0] == address
    assert code_of(connect((address, server.place[1])), "missing") == 1


def test_the_answer_leaves_from_the_ipv6_address_that_was_asked(serve_tftp: ServeTftp, network: Network, connect: Connect) -> None:
    server = serve_tftp({"tftp": {"listeners": [{"address": "::"}]}}, prefix=network.server.prefix)
    (server.files / "file").write_bytes(bytes(600))
    for address in ("::1", SERVER6):
        wire = connect((address, server.place[1]), opened=network.server.socket(socket.AF_INET6))
        assert wire.fetch("file") == bytes(600)
        assert wire.peer is not None
        assert wire.peer[0] == address


@pytest.mark.parametrize("single_port", [False, True])
def test_clients_that_nobody_finds_keep_nobody_waiting(
    serve_tftp: ServeTftp, network: Network, connect: Connect, single_port: bool
) -> None:
    """What is sent to them stands in the kernel, and takes the room of a socket that others share, for as long as it asks who they are."""
    network.server.run("ip", "ntable", "change", "name", "arp_cache", "dev", "near", "retrans", "60000")
    server = serve_tftp({"tftp": {"listeners": [{"address": "0.0.0.0", "single_port": single_port}]}}, prefix=network.server.prefix)
    (server.files / "file").write_bytes(bytes(2000))
    place = (SERVER, server.place[1])
    waiting = connect(place, opened=network.client.socket())
    assert waiting.ask_read("file").number == 1
    with network.client.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as forging:
        for host in range(3, 253):
            forging.sendto(forged(f"10.69.0.{host}", place, request(RRQ, "file")), place)
    assert refusal(connect(place, opened=network.client.socket()).ask_read("missing"))[0] == 1
    for number in (1, 2, 3):
        waiting.send(ack(number))
        assert waiting.receive().number == number + 1


@pytest.mark.parametrize("everybody", [BROADCAST, "255.255.255.255"])
def test_a_request_to_everybody_is_ignored(serve_tftp: ServeTftp, network: Network, connect: Connect, everybody: str) -> None:
    server = serve_tftp({"tftp": {"listeners": [{"address": "0.0.0.0"}]}}, prefix=network.server.prefix)
    (server.files / "file").write_bytes(b"content")
    asking = network.client.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"far")
    crier = connect((everybody, server.place[1]), opened=asking)
    crier.read("file")
    crier.read("missing")
    assert connect((SERVER, server.place[1]), opened=network.client.socket()).fetch("file") == b"content"
    assert crier.waiting() == []


@pytest.mark.parametrize(("fits", "size"), [(True, 1268), (False, 8192)])
def test_blocks_fit_the_path_unless_the_operator_wants_otherwise(
    serve_tftp: ServeTftp, network: Network, connect: Connect, fits: bool, size: int
) -> None:
    network.set_mtu(1300)
    server = serve_tftp(
        {"tftp": {"listeners": [{"address": "0.0.0.0"}], "options": {"fit_mtu": fits}}}, prefix=network.server.prefix
    )
    (server.files / "file").write_bytes(bytes(100_000))
    place = (SERVER, server.place[1])
    assert connect(place, opened=network.client.socket()).ask_read("file", {"blksize": 8192}) == oack({"blksize": size})
    fetched = connect(place, opened=network.client.socket()).fetch("file", {"blksize": 8192, "windowsize": 4})
    assert fetched == bytes(100_000)


# Limits.


def test_requests_beyond_all_places_are_not_answered_and_disturb_nobody(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {}, sessions=2)
    (server.files / "file").write_bytes(bytes(1000))
    first, second = connect(server.place), connect(server.place)
    for wire in (first, second):
        assert wire.ask_read("file") == Packet(DATA, 1, bytes(512))
    flood = [connect(server.place) for _ in range(100)]
    for wire in flood:
        wire.read("file")
    server.wait_for("turned away")
    for wire in (first, second):
        wire.send(ack(1))
        assert wire.receive() == Packet(DATA, 2, bytes(488))
        wire.send(ack(2))
    server.wait_for(r"(?s)RRQ /file .* finished.*RRQ /file .* finished")
    assert [wire for wire in flood if wire.waiting()] == []
    assert flood[0].ask_read("file") == Packet(DATA, 1, bytes(512))  # it asks again, as clients do
    assert len([line for line in server.lines if "turned away" in line]) == 1


def test_one_client_cannot_take_the_places_of_others(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {}, sessions_per_address=3)
    (server.files / "file").write_bytes(bytes(1000))
    greedy = [connect(server.place, source="127.0.0.2") for _ in range(50)]
    for wire in greedy:
        wire.read("file")
    assert connect(server.place, source="127.0.0.3").ask_read("file") == Packet(DATA, 1, bytes(512))
    assert [len(wire.waiting()) for wire in greedy] == [1] * 3 + [0] * 47


def test_a_flood_of_nonsense_leaves_no_session_behind(serve_tftp: ServeTftp, connect: Connect) -> None:
    server = listening(serve_tftp, {}, sessions=3)
    (server.files / "file").write_bytes(b"content")
    flood = [connect(server.place) for _ in range(50)]
    for wire in flood:
        wire.send(b"\0\1file", request(RRQ, "", {}), request(RRQ, "missing"), b"\0\7")
    assert connect(server.place).fetch("file", retry_seconds=0.1) == b"content"
