"""What real clients send, word for word, as a plain socket: each sequence as recorded from the client that it is named after.

Apart from the clients themselves: these hold where a client is not installed, and show which answer it was that a change broke.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.live import PASSWORD, Guest
from tests.integration.wire import Wire, listening, port_argument, taken


@pytest.fixture
def fresh(guest: Guest) -> Iterator[Wire]:
    """A control connection on which nobody has logged in; the guest's home has `dir/file` of 7 bytes."""
    (guest.home / "dir").mkdir()
    (guest.home / "dir" / "file").write_bytes(b"content")
    with Wire(guest.port) as wire:
        assert wire.reply().code == 220
        yield wire


@pytest.fixture
def login(guest: Guest) -> tuple[str, str]:
    return f"USER {guest.name}", f"PASS {PASSWORD}"


def test_curl_download(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "PWD", "CWD dir") == [331, 230, 257, 250]
    port = fresh.passive()
    assert port >= 1024
    assert fresh.asks("TYPE I", "SIZE file") == [200, 213]
    assert fresh.fetch("RETR file") == b"content"
    assert fresh.asks("QUIT") == [221]


def test_curl_head(fresh: Wire, login: tuple[str, str]) -> None:
    fresh.asks(*login, "PWD", "CWD dir")
    assert re.fullmatch(r"\d{14}", fresh.ask("MDTM file").text)
    assert fresh.ask("TYPE I").code == 200
    assert fresh.ask("SIZE file").text == "7"
    assert fresh.asks("REST 0", "QUIT") == [350, 221]


def test_curl_range_ends_with_abor(fresh: Wire, login: tuple[str, str], guest: Guest) -> None:
    (guest.home / "large").write_bytes(bytes(8_000_000))
    fresh.asks(*login, "PWD", "TYPE I", "SIZE large")
    with fresh.data() as data:
        assert fresh.asks("REST 1000", "RETR large") == [350, 150]
        data.recv(1000)
        fresh.send("ABOR\r\n")
        data.close()
    assert fresh.replies(2) == [426, 226]


def test_curl_makes_directories_that_a_cwd_does_not_find(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "PWD", "CWD new", "MKD new", "CWD new") == [331, 230, 257, 550, 257, 250]
    assert fresh.store("STOR file", b"content").code == 226


