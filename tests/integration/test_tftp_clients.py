"""Files over TFTP, both ways, with every real client: sizes at the edges, both modes, every option that they have, both families.

Apart from the dialogues of `test_tftp_wire`, which no real client leads.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.clients import Program
from tests.integration.tftp_clients import ALL, SIX, Atftp, Busybox, Curl, TftpClient, TftpHpa, Tftpy, Wishes
from tests.integration.tftp_server import Shelf, TftpServer

SIZES: Final = [0, 1, 511, 512, 513, 1024 * 1024]
NAMES: Final = ["0B", "1B", "511B", "512B", "513B", "1MiB"]
TEXT: Final = b"one\ntwo\r\nthree\rfour\r\0five\n" * 200 + b"the end\r"  # more than a block: a line end lies across two
NETASCII: Final = b"one\r\ntwo\r\0\r\nthree\r\0four\r\0\0five\r\n" * 200 + b"the end\r\0"
Use = Callable[[type[Any]], Any]


@pytest.fixture(params=ALL, ids=lambda client: str(client.name))
def client(request: pytest.FixtureRequest, program: Program, tftp_server: TftpServer, tmp_path: Path) -> TftpClient:
    made: TftpClient = request.param(program, tftp_server.guest(), tmp_path)
    return made


@pytest.fixture(params=SIX, ids=lambda client: str(client.name))
def client6(
    request: pytest.FixtureRequest, program: Program, tftp_server: TftpServer, has_ipv6: bool, tmp_path: Path
) -> TftpClient:
    if not has_ipv6:
        pytest.skip("machine: no IPv6 on loopback")
    made: TftpClient = request.param(program, tftp_server.guest(1), tmp_path)
    return made


@pytest.fixture
def use(program: Program, tftp_server: TftpServer, tmp_path: Path) -> Use:
    """Make one certain client."""
    return lambda kind: kind(program, tftp_server.guest(), tmp_path)


def transferred(server: TftpServer, command: str, remote: str) -> re.Match[str]:
    """Return what the log says of the transfer of *remote*: `options`, and how many packets were sent `again`."""
    pattern = rf"{command} /{re.escape(remote)} \d+ bytes [\d.]+ s finished +\(\d+ blocks, (?P<again>\d+) sent again(?:, )?(?P<options>.*)\)"
    return server.wait_for(pattern)


# Sizes.


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_what_is_fetched_is_what_lies_there(client: TftpClient, shelf: Shelf, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    client.fetch(shelf.put("file", content), tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == content


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_what_is_stored_is_what_was_sent(client: TftpClient, shelf: Shelf, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "local").write_bytes(content)
    client.store(tmp_path / "local", shelf.remote("file"))
    assert shelf.content("file") == content
    assert shelf.names() == ["file"]


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_what_is_fetched_over_ipv6_is_what_lies_there(client6: TftpClient, shelf: Shelf, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    client6.fetch(shelf.put("file", content), tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == content


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_what_is_stored_over_ipv6_is_what_was_sent(client6: TftpClient, shelf: Shelf, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "local").write_bytes(content)
    client6.store(tmp_path / "local", shelf.remote("file"))
    assert shelf.content("file") == content


# More blocks than sixteen bits can count: the number behind 65535 is 0.

MANY: Final = os.urandom(65_540 * 8 + 3)  # in blocks of 8 bytes, the least that there is
MANY_OF_64: Final = MANY * 8  # for busybox, whose request has to fit into a block
MANY_OF_512: Final = MANY * 64  # for the client that cannot ask for other ones


@pytest.mark.parametrize(
    ("kind", "wishes", "content"),
    [
        pytest.param(Curl, Wishes(block_size=8), MANY, id="curl"),
        pytest.param(TftpHpa, Wishes(), MANY_OF_512, id="tftp"),
        pytest.param(Atftp, Wishes(block_size=8, window=16), MANY, id="atftp"),
        pytest.param(Busybox, Wishes(block_size=64), MANY_OF_64, id="busybox"),
        pytest.param(Tftpy, Wishes(block_size=8), MANY, id="tftpy"),
    ],
)
class TestMoreBlocksThanNumbers:
    def test_fetched(self, use: Use, shelf: Shelf, tmp_path: Path, kind: type[TftpClient], wishes: Wishes, content: bytes) -> None:
        use(kind).fetch(shelf.put("file", content), tmp_path / "fetched", wishes)
        assert (tmp_path / "fetched").read_bytes() == content

    def test_stored(self, use: Use, shelf: Shelf, tmp_path: Path, kind: type[TftpClient], wishes: Wishes, content: bytes) -> None:
        (tmp_path / "local").write_bytes(content)
        use(kind).store(tmp_path / "local", shelf.remote("file"), wishes)
        assert shelf.content("file") == content


# Blocks so large that they are sent from the page cache, of a file that is mapped in two parts.


@pytest.mark.parametrize(
    ("kind", "wishes"),
    [
        pytest.param(Curl, Wishes(block_size=65464), id="curl"),
        pytest.param(Atftp, Wishes(block_size=65464, window=2), id="atftp-windows"),
        pytest.param(Atftp, Wishes(block_size=32768), id="atftp-whole-pages"),
    ],
)
@pytest.mark.parametrize("size", [20 * 1024 * 1024 + 5, 20 * 1024 * 1024])
def test_large_blocks_of_a_large_file(
    use: Use, shelf: Shelf, tmp_path: Path, kind: type[TftpClient], wishes: Wishes, size: int
) -> None:
    content = os.urandom(size)
    use(kind).fetch(shelf.put("file", content), tmp_path / "fetched", wishes)
    assert (tmp_path / "fetched").read_bytes() == content


# Options: the log tells those that were granted.


@pytest.mark.parametrize(
    ("kind", "wishes", "fetching", "storing"),
    [
        pytest.param(Curl, Wishes(), "tsize=5000 blksize=512 timeout=6", "tsize=5000 blksize=512 timeout=6", id="curl"),
        pytest.param(
            Curl,
            Wishes(block_size=1428),
            "tsize=5000 blksize=1428 timeout=6",
            "tsize=5000 blksize=1428 timeout=6",
            id="curl-blksize",
        ),
        pytest.param(TftpHpa, Wishes(), "", "", id="tftp"),
        pytest.param(Atftp, Wishes(), "", "", id="atftp"),
        pytest.param(Atftp, Wishes(block_size=65464), "blksize=65464", "blksize=65464", id="atftp-blksize"),
        pytest.param(Atftp, Wishes(window=3), "windowsize=3", "windowsize=3", id="atftp-windowsize"),
        pytest.param(Atftp, Wishes(window=1000), "windowsize=64", "windowsize=64", id="atftp-large-windowsize"),
        pytest.param(Atftp, Wishes(timeout=2), "timeout=2", "timeout=2", id="atftp-timeout"),
        pytest.param(Atftp, Wishes(is_size_asked=True), "tsize=5000", "tsize=5000", id="atftp-tsize"),
        pytest.param(
            Atftp,
            Wishes(block_size=1428, window=16, timeout=3, is_size_asked=True),
            "tsize=5000 timeout=3 blksize=1428 windowsize=16",
            "tsize=5000 timeout=3 blksize=1428 windowsize=16",
            id="atftp-all",
        ),
        pytest.param(Busybox, Wishes(), "tsize=5000", "tsize=5000", id="busybox"),
        pytest.param(Busybox, Wishes(block_size=1428), "blksize=1428 tsize=5000", "blksize=1428 tsize=5000", id="busybox-blksize"),
        pytest.param(Tftpy, Wishes(), "", "", id="tftpy"),
        pytest.param(
            Tftpy, Wishes(block_size=1428, is_size_asked=True), "blksize=1428 tsize=5000", "blksize=1428 tsize=0", id="tftpy-all"
        ),
    ],
)
def test_every_option_that_a_client_has_is_granted(
    use: Use, shelf: Shelf, tmp_path: Path, kind: type[TftpClient], wishes: Wishes, fetching: str, storing: str
) -> None:
    content = os.urandom(5000)
    made = use(kind)
    made.fetch(shelf.put("there", content), tmp_path / "fetched", wishes)
    made.store(tmp_path / "fetched", shelf.remote("here"), wishes)
    assert shelf.content("here") == content
    assert transferred(shelf.server, "RRQ", shelf.remote("there"))["options"] == fetching
    assert transferred(shelf.server, "WRQ", shelf.remote("here"))["options"] == storing


def test_curl_without_options(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    curl = use(Curl)
    curl.curl("--tftp-no-options", "--output", tmp_path / "fetched", curl.url(shelf.put("there", TEXT)))
    curl.curl("--tftp-no-options", "--upload-file", tmp_path / "fetched", curl.url(shelf.remote("here")))
    assert shelf.content("here") == TEXT
    assert transferred(shelf.server, "RRQ", shelf.remote("there"))["options"] == ""


def test_atftp_that_writes_a_word_for_the_size_gets_its_file(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    asking = ("--option", "tsize enable")  # as its manual has it; it sends the word
    use(Atftp).atftp("--get", *asking, "--remote-file", shelf.put("file", TEXT), "--local-file", tmp_path / "fetched")
    assert (tmp_path / "fetched").read_bytes() == TEXT
    assert transferred(shelf.server, "RRQ", shelf.remote("file"))["options"] == ""


# Netascii: on the wire a line ends in CR LF, and CR alone is CR NUL (RFC 764).


@pytest.mark.parametrize("kind", [TftpHpa, Atftp])
def test_text_is_fetched_as_it_lies_there(use: Use, shelf: Shelf, tmp_path: Path, kind: type[TftpClient]) -> None:
    use(kind).fetch(shelf.put("file", TEXT), tmp_path / "fetched", mode="netascii")
    assert (tmp_path / "fetched").read_bytes() == TEXT


@pytest.mark.parametrize("kind", [TftpHpa, Atftp])
def test_text_is_stored_as_it_lies_here(use: Use, shelf: Shelf, tmp_path: Path, kind: type[TftpClient]) -> None:
    (tmp_path / "local").write_bytes(TEXT)
    use(kind).store(tmp_path / "local", shelf.remote("file"), mode="netascii")
    assert shelf.content("file") == TEXT


def test_curl_which_converts_nothing_gets_text_as_it_is_on_the_wire(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    use(Curl).fetch(shelf.put("file", TEXT), tmp_path / "fetched", mode="netascii")
    assert (tmp_path / "fetched").read_bytes() == NETASCII


def test_text_from_curl_which_converts_nothing_is_converted(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    (tmp_path / "local").write_bytes(NETASCII)
    use(Curl).store(tmp_path / "local", shelf.remote("file"), mode="netascii")
    assert shelf.content("file") == TEXT


# Refusals, as the user sees them.


def test_curl_is_told_that_a_file_is_missing(use: Use, shelf: Shelf) -> None:
    curl = use(Curl)
    assert curl.curl(curl.url(shelf.remote("missing")), is_ok=False).returncode == 68  # CURLE_TFTP_NOTFOUND


def test_tftp_hpa_is_told_that_a_file_is_missing(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    assert use(TftpHpa).tftp("get", shelf.remote("missing"), tmp_path / "fetched") == "Error code 1: No such file or directory"


def test_atftp_is_told_that_a_file_is_missing(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    done = use(Atftp).atftp("--get", "-r", shelf.remote("missing"), "-l", tmp_path / "fetched", is_ok=False)
    assert done.returncode == 255
    assert b"error received from server <No such file or directory>" in done.stderr


def test_busybox_is_told_that_a_file_is_missing(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    done = use(Busybox).tftp("-g", "-r", shelf.remote("missing"), "-l", tmp_path / "fetched", is_ok=False)
    assert done.returncode == 1
    assert b"server error: (1) No such file or directory" in done.stderr


def test_tftpy_is_told_that_a_file_is_missing(use: Use, shelf: Shelf, tmp_path: Path) -> None:
    done = use(Tftpy).tftpy("download", shelf.remote("missing"), tmp_path / "fetched", is_ok=False)
    assert b"TftpFileNotFoundError" in done.stderr
