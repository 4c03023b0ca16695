"""Faults of the disk: full, failing, out of descriptors; nothing half is published and no descriptor stays."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import FileTransferError, IntegrityLost, IsADirectory, NoSpace, NotFound, OverQuota, Unavailable, Unsupported
from ftpd.storage import kernel
from ftpd.testing.fakes import finish
from ftpd.values import WriteMode
from tests.unit.storage.local.disk import Disk, fails, path


def raising(number: int) -> Any:
    def call(*_: Any, **__: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("function", "number", "error"),
    [("fdatasync", errno.ENOSPC, NoSpace), ("fdatasync", errno.EIO, IntegrityLost), ("rename", errno.EDQUOT, OverQuota)],
)
def test_a_failing_commit_publishes_nothing(
    top: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int, error: type[FileTransferError]
) -> None:
    disk = Disk(top, durable="file")
    disk.put("/a", b"old")
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"new content"))
    with monkeypatch.context() as patched:
        patched.setattr(os, function, raising(number))
        assert fails(error, upload.commit()).path == path("/a")
    assert disk.get("/a") == b"old"
    assert os.listdir(top) == ["a"]


def test_a_failing_commit_in_place_leaves_no_new_file(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(top, durable="file", in_place=True)
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"content"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", raising(errno.ENOSPC))
        fails(NoSpace, upload.commit())
    assert os.listdir(top) == []


def test_a_full_disk_is_no_space_and_nothing_is_kept_where_the_caller_says_so(
    disk: Disk, top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = disk.begin("/a")
    finish(upload.write_at(0, b"half"))
    with monkeypatch.context() as patched:
        patched.setattr(os, "pwrite", raising(errno.ENOSPC))
        fails(NoSpace, upload.write_at(4, b" and half"))
    finish(upload.abandon(keeps=False))
    assert os.listdir(top) == []


def test_a_file_that_cannot_fit_is_refused_before_it_is_sent(disk: Disk, top: Path) -> None:
    fails(NoSpace, disk.files.open_write(path("/a"), mode=WriteMode.REPLACE, expected_size=10**18))
    assert os.listdir(top) == []


def test_a_short_write_goes_on(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda number, data, offset: pwrite(number, data[:3], offset))
    disk.put("/a", b"0123456789")
    assert disk.get("/a") == b"0123456789"


def test_without_descriptors_it_is_unavailable(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    disk.put("/a", b"x")
    monkeypatch.setattr(kernel, "openat2", lambda *_: -errno.EMFILE)
    monkeypatch.setattr(os, "open", raising(errno.EMFILE))
    fails(Unavailable, disk.files.open_read(path("/a")))


def test_a_file_that_shrinks_ends_early(disk: Disk, top: Path) -> None:
    disk.put("/a", b"0123456789")
    file = finish(disk.files.open_read(path("/a")))
    os.truncate(top / "a", 3)
    assert file.info.size == 10
    assert finish(file.read_at(0, 10)) == b"012"
    finish(file.close())


def test_a_failed_abandon_is_not_raised(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = disk.begin("/a")
    monkeypatch.setattr(os, "unlink", raising(errno.EIO))
    finish(upload.abandon())


def test_no_descriptor_is_left_open(top: Path) -> None:
    (top / "d").mkdir()
    os.mkfifo(top / "fifo")
    (top / "link").symlink_to("d")
    before = len(os.listdir("/proc/self/fd"))
    disk = Disk(top)
    disk.put("/a", b"x")
    disk.cut("/a", b"half")
    disk.put("/a", b"x", WriteMode.APPEND)
    disk.put("/a", b"x", WriteMode.RESUME, offset=0)
    disk.put("/a", b"x", WriteMode.UNIQUE)
    disk.get("/a")
    disk.names()
    disk.stat("/link")
    fails(Unsupported, disk.files.open_read(path("/fifo")))
    fails(IsADirectory, disk.files.open_write(path("/d"), mode=WriteMode.REPLACE))
    fails(NotFound, disk.files.open_write(path("/no/a"), mode=WriteMode.REPLACE))
    finish(disk.files.close())
    finish(disk.store.close())
    directory = [
        os.readlink(f"/proc/self/fd/{number}")
        for number in os.listdir("/proc/self/fd")
        if os.path.lexists(f"/proc/self/fd/{number}")
    ]
    assert [found for found in directory if found.startswith(str(top))] == []
    assert before > 0
