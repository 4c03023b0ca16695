from __future__ import annotations

import os
import stat

import pytest

from ftpd.ftp.traces.file import Piece, Shelf, write


def piece(tmp_path, data, at=0, *, name="trace", most_files=10):
    return Piece(Shelf(str(tmp_path / "shelf"), most_files, 3600.0), name, data, at)


def test_what_is_added_stands_behind_what_is_there(tmp_path):
    assert write([piece(tmp_path, b"one\n"), piece(tmp_path, b"two\n", 4)]) == ["", ""]
    assert (tmp_path / "shelf" / "trace").read_bytes() == b"one\ntwo\n"


def test_file_and_directory_are_the_owners_alone(tmp_path):
    write([piece(tmp_path, b"x")])
    assert stat.S_IMODE((tmp_path / "shelf").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "shelf" / "trace").stat().st_mode) == 0o600


def test_one_that_cannot_be_written_stops_no_other(tmp_path):
    one, other = piece(tmp_path, b"x", name="nowhere/trace"), piece(tmp_path, b"y")
    faults = write([one, other])
    assert "No such file or directory" in faults[0]
    assert faults[1] == ""
    assert (tmp_path / "shelf" / "trace").read_bytes() == b"y"


@pytest.mark.parametrize("at", [0, 1])
def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path, at):
    (tmp_path / "target").write_bytes(b"x")
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "trace").symlink_to(tmp_path / "target")
    assert write([piece(tmp_path, b"more", at)]) != [""]
    assert (tmp_path / "target").read_bytes() == b"x"
    assert (tmp_path / "shelf" / "trace").is_symlink()


def test_a_file_that_is_there_stays(tmp_path):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "trace").write_bytes(b"theirs")
    assert "File exists" in write([piece(tmp_path, b"more")])[0]
    assert (tmp_path / "shelf" / "trace").read_bytes() == b"theirs"


def test_a_file_that_lost_a_piece_is_not_added_to(tmp_path):
    write([piece(tmp_path, b"one\n")])
    assert "not as long" in write([piece(tmp_path, b"three\n", 8)])[0]
    assert (tmp_path / "shelf" / "trace").read_bytes() == b"one\n"


def test_a_pipe_in_the_place_of_the_file_is_not_waited_for(tmp_path):
    (tmp_path / "shelf").mkdir()
    os.mkfifo(tmp_path / "shelf" / "trace")
    assert "No such device" in write([piece(tmp_path, b"x", 4)])[0]


def test_a_shelf_is_read_once_for_all_that_begin(tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(os, "listdir", lambda path: read.append(path) or [])
    write([piece(tmp_path, b"x", name=f"trace{number}") for number in range(100)])
    assert read == [str(tmp_path / "shelf")]


def test_room_is_made_for_all_that_begin(tmp_path):
    (tmp_path / "shelf").mkdir()
    for day in (1, 2, 3):
        (tmp_path / "shelf" / f"2099010{day}T000000Z-A.jsonl").touch()
    write([piece(tmp_path, b"x", name=f"2099020{day}T000000Z-A.jsonl", most_files=3) for day in (1, 2)])
    assert sorted(file.name[:8] for file in (tmp_path / "shelf").iterdir()) == ["20990103", "20990201", "20990202"]
