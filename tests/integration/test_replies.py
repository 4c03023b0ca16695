"""One command, one code: what a real server answers to the probes by which FTP servers differ.

Apart from the unit tests of single commands: here login, table, store and channel are the real ones, wired as an operator gets them.
"""

from __future__ import annotations

import os

import pytest

from tests.integration.live import Guest
from tests.integration.wire import Wire


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("ABOR", 226),
        ("ACCT x", 202),
        ("ALLO", 501),
        ("ALLO 5", 200),
        ("ALLO 5 R 3", 200),
        ("AUTH TLS", 504),
        ("CCC", 533),
        ("CDUP", 250),
        ("CLNT me", 200),
        ("CWD", 250),
        ("CWD missing", 550),
        ("CWD file", 550),
        ("DELE directory", 550),
        ("DELE missing", 550),
        ("EPRT |3|127.0.0.1|5555|", 522),
        ("EPRT nonsense", 501),
        ("EPSV", 229),
        ("EPSV 1", 229),
        ("EPSV 2", 522),
        ("EPSV 3", 522),
        ("EPSV ALL", 200),
        ("FEAT", 211),
        ("HELP", 214),
        ("HELP RETR", 214),
        ("HELP SITE", 214),
        ("LIST", 425),
        ("MDTM file", 213),
        ("MDTM missing", 550),
        ("MFMT 20090213233130 file", 213),
        ("MFMT nonsense file", 501),
        ("MKD directory", 550),
        ("MKD new", 257),
        ("MLST file", 250),
        ("MLST missing", 550),
        ("MODE S", 200),
        ("MODE Z", 504),
        ("NOOP", 200),
        ("OPTS MLST type;size;", 200),
        ("OPTS UTF8 ON", 200),
        ("OPTS NONSENSE", 501),
        ("PASS x", 503),
        ("PASV", 227),
        ("PBSZ 0", 503),
        ("PORT 10,0,0,1,20,20", 501),
        ("PORT nonsense", 501),
        ("PROT P", 503),
        ("PWD", 257),
        ("QUIT", 221),
        ("REIN", 220),
        ("REST 5", 350),
        ("REST -1", 501),
        ("REST x", 501),
        ("RMD directory", 250),
        ("RMD file", 550),
        ("RMD missing", 550),
        ("RMD /", 550),
        ("RNFR missing", 550),
        ("RNTO new", 503),
        ("SITE CHMOD 600 file", 200),
        ("SITE CHMOD x file", 501),
        ("SITE HELP", 214),
        ("SITE IDLE", 200),
        ("SITE NONSENSE", 504),
        ("SITE UMASK 077", 200),
        ("SITE UTIME 20090213233130 file", 200),
        ("SIZE directory", 550),
        ("SIZE file", 213),
        ("SIZE missing", 550),
        ("SMNT /", 202),
        ("SMNT /directory", 550),
        ("LPRT 9,4,127,0,0,1,2,20,20", 521),
        ("LPRT 4,4,10,0,0,1,2,20,20", 501),
        ("LPSV", 228),
        ("LANG", 200),
        ("LANG de-AT", 200),
        ("LANG xx", 504),
        ("LANG ?", 501),
        ("CSID Name=x;", 200),
        ("PRET RETR file", 200),
        ("PRET RETR missing", 550),
        ("SITE WHO", 211),
        ("STAT", 211),
        ("STAT directory", 212),
        ("STAT file", 213),
        ("STAT missing", 550),
        ("STRU F", 200),
        ("STRU R", 200),
        ("STRU P", 504),
        ("SYST", 215),
        ("TYPE A N", 200),
        ("TYPE E", 200),
        ("TYPE L 7", 504),
        ("TYPE I", 200),
        ("TYPE L 8", 200),
        ("TYPE", 501),
        ("XCUP", 250),
        ("XPWD", 257),
        ("NONSENSE", 500),
        ("", 500),
        ("noop", 200),
        ("NoOp", 200),
    ],
)
def test_answer(wire: Wire, guest: Guest, line: str, code: int) -> None:
    (guest.home / "file").write_bytes(b"content")
    (guest.home / "directory").mkdir()
    assert wire.ask(line).code == code


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("LIST missing", 550),
        ("LIST *.none", 150),
        ("MLSD missing", 550),
        ("MLSD file", 501),
        ("NLST missing", 550),
        ("RETR directory", 550),
        ("RETR missing", 550),
        ("STOR directory", 553),
        ("STOR missing/file", 553),
        ("APPE directory", 550),
        ("STOU", 150),
        ("LIST -la", 150),
        ("LIST -a directory", 150),
        ("LIST -- -x", 550),
        ("NLST -CF", 150),
    ],
)
def test_answer_with_a_data_port(wire: Wire, guest: Guest, line: str, code: int) -> None:
    (guest.home / "file").write_bytes(b"content")
    (guest.home / "directory").mkdir()
    with wire.data():
        assert wire.ask(line).code == code


