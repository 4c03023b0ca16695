"""Bad input and bad days: whatever comes, a clear reply or a close, nothing lost, and the server still serves.

Apart from the fuzz targets: these need a real kernel, its limits and its file systems.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import Serve
from tests.integration.live import ConfiguredServer, Guest
from tests.integration.wire import Wire, connect, read_all

MEGABYTE: Final = 1024 * 1024
MOST_LOOKS: Final = 2000


# The control connection.


@pytest.mark.parametrize("is_logged_in", [True, False], ids=["logged in", "not logged in"])
def test_client_that_never_ends_its_line_is_421(serve: Serve, is_logged_in: bool) -> None:
    guest = serve({"ftp": {"timeouts": {"idle": 1, "login": 1}}}).add("ann")
    wire = Wire.of(guest) if is_logged_in else Wire(guest.port)
    with wire:
        if not is_logged_in:
            wire.reply()
        assert dripped(wire.control).startswith(b"421 ")


def dripped(control: socket.socket) -> bytes:
    """Send a byte whenever a tenth of a second has brought nothing; return what comes at last."""
    control.settimeout(0.1)
    for _ in range(100):
        control.sendall(b"N")
        with contextlib.suppress(TimeoutError):
            return control.recv(1000)
    return b"nothing in 100 bytes"


def test_other_clients_are_served_while_many_drip(guest: Guest) -> None:
    dripping = [connect("127.0.0.1", guest.port) for _ in range(100)]
    for control in dripping:
        control.sendall(b"USE")
    with Wire.of(guest) as wire:
        assert wire.store("STOR file", b"content").code == 226
    for control in dripping:
        control.close()


def test_hundreds_of_pipelined_commands_are_answered_in_order(wire: Wire) -> None:
    wire.send(b"NOOP\r\nPWD\r\nSYST\r\nNONSENSE\r\n" * 100)
    assert wire.replies(400) == [200, 257, 215, 500] * 100


def test_commands_behind_a_password_wait_for_its_check(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        wire.send(f"USER {guest.name}\r\nPASS correct horse\r\n" + "PWD\r\n" * 62)
        assert wire.replies(64) == [331, 230] + [257] * 62


def test_client_that_never_reads_its_replies_keeps_nobody_waiting(guest: Guest) -> None:
    with Wire.of(guest) as deaf, Wire.of(guest) as wire:
        deaf.control.setblocking(False)
        assert fill(deaf.control, b"HELP\r\n" * 1000)
        assert wire.asks("NOOP", "PWD") == [200, 257]


def fill(control: socket.socket, data: bytes) -> bool:
    """Send until the server takes no more, as it must; True if it came to that."""
    try:
        for _ in range(100_000):
            control.send(data)
    except BlockingIOError:
        return True
    return False


def test_line_of_a_mebibyte_is_500_once(wire: Wire) -> None:
    wire.send(b"A" * MEGABYTE + b"\r\nNOOP\r\n")
    assert wire.replies(2) == [500, 200]


def test_line_ends_of_every_kind_end_a_line(wire: Wire) -> None:
    wire.send(b"NOOP\nNOOP\r\n\r\nNOOP\n")
    assert wire.replies(4) == [200, 200, 500, 200]


@pytest.mark.parametrize("seed", range(5))
def test_garbage_is_answered_or_closed_and_others_are_served(guest: Guest, seed: int) -> None:
    with Wire(guest.port) as garbler, contextlib.suppress(ConnectionError):
        garbler.send(random.Random(seed).randbytes(65536) + b"\r\nQUIT\r\n")
        garbler.is_closed()
    with Wire.of(guest) as wire:
        assert wire.ask("NOOP").code == 200


def test_garbage_after_the_login_leaves_the_session_usable(wire: Wire) -> None:
    noise = random.Random(1).randbytes(20_000).replace(b"\n", b"").replace(b"\r", b"")
    wire.send(noise + b"\r\nNOOP\r\n")
    assert wire.replies(2) == [500, 200]


def test_web_request_is_not_taken_for_commands(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        wire.send(f"POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER {guest.name}\r\n")
        assert wire.reply().code == 421
        assert wire.is_closed()


def test_tls_hello_on_the_clear_port_does_not_hang(guest: Guest) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        wire.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500) + b"\n")
        assert wire.reply().code == 421
        assert wire.is_closed()


@pytest.mark.parametrize(
    "opening",
    ["SSH-2.0-OpenSSH_9.9", "EHLO client", "OPTIONS * RTSP/1.0", "REGISTER sip:x SIP/2.0", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2"],
)
def test_other_protocol_is_cut_off(guest: Guest, opening: str) -> None:
    with Wire(guest.port) as wire:
        wire.reply()
        wire.send(f"{opening}\r\nUSER {guest.name}\r\n")
        assert wire.reply().code == 421
        assert wire.is_closed()


# Names.


@pytest.mark.parametrize(
    "path",
    [
        "../" * 50 + "etc/passwd",
        "/../../etc/passwd",
        "a/../../../etc/passwd",
        "....//etc/passwd",
        "%2e%2e/etc/passwd",
        "..\\etc\\passwd",
    ],
)
def test_no_way_up_leads_out(wire: Wire, path: str) -> None:
    wire.passive()
    assert wire.asks(f"RETR {path}", f"SIZE {path}") == [550, 550]


def test_upwards_stays_at_the_root(wire: Wire) -> None:
    assert wire.ask("CWD ../../..").code == 250
    assert wire.ask("PWD").text.startswith('"/" ')


def test_million_slashes_and_long_names_get_a_reply(wire: Wire) -> None:
    assert wire.ask("CWD " + "/" * 8000).code == 250
    assert wire.ask("CWD " + "a" * 4096).code in (550, 553)
    assert wire.ask("MKD " + "a/" * 2000).code in (550, 553)
    assert wire.ask("CWD " + "/" * 1_000_000).code == 500


@pytest.mark.parametrize("raw", [b"a\0b", b"a\rb\0", b"\0"], ids=repr)
def test_name_with_nul_is_refused(wire: Wire, guest: Guest, raw: bytes) -> None:
    wire.passive()
    assert wire.ask(b"STOR " + raw).code in (501, 550, 553)
    assert os.listdir(guest.home) == []


@pytest.mark.parametrize("target", ["/etc", "../../../../../../../../etc", "/proc/self/root/etc"])
def test_link_out_of_the_home_leads_nowhere(wire: Wire, guest: Guest, target: str) -> None:
    (guest.home / "out").symlink_to(target)
    (guest.home / "passwd").symlink_to(f"{target}/passwd")
    wire.passive()
    assert wire.asks("CWD out", "RETR out/passwd", "RETR passwd", "SIZE passwd", "DELE out/passwd", "MKD out/x") == [550] * 6
    assert wire.ask("STOR out/x").code in (550, 553)


def test_link_inside_the_home_is_followed(wire: Wire, guest: Guest) -> None:
    (guest.home / "real").mkdir()
    (guest.home / "real" / "file").write_bytes(b"content")
    (guest.home / "link").symlink_to("real")
    (guest.home / "absolute").symlink_to("/real/file")
    assert wire.fetch("RETR link/file") == b"content"
    assert wire.fetch("RETR absolute") == b"content"


def test_home_of_another_account_is_out_of_reach(wire: Wire, server: ConfiguredServer) -> None:
    other = server.add("somebody-else")
    (other.home / "secret").touch()
    wire.passive()
    assert wire.asks("RETR ../somebody-else/secret", "CWD /somebody-else") == [550, 550]


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "directory"])
def test_what_is_not_a_file_is_refused_before_150(wire: Wire, guest: Guest, kind: str) -> None:
    make_special(guest.home / "it", kind)
    wire.passive()
    assert wire.asks("RETR it", "SIZE it") == [550, 550]
    assert wire.ask("APPE it").code in (550, 553)
    assert wire.ask("STOR it").code in (550, 553)
    assert stat.S_IFMT((guest.home / "it").lstat().st_mode) != stat.S_IFREG


def make_special(path: Path, kind: str) -> None:
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(os.path.relpath(path))  # an absolute one may be too long for a socket's name
    else:
        if os.geteuid() != 0:
            pytest.skip("machine: only root makes devices")
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 5))  # /dev/zero: a server that read it would never end


# Disks.


@pytest.fixture
def mount() -> Iterator[Callable[[str, Path], None]]:
    """Mount a small file system in memory with these options; it is gone after the test."""
    mounted: list[Path] = []

    def make(options: str, folder: Path) -> None:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"machine: mounting is not allowed here: {done.stderr.strip()}")
        mounted.append(folder)

    yield make
    for folder in mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_disk_that_fills_up_is_552_and_the_old_file_stays_and_there_is_room_again(
    server: ConfiguredServer, guest: Guest, mount: Callable[[str, Path], None]
) -> None:
    mount("size=1m", guest.home)
    (guest.home / "old").write_bytes(b"old")
    with Wire.of(guest) as wire:
        assert stored_until_refused(wire, "STOR old", 8 * MEGABYTE) == 552
        assert (guest.home / "old").read_bytes() == b"old"
        assert wire.store("STOR small", b"content").code == 226


def stored_until_refused(wire: Wire, line: str, size: int) -> int:
    """Upload *size* bytes to a server that stops in between; return its final code."""
    with wire.data() as data:
        assert wire.ask(line).code == 150
        with contextlib.suppress(ConnectionError):
            data.sendall(bytes(size))
        return wire.reply().code


def test_announced_size_that_cannot_fit_is_refused_before_150(guest: Guest, mount: Callable[[str, Path], None]) -> None:
    mount("size=1m", guest.home)
    with Wire.of(guest) as wire:
        wire.passive()
        assert wire.asks("ALLO 8000000", "STOR file") == [200, 452]


def test_read_only_disk_is_a_clear_refusal(guest: Guest, mount: Callable[[str, Path], None]) -> None:
    mount("ro", guest.home)
    with Wire.of(guest) as wire:
        wire.passive()
        assert wire.ask("STOR file").code in (550, 553)
        assert wire.asks("MKD new", "DELE missing", "NOOP") == [550, 550, 200]
        assert wire.fetch("NLST") == b""


def test_file_that_shrinks_while_it_is_sent_is_not_226(wire: Wire, guest: Guest) -> None:
    with (guest.home / "file").open("wb") as file:
        file.truncate(64 * MEGABYTE)
    with wire.data() as data:
        assert wire.ask("RETR file").code == 150
        data.recv(1000)
        os.truncate(guest.home / "file", 1000)
        with contextlib.suppress(ConnectionError):
            read_all(data)
        assert wire.reply().code in (426, 451)
    assert wire.ask("NOOP").code == 200


def test_file_that_grows_while_it_is_sent_ends(wire: Wire, guest: Guest) -> None:
    with (guest.home / "file").open("wb") as file:
        file.truncate(32 * MEGABYTE)
    with wire.data() as data:
        assert wire.ask("RETR file").code == 150
        data.recv(1000)
        os.truncate(guest.home / "file", 64 * MEGABYTE)
        assert len(read_all(data)) + 1000 >= 32 * MEGABYTE
        assert wire.reply().code == 226


def test_file_that_is_removed_while_it_is_sent_arrives_whole(wire: Wire, guest: Guest) -> None:
    content = os.urandom(8 * MEGABYTE)
    (guest.home / "file").write_bytes(content)
    with wire.data() as data:
        assert wire.ask("RETR file").code == 150
        (guest.home / "file").unlink()
        assert read_all(data) == content
    assert wire.reply().code == 226


def test_root_that_comes_later_is_served_then(serve: Serve) -> None:
    server = serve({"storage": {"local": {"root": "later"}}})
    server.add("ann")
    with Wire(server.port) as wire:
        wire.reply()
        assert wire.asks("USER ann", "PASS correct horse")[1] in (421, 451, 530, 550)
    (server.root.parent / "later" / "ann").mkdir(parents=True)
    with Wire(server.port) as wire:
        wire.reply()
        assert wire.asks("USER ann", "PASS correct horse", "PWD") == [331, 230, 257]


# Limits of the machine.


def test_server_without_descriptors_left_serves_again_once_some_are_free(serve: Serve) -> None:
    server = serve({}, prefix=("prlimit", "--nofile=64"))
    guest = server.add("ann")
    crowd = [connect("127.0.0.1", server.port) for _ in range(150)]
    for control in crowd:
        control.close()
    # The kernel had accepted connections for which no descriptor was left; the reactor closes those that still wait in its queue.
    assert any(is_greeted(guest) for _ in range(MOST_LOOKS))
    with Wire.of(guest) as wire:
        assert wire.store("STOR file", b"content").code == 226
        assert wire.fetch("RETR file") == b"content"


def is_greeted(guest: Guest) -> bool:
    with connect(guest.host, guest.port) as control:
        try:
            return control.recv(4) == b"220 "
        except ConnectionResetError:
            return False


def test_transfer_without_a_descriptor_left_is_4xx_and_the_session_goes_on(serve: Serve) -> None:
    server = serve({}, prefix=("prlimit", "--nofile=64"))
    guest = server.add("ann")
    with Wire.of(guest) as wire:
        crowd = [connect("127.0.0.1", server.port) for _ in range(100)]
        codes = {wire.ask("PASV").code for _ in range(3)}
        assert codes <= {227, 421, 425, 451}
        for control in crowd:
            control.close()
        assert any(wire.ask("PASV").code == 227 for _ in range(MOST_LOOKS))
        assert wire.fetch("NLST") == b""


def test_directory_that_hangs_delays_only_its_own_session(serve: Serve, tmp_path: Path) -> None:
    release = tmp_path / "release"
    os.mkfifo(release)
    (tmp_path / "extensions").mkdir()
    (tmp_path / "extensions" / "hanging.py").write_text(HANGING_STORE)
    server = serve(
        {
            "extensions": {"directories": [tmp_path / "extensions"]},
            "storage": {"kind": "hanging", "hanging": {"root": "root", "release": release}},
        }
    )
    guest = server.add("ann")
    (guest.home / "slow").mkdir()
    with Wire.of(guest) as waiting, Wire.of(guest) as wire:
        waiting.passive()
        waiting.send("NLST slow\r\n")
        assert wire.store("STOR file", b"content").code == 226
        assert wire.fetch("NLST") in (b"slow\r\nfile\r\n", b"file\r\nslow\r\n")
        release.write_bytes(b"x")  # returns once the hanging thread has it open
        assert waiting.reply().code == 150


HANGING_STORE: Final = '''
"""A store whose directory /slow takes until somebody opens the other end of a FIFO: a disk that hangs."""

import attrs
from zope.interface import implementer

from ftpd.interfaces import IStoreKind
from ftpd.schema import FilePath, setting
from ftpd.storage.local import LocalSettings, LocalStore


@attrs.frozen
class HangingSettings:
    root: FilePath = setting(FilePath(""), help="Directory that is served.")
    release: FilePath = setting(FilePath(""), help="FIFO that /slow waits for.")


class Hanging:
    def __init__(self, files, wait):
        self._files = files
        self._wait = wait

    def __getattr__(self, name):
        return getattr(self._files, name)

    async def open_directory(self, path):
        if path.name == "slow":
            await self._wait()
        return await self._files.open_directory(path)


class HangingStore(LocalStore):
    def __init__(self, settings, threads):
        super().__init__(LocalSettings(root=settings.root), threads)
        self._wait = lambda: threads.run(read, settings.release)

    async def open(self, account):
        return Hanging(await super().open(account), self._wait)


def read(path):
    with open(path, "rb") as fifo:
        return fifo.read(1)


@implementer(IStoreKind)
class Kind:
    name = "hanging"
    settings = HangingSettings

    def make(self, settings, threads):
        return HangingStore(settings, threads)


HANGING = Kind()
'''
