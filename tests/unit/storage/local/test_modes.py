"""Modes, owners and attributes: what new, replaced and changed files have of them."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import NotPermitted
from ftpd.schema import FileMode
from ftpd.testing.fakes import finish
from ftpd.values import Attributes
from tests.unit.storage.local.disk import Disk, fails, path


def test_of_several_attributes_all_are_changed_or_none(disk: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (top / "a").touch()
    (top / "a").chmod(0o640)
    before = (top / "a").stat()
    utime = os.utime

    def refuse_the_first(*arguments: Any, **more: Any) -> None:
        monkeypatch.setattr(os, "utime", utime)
        raise PermissionError(errno.EPERM, "refused")

    monkeypatch.setattr(os, "utime", refuse_the_first)
    fails(NotPermitted, disk.files.set_attributes(path("/a"), Attributes(mode=0o600, modified_ns=0)))
    after = (top / "a").stat()
    assert (after.st_mode, after.st_mtime_ns) == (before.st_mode, before.st_mtime_ns)


@pytest.fixture
def umask() -> Any:
    old = os.umask(0o027)
    yield
    os.umask(old)


@pytest.mark.usefixtures("umask")
def test_a_new_file_has_the_mode_of_a_plain_open(disk: Disk, top: Path) -> None:
    disk.put("/a", b"x")
    finish(disk.files.make_directory(path("/d")))
    assert stat.S_IMODE((top / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((top / "d").stat().st_mode) == 0o750


@pytest.mark.usefixtures("umask")
def test_set_modes_are_set_exactly(top: Path) -> None:
    disk = Disk(top, file_mode=FileMode(0o664), directory_mode=FileMode(0o2775))
    disk.put("/a", b"x")
    finish(disk.files.make_directory(path("/d")))
    assert stat.S_IMODE((top / "a").stat().st_mode) == 0o664
    assert stat.S_IMODE((top / "d").stat().st_mode) == 0o2775


def test_a_private_file_is_private_while_it_is_replaced(disk: Disk, top: Path) -> None:
    (top / "a").write_text("old")
    (top / "a").chmod(0o600)
    upload = disk.begin("/a")
    (staged,) = set(os.listdir(top)) - {"a"}
    assert stat.S_IMODE((top / staged).stat().st_mode) == 0o600
    finish(upload.abandon())


@pytest.mark.skipif(os.geteuid() != 0, reason="machine: only root may give files away")
def test_replacing_keeps_owner_and_group(disk: Disk, top: Path) -> None:
    (top / "a").write_text("old")
    os.chown(top / "a", 1234, 4321)
    disk.put("/a", b"new")
    status = (top / "a").stat()
    assert (status.st_uid, status.st_gid) == (1234, 4321)


def test_owners_are_hidden_unless_shown(disk: Disk, top: Path) -> None:
    disk.put("/a", b"x")
    assert (disk.stat("/a").owner, disk.stat("/a").group) == ("ftp", "ftp")
    shown = Disk(top, show_owners=True).stat("/a")
    assert (shown.owner, shown.group) == ((top / "a").owner(), (top / "a").group())
