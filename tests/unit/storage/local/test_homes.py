"""Homes and the root: where a session begins, and when a missing one is said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from ftpd.errors import NotFound
from ftpd.schema import ConfigError, FilePath
from ftpd.storage.local import LOCAL, LocalSettings, LocalStore
from ftpd.testing.fakes import HeldThreads, InlineThreads, begin, finish, result_of
from ftpd.values import Account
from tests.unit.storage.local.disk import Disk, fails, path


def test_a_missing_home_is_not_found(disk: Disk) -> None:
    assert "home" in str(fails(NotFound, disk.store.open(Account("new", home=path("/home/new")))))


def test_homes_are_made_where_the_setting_says_so(top: Path) -> None:
    disk = Disk(top, create_homes=True)
    disk.files = disk.open("new", home=path("/home/new"))
    disk.put("/a", b"x")
    assert (top / "home" / "new" / "a").read_bytes() == b"x"


def test_a_home_behind_a_link_out_of_the_root_is_refused(disk: Disk, top: Path, tmp_path: Path) -> None:
    (top / "home").symlink_to(tmp_path)
    fails(NotFound, disk.store.open(Account("new", home=path("/home"))))


def test_sessions_of_one_home_share_its_descriptor(disk: Disk, top: Path) -> None:
    (top / "home").mkdir()
    before = len(os.listdir("/proc/self/fd"))
    sessions = [disk.open("x", home=path("/home")) for _ in range(10)]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    for session in sessions:
        finish(session.close())
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_root_that_is_not_there_is_said_at_login_and_not_before(tmp_path: Path) -> None:
    store = LocalStore(LocalSettings(root=FilePath(str(tmp_path / "later"))), InlineThreads())
    fails(NotFound, store.open(Account("ann")))
    (tmp_path / "later").mkdir()
    finish(store.open(Account("ann")))


def test_a_slow_disk_offers_no_descriptor(top: Path) -> None:
    disk = Disk(top, network_file_system="yes")
    upload = disk.begin("/a")
    assert upload.descriptor() is None
    finish(upload.commit())
    assert finish(disk.files.open_read(path("/a"))).descriptor() is None


def test_the_kind_demands_a_root() -> None:
    with pytest.raises(ConfigError, match="root: not set"):
        LOCAL.make(LocalSettings(root=FilePath("")), InlineThreads())


def test_first_logins_that_come_together_open_the_root_once(tmp_path: Path) -> None:
    class Held(HeldThreads):
        clock = Clock()

        def separate(self, name: str) -> Held:
            return self

    threads = Held()
    store = LocalStore(LocalSettings(root=FilePath(str(tmp_path)), durable="none"), threads)
    logins = [begin(store.open(Account(f"ann{number}"))) for number in range(50)]
    assert len(threads.calls) == 1
    threads.finish()
    assert len({id(result_of(login)) for login in logins}) == 50
    assert not threads.calls
