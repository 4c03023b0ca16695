"""Files and trees over TLS, both ways, with every client that speaks it.

Apart from those in clear, and from the dialogue of FTPS, which clients keep to the usual order of.
"""

from __future__ import annotations

import contextlib
import ftplib
import hashlib
import io
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.integration.clients import RUN_SECONDS, Client, Program
from tests.integration.live import PASSWORD, ConfiguredServer, Guest
from tests.integration.secure_clients import (
    ALL,
    AUTHORITY,
    IMPLICIT,
    ImplicitCurl,
    SecureCurl,
    SecureCurl12,
    SecureFtplib,
    SecureLftp,
    SecureLftp12,
    SecureRclone,
)
from tests.integration.secure_wire import SecureWire, end

SIZES: Final = [0, 1, 65537, 50 * 1024 * 1024]
NAMES: Final = ["0B", "1B", "64KiB+1", "50MiB"]
WHOLE: Final = os.urandom(300_000)
PART: Final = 100_001
Use = Callable[[type[Any]], Any]


@pytest.fixture(params=ALL, ids=lambda client: str(client.name))
def client(
    request: pytest.FixtureRequest, program: Program, secure_server: ConfiguredServer, secure_guest: Guest, home: Path
) -> Client:
    made: Client = request.param(program, reached(request.param, secure_guest, secure_server), home)
    return made


@pytest.fixture(params=[SecureCurl, SecureCurl12, ImplicitCurl, SecureLftp, SecureLftp12], ids=lambda client: str(client.name))
def resuming(
    request: pytest.FixtureRequest, program: Program, strict_server: ConfiguredServer, strict_guest: Guest, home: Path
) -> Client:
    """A client that resumes its session, on the server that demands it."""
    made: Client = request.param(program, reached(request.param, strict_guest, strict_server), home)
    return made


@pytest.fixture
def use(program: Program, secure_server: ConfiguredServer, secure_guest: Guest, home: Path) -> Use:
    """Make one certain client for the guest."""
    return lambda kind: kind(program, reached(kind, secure_guest, secure_server), home)


def reached(kind: type[Client], guest: Guest, server: ConfiguredServer) -> Guest:
    return guest._replace(host="127.0.0.2", port=server.ports["127.0.0.2"]) if kind in IMPLICIT else guest


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


# Whole files.


@pytest.mark.parametrize("size", SIZES, ids=NAMES)
def test_file_goes_up_and_comes_down_over_tls(client: Client, home: Path, size: int) -> None:
    content = os.urandom(size)
    (home / "local.bin").write_bytes(content)
    client.store(home / "local.bin", "remote.bin")
    assert digest(client.guest.home / "remote.bin") == hashlib.sha256(content).hexdigest()
    assert os.listdir(client.guest.home) == ["remote.bin"]
    client.fetch("remote.bin", home / "back.bin")
    assert digest(home / "back.bin") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("size", [0, 65537, 50 * 1024 * 1024], ids=["0B", "64KiB+1", "50MiB"])
def test_client_that_resumes_is_served_where_that_is_required(resuming: Client, home: Path, size: int) -> None:
    content = os.urandom(size)
    (home / "local.bin").write_bytes(content)
    resuming.store(home / "local.bin", "remote.bin")
    assert digest(resuming.guest.home / "remote.bin") == hashlib.sha256(content).hexdigest()
    resuming.fetch("remote.bin", home / "back.bin")
    assert digest(home / "back.bin") == hashlib.sha256(content).hexdigest()


def test_curl_refuses_a_server_without_tls(program: Program, guest: Guest, home: Path) -> None:
    assert SecureCurl(program, guest, home).curl(guest.url(), is_ok=False).returncode == 64  # "requested SSL level failed"


# Active mode.


def knows_active_tls() -> bool:
    """Whether curl has TLS on active data connections: 7.87 and 7.88 forget it (curl's issue 10666)."""
    curl = shutil.which("curl")
    said = subprocess.run([curl, "-V"], capture_output=True, check=True, text=True).stdout if curl else ""
    return not said.startswith(("curl 7.87.", "curl 7.88."))


ACTIVE: Final = {"EPRT": ("-P", "-"), "PORT": ("-P", "-", "--disable-eprt")}
DATA_CONNECTIONS: Final = {"PASV": ("--disable-epsv",), **(ACTIVE if knows_active_tls() else {})}


