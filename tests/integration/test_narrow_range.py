"""A passive range of one port, which firewalls of the narrow-minded leave: many clients at the same time, in clear and over TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve, StartFleet
from tests.integration.live import ConfiguredServer, Guest
from tests.integration.secure_wire import SecureWire, end
from tests.integration.wire import Wire, connect, free_port, read_all

CLIENTS = [f"127.0.0.{number}" for number in range(2, 42)]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def exits() -> Iterator[ExitStack]:
    with ExitStack() as exits:
        yield exits


@pytest.fixture
def guest(serve: Serve, certificate: Path, port: int) -> Guest:
    settings = {
        "tls": {"certificates": [{"chain": certificate}]},
        "ftp": {"passive": {"ports": [port, port]}, "plaintext_passwords": True},
        "limits": {"sessions": 0},
        "storage": {"local": {"durable": "none"}},
    }
    return serve(settings).add("ann")


def content_of(source: str) -> bytes:
    return source.encode() * 50_000


@pytest.mark.parametrize("kind", [Wire, SecureWire], ids=["in clear", "over TLS"])
def test_forty_clients_store_and_fetch_through_one_port_at_the_same_time(
    guest: Guest, port: int, exits: ExitStack, kind: Any
) -> None:
    wires = {source: exits.enter_context(kind.of(guest, source)) for source in CLIENTS}
    for verb in ("STOR", "RETR"):
        assert [wire.passive() for wire in wires.values()] == [port] * len(wires)
        plain = {source: exits.enter_context(connect("127.0.0.1", port, source)) for source in reversed(CLIENTS)}
        for source, wire in wires.items():
            assert wire.ask(f"{verb} {source}").code == 150
        for source, wire in wires.items():
            data = wire.secured(plain[source]) if isinstance(wire, SecureWire) else plain[source]
            if verb == "STOR":
                data.sendall(content_of(source))
                if isinstance(data, ssl.SSLSocket):
                    end(data)
                data.close()
            else:
                assert read_all(data) == content_of(source)
                data.close()
            assert wire.reply().code == 226
    assert {source: (guest.home / source).read_bytes() for source in CLIENTS} == {source: content_of(source) for source in CLIENTS}


def test_second_session_of_one_address_has_its_answer_once_the_first_has_connected(guest: Guest, port: int) -> None:
    (guest.home / "a").write_bytes(b"content")
    with Wire.of(guest) as first, Wire.of(guest) as second:
        assert first.passive() == port
        second.send("PASV\r\n")
        with connect("127.0.0.1", port) as data:
            assert first.ask("RETR a").code == 150
            assert read_all(data) == b"content"
        assert first.reply().code == 226
        assert second.reply().code == 227
        with connect("127.0.0.1", port) as data:
            assert second.ask("RETR a").code == 150
            assert read_all(data) == b"content"
        assert second.reply().code == 226


def test_a_session_that_goes_leaves_its_port_to_who_waits(guest: Guest, port: int) -> None:
    with Wire.of(guest) as second:
        with Wire.of(guest) as first:
            assert first.passive() == port
            second.send("EPSV\r\n")
        assert second.reply().code == 229


def test_a_session_that_waits_and_goes_takes_nothing_along(guest: Guest, port: int) -> None:
    with Wire.of(guest) as first:
        assert first.passive() == port
        with Wire.of(guest) as second:
            second.send("PASV\r\n")
    with Wire.of(guest) as third:
        assert third.passive() == port


def test_each_worker_has_a_port_of_its_own(fleet: StartFleet, exits: ExitStack) -> None:
    first = free_port(2)
    server = fleet({"ftp": {"passive": {"ports": [first, first + 1]}}})
    guest = server.add("ann")
    (guest.home / "a").write_bytes(b"content")
    wires = list(server.on_each(guest, exits).values())
    assert sorted(wire.passive() for wire in wires) == [first, first + 1]
    assert [wire.fetch("RETR a") for wire in wires for _ in range(5)] == [b"content"] * 10


def test_fewer_ports_than_workers_are_refused(tmp_path: Path, launch: Any) -> None:
    file = tmp_path / "ftpd.toml"
    (tmp_path / "root").mkdir()
    file.write_text('ftp.passive.ports = "50000-50001"\nprocess.workers = 3\nlisten = [{port = 0}]\nstorage.local.root = "root"\n')
    for command in (("check", str(file)), ("serve", "--config", str(file))):
        server = launch("-m", "ftpd", *command)
        server.wait_for("ftp.passive.ports: found 50000-50001, 2 for 3 workers .process.workers.; each worker needs one of its own")
        assert server.end() == 2


def test_clients_that_are_refused_and_go_are_told(serve: Serve, port: int) -> None:
    server = serve({"ftp": {"passive": {"ports": [port, port]}}})
    guest = server.add("ann")
    for _ in range(3):
        with Wire.of(guest) as wire:
            assert wire.passive() == port
    server.wait_for(f"clients asked for data ports and gave them up unused, several times in a row, the last one {port}")


def test_a_server_of_the_narrowest_range_is_told_of_no_fault(serve: Serve, port: int) -> None:
    server: ConfiguredServer = serve({"ftp": {"passive": {"ports": [port, port]}}})
    guest = server.add("ann")
    with Wire.of(guest) as wire:
        for number in range(20):
            assert wire.store(f"STOR {number}", b"x").code == 226
    assert "data-fault" not in server.log
