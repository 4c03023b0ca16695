"""The traps of data connections: order, strangers, resets, small ranges, what goes on beside a transfer, what ABOR leaves.

Apart from the clients' tests: no client does these on purpose, all of them do by accident.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.integration.clients import Lftp, Program
from tests.integration.conftest import Serve
from tests.integration.live import SECONDS, ConfiguredServer, Guest
from tests.integration.wire import (
    Wire,
    accepted,
    connect,
    free_port,
    listening,
    passive_address,
    port_argument,
    read_all,
    reset,
    taken,
)

LARGE: Final = 64 * 1024 * 1024  # more than the kernel's buffers of both ends can hold: such a transfer waits for its reader
MOST_LOOKS: Final = 2000  # bounds what is asked again and again until it is so


@pytest.fixture
def large(guest: Guest) -> str:
    """A file that takes long: sparse, so that it costs nothing."""
    with (guest.home / "large").open("wb") as file:
        file.truncate(LARGE)
    return "large"


def until(is_so: Callable[[], bool]) -> None:
    assert any(is_so() for _ in range(MOST_LOOKS))


@contextmanager
def stopped(server: ConfiguredServer) -> Iterator[None]:
    """Let *server* find all that is said meanwhile at once."""
    os.kill(server.process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


# Who connects when.


def test_client_connects_before_the_command(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    with wire.data() as data:
        assert wire.ask("RETR file").code == 150
        assert read_all(data) == b"content"
    assert wire.reply().code == 226


def test_client_connects_after_the_150(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    port = wire.passive()
    assert wire.ask("RETR file").code == 150
    with connect("127.0.0.1", port) as data:
        assert read_all(data) == b"content"
    assert wire.reply().code == 226


def test_upload_sent_and_ended_before_the_command_is_whole(wire: Wire, guest: Guest) -> None:
    with wire.data() as data:
        data.sendall(b"early")
    assert wire.asks("STOR file") == [150]
    assert wire.reply().code == 226
    assert (guest.home / "file").read_bytes() == b"early"


def test_server_does_not_connect_before_the_transfer_command(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    with listening() as waiting:
        assert wire.asks("PORT " + port_argument("127.0.0.1", waiting.getsockname()[1]), "NOOP", "SIZE file") == [200, 200, 213]
        waiting.setblocking(False)
        with pytest.raises(BlockingIOError):
            waiting.accept()
        waiting.settimeout(SECONDS)
        assert wire.ask("RETR file").code == 150
        assert taken(waiting) == b"content"
    assert wire.reply().code == 226


def test_active_connection_comes_from_the_address_that_the_client_reached(guest: Guest) -> None:
    with Wire.of(guest, source="127.0.0.3") as wire, listening("127.0.0.3") as waiting:
        assert wire.ask("PORT " + port_argument("127.0.0.3", waiting.getsockname()[1])).code == 200
        assert wire.ask("NLST").code == 150
        with accepted(waiting) as data:
            assert data.getpeername()[0] == "127.0.0.1"
            read_all(data)
        assert wire.reply().code == 226


def test_unspecified_address_in_port_means_the_client(wire: Wire) -> None:
    with listening() as waiting:
        assert wire.ask("PORT " + port_argument("0.0.0.0", waiting.getsockname()[1])).code == 200
        assert wire.ask("NLST").code == 150
        taken(waiting)
        assert wire.reply().code == 226


def test_nobody_listening_in_active_mode_is_425(wire: Wire) -> None:
    with listening() as waiting:
        port = waiting.getsockname()[1]
    assert wire.asks("PORT " + port_argument("127.0.0.1", port), "NLST") == [200, 150]
    assert wire.reply().code == 425


def test_passive_port_that_nobody_comes_to_is_425(serve: Serve) -> None:
    guest = serve({"ftp": {"timeouts": {"data_connect": 0.2}}}).add("ann")
    with Wire.of(guest) as wire:
        wire.passive()
        assert wire.ask("NLST").code == 150
        assert wire.reply().code == 425
        assert wire.ask("NOOP").code == 200


def test_transfer_without_a_data_port_is_425(wire: Wire) -> None:
    assert wire.asks("NLST", "RETR nothing", "STOR file") == [425, 425, 425]


def test_data_port_is_good_for_one_transfer(wire: Wire) -> None:
    wire.fetch("NLST")
    assert wire.ask("NLST").code == 425


def test_second_pasv_closes_the_first_port(wire: Wire) -> None:
    first = wire.passive()
    second = wire.passive()
    assert first != second
    with pytest.raises(ConnectionRefusedError):
        connect("127.0.0.1", first)


# Strangers.


def test_stranger_is_turned_away_and_the_client_still_gets_in(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    port = wire.passive()
    with connect("127.0.0.1", port, source="127.0.0.9") as stranger:
        assert wire.ask("RETR file").code == 150
        assert stranger.recv(100) == b""
        with connect("127.0.0.1", port) as data:
            assert read_all(data) == b"content"
    assert wire.reply().code == 226


def test_stranger_cannot_upload(wire: Wire, guest: Guest) -> None:
    port = wire.passive()
    with connect("127.0.0.1", port, source="127.0.0.9") as stranger:
        stranger.sendall(b"evil")
        assert wire.ask("STOR file").code == 150
        with connect("127.0.0.1", port) as data:
            data.sendall(b"good")
    assert wire.reply().code == 226
    assert (guest.home / "file").read_bytes() == b"good"


@pytest.mark.parametrize(
    "command",
    [
        "PORT 10,0,0,1,20,20",
        "PORT 127,0,0,2,20,20",
        "PORT 127,0,0,1,0,25",
        "EPRT |1|10.0.0.1|5555|",
        "EPRT |1|127.0.0.1|25|",
        "EPRT |2|::1|5555|",
        "PORT 127,0,0,1,256,0",
        "PORT 127,0,0,1",
        "EPRT |1|127.0.0.1|99999|",
    ],
)
def test_port_of_somebody_else_is_501(wire: Wire, command: str) -> None:
    assert wire.ask(command).code == 501


# Small ranges.


@pytest.fixture
def one_port(serve: Serve) -> Guest:
    """An account on a server whose passive range is one port."""
    port = free_port()
    return serve({"ftp": {"passive": {"ports": [port, port]}}}).add("ann")


def test_clients_of_three_addresses_share_the_one_port(one_port: Guest) -> None:
    sources = ("127.0.0.1", "127.0.0.2", "127.0.0.3")
    wires = [Wire.of(one_port, source) for source in sources]
    ports = [wire.passive() for wire in wires]
    assert len(set(ports)) == 1
    data = [connect("127.0.0.1", port, source) for port, source in zip(ports, sources, strict=True)]
    for number, (wire, connection) in enumerate(zip(wires, data, strict=True)):
        assert wire.ask(f"STOR file{number}").code == 150
        connection.sendall(b"from %d" % number)
        connection.close()
        assert wire.reply().code == 226
        wire.control.close()
    assert [(one_port.home / f"file{number}").read_bytes() for number in range(3)] == [b"from 0", b"from 1", b"from 2"]


def test_range_that_is_used_up_is_425_and_free_again_after_use(one_port: Guest) -> None:
    with Wire.of(one_port) as first, Wire.of(one_port) as second:
        first.passive()
        assert second.ask("PASV").code == 425
        assert first.ask("ABOR").code == 226
        assert second.fetch("NLST") == b""


def test_one_port_serves_transfer_after_transfer_in_spite_of_time_wait(one_port: Guest) -> None:
    (one_port.home / "file").write_bytes(b"content")
    with Wire.of(one_port) as wire:
        assert [wire.fetch("RETR file") for _ in range(100)] == [b"content"] * 100


def test_lost_session_gives_its_port_back(one_port: Guest) -> None:
    first = Wire.of(one_port)
    first.passive()
    reset(first.control)
    with Wire.of(one_port) as second:
        until(lambda: second.ask("PASV").code == 227)


def test_busy_port_of_the_range_is_passed_over(serve: Serve) -> None:
    port = free_port(4)
    with socket.create_server(("127.0.0.1", port)):
        guest = serve({"ftp": {"passive": {"ports": [port, port + 3]}}}).add("ann")
        with Wire.of(guest) as wire:
            assert port not in {wire.passive() for _ in range(20)}


# How transfers end.


def test_reset_during_upload_is_not_226(wire: Wire, guest: Guest) -> None:
    data = wire.data()
    assert wire.ask("STOR file").code == 150
    data.sendall(b"part")
    until(lambda: "4 bytes" in wire.ask("STAT").text)
    reset(data)
    assert wire.reply().code == 426
    assert not (guest.home / "file").exists()


def test_reset_during_upload_leaves_the_old_file(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"old")
    data = wire.data()
    assert wire.ask("STOR file").code == 150
    data.sendall(b"new")
    until(lambda: "3 bytes" in wire.ask("STAT").text)
    reset(data)
    assert wire.reply().code == 426
    assert (guest.home / "file").read_bytes() == b"old"


def test_client_that_closes_early_in_a_download_is_426(wire: Wire, large: str) -> None:
    data = wire.data()
    assert wire.ask(f"RETR {large}").code == 150
    data.recv(1000)
    data.close()
    assert wire.reply().code == 426


def test_upload_that_stalls_is_426(serve: Serve) -> None:
    guest = serve({"ftp": {"timeouts": {"stalled_transfer": 0.2}}}).add("ann")
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(b"part")
        assert wire.reply().code == 426
        assert not (guest.home / "file").exists()


def test_download_that_nobody_reads_is_426(serve: Serve) -> None:
    guest = serve({"ftp": {"timeouts": {"stalled_transfer": 0.2}}}).add("ann")
    with (guest.home / "large").open("wb") as file:
        file.truncate(LARGE)
    with Wire.of(guest) as wire, wire.data():
        assert wire.ask("RETR large").code == 150
        assert wire.reply().code == 426


def test_lost_control_connection_during_an_upload_publishes_nothing(wire: Wire, guest: Guest, server: ConfiguredServer) -> None:
    with wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(b"part")
        until(lambda: "4 bytes" in wire.ask("STAT").text)
        reset(wire.control)
        server.wait_for(rf"{guest.name} logged out")
    assert not (guest.home / "file").exists()


def test_quit_during_a_transfer_lets_it_finish(wire: Wire, guest: Guest, large: str) -> None:
    with wire.data() as data:
        assert wire.ask(f"RETR {large}").code == 150
        wire.send("QUIT\r\n")
        assert len(read_all(data)) == LARGE
    assert wire.replies(2) == [226, 221]
    assert wire.is_closed()


def test_file_is_there_for_mlsd_and_size_right_after_its_226(wire: Wire) -> None:
    for number in range(20):
        assert wire.store(f"STOR file{number}", b"content").code == 226
        assert wire.ask(f"SIZE file{number}").text == "7"
        assert f"; file{number}\r\n".encode() in wire.fetch("MLSD")


# Beside a transfer.


def test_questions_are_answered_while_the_client_does_not_read(wire: Wire, large: str) -> None:
    with wire.data():
        assert wire.ask(f"RETR {large}").code == 150
        assert wire.asks("NOOP", "PWD", f"SIZE {large}", f"MDTM {large}", "FEAT", "HELP", "SYST") == [
            200,
            257,
            213,
            213,
            211,
            214,
            215,
        ]
        assert f"of {LARGE} bytes" in wire.ask("STAT").text
        assert wire.ask("ABOR").code == 426


def test_questions_are_answered_while_the_client_reads(wire: Wire, large: str) -> None:
    with wire.data() as data:
        assert wire.ask(f"RETR {large}").code == 150
        for _ in range(20):
            data.recv(65536)
            assert wire.ask("NOOP").code == 200
        wire.send("ABOR\r\n")
        read_all(data)
    assert wire.replies(2) == [426, 226]


def test_commands_that_cannot_run_beside_a_transfer_wait_for_its_end(wire: Wire, guest: Guest) -> None:
    with wire.data() as data:
        assert wire.ask("STOR file").code == 150
        wire.send("MKD one\r\nCWD one\r\nPWD\r\n")
        data.sendall(b"content")
    assert wire.replies(4) == [226, 257, 250, 257]
    assert sorted(os.listdir(guest.home)) == ["file", "one"]


# ABOR.


def test_abor_without_a_transfer_is_226(wire: Wire) -> None:
    assert wire.asks("ABOR", "NOOP") == [226, 200]


def test_abor_closes_a_waiting_data_port(wire: Wire) -> None:
    port = wire.passive()
    assert wire.ask("ABOR").code == 226
    with pytest.raises(ConnectionRefusedError):
        connect("127.0.0.1", port)
    assert wire.ask("NLST").code == 425


@pytest.mark.parametrize("is_reading", [True, False], ids=["reading", "not-reading"])
@pytest.mark.parametrize(
    "line",
    [b"ABOR\r\n", b"\xff\xf4\xff\xf2ABOR\r\n", b"\xf4\xff\xf2ABOR\r\n", b"\xf2ABOR\r\n"],
    ids=["plain", "telnet", "cut", "DM"],
)
def test_abor_stops_a_download(wire: Wire, large: str, line: bytes, is_reading: bool) -> None:
    with wire.data() as data:
        assert wire.ask(f"RETR {large}").code == 150
        if is_reading:
            data.recv(100_000)
        wire.send(line)
        assert wire.replies(2) == [426, 226]
        assert len(drained(data)) < LARGE
    assert wire.ask("NOOP").code == 200


def drained(data: socket.socket) -> bytes:
    """Read what is still on its way; an aborted connection may end in a reset."""
    try:
        return read_all(data)
    except ConnectionResetError:
        return b""


def test_abor_as_urgent_data_stops_a_download(wire: Wire, large: str) -> None:
    with wire.data():
        assert wire.ask(f"RETR {large}").code == 150
        wire.control.send(b"\xff\xf4\xff", socket.MSG_OOB)  # as BSD clients do: IP, and the Synch as urgent byte
        wire.send(b"\xf2ABOR\r\n")
        assert wire.replies(2) == [426, 226]


def test_abor_stops_an_upload_and_nothing_is_published(wire: Wire, guest: Guest) -> None:
    with wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(b"part")
        assert wire.asks("ABOR") == [426]
    assert wire.reply().code == 226
    assert not (guest.home / "file").exists()


@pytest.mark.parametrize("size", [0, 4, 10_000_000])
def test_abor_that_comes_before_the_end_of_an_upload_counts(wire: Wire, guest: Guest, size: int) -> None:
    """Net::FTP and BSD's ftp say ABOR and close the data connection right behind it; the two reach the server together."""
    (guest.home / "file").write_bytes(b"old")
    for _ in range(10):
        with wire.data() as data:
            assert wire.ask("STOR file").code == 150
            data.sendall(bytes(size))
            wire.send(b"\xff\xf4\xff\xf2ABOR\r\n")
        assert wire.replies(2) == [426, 226]
    assert (guest.home / "file").read_bytes() == b"old"


