"""What a cut or discarded upload leaves, what frees one, and directories that are moved below one."""

from __future__ import annotations

import gc
import os
import weakref
from pathlib import Path

from ftpd.errors import NotEmpty
from ftpd.testing.fakes import finish
from tests.unit.storage.local.disk import Disk, fails, path


def test_cut_uploads_are_published_where_the_setting_says_so(top: Path) -> None:
    disk = Disk(top, cut_upload="publish")
    disk.put("/a", b"old content")
    disk.cut("/a", b"half")
    assert disk.get("/a") == b"half"
    finish(disk.begin("/a").abandon())
    assert disk.get("/a") == b"half"  # nothing came, so nothing is published


def test_discarded_uploads_leave_nothing(top: Path) -> None:
    disk = Disk(top, cut_upload="discard")
    disk.cut("/a", b"half")
    assert os.listdir(top) == []


def test_in_place_a_cut_new_file_stays_or_goes_as_set(top: Path) -> None:
    Disk(top, in_place=True).cut("/a", b"half")
    assert (top / "a").read_bytes() == b"half"
    Disk(top, in_place=True, cut_upload="discard").cut("/b", b"half")
    assert os.listdir(top) == ["a"]


def test_a_directory_is_not_removed_under_an_upload(disk: Disk) -> None:
    finish(disk.files.make_directory(path("/d")))
    upload = disk.begin("/d/a")
    fails(NotEmpty, disk.files.remove_directory(path("/d")))
    finish(upload.commit())
    assert disk.names("/d") == ["a"]


def test_an_upload_follows_its_directory_when_that_is_renamed(disk: Disk) -> None:
    finish(disk.files.make_directory(path("/d")))
    upload = disk.begin("/d/a")
    finish(disk.files.rename(path("/d"), path("/e")))
    finish(upload.commit())
    assert disk.names("/e") == ["a"]


def test_an_upload_is_freed_without_the_garbage_collector(disk: Disk) -> None:
    upload = disk.begin("/a")
    draft = weakref.ref(upload._draft)
    gc.disable()
    try:
        finish(upload.commit())
        del upload
        assert draft() is None
    finally:
        gc.enable()


def test_nothing_is_published_of_which_nothing_is_kept(top: Path) -> None:
    disk = Disk(top, cut_upload="publish")
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"half"))
    finish(upload.abandon(keeps=False))
    assert os.listdir(top) == []
