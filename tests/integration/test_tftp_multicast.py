"""One file, sent once, for several clients (RFC 2090): atftp on machines of a network of the test's own."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.conftest import ServeTftp, StartFleet
from tests.integration.fleet import wait_until
from tests.integration.lan import Datagram, Lan, Watch
from tests.integration.live import SECONDS, merged
from tests.integration.network import SERVER, Namespace, made
from tests.integration.tftp_server import TftpServer
from tests.integration.tftp_wire import DATA, ERROR, OACK, Packet, TftpWire, ack, data, error, oack

_MACHINES: Final = 4
_BLOCKS: Final = 3000
_CONTENT: Final = os.urandom(_BLOCKS * 512 - 100)
_RATE: Final = 1500 * 512  # bytes a second: what is fast enough for tests would be over before a second client has started
_GRANTED: Final = {"multicast": {"enabled": True, "addresses": "239.69.1.0/30", "port": 1769}}


def _settings() -> dict[str, Any]:
    return {"tftp": {"listeners": [{"address": SERVER}], **_GRANTED}, "process": {"stop": 0}}


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    with made(lambda: Lan(_MACHINES)) as lan:
        yield lan


@pytest.fixture
def watch(lan: Lan) -> Iterator[Watch]:
    made = Watch(lan.server)
    yield made
    made.close()


class Fetch:
    """atftp, fetching the file on one machine."""

    def __init__(self, atftp: str, machine: Namespace, port: int, remote: str, local: Path, *options: str) -> None:
        self.local = local
        asked = [word for option in ("multicast", *options) for word in ("--option", option)]
        command = [
            atftp,
            "--tftp-timeout",
            "3",
            *asked,
            "--get",
            "--remote-file",
            remote,
            "--local-file",
            str(local),
            SERVER,
            str(port),
        ]
        self._process = subprocess.Popen([*machine.prefix, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def content(self) -> bytes:
        """Wait for the end, which has to be a good one; return what has come."""
        said, _ = self._process.communicate(timeout=SECONDS)
        assert self._process.returncode == 0, said
        return self.local.read_bytes()

    def kill(self) -> None:
        """End it at once; may be called when it has ended."""
        with self._process:
            self._process.kill()


Start = Callable[..., Fetch]
Client = Callable[..., TftpWire]


@pytest.fixture
def server(lan: Lan, serve_tftp: ServeTftp) -> TftpServer:
    return serve(lan, serve_tftp)


def serve(lan: Lan, serve_tftp: ServeTftp, **settings: Any) -> TftpServer:
    """Start a server on the network, with *settings* over those that all tests have."""
    made = serve_tftp(merged(_settings(), settings), prefix=lan.server.prefix)
    (made.files / "file").write_bytes(_CONTENT)
    return made


@pytest.fixture
def fetch(lan: Lan, program: Callable[[str], str], tmp_path: Path) -> Iterator[Start]:
    """Start atftp on one of the machines."""
    atftp = program("atftp")

    started: list[Fetch] = []

    def start(server: TftpServer, index: int, *options: str, remote: str = "file") -> Fetch:
        started.append(Fetch(atftp, lan.clients[index], server.place[1], remote, tmp_path / f"fetched{index}", *options))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def client(lan: Lan) -> Iterator[Client]:
    """Make clients that say what the test has them say, to a listener of a server, or to a place."""
    made: list[TftpWire] = []

    def make(server: TftpServer | tuple[str, int], index: int = 0) -> TftpWire:
        place = server.places[index] if isinstance(server, TftpServer) else server
        made.append(TftpWire(place, lan.address(3), lan.clients[3].socket()))
        return made[-1]

    yield make
    for one in made:
        one.socket.close()


def is_member(machine: Namespace) -> bool:
    """Whether somebody on *machine* listens to a group of ours."""
    return "239.69.1." in machine.run("ip", "maddress", "show", "dev", "far")


def has_read(machine: Namespace) -> bool:
    """Whether nothing waits for whoever listens there (proc_net(5): the fifth column ends in the receive queue)."""
    lines = [line.split() for line in machine.run("cat", "/proc/net/udp").splitlines()[1:]]
    return [line[4].endswith(":00000000") for line in lines if line[1] == f"00000000:{1769:04X}"] == [True]


def test_one_client(server: TftpServer, fetch: Start, watch: Watch) -> None:
    assert fetch(server, 0).content() == _CONTENT
    assert [number for _, number in watch.blocks()] == list(range(1, _BLOCKS + 1))


# Real clients.


def test_clients_that_start_at_different_times_all_get_the_file_and_share_its_blocks(
    lan: Lan, serve_tftp: ServeTftp, fetch: Start, watch: Watch
) -> None:
    server = serve(lan, serve_tftp, rates={"transfer_download": _RATE})
    fetches = [fetch(server, 0)]
    for index, count in enumerate((300, 800, 1200), 1):
        watch.wait_for_blocks(count)
        fetches.append(fetch(server, index))
    assert [one.content() for one in fetches] == [_CONTENT] * 4
    blocks = watch.blocks()
    assert {number for _, number in blocks} == set(range(1, _BLOCKS + 1))
    assert len({destination for destination, _ in blocks}) == 1
    assert len(blocks) < 3 * _BLOCKS  # and not four times, though a client that does not get to run loses some
    ended = re.findall(r"RRQ /file 1535900 bytes [\d.]+ s finished +\(3000 blocks, \d+ sent again, multicast=(\S+)\)", server.log)
    assert [granted.rsplit(",", 1)[1] for granted in ended] == ["1", "0", "0", "0"]


def test_clients_that_are_there_from_the_start_take_each_block_once(
    lan: Lan, server: TftpServer, fetch: Start, client: Client, watch: Watch
) -> None:
    content = _CONTENT[: 100 * 512 - 1]  # what a socket has room for, so that nothing is lost where a client is slow
    (server.files / "short").write_bytes(content)
    first = client(server)
    assert first.ask_read("short", {"multicast": "", "timeout": 30}).options["multicast"].endswith(",1769,1")
    fetches = [fetch(server, index, remote="short") for index in range(3)]
    for index in range(3):
        wait_until(partial(is_member, lan.clients[index]), "it listens to the group")
    for number in range(100):
        first.send(ack(number))
        watch.wait_for_blocks(number + 1)
    for index in range(3):
        wait_until(partial(has_read, lan.clients[index]), "it has taken what came")
    first.send(ack(100))
    assert [one.content() for one in fetches] == [content] * 3
    assert [number for _, number in watch.blocks()] == list(range(1, 101))


def test_a_client_that_is_killed_while_it_is_the_master_holds_nobody_up(
    lan: Lan, serve_tftp: ServeTftp, fetch: Start, watch: Watch
) -> None:
    server = serve(lan, serve_tftp, rates={"transfer_download": _RATE})
    master = fetch(server, 0)
    watch.wait_for_blocks(200)
    others = [fetch(server, 1), fetch(server, 2)]
    watch.wait_for_blocks(600)
    master.kill()
    assert [one.content() for one in others] == [_CONTENT] * 2
    server.wait_for(r"10\.69\.0\.2:\d+ RRQ /file \d+ bytes [\d.]+ s peer.* cannot be reached")


def test_a_client_that_is_killed_while_it_listens_holds_nobody_up(
    lan: Lan, serve_tftp: ServeTftp, fetch: Start, watch: Watch
) -> None:
    server = serve(lan, serve_tftp, rates={"transfer_download": _RATE})
    master = fetch(server, 0)
    watch.wait_for_blocks(200)
    listener = fetch(server, 1)
    watch.wait_for_blocks(400)
    last = fetch(server, 2)
    watch.wait_for_blocks(600)
    listener.kill()
    assert [master.content(), last.content()] == [_CONTENT] * 2
    server.wait_for(r"10\.69\.0\.3:\d+ RRQ /file 0 bytes [\d.]+ s peer.* cannot be reached")


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513])
def test_sizes_at_the_edges(server: TftpServer, fetch: Start, size: int) -> None:
    content = os.urandom(size)
    (server.files / "edge").write_bytes(content)
    fetches = [fetch(server, index, remote="edge") for index in range(3)]
    assert [one.content() for one in fetches] == [content] * 3


def test_other_options_go_with_it_and_windows_do_not(server: TftpServer, fetch: Start) -> None:
    fetches = [fetch(server, index, "blksize 1428", "windowsize 16", "tsize") for index in range(2)]
    assert [one.content() for one in fetches] == [_CONTENT] * 2
    server.wait_for(r"\(1076 blocks, \d+ sent again, tsize=1535900 blksize=1428 multicast=\S+\)")


def test_clients_with_other_block_sizes_have_groups_of_their_own(server: TftpServer, fetch: Start, watch: Watch) -> None:
    fetches = [fetch(server, 0), fetch(server, 1, "blksize 1428"), fetch(server, 2), fetch(server, 3, "blksize 1428")]
    assert [one.content() for one in fetches] == [_CONTENT] * 4
    for destination, number in watch.blocks():
        assert destination.startswith("239.69.1.")
        assert number <= _BLOCKS


# Dialogues: all from one machine, on ports of their own.


def test_the_master_is_told_and_what_it_asks_for_goes_to_the_group(server: TftpServer, client: Client, watch: Watch) -> None:
    master = client(server)
    granted = master.ask_read("file", {"multicast": "", "tsize": 0})
    address = granted.options["multicast"].removesuffix(",1769,1")
    assert granted == oack({"multicast": f"{address},1769,1", "tsize": 1535900})
    assert address in {"239.69.1.0", "239.69.1.1", "239.69.1.2", "239.69.1.3"}
    master.send(ack(0))
    watch.wait_for_blocks(1)
    assert watch.datagrams()[-1] == Datagram(master.peer, (address, 1769), 1, data(1, _CONTENT[:512]))
    assert master.waiting() == []


def test_blocks_have_the_hops_of_the_settings(lan: Lan, serve_tftp: ServeTftp, client: Client, watch: Watch) -> None:
    server = serve(lan, serve_tftp, tftp={"multicast": {**_GRANTED["multicast"], "hops": 3}})
    master = client(server)
    master.ask_read("file", {"multicast": ""})
    master.send(ack(0))
    watch.wait_for_blocks(1)
    assert [one.hops for one in watch.datagrams() if one.destination[0].startswith("239.")] == [3]


def test_a_second_client_listens_and_its_turn_comes_when_the_first_has_everything(server: TftpServer, client: Client) -> None:
    first, second = client(server), client(server)
    granted = first.ask_read("file", {"multicast": ""}).options["multicast"]
    group = granted.removesuffix("1")
    assert second.ask_read("file", {"multicast": ""}) == oack({"multicast": f"{group}0"})
    assert second.peer == first.peer  # by which clients know whose blocks they take
    first.send(ack(_BLOCKS))
    assert second.receive() == oack({"multicast": f"{group}1"})


def test_a_request_that_comes_again_is_answered_again_for_as_long_as_a_client_listens(server: TftpServer, client: Client) -> None:
    first, second = client(server), client(server)
    first.ask_read("file", {"multicast": ""})
    answer = second.ask_read("file", {"multicast": ""})
    second.read("file", {"multicast": ""})
    assert second.receive() == answer
    assert "multicast=" not in server.log  # nothing has ended: it is still the same session


def test_acknowledgements_of_those_who_listen_and_of_strangers_send_nothing(
    lan: Lan, server: TftpServer, client: Client, watch: Watch
) -> None:
    first, second, stranger = client(server), client(server), client(server)
    first.ask_read("file", {"multicast": "", "timeout": 30})
    second.ask_read("file", {"multicast": ""})
    stranger.peer = first.peer
    second.send(ack(5))
    stranger.send(ack(5))
    first.send(ack(0))
    watch.wait_for_blocks(1)
    first.send(ack(1))
    watch.wait_for_blocks(2)
    assert [number for _, number in watch.blocks()] == [1, 2]


def test_a_master_that_gives_up_with_an_error_makes_way(server: TftpServer, client: Client) -> None:
    first, second = client(server), client(server)
    first.ask_read("file", {"multicast": "", "timeout": 30})
    second.ask_read("file", {"multicast": ""})
    first.send(error(3, "no room"))
    assert second.receive().options["multicast"].endswith(",1")
    server.wait_for(r"The client gave up: error 3 no room")


def test_one_who_listens_and_gives_up_was_no_probe_once_blocks_have_left(server: TftpServer, client: Client, watch: Watch) -> None:
    first, second = client(server), client(server)
    first.ask_read("file", {"multicast": "", "timeout": 30})
    second.ask_read("file", {"multicast": "", "tsize": 0})
    first.send(ack(0))
    watch.wait_for_blocks(1)
    second.send(error(3, "no room"))
    server.wait_for(r"RRQ /file 0 bytes .*The client gave up: error 3 no room")


def test_a_silent_master_is_passed_over(server: TftpServer, client: Client) -> None:
    first, second = client(server), client(server)
    asked = {"multicast": "", "utimeout": 50_000}
    first.ask_read("file", asked)
    second.ask_read("file", asked)
    assert second.receive().options["multicast"].endswith(",1")
    assert [first.receive().options["multicast"][-1] for _ in range(3)] == ["1", "1", "0"]


def test_an_address_that_is_in_use_is_not_given_to_another_file_and_comes_free(
    lan: Lan, serve_tftp: ServeTftp, client: Client
) -> None:
    server = serve(lan, serve_tftp, tftp={"multicast": {**_GRANTED["multicast"], "addresses": "239.69.1.9/32"}})
    (server.files / "other").write_bytes(b"other")
    first, second, third = client(server), client(server), client(server)
    assert first.ask_read("file", {"multicast": ""}) == oack({"multicast": "239.69.1.9,1769,1"})
    assert second.ask_read("other", {"multicast": ""}) == Packet(DATA, 1, b"other")
    second.send(ack(1))
    first.send(ack(_BLOCKS))
    server.wait_for("RRQ /file .* finished")
    assert third.ask_read("other", {"multicast": ""}) == oack({"multicast": "239.69.1.9,1769,1"})


def test_two_listeners_never_send_to_the_same_group(lan: Lan, serve_tftp: ServeTftp, client: Client) -> None:
    listeners = [{"address": SERVER}, {"address": SERVER}]
    settings = {"listeners": listeners, "multicast": {**_GRANTED["multicast"], "addresses": "239.69.1.9/32"}}
    server = serve(lan, serve_tftp, tftp=settings)
    assert client(server).ask_read("file", {"multicast": ""}).opcode == OACK
    assert client(server, 1).ask_read("file", {"multicast": ""}).opcode == DATA


def test_a_file_with_more_blocks_than_numbers_goes_to_each_client(server: TftpServer, client: Client) -> None:
    (server.files / "long").write_bytes(bytes(8 * 65535))
    (server.files / "full").write_bytes(bytes(8 * 65535 - 1))
    assert client(server).ask_read("long", {"blksize": 8, "multicast": ""}) == oack({"blksize": 8})
    assert list(client(server).ask_read("full", {"blksize": 8, "multicast": ""}).options) == ["blksize", "multicast"]


def test_netascii_goes_to_each_client(server: TftpServer, client: Client) -> None:
    (server.files / "text").write_bytes(b"text\n")
    assert client(server).ask_read("text", {"multicast": ""}, "netascii") == Packet(DATA, 1, b"text\r\n")


@pytest.mark.parametrize(
    "tftp",
    [
        pytest.param({"multicast": {"enabled": False}}, id="not enabled"),
        pytest.param({"options": {"refuse": ["multicast"]}}, id="refused"),
        pytest.param({"listeners": [{"address": SERVER, "single_port": True}]}, id="single port"),
    ],
)
def test_where_it_is_not_granted_clients_get_the_file_alone(
    lan: Lan, serve_tftp: ServeTftp, client: Client, tftp: dict[str, Any]
) -> None:
    server = serve(lan, serve_tftp, tftp=tftp)
    assert client(server).ask_read("file", {"multicast": "", "blksize": 1000}) == oack({"blksize": 1000})


def test_a_kick_ends_one_client_and_not_the_group(lan: Lan, fleet: StartFleet, client: Client) -> None:
    settings = merged(_settings(), {"process": {"workers": 1, "stop": 0}, "account": {"home": "/"}})
    settings["tftp"]["listeners"] = [{"address": SERVER, "port": 0, "account": "booter"}]
    server = fleet(settings, is_awaited=False, prefix=lan.server.prefix)
    (server.root / "file").write_bytes(_CONTENT)
    port = int(server.wait_for(r"answering TFTP requests on \S+ port (\d+)")[1])
    server.wait_for("worker . .*? serves")
    first, second, third = (client((SERVER, port)) for _ in range(3))
    asked = {"multicast": "", "timeout": 30}
    assert [one.ask_read("file", asked).options["multicast"][-1] for one in (first, second, third)] == ["1", "0", "0"]
    wait_until(lambda: len(server.who()) == 3, "each is listed")
    sessions = {row.port: row.session for row in server.who()}
    with server.asked() as operator:
        assert operator.kick("session", sessions[second.socket.getsockname()[1]]) == 1
        assert second.receive().opcode == ERROR
        assert operator.kick("session", sessions[first.socket.getsockname()[1]]) == 1
        assert first.receive().opcode == ERROR
    assert third.receive().options["multicast"].endswith(",1")
