"""Homes on disks that may hang: what a login waits for, and what it does not."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred, execute
from twisted.internet.task import Clock

from ftpd.errors import NotFound, Unavailable
from ftpd.paths import VirtualPath
from ftpd.schema import FilePath
from ftpd.storage.local import LocalFilesystem, LocalSettings, LocalStore
from ftpd.testing.fakes import HeldThreads, begin, finish, result_of
from ftpd.values import Account

TIMEOUT_SECONDS = 30


class Held(HeldThreads):
    """Threads of all pools, whose calls end when the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()

    def separate(self, name: str) -> Held:
        return self

    def finish(self) -> None:
        function, call = self.calls.pop(0)
        execute(function).chainDeferred(call)

    def finish_last(self) -> None:
        """Make the newest call: those before it hang."""
        self.calls.insert(0, self.calls.pop())
        self.finish()


class Disk:
    """A store on a disk that may hang, with its root open and homes for three."""

    def __init__(self, top: Path) -> None:
        for name in ("ann", "bob", "eve"):
            (top / name).mkdir()
        self.threads = Held()
        settings = LocalSettings(root=FilePath(str(top)), durable="none", network_file_system="yes")
        self.store = LocalStore(settings, self.threads)
        missing = self.log_in("nobody")
        self.threads.finish()
        self.threads.calls.pop()[1].errback(FileNotFoundError(errno.ENOENT, "nothing there"))
        with pytest.raises(NotFound):
            result_of(missing)
        self.before = _open_files()

    def log_in(self, name: str) -> Deferred[LocalFilesystem]:
        return begin(self.store.open(Account(name, home=VirtualPath.parse(f"/{name}"))))

    def opened(self) -> int:
        """How many files are open that were not before the first home was."""
        return _open_files() - self.before


def _open_files() -> int:
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_home_that_hangs_keeps_nobody_out_whose_home_is_another(disk: Disk) -> None:
    hanging = disk.log_in("ann")
    for name in ("bob", "eve"):
        other = disk.log_in(name)
        disk.threads.finish_last()
        result_of(other)
    assert not hanging.called


def test_homes_of_many_are_opened_side_by_side(disk: Disk) -> None:
    for name in ("ann", "bob", "eve"):
        disk.log_in(name)
    assert len(disk.threads.calls) == 3


def test_logins_that_come_together_for_one_home_open_it_once(disk: Disk) -> None:
    logins = [disk.log_in("ann") for _ in range(50)]
    assert len(disk.threads.calls) == 1
    disk.threads.finish()
    sessions = [result_of(login) for login in logins]
    assert disk.opened() == 1
    for session in sessions:
        finish(session.close())
    disk.threads.finish()  # the close
    assert disk.opened() == 0


def test_a_home_that_hangs_takes_one_thread_however_often_its_owner_comes_again(disk: Disk) -> None:
    for _ in range(20):
        login = disk.log_in("ann")
        gc.collect()
        disk.threads.clock.advance(TIMEOUT_SECONDS)
        with pytest.raises(Unavailable):
            result_of(login)
    assert len(disk.threads.calls) == 1


def test_a_home_that_answers_again_lets_its_owner_in(disk: Disk) -> None:
    late = disk.log_in("ann")
    disk.threads.clock.advance(TIMEOUT_SECONDS)
    with pytest.raises(Unavailable):
        result_of(late)
    login = disk.log_in("ann")
    disk.threads.finish()  # for whom it is too late
    assert disk.opened() == 0
    disk.threads.finish()
    result_of(login)
    assert disk.opened() == 1


def test_a_home_that_opens_when_all_have_gone_is_closed(disk: Disk) -> None:
    logins = [disk.log_in("ann") for _ in range(2)]
    for login in logins:
        login.cancel()
        with pytest.raises(CancelledError):
            result_of(login)
    disk.threads.finish()
    disk.threads.finish()  # the close
    assert disk.opened() == 0


def test_a_session_that_ends_at_once_leaves_the_home_to_those_who_came_with_it(disk: Disk) -> None:
    first, second = disk.log_in("ann"), disk.log_in("ann")
    first.addCallback(lambda session: finish(session.close()))
    disk.threads.finish()
    result_of(second)
    assert disk.opened() == 1