def test_curl_asks_for_tls_in_two_ways_and_goes_on_without(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks("AUTH SSL", "AUTH TLS", *login) == [504, 504, 331, 230]


def test_curl_active_falls_from_eprt_to_port(fresh: Wire, login: tuple[str, str]) -> None:
    fresh.asks(*login)
    with listening() as waiting:
        port = waiting.getsockname()[1]
        assert fresh.asks("EPRT |3|127.0.0.1|5555|", "PORT " + port_argument("127.0.0.1", port), "TYPE A", "LIST") == [
            522,
            200,
            200,
            150,
        ]
        assert taken(waiting).endswith(b" dir\r\n")
    assert fresh.reply().code == 226


def test_lftp(fresh: Wire, login: tuple[str, str]) -> None:
    facts = "type;size;modify;perm;UNIX.mode;UNIX.owner;UNIX.group;"
    assert fresh.asks("FEAT", "AUTH TLS", "OPTS UTF8 ON", "CLNT lftp/4.9.2", *login) == [211, 504, 200, 200, 331, 230]
    assert fresh.asks("OPTS UTF8 ON", f"OPTS MLST {facts}", "PWD", "TYPE I") == [200, 200, 257, 200]
    assert b"type=dir;" in fresh.fetch("MLSD")
    assert fresh.store("STOR file", b"content").code == 226
    assert fresh.ask("MFMT 20090213233130 file").code == 213
    assert fresh.ask("MDTM file").text == "20090213233130"


def test_lftp_pipelines_without_sync_mode(fresh: Wire, login: tuple[str, str]) -> None:
    fresh.send("\r\n".join(("FEAT", "OPTS UTF8 ON", *login, "PWD", "CWD dir", "TYPE I", "SIZE file", "QUIT", "")))
    assert fresh.replies(9) == [211, 200, 331, 230, 257, 250, 200, 213, 221]


def test_ncftp(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "PWD", "FEAT", "HELP SITE", "CLNT NcFTPPut 3.2.6 linux-x86_64") == [331, 230, 257, 211, 214, 200]
    assert fresh.asks("CWD /", "TYPE I", "OPTS MLST type;size;modify;UNIX.mode;perm;UNIX.owner;UNIX.group;") == [250, 200, 200]
    assert fresh.fetch("NLST -CF") == b"dir\r\n"
    assert fresh.ask("MLST missing").code == 550
    assert fresh.ask("MLST dir/file").text.splitlines()[1].endswith("; /dir/file")
    assert fresh.asks("SIZE dir/file", "MFMT 20090213233130 dir/file") == [213, 213]


def test_tnftp(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "SYST", "FEAT") == [331, 230, 215, 211]
    assert fresh.ask("EPSV").code == 229
    assert fresh.asks("TYPE A") == [200]
    assert fresh.fetch("LIST").endswith(b" dir\r\n")
    assert fresh.fetch("NLST d*") == b"dir\r\n"


def test_tnftp_active_falls_from_eprt_to_lprt_to_port(fresh: Wire, login: tuple[str, str]) -> None:
    fresh.asks(*login)
    assert fresh.asks("EPRT |9|127.0.0.1|5555|", "LPRT 9,4,127,0,0,1,2,20,20") == [522, 521]
    with listening() as waiting:
        assert fresh.asks("PORT " + port_argument("127.0.0.1", waiting.getsockname()[1]), "NLST") == [200, 150]
        taken(waiting)
    assert fresh.reply().code == 226


def test_rclone(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "FEAT", "TYPE I", "OPTS UTF8 ON") == [331, 230, 211, 200, 200]
    assert fresh.fetch("MLSD dir").endswith(b"; file\r\n")
    fresh.passive()
    assert fresh.ask("MLSD missing").code == 550
    fresh.passive()
    assert fresh.ask("MLSD dir/file").code == 501
    assert fresh.asks("MKD dir/new", "MKD dir/new") == [257, 550]
    assert fresh.store("STOR dir/new/file", b"content").code == 226
    assert fresh.ask("MFMT 20090213233130 dir/new/file").code == 213
    assert fresh.asks("QUIT") == [221]


def test_wget(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "SYST", "PWD", "TYPE I", "CWD dir", "SIZE file") == [331, 230, 215, 257, 200, 250, 213]
    assert fresh.fetch("RETR file") == b"content"


def test_ftplib_asks_size_in_type_a(fresh: Wire, login: tuple[str, str]) -> None:
    fresh.asks(*login, "TYPE A")
    assert fresh.fetch("LIST").endswith(b" dir\r\n")
    assert fresh.ask("SIZE dir/file").text == "7"


def test_aioftp(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "TYPE I") == [331, 230, 200]
    assert b"; dir\r\n" in fresh.fetch("MLSD /")


def test_filezilla(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks("AUTH TLS", "AUTH SSL", *login, "SYST", "FEAT", "CLNT FileZilla", "OPTS UTF8 ON") == [
        504,
        504,
        331,
        230,
        215,
        211,
        200,
        200,
    ]
    assert fresh.asks("PWD", "CWD /", "TYPE I") == [257, 250, 200]
    assert b"; dir\r\n" in fresh.fetch("MLSD")


def test_winscp(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "SYST", "FEAT", "OPTS UTF8 ON", "PWD", "CWD /", "PWD", "TYPE A") == [
        331,
        230,
        215,
        211,
        200,
        257,
        250,
        257,
        200,
    ]
    assert fresh.fetch("LIST -a").endswith(b" dir\r\n")


def test_windows_ftp_exe(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks("OPTS UTF8 ON", *login) == [200, 331, 230]
    with listening() as waiting:
        assert fresh.asks("PORT " + port_argument("127.0.0.1", waiting.getsockname()[1]), "NLST") == [200, 150]
        assert taken(waiting) == b"dir\r\n"
    assert fresh.asks("XPWD", "XMKD new", "XRMD new")[1:] == [257, 257]


def test_explorer(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks(*login, "opts utf8 on", "syst", "site help", "PWD", "CWD /", "TYPE A") == [
        331,
        230,
        200,
        215,
        214,
        257,
        250,
        200,
    ]
    assert fresh.fetch("LIST -a /").endswith(b" dir\r\n")


def test_camera_without_type_and_with_an_empty_cwd(fresh: Wire, login: tuple[str, str], guest: Guest) -> None:
    assert fresh.asks(*login, "CWD ", "MKD cam", "MKD cam", "CWD cam", "TYPE I") == [331, 230, 250, 257, 550, 250, 200]
    assert fresh.store("STOR image.jpg", b"\xff\xd8\n\xff\xd9").code == 226
    assert (guest.home / "cam" / "image.jpg").read_bytes() == b"\xff\xd8\n\xff\xd9"


def test_scanner_stores_under_a_temporary_name_and_renames(fresh: Wire, login: tuple[str, str], guest: Guest) -> None:
    assert fresh.asks(*login, "TYPE L 8") == [331, 230, 200]
    assert fresh.store("STOR scan.tmp", b"pdf").code == 226
    assert fresh.asks("RNFR scan.tmp", "RNTO scan.pdf") == [350, 250]
    assert (guest.home / "scan.pdf").read_bytes() == b"pdf"


def test_scanner_stores_under_a_name_of_the_servers_choice(fresh: Wire, login: tuple[str, str], guest: Guest) -> None:
    fresh.asks(*login, "TYPE I")
    names = set()
    for number in range(3):
        with fresh.data() as data:
            reply = fresh.ask("STOU")
            assert reply.code == 150
            assert reply.text.startswith("FILE: /")
            names.add(Path(reply.text.removeprefix("FILE: /")).name)
            data.sendall(b"scan %d" % number)
        assert fresh.reply().code == 226
    assert {(guest.home / name).read_bytes() for name in names} == {b"scan 0", b"scan 1", b"scan 2"}


def test_router_that_mangles_pasv(fresh: Wire, login: tuple[str, str]) -> None:
    fresh.asks(*login)
    assert fresh.ask("P@SW").code == 227


def test_php_over_tls_first_asks_pbsz_and_prot(fresh: Wire, login: tuple[str, str]) -> None:
    assert fresh.asks("PBSZ 0", "PROT P", *login) == [503, 503, 331, 230]
