"""Settings do what they say, seen from outside: one server each, with that setting changed.

Apart from the configuration's unit tests, which read them: a setting that is read and then ignored passes those.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Serve
from tests.integration.live import PASSWORD, Guest
from tests.integration.wire import Reply, Wire, accepted, connect, free_port, listening, passive_address, port_argument


def ftp(**settings: Any) -> dict[str, Any]:
    return {"ftp": settings}


def local(**settings: Any) -> dict[str, Any]:
    return {"storage": {"local": settings}}


def cut(guest: Guest, line: str, content: bytes) -> None:
    """Upload *content* and break off once all of it has arrived."""
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask(line).code == 150
        data.sendall(content)
        assert any(f"{len(content)} bytes" in wire.ask("STAT").text for _ in range(2000))
        assert wire.ask("ABOR").code == 426
        assert wire.reply().code == 226


def test_greeting(serve: Serve) -> None:
    with Wire(serve(ftp(greeting="Welcome, who are you?")).port) as wire:
        assert wire.reply() == Reply(220, "Welcome, who are you?")


def test_default_type(serve: Serve) -> None:
    guest = serve(ftp(default_type="I")).add("ann")
    (guest.home / "file").write_bytes(b"one\ntwo\n")
    with Wire(guest.port) as wire:
        wire.reply()
        wire.asks("USER ann", f"PASS {PASSWORD}")
        assert wire.fetch("RETR file") == b"one\ntwo\n"


def test_denied_command_is_502_and_not_advertised(serve: Serve) -> None:
    with Wire.of(serve(ftp(deny_commands=["MFMT", "DELE", "SITE CHMOD"])).add("ann")) as wire:
        assert wire.asks("MFMT 20090213233130 file", "DELE file", "SITE CHMOD 600 file") == [502, 502, 502]
        assert "MFMT" not in wire.ask("FEAT").text
        assert "DELE" not in wire.ask("HELP").text


def test_only_allowed_commands_are_served(serve: Serve) -> None:
    allowed = ["USER", "PASS", "QUIT", "TYPE", "PASV", "RETR"]
    with Wire.of(serve(ftp(allow_commands=allowed)).add("ann")) as wire:
        assert wire.asks("STOR file", "NOOP", "TYPE I") == [502, 502, 200]


def test_passive_mode_switched_off(serve: Serve) -> None:
    with Wire.of(serve(ftp(passive={"enabled": False})).add("ann")) as wire:
        assert wire.asks("PASV", "EPSV") == [502, 502]


def test_active_mode_switched_off(serve: Serve) -> None:
    with Wire.of(serve(ftp(active={"enabled": False})).add("ann")) as wire:
        assert wire.asks("PORT 127,0,0,1,200,200", "EPRT |1|127.0.0.1|5555|") == [502, 502]


def test_external_address_is_announced(serve: Serve) -> None:
    with Wire.of(serve(ftp(passive={"external_address": "192.0.2.7"})).add("ann")) as wire:
        assert passive_address(wire.ask("PASV"))[0] == "192.0.2.7"


def test_internal_networks_are_told_the_address_they_reached(serve: Serve) -> None:
    passive = {"external_address": "192.0.2.7", "internal_networks": ["127.0.0.2/32"]}
    guest = serve(ftp(passive=passive)).add("ann")
    with Wire.of(guest, source="127.0.0.2") as inside, Wire.of(guest, source="127.0.0.3") as outside:
        assert passive_address(inside.ask("PASV"))[0] == "127.0.0.1"
        assert passive_address(outside.ask("PASV"))[0] == "192.0.2.7"


def test_passive_ports_come_from_the_range(serve: Serve) -> None:
    first = free_port(21)
    with Wire.of(serve(ftp(passive={"ports": [first, first + 20]})).add("ann")) as wire:
        assert {wire.passive() for _ in range(30)} <= set(range(first, first + 21))


def test_active_connections_come_from_the_source_port(serve: Serve) -> None:
    source = free_port()
    with Wire.of(serve(ftp(active={"source_port": source})).add("ann")) as wire, listening() as waiting:
        assert wire.asks("PORT " + port_argument("127.0.0.1", waiting.getsockname()[1]), "NLST") == [200, 150]
        with accepted(waiting) as data:
            assert data.getpeername() == ("127.0.0.1", source)
        assert wire.reply().code == 226


def test_read_only_store_refuses_every_change(serve: Serve) -> None:
    guest = serve({"storage": {"read_only": True}}).add("ann")
    (guest.home / "file").write_bytes(b"content")
    with Wire.of(guest) as wire:
        wire.passive()
        codes = wire.asks("STOR new", "APPE file", "DELE file", "MKD new", "RNFR file", "RNTO new", "MFMT 20090213233130 file")
        assert all(code in (350, 503, 550, 553) for code in codes)
        assert wire.fetch("RETR file") == b"content"
    assert os.listdir(guest.home) == ["file"]


def test_hidden_names_are_neither_listed_nor_reachable(serve: Serve) -> None:
    guest = serve(local(hidden_names=[".*", "*.secret"])).add("ann")
    for name in (".profile", "a.secret", "open"):
        (guest.home / name).touch()
    with Wire.of(guest) as wire:
        assert wire.fetch("NLST") == b"open\r\n"
        wire.passive()
        assert wire.asks("SIZE .profile", "RETR a.secret", "DELE a.secret") == [550, 550, 550]


@pytest.mark.parametrize(("policy", "listed", "code"), [("follow", True, 213), ("deny", True, 550), ("hide", False, 550)])
def test_symlinks(serve: Serve, policy: str, listed: bool, code: int) -> None:
    guest = serve(local(symlinks=policy)).add("ann")
    (guest.home / "file").touch()
    (guest.home / "link").symlink_to("file")
    with Wire.of(guest) as wire:
        assert (b"link\r\n" in wire.fetch("NLST")) is listed
        assert wire.ask("SIZE link").code == code


def test_modes_of_new_files_and_directories(serve: Serve) -> None:
    guest = serve(local(file_mode="0604", directory_mode="0705")).add("ann")
    with Wire.of(guest) as wire:
        assert wire.store("STOR file", b"content").code == 226
        assert wire.ask("MKD directory").code == 257
    assert stat.S_IMODE((guest.home / "file").stat().st_mode) == 0o604
    assert stat.S_IMODE((guest.home / "directory").stat().st_mode) == 0o705


@pytest.mark.parametrize("durable", ["none", "file", "full"])
def test_upload_is_stored_with_each_kind_of_durability(serve: Serve, durable: str) -> None:
    guest = serve(local(durable=durable)).add("ann")
    with Wire.of(guest) as wire:
        assert wire.store("STOR file", b"content").code == 226
    assert (guest.home / "file").read_bytes() == b"content"


def test_cut_upload_is_kept_for_its_account_to_resume(serve: Serve) -> None:
    guest = serve(local(cut_upload="keep")).add("ann")
    cut(guest, "STOR file", b"first ")
    assert not (guest.home / "file").exists()
    with Wire.of(guest) as wire:
        assert wire.ask("SIZE file").text == "6"
        assert wire.fetch("NLST") == b""
        with wire.data() as data:
            assert wire.asks("REST 6", "STOR file") == [350, 150]
            data.sendall(b"second")
        assert wire.reply().code == 226
    assert (guest.home / "file").read_bytes() == b"first second"
    assert os.listdir(guest.home) == ["file"]


def test_cut_upload_is_discarded(serve: Serve) -> None:
    guest = serve(local(cut_upload="discard")).add("ann")
    cut(guest, "STOR file", b"first")
    assert os.listdir(guest.home) == []


def test_cut_upload_is_published(serve: Serve) -> None:
    guest = serve(local(cut_upload="publish")).add("ann")
    cut(guest, "STOR file", b"first")
    assert (guest.home / "file").read_bytes() == b"first"


def test_upload_in_place_is_seen_while_it_grows(serve: Serve) -> None:
    guest = serve(local(in_place=True)).add("ann")
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        assert os.listdir(guest.home) == ["file"]
        data.sendall(b"content")
        data.close()
        assert wire.reply().code == 226
    assert (guest.home / "file").read_bytes() == b"content"


def test_home_is_made_at_the_first_login(serve: Serve) -> None:
    guest = serve(local(create_homes=True)).add("ann")
    guest.home.rmdir()
    with Wire.of(guest) as wire:
        assert wire.store("STOR file", b"content").code == 226
    assert (guest.home / "file").read_bytes() == b"content"


def test_incoming_directory_takes_files_and_shows_none(serve: Serve) -> None:
    server = serve({"anonymous": {"enabled": True, "incoming": ["/incoming"]}})
    (server.root / "incoming").mkdir()
    with Wire(server.port) as wire:
        wire.reply()
        assert wire.asks("USER anonymous", "PASS me@example.org", "TYPE I") == [331, 230, 200]
        assert wire.store("STOR incoming/file", b"content").code == 226
        wire.passive()
        assert wire.asks("RETR incoming/file", "DELE incoming/file") == [550, 550]
        assert wire.ask("STOR incoming/file").code in (550, 553)
    assert (server.root / "incoming" / "file").read_bytes() == b"content"


def test_rules_of_a_subtree(serve: Serve) -> None:
    guest = serve(
        {"account": {"home": "/{name}", "permissions": ["view"], "rules": [{"path": "/in", "permissions": ["all"]}]}}
    ).add("ann")
    (guest.home / "in").mkdir()
    with Wire.of(guest) as wire:
        wire.passive()
        assert wire.ask("STOR file").code in (550, 553)
        assert wire.store("STOR in/file", b"content").code == 226


def test_file_larger_than_the_account_may_store_is_552_and_not_published(serve: Serve) -> None:
    guest = serve({"account": {"home": "/{name}", "max_file_size": 100_000}}).add("ann")
    with Wire.of(guest) as wire:
        assert wire.store("STOR small", bytes(100_000)).code == 226
        with wire.data() as data:
            assert wire.ask("STOR large").code == 150
            with contextlib.suppress(ConnectionError):  # the server stops taking it in between
                data.sendall(bytes(10_000_000))
            assert wire.reply().code == 552
    assert not (guest.home / "large").exists()


def test_several_listeners(serve: Serve, has_ipv6: bool) -> None:
    if not has_ipv6:
        pytest.skip("machine: no IPv6 on loopback")
    server = serve({"listen": [{"address": address, "port": 0} for address in ("127.0.0.1", "127.0.0.5", "::1")]})
    for address, port in server.ports.items():
        with Wire(port, address) as wire:
            assert wire.reply().code == 220


def test_password_needs_loopback_at_both_ends_unless_it_is_allowed(serve: Serve) -> None:
    address = own_address()
    listen = [{"address": "127.0.0.1", "port": 0}, {"address": address, "port": 0}]
    for is_allowed, code in ((False, 530), (True, 331)):
        server = serve({"listen": listen, "anonymous": {"enabled": True}, **ftp(plaintext_passwords=is_allowed)})
        with Wire(server.ports[address], address) as wire:
            wire.reply()
            assert wire.asks("USER ann", "USER anonymous") == [code, 331]


def own_address() -> str:
    """An IPv4 address of this machine that is not loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing: it only asks the kernel for a route
        except OSError:
            pytest.skip("machine: no address but loopback")
        address: str = probe.getsockname()[0]
        return address


