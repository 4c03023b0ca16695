"""Whole trees, both ways, with every client that can: names, content and times arrive as they left.

Apart from single files: what a mirror does depends on listings, on MLSD facts and on MFMT.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import pytest

from tests.integration.clients import Curl, Ftplib, Lftp, Ncftp, Program, Rclone, Tnftp, Wget
from tests.integration.live import Guest
from tests.integration.wire import Wire, read_all

Use = Callable[[type[Any]], Any]
MODIFIED: Final = 1_234_567_890  # 2009-02-13 23:31:30 UTC
CONTENTS: Final = {
    "top.txt": b"top\n",
    "empty": b"",
    "one/file.bin": bytes(range(256)) * 300,
    "one/two/deep.txt": b"deep\n",
    "one/two/three/x": b"x",
    "four/five/six/seven/y": b"y" * 70_000,
}
# Names that have broken servers or clients; each stands for a trap of quoting, listing or decoding.
ODD_NAMES: Final = [
    "a b",
    "two  spaces",
    "quote'single",
    'quote"double',
    "back\\slash",
    "äöü-名前-😀",
    "semi;colon",
    "hash#percent%20",
    "[bracket]",
    "question?",
    "star*",
    "{brace}",
    "-leading-dash",
    "--double",
    ".hidden",
    "~tilde",
    "$dollar`tick`",
    "comma,colon:",
    "a" * 255,
]
RAW_NAMES: Final = [b" leading", b"trailing ", b"latin-\xe4\xf6", b"\xff", b"bad-\xc3(", b"tab\there", b"bell\x07", b"-la", b"*"]


@pytest.fixture
def use(program: Program, guest: Guest, tmp_path: Path) -> Use:
    return lambda kind: kind(program, guest, tmp_path)


def plant(folder: Path) -> Path:
    for name, content in CONTENTS.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.utime(file, (MODIFIED, MODIFIED))
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def times(folder: Path) -> set[int]:
    return {int(file.stat().st_mtime) for file in folder.rglob("*") if file.is_file()}


# Mirrors.


def test_lftp_mirrors_a_tree_and_its_times_down(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    use(Lftp).lftp("mirror tree copy")
    assert contents(tmp_path / "copy") == CONTENTS
    assert times(tmp_path / "copy") == {MODIFIED}


def test_lftp_mirrors_a_tree_and_its_times_up(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    use(Lftp).lftp("mirror -R tree copy")
    assert contents(guest.home / "copy") == CONTENTS
    assert times(guest.home / "copy") == {MODIFIED}


def test_lftp_mirrors_with_several_connections(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    use(Lftp).lftp("mirror -R --parallel=4 tree copy", "mirror --parallel=4 --use-pget-n=3 copy back")
    assert contents(tmp_path / "back") == CONTENTS


def test_lftp_finds_nothing_to_do_the_second_time(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    use(Lftp).lftp("mirror -R tree copy")
    again = use(Lftp).lftp("mirror -R --dry-run --verbose=3 tree copy")
    assert b"put" not in again.stdout


def test_lftp_removes_what_is_gone(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "copy")
    (guest.home / "copy" / "one" / "old").write_bytes(b"old")
    (guest.home / "copy" / "gone" / "below").mkdir(parents=True)
    plant(tmp_path / "tree")
    use(Lftp).lftp("mirror -R --delete tree copy")
    assert contents(guest.home / "copy") == CONTENTS
    assert not (guest.home / "copy" / "gone").exists()


def test_lftp_mirrors_by_list_where_mlsd_is_not_used(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    use(Lftp).lftp("set ftp:use-mlsd false", "mirror tree copy")
    assert contents(tmp_path / "copy") == CONTENTS


def test_rclone_syncs_a_tree_and_its_times_down(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    rclone = use(Rclone)
    rclone.rclone("sync", rclone.remote("tree"), tmp_path / "copy")
    assert contents(tmp_path / "copy") == CONTENTS
    assert times(tmp_path / "copy") == {MODIFIED}


def test_rclone_syncs_a_tree_and_its_times_up(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    rclone = use(Rclone)
    rclone.rclone("sync", tmp_path / "tree", rclone.remote("copy"))
    assert contents(guest.home / "copy") == CONTENTS
    assert times(guest.home / "copy") == {MODIFIED}


def test_rclone_removes_what_is_gone(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "copy")
    (guest.home / "copy" / "one" / "old").write_bytes(b"old")
    rclone = use(Rclone)
    rclone.rclone("sync", plant(tmp_path / "tree"), rclone.remote("copy"))
    assert contents(guest.home / "copy") == CONTENTS


def test_rclone_syncs_by_list_where_mlsd_is_not_used(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    rclone = use(Rclone)
    rclone.rclone("sync", rclone.remote("tree"), tmp_path / "copy", "--ftp-disable-mlsd")
    assert contents(tmp_path / "copy") == CONTENTS


def test_rclone_brings_hundreds_of_files_over_many_connections(use: Use, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for number in range(200):
        (tmp_path / "tree" / f"{number}").write_bytes(b"%d" % number)
    rclone = use(Rclone)
    rclone.rclone("sync", tmp_path / "tree", rclone.remote("copy"), "--transfers", "8", "--checkers", "16")
    assert contents(guest.home / "copy") == {str(number): b"%d" % number for number in range(200)}


def test_rclone_checks_that_both_sides_are_alike(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    rclone = use(Rclone)
    rclone.rclone("check", "--download", plant(tmp_path / "tree"), rclone.remote("tree"))


def test_wget_mirrors_a_tree_and_its_times_down(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    use(Wget).wget("-r", "-l", "inf", "-nH", guest.url("tree/"))
    assert contents(tmp_path / "tree") == CONTENTS
    assert times(tmp_path / "tree") == {MODIFIED // 86400 * 86400}  # LIST has the day only of what is older than half a year


def test_ncftp_fetches_a_tree_and_its_times(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home / "tree")
    use(Ncftp).ncftp("ncftpget", "-R", "127.0.0.1", ".", "/tree")
    assert contents(tmp_path / "tree") == CONTENTS
    assert times(tmp_path / "tree") == {MODIFIED}


def test_ncftp_stores_a_tree_and_its_times(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(tmp_path / "tree")
    use(Ncftp).ncftp("ncftpput", "-R", "127.0.0.1", "/", "tree")
    assert contents(guest.home / "tree") == CONTENTS
    assert times(guest.home / "tree") == {MODIFIED}


def test_tnftp_fetches_with_a_pattern(use: Use, guest: Guest, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "c.bin"):
        (guest.home / name).write_bytes(name.encode())
    use(Tnftp).tnftp("prompt", "mget *.txt")
    assert contents(tmp_path) == {"a.txt": b"a.txt", "b.txt": b"b.txt"}


def test_tnftp_stores_with_a_pattern(use: Use, guest: Guest, tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt"):
        (tmp_path / name).write_bytes(name.encode())
    use(Tnftp).tnftp("prompt", "mkdir in", "cd in", "mput *.txt")
    assert contents(guest.home) == {"in/a.txt": b"a.txt", "in/b.txt": b"b.txt"}


def test_curl_makes_the_directories_on_the_way(use: Use, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    use(Curl).curl("--ftp-create-dirs", "-T", "file", guest.url("new/deeper/file"))
    assert contents(guest.home) == {"new/deeper/file": b"content"}


@pytest.mark.parametrize("method", ["multicwd", "singlecwd", "nocwd"])
def test_curl_walks_to_a_file_in_each_of_its_ways(use: Use, guest: Guest, method: str) -> None:
    plant(guest.home)
    assert use(Curl).curl("--ftp-method", method, guest.url("one/two/deep.txt")).stdout == b"deep\n"


# Listings.


def test_curl_lists_names(use: Use, guest: Guest) -> None:
    plant(guest.home)
    assert sorted(use(Curl).curl("-l", guest.url()).stdout.split()) == [b"empty", b"four", b"one", b"top.txt"]


def test_ncftpls_lists_names(use: Use, guest: Guest) -> None:
    plant(guest.home)
    listed = use(Ncftp).ncftp("ncftpls", "-1", guest.url()).stdout.split()
    assert sorted(name.rstrip(b"/") for name in listed) == [b"empty", b"four", b"one", b"top.txt"]


def test_lftp_lists_a_hidden_name(use: Use, guest: Guest) -> None:
    (guest.home / ".profile").touch()
    assert use(Lftp).lftp("cls -1 -a").stdout.split() == [b".profile"]


def test_wget_reads_the_listing(use: Use, guest: Guest, tmp_path: Path) -> None:
    (guest.home / "file.txt").write_bytes(b"content")
    use(Wget).wget("-O", "index.html", guest.url())
    assert 'file.txt">file.txt</a>  (7 bytes)' in (tmp_path / "index.html").read_text()


def test_curl_tells_size_and_time_of_a_file(use: Use, guest: Guest) -> None:
    file = plant(guest.home) / "top.txt"
    assert file.exists()
    headers = use(Curl).curl("-I", guest.url("top.txt")).stdout.split(b"\r\n")
    assert b"Last-Modified: Fri, 13 Feb 2009 23:31:30 GMT" in headers
    assert b"Content-Length: 4" in headers


def test_listing_of_a_large_directory_is_whole_and_delays_nobody(guest: Guest) -> None:
    (guest.home / "large").mkdir()
    for number in range(5_000):
        os.mknod(guest.home / "large" / f"{number:0200}")
    with Wire.of(guest) as listing, Wire.of(guest) as wire, listing.data() as data:
        assert listing.ask("MLSD large").code == 150
        assert wire.asks("NOOP", "PWD") == [200, 257]
        assert listing.ask("NOOP").code == 200
        rows = read_all(data).splitlines()
        assert listing.reply().code == 226
    assert {row.rpartition(b" ")[2] for row in rows if b"type=file" in row} == {b"%0200d" % number for number in range(5_000)}


# Times of single files.


def test_curl_keeps_the_time_of_a_download(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home)
    use(Curl).curl("-R", "-O", guest.url("top.txt"))
    assert times(tmp_path) == {MODIFIED}


def test_tnftp_keeps_the_time_of_a_download(use: Use, guest: Guest, tmp_path: Path) -> None:
    plant(guest.home)
    use(Tnftp).tnftp("preserve on", "get top.txt")
    assert int((tmp_path / "top.txt").stat().st_mtime) == MODIFIED


# Odd names.


@pytest.mark.parametrize("name", ODD_NAMES)
def test_lftp_brings_an_odd_name_both_ways(use: Use, guest: Guest, tmp_path: Path, name: str) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / name).write_bytes(b"content")
    use(Lftp).lftp("mirror -R tree copy", "mirror copy back")
    assert contents(guest.home / "copy") == {name: b"content"}
    assert contents(tmp_path / "back") == {name: b"content"}


def test_rclone_brings_odd_names_both_ways(use: Use, guest: Guest, tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    for name in ODD_NAMES:
        (tmp_path / "tree" / name).write_bytes(name.encode())
    rclone = use(Rclone)
    options = ("--ftp-encoding", "Slash,Ctl")  # else it changes names itself, for servers that cannot take them
    rclone.rclone("sync", tmp_path / "tree", rclone.remote("copy"), *options)
    rclone.rclone("sync", rclone.remote("copy"), tmp_path / "back", *options)
    assert contents(guest.home / "copy") == {name: name.encode() for name in ODD_NAMES}
    assert contents(tmp_path / "back") == {name: name.encode() for name in ODD_NAMES}


@pytest.mark.parametrize("name", ODD_NAMES)
def test_ftplib_works_with_an_odd_name(use: Use, guest: Guest, name: str) -> None:
    with use(Ftplib).connect() as ftp:
        ftp.mkd(name)
        ftp.cwd(f"/{name}")
        assert ftp.pwd() == f"/{name}"
        ftp.cwd("/")
        assert ftp.nlst() == [name]
        assert [found for found, _ in ftp.mlsd()] == [name]
        ftp.rename(name, "plain")
        ftp.rmd("plain")
    assert os.listdir(guest.home) == []


@pytest.mark.parametrize("name", ODD_NAMES)
def test_curl_brings_an_odd_name_both_ways(use: Use, guest: Guest, tmp_path: Path, name: str) -> None:
    (tmp_path / "up").write_bytes(b"content")
    url = guest.url("new/" + quote(name, safe=""))
    use(Curl).curl("--globoff", "--ftp-create-dirs", "-T", "up", url)
    assert contents(guest.home) == {f"new/{name}": b"content"}
    assert use(Curl).curl("--globoff", url).stdout == b"content"


@pytest.mark.parametrize("raw", RAW_NAMES, ids=repr)
def test_name_of_any_bytes_makes_every_trip(wire: Wire, guest: Guest, raw: bytes) -> None:
    assert wire.store(b"STOR ./" + raw, b"content").code == 226
    assert os.listdir(os.fsencode(guest.home)) == [raw]
    assert wire.fetch("NLST") == raw + b"\r\n"
    assert wire.fetch("MLSD").endswith(b"; " + raw + b"\r\n")
    assert wire.fetch("LIST").endswith(b" " + raw + b"\r\n")
    assert wire.fetch(b"RETR " + raw) == b"content"
    assert wire.asks(b"SIZE " + raw, b"RNFR " + raw, "RNTO plain", "RNFR plain", b"RNTO " + raw, b"DELE " + raw) == [
        213,
        350,
        250,
        350,
        250,
        250,
    ]


def test_name_with_a_line_end_is_not_listed_as_two(wire: Wire, guest: Guest) -> None:
    (guest.home / "a\r\n-rw-r--r-- 1 ftp ftp 0 Jan 01 00:00 forged").touch()
    (guest.home / "b").touch()
    assert wire.fetch("NLST") == b"b\r\n"
    assert wire.fetch("LIST").count(b"\r\n") == 1
    assert wire.fetch("MLSD").count(b"\r\n") == 1
