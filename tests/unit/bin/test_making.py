"""Whose a directory is in which an environment shall be made."""

from __future__ import annotations

import making


def test_a_lock_that_comes_behind_our_look_makes_nobody_elses_directory(tmp_path, monkeypatch):
    looks = []
    listdir = making.os.listdir

    def look(directory):
        entries = listdir(directory)
        looks.append(entries)
        (tmp_path / "ftpd.lock").touch()  # another start, just now
        return entries

    monkeypatch.setattr(making.os, "listdir", look)
    assert making._is_ours(tmp_path)
    assert looks == [[]]


def test_a_directory_with_somebodys_files_and_no_lock_is_not_ours(tmp_path):
    (tmp_path / "thesis.txt").touch()
    assert not making._is_ours(tmp_path)


def test_a_file_is_not_ours(tmp_path):
    (tmp_path / "file").touch()
    assert not making._is_ours(tmp_path / "file")


def test_what_is_not_there_is_ours(tmp_path):
    assert making._is_ours(tmp_path / "nothing")