def test_xferlog_has_a_line_for_each_transfer(serve: Serve, tmp_path: Path) -> None:
    server = serve({"log": {"xferlog": tmp_path / "xferlog"}})
    with Wire.of(server.add("ann")) as wire:
        assert wire.store("STOR a file", b"content").code == 226
        assert wire.fetch("RETR a file") == b"content"
        assert wire.ask("NOOP").code == 200  # a line is written after the reply that it tells of
    lines = [line.split()[7:] for line in (tmp_path / "xferlog").read_text().splitlines()]
    assert lines == [["7", "/a_file", "b", "_", direction, "r", "ann", "ftp", "0", "*", "c"] for direction in ("i", "o")]


def test_session_of_a_client_that_vanishes_in_a_transfer_is_freed(serve: Serve) -> None:
    server = serve({"limits": {"sessions": 1}, **ftp(timeouts={"stalled_transfer": 0.2, "idle": 1})})
    guest = server.add("ann")
    wire = Wire.of(guest)
    data = wire.data()
    assert wire.ask("STOR file").code == 150
    # Neither end of either connection is closed: a client behind a cable that was pulled.
    server.wait_for("gone after")
    with connect(guest.host, guest.port) as control:
        assert control.recv(4) == b"220 "
    data.close()
    wire.control.close()
