"""TYPE, STRU and MODE over real connections: what a client of each sees, resumption from markers, ends that are none."""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.clients import Lftp, Program
from tests.integration.conftest import Serve
from tests.integration.live import Guest
from tests.integration.wire import Wire, read_all

EOR, EOF, SUSPECT, MARKER = 128, 64, 32, 16
TEXT = b"first line\nsecond line\r\nthird \xff line without an end"
BINARY = bytes(range(256)) * 3000 + b"\n\r\r\n\xff\xff"


@pytest.fixture
def ann(serve: Serve) -> Guest:
    return serve({"ftp": {"deflate": {"enabled": True}, "marker_bytes": "64 KiB"}}).add("ann")


@pytest.fixture
def wire(ann: Guest) -> Iterator[Wire]:
    with Wire.of(ann) as wire:
        yield wire


# A client's side of MODE B, as RFC 959 3.4.2 has it.


def block(descriptor: int, data: bytes) -> bytes:
    return struct.pack(">BH", descriptor, len(data)) + data


def blocks(stream: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place < len(stream):
        descriptor, count = struct.unpack_from(">BH", stream, place)
        place += 3
        assert place + count <= len(stream), "a block is cut off"
        yield descriptor, stream[place : place + count]
        place += count


def content_of(stream: bytes) -> bytes:
    """Return the file, and demand exactly one EOF, at the end."""
    found = list(blocks(stream))
    assert [bool(descriptor & EOF) for descriptor, _ in found] == [False] * (len(found) - 1) + [True]
    return b"".join(data for descriptor, data in found if not descriptor & MARKER)


@pytest.mark.parametrize("content", [b"", b"x", TEXT, BINARY], ids=["empty", "byte", "text", "binary"])
def test_blocks_both_ways(wire: Wire, ann: Guest, content: bytes) -> None:
    assert wire.ask("MODE B").code == 200
    pieces = [content[start : start + 5000] for start in range(0, len(content), 5000)]
    stream = b"".join(block(0, piece) for piece in pieces) + block(EOF, b"")
    assert wire.store("STOR file", stream).code == 226
    assert (ann.home / "file").read_bytes() == content
    assert content_of(wire.fetch("RETR file")) == content


@pytest.mark.parametrize("content", [b"", b"x", TEXT, BINARY, b"\0" * 5_000_000], ids=["empty", "byte", "text", "binary", "zeros"])
def test_deflate_both_ways(wire: Wire, ann: Guest, content: bytes) -> None:
    assert wire.ask("MODE Z").code == 200
    assert wire.store("STOR file", zlib.compress(content)).code == 226
    assert (ann.home / "file").read_bytes() == content
    assert zlib.decompress(wire.fetch("RETR file")) == content


def test_listing_is_in_the_mode_that_is_set(wire: Wire, ann: Guest) -> None:
    (ann.home / "file").write_bytes(b"12345")
    assert wire.asks("TYPE A", "MODE Z") == [200, 200]
    assert b" 5 " in zlib.decompress(wire.fetch("LIST"))
    assert wire.ask("MODE B").code == 200
    assert content_of(wire.fetch("NLST")) == b"file\r\n"
    assert wire.asks("MODE S", "TYPE E") == [200, 200]
    assert wire.fetch("NLST").translate(bytes.maketrans(b"\x15", b"\x25")).decode("cp037") == "file\n"


def test_ebcdic_both_ways(wire: Wire, ann: Guest) -> None:
    assert wire.ask("TYPE E").code == 200
    assert wire.store("STOR file", "Grüße".encode("cp037") + b"\x15").code == 226
    assert (ann.home / "file").read_bytes() == "Grüße\n".encode("latin-1")
    assert wire.fetch("RETR file") == "Grüße".encode("cp037") + b"\x15"


def test_every_byte_survives_ebcdic(wire: Wire, ann: Guest) -> None:
    assert wire.ask("TYPE E").code == 200
    (ann.home / "file").write_bytes(BINARY)
    assert wire.store("STOR copy", wire.fetch("RETR file")).code == 226
    assert (ann.home / "copy").read_bytes() == BINARY


def test_records_are_lines(wire: Wire, ann: Guest) -> None:
    assert wire.ask("STRU R").code == 200
    assert wire.store("STOR file", b"one\xff\x01two \xff\xff\xff\x01three\xff\x02").code == 226
    assert (ann.home / "file").read_bytes() == b"one\ntwo \xff\nthree"
    assert wire.fetch("RETR file") == b"one\xff\x01two \xff\xff\xff\x01three\xff\x02"


@pytest.mark.parametrize(
    "words", list(itertools.product(["TYPE A", "TYPE E", "TYPE I"], ["STRU F", "STRU R"], ["MODE S", "MODE B", "MODE C", "MODE Z"]))
)
def test_every_combination_gives_back_what_it_took(wire: Wire, ann: Guest, words: tuple[str, ...]) -> None:
    (ann.home / "file").write_bytes(TEXT.replace(b"\r\n", b"\n") * 9000)
    assert wire.asks(*words) == [200, 200, 200]
    stream = wire.fetch("RETR file")
    reply = wire.store("STOR copy", stream)
    while reply.code == 110:  # what the server has marked in the download, it confirms in the upload
        reply = wire.reply()
    assert reply.code == 226, reply
    assert (ann.home / "copy").read_bytes() == (ann.home / "file").read_bytes()


# Restart markers.


def test_download_goes_on_from_a_marker(wire: Wire, ann: Guest) -> None:
    (ann.home / "file").write_bytes(BINARY)
    assert wire.ask("MODE B").code == 200
    got = b""
    for descriptor, data in blocks(wire.fetch("RETR file")):
        if descriptor & MARKER:
            marker = data
            break
        got += data
    assert wire.ask(b"REST " + marker).code == 350
    rest = content_of(wire.fetch("RETR file"))
    assert got + rest == BINARY


def test_upload_goes_on_from_a_marker_that_was_confirmed(wire: Wire, ann: Guest) -> None:
    assert wire.ask("MODE B").code == 200
    with wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(block(0, BINARY[:50_000]) + block(MARKER, b"here") + block(0, BINARY[50_000:90_000]))
        confirmed = wire.reply()
        assert (confirmed.code, confirmed.text) == (110, "MARK here = 50000")
    assert wire.reply().code == 426  # closed without EOF
    assert not (ann.home / "file").exists()
    assert wire.ask("REST 50000").code == 350
    rest = [block(0, BINARY[start : start + 50_000]) for start in range(50_000, len(BINARY), 50_000)]
    assert wire.store("STOR file", b"".join(rest) + block(EOF, b"")).code == 226
    assert (ann.home / "file").read_bytes() == BINARY


# Ends that are none.


@pytest.mark.parametrize(
    ("words", "stream"),
    [
        ("MODE B", block(0, b"content")),
        ("MODE B", block(0, b"content")[:-1]),
        ("MODE B", b"\x00"),
        ("MODE B", block(SUSPECT, b"content") + block(EOF, b"")),
        ("MODE B", block(EOF, b"content") + b"more"),
        ("MODE C", b"\x07content"),
        ("MODE C", b"\x00\x40\x07cont"),
        ("STRU R", b"content"),
        ("STRU R", b"content\xff"),
        ("STRU R", b"content\xff\x07"),
        ("MODE Z", zlib.compress(b"content")[:-1]),
        ("MODE Z", b"content"),
        ("MODE Z", zlib.compress(b"content") + b"more"),
        ("MODE Z", b""),
    ],
)
def test_upload_that_is_not_whole_is_426_and_not_published(wire: Wire, ann: Guest, words: str, stream: bytes) -> None:
    assert wire.ask(words).code == 200
    reply = wire.store("STOR file", stream)
    assert reply.code == 426, reply
    assert not (ann.home / "file").exists()
    assert wire.ask("NOOP").code == 200


def test_upload_that_unpacks_beyond_the_ratio_is_refused(wire: Wire, ann: Guest) -> None:
    assert wire.ask("MODE Z").code == 200
    with wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(zlib.compress(b"\0" * 100_000_000))
    reply = wire.reply()
    assert (reply.code, "250" in reply.text) == (426, True), reply
    assert not (ann.home / "file").exists()


def test_client_that_leaves_the_connection_open_behind_eof_hears_226(wire: Wire, ann: Guest) -> None:
    assert wire.ask("MODE B").code == 200
    with wire.data() as data:
        assert wire.ask("STOR file").code == 150
        data.sendall(block(0, b"content") + block(EOF, b""))
        assert wire.reply().code == 226
        assert data.recv(1) == b""  # 226 says that it closes
    assert (ann.home / "file").read_bytes() == b"content"


def test_abort_of_a_converted_download(wire: Wire, ann: Guest) -> None:
    (ann.home / "file").write_bytes(bytes(50_000_000))
    assert wire.asks("MODE C", "TYPE A") == [200, 200]
    with wire.data() as data:
        assert wire.ask("RETR file").code == 150
        data.recv(10)
        wire.send(b"ABOR\r\n")
        read_all(data)
    assert wire.replies(2) in ([426, 226], [226, 225], [226, 226])


# Clients.


@pytest.mark.parametrize("size", [0, 1, 1_000_003])
def test_lftp_in_mode_z(ann: Guest, program: Program, tmp_path: Path, size: int) -> None:
    content = (b"some line of a log file, again and again\n" * (size // 40 + 1))[:size]
    (tmp_path / "up").write_bytes(content)
    lftp = Lftp(program, ann, tmp_path)
    lftp.lftp("set ftp:use-mode-z yes", f"put {tmp_path}/up -o file", f"get file -o {tmp_path}/down", "ls")
    assert (ann.home / "file").read_bytes() == content
    assert (tmp_path / "down").read_bytes() == content
