"""Hashes over real sockets: what is told is what is stored, files that change give none, and nobody else waits for one that takes long."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.clients import Lftp
from tests.integration.conftest import Serve
from tests.integration.live import Guest
from tests.integration.wire import Wire

MIB: Final = 1024 * 1024
CONTENT: Final = random.Random(7).randbytes(3 * MIB) + b"the end"
ENDLESS: Final = 40 * 1024 * MIB  # sparse, so that it costs nothing but the time for hashing it, which is a minute
LARGE: Final = 1024 * MIB  # a second or more
MOST_LOOKS: Final = 2000  # bounds what is asked again and again until it is so


@pytest.fixture
def file(guest: Guest) -> str:
    (guest.home / "file").write_bytes(CONTENT)
    return "file"


def sparse(guest: Guest, size: int, name: str = "sparse") -> Path:
    path = guest.home / name
    with path.open("wb") as file:
        file.truncate(size)
    return path


def begin(wire: Wire, command: str) -> None:
    """Have *command* read a large file, and return once it does."""
    wire.send(command + "\r\n")
    for _ in range(MOST_LOOKS):
        status = wire.ask("STAT")
        assert status.code == 211, status
        if command.partition(" ")[0] in status.text and "\n 0 of" not in status.text:
            return
    raise AssertionError(f"{command} does not begin")


# What is told.


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        ("SHA-256", hashlib.sha256(CONTENT).hexdigest()),
        ("SHA-512", hashlib.sha512(CONTENT).hexdigest()),
        ("SHA-1", hashlib.sha1(CONTENT).hexdigest()),
        ("MD5", hashlib.md5(CONTENT).hexdigest()),
        ("CRC32", f"{zlib.crc32(CONTENT):08x}"),
        ("BLAKE2b", hashlib.blake2b(CONTENT).hexdigest()),
        ("BLAKE2s", hashlib.blake2s(CONTENT).hexdigest()),
    ],
)
def test_hash_is_that_of_the_file(wire: Wire, file: str, algorithm: str, digest: str) -> None:
    assert wire.ask(f"OPTS HASH {algorithm}") == (200, algorithm)
    assert wire.ask(f"HASH {file}") == (213, f"{algorithm} 0-{len(CONTENT) - 1} {digest} file")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bounds=st.tuples(st.integers(0, len(CONTENT) - 1), st.integers(1, len(CONTENT))).filter(lambda pair: pair[0] < pair[1]))
def test_digest_of_a_range_is_that_of_the_slice(wire: Wire, file: str, bounds: tuple[int, int]) -> None:
    start, end = bounds
    part = CONTENT[start:end]
    assert wire.ask(f'XCRC "file" {start} {end}') == (250, f"{zlib.crc32(part):08X}")
    assert wire.ask(f"RANG {start} {end - 1}").code == 350
    assert wire.ask("HASH file") == (213, f"SHA-256 {start}-{end - 1} {hashlib.sha256(part).hexdigest()} file")


def test_second_hash_is_the_same(wire: Wire, guest: Guest, file: str) -> None:
    os.utime(guest.home / file, (1, 1))
    assert wire.ask("XMD5 file") == wire.ask("XMD5 file") == (250, hashlib.md5(CONTENT).hexdigest().upper())


def test_hash_of_what_was_just_stored_is_of_that(wire: Wire, guest: Guest) -> None:
    for content in (b"one", b"two", b"six"):
        assert wire.store("STOR file", content).code == 226
        assert wire.ask("MFMT 20200101000000 file").code == 213
        assert wire.ask("XSHA256 file") == (250, hashlib.sha256(content).hexdigest().upper())


def test_lftp_shows_the_digests(guest: Guest, program: Callable[[str], str], tmp_path: Path) -> None:
    (guest.home / "a file").write_bytes(CONTENT)
    done = Lftp(program, guest, tmp_path).lftp('quote XMD5 \\"a file\\"', 'quote MD5 "a file"', "quote HASH a file")
    md5 = hashlib.md5(CONTENT).hexdigest().upper()
    assert [line.partition(" ")[2] for line in done.stdout.decode().splitlines()] == [
        md5,
        f"a file {md5}",
        f"SHA-256 0-{len(CONTENT) - 1} {hashlib.sha256(CONTENT).hexdigest()} a file",
    ]


# What is no file, or changes.


def test_fifo_is_550(wire: Wire, guest: Guest) -> None:
    os.mkfifo(guest.home / "fifo")
    assert wire.asks("HASH fifo", "XCRC fifo") == [550, 550]


def test_sparse_file_of_a_tebibyte_is_556(wire: Wire, guest: Guest) -> None:
    sparse(guest, 1 << 40)
    assert wire.asks("HASH sparse", "XCRC sparse") == [556, 550]


def test_hash_of_a_growing_file_is_of_what_it_had(wire: Wire, guest: Guest, file: str) -> None:
    is_over = threading.Event()

    def grow() -> None:
        with (guest.home / file).open("ab", buffering=0) as growing:
            while not is_over.is_set() and growing.tell() < 64 * MIB:
                growing.write(b"more and ")

    appending = threading.Thread(target=grow)
    appending.start()
    try:
        told = [wire.ask("HASH file") for _ in range(20)]
    finally:
        is_over.set()
        appending.join()
    grown = (guest.home / file).read_bytes()
    for code, words in told:
        _, span, digest, _ = words.split(" ")
        assert (code, digest) == (213, hashlib.sha256(grown[: int(span.partition("-")[2]) + 1]).hexdigest())


@pytest.mark.parametrize("size", [0, MIB])
def test_file_that_shrinks_is_451(wire: Wire, guest: Guest, size: int) -> None:
    path = sparse(guest, ENDLESS)
    begin(wire, "HASH sparse")
    os.truncate(path, size)
    assert wire.reply() == (451, "/sparse: The file became shorter while it was read.")


def test_file_that_changes_in_place_is_451(wire: Wire, guest: Guest) -> None:
    path = sparse(guest, LARGE)
    begin(wire, "XMD5 sparse")
    with path.open("r+b") as file:
        file.write(b"other")
    assert wire.reply() == (451, "/sparse: The file changed while it was read; try again later.")


# While it takes long.


def test_abor_stops_it_and_its_place_is_free(wire: Wire, guest: Guest, file: str) -> None:
    sparse(guest, ENDLESS)
    for _ in range(3):  # there are two places
        begin(wire, "HASH sparse")
        assert wire.ask("ABOR") == (426, "Transfer aborted.")
        assert wire.reply().code == 226
    assert wire.ask("XCRC file").code == 250


def test_noop_is_answered_and_other_commands_wait(wire: Wire, guest: Guest) -> None:
    sparse(guest, ENDLESS)
    begin(wire, "HASH sparse")
    assert wire.asks("NOOP", "PWD") == [200, 257]
    wire.send("DELE sparse\r\n")
    assert wire.ask("ABOR").code == 426
    assert wire.replies(2) == [226, 250]


def test_session_that_is_gone_leaves_its_place(guest: Guest, file: str) -> None:
    sparse(guest, ENDLESS)
    for _ in range(3):
        with Wire.of(guest) as leaving:
            begin(leaving, "HASH sparse")
    with Wire.of(guest) as wire:
        assert wire.ask("XCRC file").code == 250


@pytest.fixture
def crowd(guest: Guest) -> Iterator[list[Wire]]:
    """Six sessions that have endless files hashed, two at a time."""
    sparse(guest, ENDLESS)
    wires = [Wire.of(guest) for _ in range(6)]
    for wire in wires:
        wire.send("XSHA512 sparse\r\n")
    yield wires
    for wire in wires:
        assert wire.ask("ABOR").code == 426
        assert wire.reply().code == 226
        wire.control.close()


def test_other_sessions_are_served_while_many_have_files_hashed(crowd: list[Wire], guest: Guest, file: str) -> None:
    with Wire.of(guest) as wire:
        assert wire.asks("NOOP", "SIZE file") == [200, 213]
        assert wire.fetch("RETR file") == CONTENT
        assert wire.store("STOR other", CONTENT).code == 226


def test_those_that_wait_can_be_stopped(crowd: list[Wire]) -> None:
    assert [wire.asks("NOOP") for wire in crowd] == [[200]] * 6


def test_what_takes_longer_than_it_may_is_556(serve: Serve) -> None:
    server = serve({"ftp": {"hashes": {"max_time": 0.2}}})
    guest = server.add("ann")
    sparse(guest, ENDLESS)
    with Wire.of(guest) as wire:
        assert wire.ask("HASH sparse") == (556, "/sparse: Reading it takes longer than this server allows.")


def test_server_that_stops_ends_it(serve: Serve) -> None:
    server = serve({"process": {"stop": 0.2}})
    guest = server.add("ann")
    sparse(guest, ENDLESS)
    with Wire.of(guest) as wire:
        begin(wire, "HASH sparse")
        assert server.stop() == 0
        assert wire.replies(2) == [426, 421]


# A file system that may hang: nothing is read by descriptor.


@pytest.fixture
def distant(serve: Serve) -> Guest:
    server = serve({"storage": {"local": {"network_file_system": "yes"}}})
    return server.add("ann")


def test_hash_on_a_network_file_system_is_that_of_the_file(distant: Guest) -> None:
    (distant.home / "file").write_bytes(CONTENT)
    with Wire.of(distant) as wire:
        digest = hashlib.sha256(CONTENT).hexdigest()
        assert wire.ask("HASH file") == (213, f"SHA-256 0-{len(CONTENT) - 1} {digest} file")
        assert wire.ask('XCRC "file" 1000 2000000') == (250, f"{zlib.crc32(CONTENT[1000:2000000]):08X}")


def test_abor_stops_it_on_a_network_file_system_too(distant: Guest) -> None:
    sparse(distant, ENDLESS)
    with Wire.of(distant) as wire:
        for _ in range(3):
            begin(wire, "HASH sparse")
            assert wire.asks("NOOP", "ABOR") == [200, 426]
            assert wire.reply().code == 226


def test_file_that_changes_on_a_network_file_system_is_451(distant: Guest) -> None:
    path = sparse(distant, LARGE)
    with Wire.of(distant) as wire:
        begin(wire, "XMD5 sparse")
        with path.open("r+b") as file:
            file.write(b"other")
        assert wire.reply() == (451, "/sparse: The file changed while it was read; try again later.")


# The 226 of an upload.


@pytest.fixture
def dropper(serve: Serve) -> Iterator[Wire]:
    """A session that may store and not read, on a server that tells the digest of what is stored."""
    permissions = {"account": {"home": "/{name}", "permissions": ["create", "overwrite"]}}
    server = serve({"ftp": {"hashes": {"upload_digest": True, "max_bytes": LARGE}}, **permissions})
    with Wire.of(server.add("ann")) as wire:
        yield wire


def test_226_tells_the_digest_of_what_is_stored(dropper: Wire) -> None:
    code, words = dropper.store("STOR file", CONTENT)
    assert (code, words.endswith(f"; SHA-256 {hashlib.sha256(CONTENT).hexdigest()}.")) == (226, True)
    code, words = dropper.store("STOR file", b"")
    assert (code, hashlib.sha256(b"").hexdigest() in words) == (226, True)


def test_226_tells_no_digest_of_what_others_may_have_stored(dropper: Wire) -> None:
    assert "SHA-256" in dropper.store("STOR file", b"mine, ").text
    code, words = dropper.store("APPE file", b"and more")
    assert (code, "SHA-256" in words) == (226, False)


def test_226_comes_at_once_where_the_file_is_too_large_to_be_hashed(serve: Serve) -> None:
    server = serve({"ftp": {"hashes": {"upload_digest": True, "max_bytes": MIB}}})
    with Wire.of(server.add("ann")) as wire:
        code, words = wire.store("STOR file", CONTENT)
        assert (code, "SHA-256" in words) == (226, False)


def bytes_read(process: int) -> int:
    return int(Path(f"/proc/{process}/io").read_text().split()[1])


def test_abor_while_the_digest_is_made_is_226_for_the_file_is_stored(serve: Serve) -> None:
    server = serve({"ftp": {"hashes": {"upload_digest": True}}})
    guest = server.add("ann")
    path = sparse(guest, ENDLESS, "file")
    with Wire.of(guest) as wire:
        assert wire.ask(f"REST {ENDLESS}").code == 350
        with wire.data() as data:
            assert wire.ask("STOR file").code == 150
            data.sendall(b"the end")
        read = (bytes_read(server.process.pid) for _ in range(MOST_LOOKS * 100))
        before = next(read)
        assert any(now > before + MIB for now in read)  # it is being hashed, and so it is stored
        assert path.stat().st_size == ENDLESS + len(b"the end")
        code, words = wire.ask("ABOR")
        assert (code, "SHA-256" in words) == (226, False)
        assert wire.reply().code == 226