@pytest.mark.parametrize("is_control_first", [True, False])
@pytest.mark.parametrize("size", [0, 4, 10_000_000])
def test_upload_of_a_client_that_is_killed_is_not_published(
    server: ConfiguredServer, guest: Guest, size: int, is_control_first: bool
) -> None:
    """The kernel ends all connections of a process that is killed, in any order, and neither end tells how much was still to come."""
    for number in range(10):
        wire = Wire.of(guest)
        data = wire.data()
        assert wire.ask(f"STOR file{number}").code == 150
        data.sendall(bytes(size))
        with stopped(server):
            for connection in (wire.control, data) if is_control_first else (data, wire.control):
                connection.close()
        assert server.wait_for(rf"{guest.name} \S+ STOR /file{number} \d+ bytes \S+ s (\S+)")[1] == "cancelled"
    assert [name for name in os.listdir(guest.home) if name.startswith("file")] == []


def test_size_that_is_asked_with_the_end_of_an_upload_is_of_the_new_file_where_it_is_told_behind_the_226(
    wire: Wire, guest: Guest
) -> None:
    (guest.home / "file").write_bytes(b"old content")
    for _ in range(10):
        with wire.data() as data:
            assert wire.ask("STOR file").code == 150
            data.sendall(b"content")
            wire.send("SIZE file\r\nNO")
        first, second = wire.reply(), wire.reply()
        assert {first.code, second.code} == {226, 213}
        if second.code == 213:
            assert second.text == "7"
        assert wire.ask("OP").code == 200
    assert (guest.home / "file").read_bytes() == b"content"