@pytest.mark.parametrize("kind", [SecureCurl, SecureCurl12, ImplicitCurl], ids=lambda client: str(client.name))
@pytest.mark.parametrize("options", DATA_CONNECTIONS.values(), ids=DATA_CONNECTIONS)
def test_curl_over_tls_on_each_kind_of_data_connection(
    use: Use, home: Path, kind: type[SecureCurl], options: tuple[str, ...]
) -> None:
    (home / "up").write_bytes(WHOLE)
    curl = use(kind)
    curl.curl(*options, "-T", "up", curl.url("file"))
    curl.curl(*options, "-o", "down", curl.url("file"))
    assert (home / "down").read_bytes() == WHOLE


def test_lftp_over_tls_in_active_mode(use: Use, home: Path) -> None:
    (home / "up").write_bytes(WHOLE)
    use(SecureLftp).lftp("set ftp:passive-mode false", "put up -o file", "get file -o down")
    assert (home / "down").read_bytes() == WHOLE


@pytest.mark.parametrize("kind", [SecureLftp, SecureLftp12], ids=lambda client: str(client.name))
def test_lftp_in_active_mode_where_resumption_is_required(
    program: Program, strict_guest: Guest, home: Path, kind: type[SecureLftp]
) -> None:
    (home / "up").write_bytes(WHOLE)
    kind(program, strict_guest, home).lftp("set ftp:passive-mode false", "put up -o file", "get file -o down")
    assert (home / "down").read_bytes() == WHOLE


def test_ftplib_over_tls_in_active_mode(use: Use) -> None:
    received: list[bytes] = []
    with use(SecureFtplib).connect() as ftp:
        ftp.set_pasv(False)
        ftp.storbinary("STOR file", io.BytesIO(WHOLE))
        ftp.retrbinary("RETR file", received.append)
    assert b"".join(received) == WHOLE


# Listings and resumption of transfers.


@pytest.fixture
def tree(secure_guest: Guest) -> Guest:
    for number in range(500):
        (secure_guest.home / f"file{number:03}").write_bytes(b"x" * number)
    return secure_guest


def test_curl_lists_over_tls(use: Use, tree: Guest) -> None:
    curl = use(SecureCurl)
    assert sorted(curl.curl("-l", curl.url()).stdout.split()) == [b"file%03d" % number for number in range(500)]
    rows = curl.curl(curl.url()).stdout.splitlines()
    assert len(rows) == 500
    assert all(row.split()[-1].startswith(b"file") for row in rows)


def test_ftplib_lists_machine_readably_over_tls(use: Use, tree: Guest) -> None:
    with use(SecureFtplib).connect() as ftp:
        found = {name: int(facts["size"]) for name, facts in ftp.mlsd(facts=["size", "type"]) if facts["type"] == "file"}
    assert found == {f"file{number:03}": number for number in range(500)}


def test_curl_resumes_a_download_over_tls(use: Use, secure_guest: Guest, home: Path) -> None:
    (secure_guest.home / "file").write_bytes(WHOLE)
    (home / "down").write_bytes(WHOLE[:PART])
    curl = use(SecureCurl)
    curl.curl("-C", "-", "-o", "down", curl.url("file"))
    assert (home / "down").read_bytes() == WHOLE


def test_curl_resumes_an_upload_over_tls(use: Use, secure_guest: Guest, home: Path) -> None:
    (secure_guest.home / "file").write_bytes(WHOLE[:PART])
    (home / "up").write_bytes(WHOLE)
    curl = use(SecureCurl)
    curl.curl("-C", "-", "-T", "up", curl.url("file"))
    assert (secure_guest.home / "file").read_bytes() == WHOLE


def test_lftp_resumes_both_ways_over_tls(use: Use, secure_guest: Guest, home: Path) -> None:
    (secure_guest.home / "one").write_bytes(WHOLE)
    (home / "one").write_bytes(WHOLE[:PART])
    (secure_guest.home / "two").write_bytes(WHOLE[:PART])
    (home / "two").write_bytes(WHOLE)
    use(SecureLftp).lftp("get -c one", "put -c two")
    assert (home / "one").read_bytes() == WHOLE == (secure_guest.home / "two").read_bytes()


# Trees, over several data connections at once.


def grow(folder: Path) -> dict[str, bytes]:
    """Make 40 files in 4 folders; return what they hold."""
    files = {f"{number % 4}/{number}.bin": os.urandom(number * 1501) for number in range(40)}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return files


