"""Single files, both ways, with every client: whole, resumed, appended, as text, over each kind of data connection.

Apart from trees of files, where listings count.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.clients import ALL, UPLOADERS, Client, Curl, Ftplib, Lftp, Ncftp, Program, Tnftp, Wget
from tests.integration.live import Guest
from tests.integration.wire import Wire

SIZES: Final = [0, 1, 65537, 50 * 1024 * 1024]
NAMES: Final = ["0B", "1B", "64KiB+1", "50MiB"]
WHOLE: Final = os.urandom(300_000)
PART: Final = 100_001
TEXT: Final = b"one\n\ntwo\rhalf\n\x00three\nno end"
NETWORK_TEXT: Final = b"one\r\n\r\ntwo\rhalf\r\n\x00three\r\nno end"


@pytest.fixture(params=ALL, ids=lambda client: str(client.name))
def client(request: pytest.FixtureRequest, program: Program, guest: Guest, tmp_path: Path) -> Client:
    made: Client = request.param(program, guest, tmp_path)
    return made


@pytest.fixture(params=UPLOADERS, ids=lambda client: str(client.name))
def uploader(request: pytest.FixtureRequest, program: Program, guest: Guest, tmp_path: Path) -> Client:
    made: Client = request.param(program, guest, tmp_path)
    return made


@pytest.fixture
def use(program: Program, guest: Guest, tmp_path: Path) -> Callable[[type[Any]], Any]:
    """Make one certain client for the guest."""
    return lambda kind: kind(program, guest, tmp_path)


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# Whole files.


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_downloaded_file_is_the_file(client: Client, guest: Guest, tmp_path: Path, size: int) -> None:
    (guest.home / "remote.bin").write_bytes(os.urandom(size))
    client.fetch("remote.bin", tmp_path / "local.bin")
    assert digest(tmp_path / "local.bin") == digest(guest.home / "remote.bin")


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_uploaded_file_is_the_file(uploader: Client, guest: Guest, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "local.bin").write_bytes(content)
    uploader.store(tmp_path / "local.bin", "remote.bin")
    assert digest(guest.home / "remote.bin") == hashlib.sha256(content).hexdigest()
    assert os.listdir(guest.home) == ["remote.bin"]


def test_upload_replaces_a_longer_file(uploader: Client, guest: Guest, tmp_path: Path) -> None:
    (guest.home / "remote.bin").write_bytes(b"x" * 1000)
    os.utime(guest.home / "remote.bin", (0, 0))  # older than what is stored: rclone and ncftp compare
    (tmp_path / "local.bin").write_bytes(b"short")
    uploader.store(tmp_path / "local.bin", "remote.bin")
    assert (guest.home / "remote.bin").read_bytes() == b"short"


# Kinds of data connections.


@pytest.mark.parametrize(
    "options",
    [("--ftp-pasv", "--disable-epsv"), ("--ftp-pasv",), ("-P", "-", "--disable-eprt"), ("-P", "-")],
    ids=["PASV", "EPSV", "PORT", "EPRT"],
)
def test_curl_both_ways(use: Callable[[type[Curl]], Curl], guest: Guest, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "up").write_bytes(WHOLE)
    curl = use(Curl)
    curl.curl(*options, "-T", tmp_path / "up", guest.url("file"))
    curl.curl(*options, "-o", tmp_path / "down", guest.url("file"))
    assert (tmp_path / "down").read_bytes() == WHOLE


@pytest.mark.parametrize("options", [("--ftp-pasv",), ("-P", "-")], ids=["EPSV", "EPRT"])
def test_curl_both_ways_over_ipv6(program: Program, guest6: Guest, tmp_path: Path, options: tuple[str, ...]) -> None:
    (tmp_path / "up").write_bytes(WHOLE)
    curl = Curl(program, guest6._replace(host="[::1]"), tmp_path)
    curl.curl(*options, "-T", tmp_path / "up", curl.guest.url("file"))
    curl.curl(*options, "-o", tmp_path / "down", curl.guest.url("file"))
    assert (tmp_path / "down").read_bytes() == WHOLE


@pytest.mark.parametrize("passive", ["true", "false"], ids=["EPSV", "EPRT"])
def test_lftp_both_ways_over_ipv6(program: Program, guest6: Guest, tmp_path: Path, passive: str) -> None:
    (tmp_path / "up").write_bytes(WHOLE)
    Lftp(program, guest6, tmp_path).lftp(f"set ftp:passive-mode {passive}", "put up -o file", "get file -o down")
    assert (tmp_path / "down").read_bytes() == WHOLE


def test_lftp_both_ways_in_active_mode(use: Callable[[type[Lftp]], Lftp], tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(WHOLE)
    use(Lftp).lftp("set ftp:passive-mode false", "put up -o file", "get file -o down")
    assert (tmp_path / "down").read_bytes() == WHOLE


@pytest.mark.parametrize("option", ["-E", "-F"], ids=["PORT", "PASV"])
def test_ncftp_both_ways(use: Callable[[type[Ncftp]], Ncftp], tmp_path: Path, option: str) -> None:
    ncftp = use(Ncftp)
    (tmp_path / "file").write_bytes(WHOLE)
    ncftp.ncftp("ncftpput", option, "127.0.0.1", "/", "file")
    (tmp_path / "file").unlink()
    ncftp.ncftp("ncftpget", option, "127.0.0.1", ".", "/file")
    assert (tmp_path / "file").read_bytes() == WHOLE


@pytest.mark.parametrize("option", ["-A", "-p"], ids=["active", "passive"])
def test_tnftp_both_ways(use: Callable[[type[Tnftp]], Tnftp], tmp_path: Path, option: str) -> None:
    (tmp_path / "up").write_bytes(WHOLE)
    use(Tnftp).tnftp("put up file", "get file down", options=(option,))
    assert (tmp_path / "down").read_bytes() == WHOLE


def test_wget_in_active_mode(use: Callable[[type[Wget]], Wget], guest: Guest, tmp_path: Path) -> None:
    (guest.home / "file").write_bytes(WHOLE)
    use(Wget).wget("--no-passive-ftp", "-O", "down", guest.url("file"))
    assert (tmp_path / "down").read_bytes() == WHOLE


@pytest.mark.parametrize("is_passive", [True, False], ids=["EPSV", "EPRT"])
def test_ftplib_both_ways_over_ipv6(program: Program, guest6: Guest, tmp_path: Path, is_passive: bool) -> None:
    received: list[bytes] = []
    (tmp_path / "up").write_bytes(WHOLE)
    with Ftplib(program, guest6, tmp_path).connect() as ftp, (tmp_path / "up").open("rb") as file:
        ftp.set_pasv(is_passive)
        ftp.storbinary("STOR file", file)
        ftp.retrbinary("RETR file", received.append)
    assert b"".join(received) == WHOLE


def test_ftplib_in_active_mode(use: Callable[[type[Ftplib]], Ftplib], guest: Guest) -> None:
    (guest.home / "file").write_bytes(WHOLE)
    received: list[bytes] = []
    with use(Ftplib).connect() as ftp:
        ftp.set_pasv(False)
        ftp.retrbinary("RETR file", received.append)
    assert b"".join(received) == WHOLE


# Resumed downloads.


@pytest.fixture
def half_fetched(guest: Guest, tmp_path: Path) -> Path:
    """A remote `file`, of which `tmp_path/file` has the first part only, as if cut off; the part is newer, as it is after a cut."""
    (guest.home / "file").write_bytes(WHOLE)
    os.utime(guest.home / "file", (1_000_000_000, 1_000_000_000))
    (tmp_path / "file").write_bytes(WHOLE[:PART])
    return tmp_path / "file"


def test_curl_resumes_a_download(use: Callable[[type[Curl]], Curl], guest: Guest, half_fetched: Path) -> None:
    use(Curl).curl("-C", "-", "-o", half_fetched, guest.url("file"))
    assert half_fetched.read_bytes() == WHOLE


def test_lftp_resumes_a_download(use: Callable[[type[Lftp]], Lftp], half_fetched: Path) -> None:
    use(Lftp).lftp("set xfer:clobber true", f"get -c file -o {half_fetched}")
    assert half_fetched.read_bytes() == WHOLE


def test_ncftp_resumes_a_download(use: Callable[[type[Ncftp]], Ncftp], half_fetched: Path) -> None:
    use(Ncftp).ncftp("ncftpget", "-z", "127.0.0.1", ".", "/file")
    assert half_fetched.read_bytes() == WHOLE


def test_tnftp_resumes_a_download(use: Callable[[type[Tnftp]], Tnftp], half_fetched: Path) -> None:
    use(Tnftp).tnftp("reget file")
    assert half_fetched.read_bytes() == WHOLE


def test_wget_resumes_a_download(use: Callable[[type[Wget]], Wget], guest: Guest, half_fetched: Path) -> None:
    use(Wget).wget("-c", guest.url("file"))
    assert half_fetched.read_bytes() == WHOLE


def test_ftplib_resumes_a_download(use: Callable[[type[Ftplib]], Ftplib], half_fetched: Path) -> None:
    with use(Ftplib).connect() as ftp, half_fetched.open("ab") as file:
        ftp.retrbinary("RETR file", file.write, rest=PART)
    assert half_fetched.read_bytes() == WHOLE


def test_curl_fetches_a_range(use: Callable[[type[Curl]], Curl], guest: Guest) -> None:
    (guest.home / "file").write_bytes(WHOLE)
    assert use(Curl).curl("-r", "1000-1999", guest.url("file")).stdout == WHOLE[1000:2000]


# Resumed uploads: of a published file that is too short, and of what a cut connection left.


@pytest.fixture(params=["published", "cut"])
def half_stored(request: pytest.FixtureRequest, guest: Guest, tmp_path: Path) -> Path:
    """The whole `tmp_path/file`, of which the server has the first part."""
    if request.param == "published":
        (guest.home / "file").write_bytes(WHOLE[:PART])
    else:
        cut_upload(guest, "file", WHOLE[:PART])
        assert not (guest.home / "file").exists()
    (tmp_path / "file").write_bytes(WHOLE)
    return guest.home / "file"


def cut_upload(guest: Guest, name: str, content: bytes) -> None:
    """Begin to store *content*, and vanish with both connections once the server has it all."""
    with Wire.of(guest) as wire, wire.data() as data:
        assert wire.ask(f"STOR {name}").code == 150
        data.sendall(content)
        status = f"{len(content)} bytes"
        assert any(status in wire.ask("STAT").text for _ in range(1000))
        assert wire.ask("ABOR").code == 426


def test_curl_resumes_an_upload(use: Callable[[type[Curl]], Curl], guest: Guest, half_stored: Path) -> None:
    use(Curl).curl("-C", "-", "-T", "file", guest.url("file"))
    assert half_stored.read_bytes() == WHOLE


def test_lftp_resumes_an_upload(use: Callable[[type[Lftp]], Lftp], half_stored: Path) -> None:
    use(Lftp).lftp("put -c file")
    assert half_stored.read_bytes() == WHOLE


def test_ncftp_resumes_an_upload(use: Callable[[type[Ncftp]], Ncftp], guest: Guest, tmp_path: Path) -> None:
    # A small file: ncftp 3.2.6 sends larger ones with sendfile(2), and then from their beginning, whatever REST it asked for.
    (guest.home / "file").write_bytes(WHOLE[:100])
    (tmp_path / "file").write_bytes(WHOLE[:150])
    use(Ncftp).ncftp("ncftpput", "-z", "127.0.0.1", "/", "file")
    assert (guest.home / "file").read_bytes() == WHOLE[:150]


def test_tnftp_resumes_an_upload(use: Callable[[type[Tnftp]], Tnftp], half_stored: Path) -> None:
    use(Tnftp).tnftp(f"restart {PART}", "put file")
    assert half_stored.read_bytes() == WHOLE


def test_ftplib_resumes_an_upload(use: Callable[[type[Ftplib]], Ftplib], half_stored: Path, tmp_path: Path) -> None:
    with use(Ftplib).connect() as ftp, (tmp_path / "file").open("rb") as file:
        file.seek(PART)
        ftp.storbinary("STOR file", file, rest=PART)
    assert half_stored.read_bytes() == WHOLE


# Appending.


def test_curl_appends(use: Callable[[type[Curl]], Curl], guest: Guest, tmp_path: Path) -> None:
    (guest.home / "log").write_bytes(b"first\n")
    (tmp_path / "more").write_bytes(b"second\n")
    use(Curl).curl("--append", "-T", "more", guest.url("log"))
    assert (guest.home / "log").read_bytes() == b"first\nsecond\n"


def test_ncftp_appends(use: Callable[[type[Ncftp]], Ncftp], guest: Guest, tmp_path: Path) -> None:
    (guest.home / "log").write_bytes(b"first\n")
    (tmp_path / "log").write_bytes(b"second\n")
    use(Ncftp).ncftp("ncftpput", "-A", "127.0.0.1", "/", "log")
    assert (guest.home / "log").read_bytes() == b"first\nsecond\n"


def test_tnftp_appends_to_a_new_file(use: Callable[[type[Tnftp]], Tnftp], guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "more").write_bytes(b"first\n")
    use(Tnftp).tnftp("append more log")
    assert (guest.home / "log").read_bytes() == b"first\n"


# Text.


def test_text_is_sent_with_network_line_ends(wire: Wire, guest: Guest) -> None:
    (guest.home / "text").write_bytes(TEXT)
    assert wire.ask("TYPE A").code == 200
    assert wire.fetch("RETR text") == NETWORK_TEXT


def test_text_is_stored_with_our_line_ends(wire: Wire, guest: Guest) -> None:
    assert wire.ask("TYPE A").code == 200
    assert wire.store("STOR text", NETWORK_TEXT).code == 226
    assert (guest.home / "text").read_bytes() == TEXT


def test_curl_fetches_text(use: Callable[[type[Curl]], Curl], guest: Guest) -> None:
    (guest.home / "text").write_bytes(b"one\n\ntwo\nno end")
    assert use(Curl).curl(guest.url("text;type=a")).stdout == b"one\n\ntwo\nno end"  # curl undoes the network's line ends


def test_curl_stores_text_with_our_line_ends(use: Callable[[type[Curl]], Curl], guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(TEXT)
    use(Curl).curl("--use-ascii", "--crlf", "-T", "text", guest.url("text"))
    assert (guest.home / "text").read_bytes() == TEXT


def test_lftp_text_is_the_same_after_both_ways(use: Callable[[type[Lftp]], Lftp], guest: Guest, tmp_path: Path) -> None:
    text = b"".join(b"line %d\n" % number for number in range(20_000))  # many pieces: line ends on their borders
    (tmp_path / "up").write_bytes(text)
    use(Lftp).lftp("put -a up -o text", "get -a text -o down")
    assert (guest.home / "text").read_bytes() == text
    assert (tmp_path / "down").read_bytes() == text


def test_ncftp_text_is_the_same_after_both_ways(use: Callable[[type[Ncftp]], Ncftp], guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"one\ntwo\n")
    ncftp = use(Ncftp)
    ncftp.ncftp("ncftpput", "-a", "127.0.0.1", "/", "text")
    assert (guest.home / "text").read_bytes() == b"one\ntwo\n"
    (tmp_path / "text").unlink()
    ncftp.ncftp("ncftpget", "-a", "127.0.0.1", ".", "/text")
    assert (tmp_path / "text").read_bytes() == b"one\ntwo\n"


def test_tnftp_text_is_the_same_after_both_ways(use: Callable[[type[Tnftp]], Tnftp], guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"one\ntwo\n")
    use(Tnftp).tnftp("ascii", "put up text", "get text down")
    assert (guest.home / "text").read_bytes() == b"one\ntwo\n"
    assert (tmp_path / "down").read_bytes() == b"one\ntwo\n"


def test_ftplib_text_is_the_same_after_both_ways(use: Callable[[type[Ftplib]], Ftplib], guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(b"one\ntwo\n")
    received: list[str] = []
    with use(Ftplib).connect() as ftp, (tmp_path / "up").open("rb") as file:
        ftp.storlines("STOR text", file)
        ftp.retrlines("RETR text", received.append)
    assert (guest.home / "text").read_bytes() == b"one\ntwo\n"
    assert received == ["one", "two"]