def test_abor_stops_waiting_for_a_data_connection(wire: Wire) -> None:
    wire.passive()
    assert wire.ask("NLST").code == 150
    assert wire.ask("ABOR").code == 426
    assert wire.reply().code == 226


def test_session_works_on_after_abor(wire: Wire, guest: Guest, large: str) -> None:
    (guest.home / "file").write_bytes(b"content")
    for _ in range(3):
        with wire.data():
            assert wire.ask(f"RETR {large}").code == 150
            assert wire.ask("ABOR").code == 426
            assert wire.reply().code == 226
        assert wire.fetch("RETR file") == b"content"


def test_lftp_stops_in_flight_and_goes_on(
    program: Program, guest: Guest, tmp_path: Path, large: str, server: ConfiguredServer
) -> None:
    (guest.home / "file").write_bytes(b"content")
    client = Lftp(program, guest, tmp_path)
    before = len(server.lines)
    client.lftp(f"cat {large} | head -c 100000 > start", "get file")  # head ends first: lftp aborts
    assert (tmp_path / "file").read_bytes() == b"content"
    assert any("] ABOR -> 226" in line for line in server.lines[before:])


# Between two servers (FXP).


def test_fxp_is_refused_by_default(guest: Guest) -> None:
    with Wire.of(guest, source="127.0.0.1") as wire:
        assert wire.ask("PORT 127,0,0,5,200,200").code == 501


