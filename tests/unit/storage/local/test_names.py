"""Names: which are hidden or the store's own, and the bytes that they are."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ftpd.errors import BadName, NotEmpty, NotFound
from ftpd.testing.fakes import finish
from ftpd.values import Attributes, WriteMode
from tests.unit.storage.local.disk import Disk, fails, path


def test_hidden_names_are_neither_listed_nor_reachable(top: Path) -> None:
    (top / ".git").mkdir()
    (top / ".git" / "config").write_text("x")
    (top / "key.pem").write_text("x")
    (top / "file").write_text("x")
    disk = Disk(top, hidden_names=(".git", "*.pem"))
    assert disk.names() == ["file"]
    for text in ("/.git", "/.git/config", "/key.pem"):
        fails(NotFound, disk.files.stat(path(text)))
        fails(NotFound, disk.files.open_read(path(text)))
        fails(NotFound, disk.files.open_write(path(text), mode=WriteMode.REPLACE))
        fails(NotFound, disk.files.remove_file(path(text)))
    fails(NotFound, disk.files.rename(path("/file"), path("/new.pem")))


def test_a_directory_with_hidden_files_is_not_empty(top: Path) -> None:
    (top / "d").mkdir()
    (top / "d" / "key.pem").write_text("x")
    disk = Disk(top, hidden_names=("*.pem",))
    fails(NotEmpty, disk.files.remove_directory(path("/d")))


def test_a_staging_file_is_unreachable(disk: Disk, top: Path) -> None:
    upload = disk.begin("/a")
    (name,) = os.listdir(top)
    staged = path("/" + name)
    fails(NotFound, disk.files.stat(staged))
    fails(NotFound, disk.files.open_read(staged))
    fails(NotFound, disk.files.open_write(staged, mode=WriteMode.APPEND))
    fails(NotFound, disk.files.remove_file(staged))
    fails(NotFound, disk.files.rename(staged, path("/b")))
    fails(NotFound, disk.files.rename(path("/b"), staged))
    fails(NotFound, disk.files.set_attributes(staged, Attributes(mode=0)))
    fails(NotFound, disk.files.make_directory(staged))
    assert disk.names() == []
    finish(upload.abandon())


def test_names_that_are_not_utf8_keep_their_bytes(disk: Disk, top: Path) -> None:
    raw = os.fsencode(top) + b"/\xff\xfe"
    with open(raw, "wb"):
        pass
    assert disk.names() == ["\udcff\udcfe"]
    finish(disk.files.rename(path("/\udcff\udcfe"), path("/\udc80")))
    assert os.listdir(os.fsencode(top)) == [b"\x80"]


def test_a_name_with_a_line_feed_is_listed_and_cannot_be_parsed(disk: Disk, top: Path) -> None:
    (top / "a\nb").write_text("x")
    assert disk.names() == ["a\nb"]
    with pytest.raises(BadName):
        path("/a\nb")