def grown(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_lftp_mirrors_up_and_down_in_parallel_over_tls(use: Use, secure_guest: Guest, home: Path) -> None:
    files = grow(home / "tree")
    use(SecureLftp).lftp("mirror -R --parallel=4 tree tree", "mirror --parallel=4 tree back")
    assert grown(secure_guest.home / "tree") == files == grown(home / "back")


@pytest.mark.parametrize("kind", [SecureLftp, SecureLftp12], ids=lambda client: str(client.name))
def test_lftp_mirrors_in_parallel_where_resumption_is_required(
    program: Program, strict_guest: Guest, home: Path, kind: type[SecureLftp]
) -> None:
    files = grow(home / "tree")
    kind(program, strict_guest, home).lftp("mirror -R --parallel=4 tree tree", "mirror --parallel=4 tree back")
    assert grown(strict_guest.home / "tree") == files == grown(home / "back")


def test_rclone_copies_a_tree_with_parallel_transfers_over_tls(use: Use, secure_guest: Guest, home: Path) -> None:
    files = grow(home / "tree")
    rclone = use(SecureRclone)
    rclone.rclone("copy", "--transfers", "4", home / "tree", rclone.remote("tree"))
    rclone.rclone("copy", "--transfers", "4", rclone.remote("tree"), home / "back")
    assert grown(secure_guest.home / "tree") == files == grown(home / "back")


@pytest.mark.parametrize("kind", [SecureCurl, SecureCurl12], ids=lambda client: str(client.name))
def test_curl_fetches_many_files_over_one_control_connection_where_resumption_is_required(
    program: Program, strict_guest: Guest, home: Path, kind: type[SecureCurl]
) -> None:
    curl = kind(program, strict_guest, home)
    for number in range(20):
        (strict_guest.home / f"file{number}").write_bytes(os.urandom(5000))
    curl.curl(curl.url("file[0-19]"), "-o", "down#1")
    assert all((strict_guest.home / f"file{number}").read_bytes() == (home / f"down{number}").read_bytes() for number in range(20))


def test_curl_stores_many_files_over_one_control_connection_where_resumption_is_required(
    program: Program, strict_guest: Guest, home: Path
) -> None:
    """In TLS 1.2: of a TLS 1.3 session OpenSSL's client makes use once, and curl 7.88 may end a small upload before it has the next."""
    curl = SecureCurl12(program, strict_guest, home)
    files = {f"up{number}": os.urandom(5000) for number in range(20)}
    for name, content in files.items():
        (home / name).write_bytes(content)
    curl.curl("-T", f"{{{','.join(files)}}}", curl.url())
    assert grown(strict_guest.home) == files


# ABOR.


def test_ftplib_aborts_a_download_over_tls_and_goes_on(use: Use, secure_guest: Guest) -> None:
    with (secure_guest.home / "large").open("wb") as file:
        file.truncate(64 * 1024 * 1024)
    (secure_guest.home / "small").write_bytes(b"small")
    with use(SecureFtplib).connect() as ftp:
        ftp.voidcmd("TYPE I")
        data = ftp.transfercmd("RETR large")
        assert data.recv(10)
        ftp.putcmd("ABOR")
        assert [ftp.getmultiline()[:3], ftp.getmultiline()[:3]] == ["426", "226"]
        data.close()
        received: list[bytes] = []
        ftp.retrbinary("RETR small", received.append)
        assert received == [b"small"]


def test_abor_over_tls_stops_an_upload_and_nothing_is_published(secure_guest: Guest) -> None:
    with SecureWire.of(secure_guest) as wire:
        plain = wire.data()
        assert wire.ask("STOR file").code == 150
        with wire.secured(plain) as data:
            data.sendall(b"part")
            wire.send("ABOR\r\n")
            assert wire.replies(2) == [426, 226]
        assert not (secure_guest.home / "file").exists()
        assert wire.store("STOR file", b"whole").code == 226
    assert (secure_guest.home / "file").read_bytes() == b"whole"


# ftplib, which cannot resume.


def test_ftplib_is_refused_with_the_cause_where_resumption_is_required(program: Program, strict_guest: Guest, home: Path) -> None:
    with SecureFtplib(program, strict_guest, home).connect() as ftp:
        for line in ("LIST", "RETR file", "STOR file"):
            (strict_guest.home / "file").write_bytes(b"before")
            with (
                contextlib.suppress(OSError),
                ftp.transfercmd(line) as data,
            ):  # ftplib's own methods hide the reply behind the missing close_notify
                assert data.recv(1) == b""
            with pytest.raises(ftplib.error_perm) as refused:
                ftp.voidresp()
            assert str(refused.value) == REFUSED
            assert ftp.pwd() == "/"
    assert (strict_guest.home / "file").read_bytes() == b"before"


REFUSED: Final = "522 The data connection did not resume the TLS session of this control connection, as it must here."


# OpenSSL's own client.


class SClient:
    """`openssl s_client`; lines go in and come out."""

    def __init__(self, program: Program, home: Path, *options: str | Path) -> None:
        self._process = subprocess.Popen(
            [program("openssl"), "s_client", "-quiet", "-CAfile", AUTHORITY, "-verify_return_error", *map(str, options)],
            cwd=home,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def ask(self, line: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\r\n")
        self._process.stdin.flush()
        return self.reply()

    def reply(self) -> str:
        assert self._process.stdout is not None
        while not re.match(rb"[1-5][0-9][0-9] ", line := self._process.stdout.readline()):
            assert line, "s_client ended"
        return line.decode().rstrip()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=["-tls1_2", "-tls1_3"])
def s_client(request: pytest.FixtureRequest, program: Program, strict_guest: Guest, home: Path) -> Iterator[Callable[..., SClient]]:
    """Start s_client with one TLS version; it is ended with the test."""
    started: list[SClient] = []

    def start(*options: str) -> SClient:
        started.append(SClient(program, home, request.param, *options))
        return started[-1]

    yield start
    for client in started:
        client.end()


def send_data(program: Program, folder: Path, content: bytes, *options: str) -> None:
    """Send *content* over a data connection that s_client makes with *options*."""
    subprocess.run(
        [program("openssl"), "s_client", "-quiet", "-no_ign_eof", "-nocommands", *options],
        cwd=folder,
        input=content,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=RUN_SECONDS,
    )


@pytest.mark.parametrize("is_implicit", [False, True], ids=["starttls", "implicit"])
def test_s_client_stores_a_file_over_a_data_connection_that_resumes(
    s_client: Callable[..., SClient],
    request: pytest.FixtureRequest,
    strict_server: ConfiguredServer,
    strict_guest: Guest,
    program: Program,
    home: Path,
    is_implicit: bool,
) -> None:
    version = request.node.callspec.params["s_client"]
    host = "127.0.0.2" if is_implicit else "127.0.0.1"
    begin = [] if is_implicit else ["-starttls", "ftp"]
    control = s_client("-connect", f"{host}:{strict_server.ports[host]}", "-sess_out", "session.pem", *begin)
    if is_implicit:
        assert control.reply()[:3] == "220"
    lines = (f"USER {strict_guest.name}", f"PASS {PASSWORD}", "TYPE I", "PBSZ 0", "PROT P")
    assert [control.ask(line)[:3] for line in lines] == ["331", "230", "200", "200", "200"]
    found = re.search(r"\|\|\|(\d+)\|", control.ask("EPSV"))
    assert found is not None
    assert control.ask("STOR file")[:3] == "150"
    send_data(program, home, WHOLE, version, "-connect", f"{host}:{found[1]}", "-sess_in", "session.pem")
    assert control.reply()[:3] == "226"
    assert (strict_guest.home / "file").read_bytes() == WHOLE
    assert control.ask("QUIT")[:3] == "221"


# Both at once.


def test_sessions_in_parallel_each_keep_their_own_bytes(secure_guest: Guest) -> None:
    contents = {f"file{number}": os.urandom(100_000 + number) for number in range(8)}
    wires = {name: SecureWire.of(secure_guest) for name in contents}
    plains = {name: wire.data() for name, wire in wires.items()}
    assert [wire.ask(f"STOR {name}").code for name, wire in wires.items()] == [150] * 8
    datas = {name: wire.secured(plains[name]) for name, wire in wires.items()}
    for start in range(0, 120_000, 10_000):
        for name, data in datas.items():
            data.sendall(contents[name][start : start + 10_000])
    for data in datas.values():
        end(data)
        data.close()
    assert [wire.reply().code for wire in wires.values()] == [226] * 8
    for name, wire in wires.items():
        assert wire.fetch(f"RETR {name}") == contents[name]
        wire.control.close()
    assert grown(secure_guest.home) == contents