def test_fxp_between_two_servers_where_the_account_may(serve: Serve) -> None:
    # Two addresses, so that each server sees the other as a stranger.
    source = serve({"account": {"fxp": True}}).add("ann")
    target = serve({"account": {"fxp": True}, "listen": [{"address": "127.0.0.1", "port": 0}, {"address": "127.0.0.7", "port": 0}]})
    there = target.add("bob")._replace(host="127.0.0.7", port=target.ports["127.0.0.7"])
    content = os.urandom(1_000_000)
    (source.home / "file").write_bytes(content)
    with Wire.of(source) as sending, Wire.of(there) as receiving:
        address, port = passive_address(receiving.ask("PASV"))
        assert address == "127.0.0.7"
        assert sending.ask("PORT " + port_argument(address, port)).code == 200
        assert receiving.ask("STOR file").code == 150
        assert sending.ask("RETR file").code == 150
        assert sending.reply().code == 226
        assert receiving.reply().code == 226
    assert (there.home / "file").read_bytes() == content


def test_lftp_copies_between_two_servers(serve: Serve, program: Program, tmp_path: Path) -> None:
    source = serve({"account": {"fxp": True}}).add("ann")
    target = serve({"account": {"fxp": True}}).add("bob")
    content = os.urandom(1_000_000)
    (source.home / "file").write_bytes(content)
    client = Lftp(program, source, tmp_path)
    there = f"ftp://bob:correct%20horse@127.0.0.1:{target.port}/file"
    client.lftp("set ftp:use-fxp true", "set ftp:fxp-force true", f"get file -o {there}")
    assert (target.home / "file").read_bytes() == content