def test_rest_beyond_the_end_is_554(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    with wire.data():
        assert wire.asks("REST 8", "RETR file") == [350, 554]


def test_rest_and_stor_of_a_new_file_is_554(wire: Wire) -> None:
    with wire.data():
        assert wire.asks("REST 5", "STOR new") == [350, 554]


def test_rest_counts_for_one_transfer_only(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"content")
    assert wire.ask("REST 3").code == 350
    with wire.data() as data:
        assert wire.asks("REST 3", "RETR file") == [350, 150]
        assert data.recv(100) == b"tent"
    assert wire.reply().code == 226
    assert wire.fetch("RETR file") == b"content"


def test_after_epsv_all_only_epsv_is_taken(wire: Wire) -> None:
    assert wire.asks("EPSV ALL", "PASV", "PORT 127,0,0,1,20,20", "EPRT |1|127.0.0.1|5555|", "EPSV") == [200, 503, 503, 503, 229]


def test_pasv_over_ipv6_sends_the_client_to_epsv(guest6: Guest) -> None:
    with Wire.of(guest6) as wire:
        assert wire.asks("PASV", "EPSV 1", "EPSV 2", "EPSV") == [425, 522, 229, 229]


def test_line_of_feat_starts_with_one_space(wire: Wire) -> None:
    first, *features = wire.ask("FEAT").text.split("\n")
    assert first == "Extensions:"
    assert all(line[0] == " " and line[1] != " " for line in features)


def test_size_in_type_a_counts_what_is_sent(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").write_bytes(b"one\ntwo\n")
    assert wire.ask("TYPE A").code == 200
    assert wire.ask("SIZE file").text == "10"
    assert wire.fetch("RETR file") == b"one\r\ntwo\r\n"


def test_append_makes_a_file_and_then_adds_to_it(wire: Wire, guest: Guest) -> None:
    assert [wire.store("APPE file", part).code for part in (b"one", b"two")] == [226, 226]
    assert (guest.home / "file").read_bytes() == b"onetwo"


def test_rename_onto_a_file_replaces_it(wire: Wire, guest: Guest) -> None:
    (guest.home / "old").write_bytes(b"old")
    (guest.home / "new").write_bytes(b"new")
    assert wire.asks("RNFR old", "RNTO new") == [350, 250]
    assert (guest.home / "new").read_bytes() == b"old"


def test_rmd_of_a_full_directory_is_550(wire: Wire, guest: Guest) -> None:
    (guest.home / "directory").mkdir()
    (guest.home / "directory" / "file").touch()
    assert wire.ask("RMD directory").code == 550


def test_rmd_of_a_directory_that_holds_a_kept_part_only_is_250(wire: Wire, guest: Guest) -> None:
    (guest.home / "directory").mkdir()
    with wire.data() as data:
        assert wire.ask("STOR directory/file").code == 150
        data.sendall(b"part")
        assert any("4 bytes" in wire.ask("STAT").text for _ in range(2000))
        assert wire.ask("ABOR").code == 426
    assert wire.reply().code == 226
    assert wire.fetch("NLST directory") == b""
    assert wire.ask("RMD directory").code == 250
    assert os.listdir(guest.home) == []


def test_chmod_and_utime_reach_the_disk(wire: Wire, guest: Guest) -> None:
    (guest.home / "file").touch()
    assert wire.asks("SITE CHMOD 640 file", "SITE UTIME 20090213233130 file") == [200, 200]
    found = (guest.home / "file").stat()
    assert (found.st_mode & 0o777, found.st_mtime) == (0o640, 1_234_567_890)


def test_telnet_option_is_refused_before_the_command_behind_it_is_answered(wire: Wire) -> None:
    wire.send(b"\xff\xfd\x06NOOP\r\n")
    heard = b""
    while not heard.endswith(b"\r\n"):
        heard += wire.control.recv(100)
    assert heard == b"\xff\xfc\x06200 OK.\r\n"
