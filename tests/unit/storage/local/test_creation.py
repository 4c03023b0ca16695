"""Times of creation: whose they are, what keeps them, and disks that keep none."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import NotFound, NotPermitted, Unsupported
from ftpd.storage import creation
from ftpd.testing.fakes import finish
from ftpd.values import Ability, Attributes, FileKind
from tests.unit.storage.local.disk import Disk, fails, path


def without_attributes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> bytes:
        raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

    monkeypatch.setattr(os, "getxattr", refuse)
    monkeypatch.setattr(os, "setxattr", refuse)


@pytest.fixture
def dated(disk: Disk) -> Disk:
    if Ability.CREATION_SET not in disk.files.abilities:
        pytest.skip("machine: this disk keeps no attributes of users")
    disk.put("/a", b"content")
    return disk


def test_a_time_of_creation_outlives_the_store(dated: Disk, top: Path) -> None:
    dated.date("/a", 5)
    finish(dated.store.close())
    assert Disk(top).created("/a") == 5


def test_the_time_of_creation_behind_a_link_is_its_targets(dated: Disk, top: Path) -> None:
    (top / "l").symlink_to("a")
    dated.date("/l", 5)
    assert (dated.created("/a"), dated.created("/l")) == (5, 5)


def test_of_a_link_that_leads_nowhere_nobody_knows_the_time_of_creation(dated: Disk, top: Path) -> None:
    (top / "l").symlink_to("none")
    assert dated.stat("/l").kind is FileKind.LINK
    assert dated.created("/l") is None
    fails(NotFound, dated.files.set_attributes(path("/l"), Attributes(created_ns=5)))


def test_no_time_of_creation_is_told_or_set_behind_a_hidden_or_forbidden_link(dated: Disk, top: Path) -> None:
    (top / "l").symlink_to("a")
    hiding, denying = Disk(top, symlinks="hide"), Disk(top, symlinks="deny")
    fails(NotFound, hiding.files.created_ns(path("/l")))
    fails(NotFound, hiding.files.set_attributes(path("/l"), Attributes(created_ns=5)))
    assert denying.created("/l") is None  # as what it is itself, it is there
    fails(NotPermitted, denying.files.set_attributes(path("/l"), Attributes(created_ns=5)))
    assert os.listxattr(top / "a") == []


def test_of_a_kept_part_nobody_knows_the_time_of_creation(dated: Disk) -> None:
    dated.cut("/part", b"half")
    assert dated.stat("/part").size == 4
    assert dated.created("/part") is None
    fails(NotFound, dated.files.set_attributes(path("/part"), Attributes(created_ns=5)))


@pytest.mark.parametrize("kind", [os.mkfifo, lambda name: os.mknod(name, 0o600 | stat.S_IFSOCK)])
def test_what_is_neither_file_nor_directory_keeps_no_time_of_creation(dated: Disk, top: Path, kind: Any) -> None:
    kind(top / "odd")
    assert dated.created("/odd") is not None  # its birth
    fails(Unsupported, dated.files.set_attributes(path("/odd"), Attributes(created_ns=5)))


def test_what_replaces_a_file_is_a_new_one(dated: Disk, top: Path) -> None:
    dated.date("/a", 5)
    dated.put("/a", b"other content")
    assert os.listxattr(top / "a") == []


def test_a_file_written_in_place_stays_the_old_one(dated: Disk, top: Path) -> None:
    in_place = Disk(top, in_place=True)
    in_place.date("/a", 5)
    in_place.put("/a", b"other content")
    assert in_place.created("/a") == 5


def test_a_change_that_fails_leaves_the_time_of_creation_as_it_was(dated: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no")

    (top / "b").touch()
    dated.date("/b", 5)
    monkeypatch.setattr(os, "utime", refuse)
    for name in ("/a", "/b"):
        fails(NotPermitted, dated.files.set_attributes(path(name), Attributes(created_ns=6, modified_ns=7)))
    assert os.listxattr(top / "a") == []
    assert dated.created("/b") == 5


def test_a_disk_without_attributes_says_so_and_changes_nothing(dated: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_attributes(monkeypatch)
    born, mode = dated.created("/a"), (top / "a").stat().st_mode
    error = fails(Unsupported, dated.files.set_attributes(path("/a"), Attributes(created_ns=5, mode=0o400)))
    assert str(error) == "This file system keeps no time of creation"
    assert (dated.created("/a"), (top / "a").stat().st_mode) == (born, mode)


def test_abilities_tell_what_the_disk_of_the_root_can(dated: Disk, top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Ability.CREATION_TOLD | Ability.CREATION_SET in dated.files.abilities
    without_attributes(monkeypatch)
    abilities = Disk(top).files.abilities
    assert Ability.CREATION_TOLD in abilities
    assert Ability.CREATION_SET not in abilities


def test_a_machine_without_times_of_creation_offers_none(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "IS_TOLD", False)
    disk = Disk(top)
    disk.put("/a", b"content")
    assert not disk.files.abilities & (Ability.CREATION_TOLD | Ability.CREATION_SET)
    assert disk.created("/a") is None
    fails(Unsupported, disk.files.set_attributes(path("/a"), Attributes(created_ns=5)))
