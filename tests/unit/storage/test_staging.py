"""Staging files and who works on them: other processes are real ones here, and die as processes do."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftpd.errors import Busy
from ftpd.paths import VirtualPath
from ftpd.schema import FilePath
from ftpd.storage import staging
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.storage.names import is_staging, kept_name, staging_name
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Account

UPLOADER = """
import sys
from ftpd.paths import VirtualPath
from ftpd.schema import FilePath
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Account, WriteMode

top, name, mode = sys.argv[1:]
store = LocalStore(LocalSettings(root=FilePath(top), durable="none"), InlineThreads())
files = finish(store.open(Account("ann")))
upload = finish(files.open_write(VirtualPath.parse(name), mode=WriteMode[mode]))
finish(upload.write_at(upload.start, b"half"))
print("ready", flush=True)
sys.stdin.readline()
finish(upload.write_at(upload.start + 4, b"done"))
finish(upload.commit())
"""

LOCKER = """
import fcntl, sys
file = open(sys.argv[1], "r+b")
fcntl.lockf(file, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.readline()
"""

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a script in a process of its own, and waits until it is ready."""
    processes: list[subprocess.Popen[str]] = []

    def begin(script: str, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", script, *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield begin
    for process in processes:
        process.kill()
        process.communicate()


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield number
    os.close(number)


def sweep(directory: int, *, is_own: bool = True) -> None:
    """Sweep all there is, parts that are kept after a week."""
    staging.sweep(directory, filter(is_staging, os.listdir(directory)), 7 * 86400.0, lambda _: is_own)


def store_over(top: Path) -> LocalStore:
    return LocalStore(LocalSettings(root=FilePath(str(top)), durable="none"), InlineThreads())


def leftover(top: Path, age_seconds: float = 0.0) -> Path:
    file = top / staging_name().decode()
    file.write_bytes(b"half")
    then = time.time() - age_seconds
    os.utime(file, (then, then))
    return file


# Processes that are killed.


def test_sweep_after_a_kill_removes_the_dead_process_s_file_and_no_other(tmp_path: Path, start: Start) -> None:
    (tmp_path / "d").mkdir()
    killed = start(UPLOADER, str(tmp_path), "/d/a", "REPLACE")
    (dead,) = (tmp_path / "d").iterdir()
    working = start(UPLOADER, str(tmp_path), "/d/b", "REPLACE")
    (alive,) = set((tmp_path / "d").iterdir()) - {dead}
    killed.kill()
    killed.wait()
    finish(store_over(tmp_path).sweep())
    assert list((tmp_path / "d").iterdir()) == [alive]
    working.communicate("go on\n")
    assert working.returncode == 0
    assert [(file.name, file.read_bytes()) for file in (tmp_path / "d").iterdir()] == [("b", b"halfdone")]


def test_name_that_a_killed_process_held_is_free_again(tmp_path: Path, start: Start) -> None:
    killed = start(UPLOADER, str(tmp_path), "/a", "UNIQUE")
    assert (tmp_path / "a").read_bytes() == b""
    killed.kill()
    killed.wait()
    finish(store_over(tmp_path).sweep())
    assert list(tmp_path.iterdir()) == []


def test_name_that_a_living_process_holds_stays_its_own(tmp_path: Path, start: Start) -> None:
    working = start(UPLOADER, str(tmp_path), "/a", "UNIQUE")
    finish(store_over(tmp_path).sweep())
    working.communicate("go on\n")
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("a", b"halfdone")]


def test_file_that_has_taken_the_place_of_a_held_name_stays(tmp_path: Path, start: Start) -> None:
    killed = start(UPLOADER, str(tmp_path), "/a", "UNIQUE")
    killed.kill()
    killed.wait()
    (tmp_path / "a").write_bytes(b"somebody's")
    (tmp_path / "b").touch()
    finish(store_over(tmp_path).sweep())
    assert {file.name for file in tmp_path.iterdir()} == {"a", "b"}


def test_file_of_a_process_that_lives_is_not_swept_however_old_it_is(tmp_path: Path, start: Start) -> None:
    start(UPLOADER, str(tmp_path), "/a", "REPLACE")
    (alive,) = tmp_path.iterdir()
    os.utime(alive, (0, 0))
    finish(store_over(tmp_path).sweep())
    assert alive.exists()


def test_part_that_a_killed_process_was_resuming_is_kept_with_what_it_added(tmp_path: Path, start: Start) -> None:
    (tmp_path / kept_name("ann", b"a").decode()).write_bytes(b"first ")
    killed = start(UPLOADER, str(tmp_path), "/a", "APPEND")
    killed.kill()
    killed.wait()
    store = store_over(tmp_path)
    finish(store.sweep())
    files = finish(store.open(Account("ann")))
    assert finish(files.stat(VirtualPath.parse("/a"))).size == 10


# What locks tell.


def test_without_a_lock_it_is_dead_at_once_on_a_disk_of_our_own(tmp_path: Path, directory: int) -> None:
    leftover(tmp_path)
    sweep(directory)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(("age_seconds", "stays"), [(3500.0, True), (3700.0, False)])
def test_only_age_tells_on_a_disk_that_others_use(tmp_path: Path, directory: int, age_seconds: float, stays: bool) -> None:
    file = leftover(tmp_path, age_seconds)
    sweep(directory, is_own=False)
    assert file.exists() is stays


@pytest.mark.parametrize(("age_seconds", "stays"), [(3500.0, True), (3700.0, False)])
def test_only_age_tells_where_there_are_no_locks(
    tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch, age_seconds: float, stays: bool
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", none)
    file = leftover(tmp_path, age_seconds)
    sweep(directory)
    assert file.exists() is stays


def test_directory_that_somebody_has_locked_is_swept_all_the_same(tmp_path: Path, directory: int) -> None:
    leftover(tmp_path)
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    sweep(directory)
    os.close(other)
    assert os.listdir(tmp_path) == []


def test_lock_of_an_nfs_server_tells_of_a_process_on_another_machine(tmp_path: Path, directory: int, start: Start) -> None:
    file = leftover(tmp_path)
    process = start(LOCKER, str(file))
    sweep(directory)
    assert file.exists()
    process.communicate("go on\n")
    sweep(directory)
    assert not file.exists()


# Parts that are kept.


@pytest.mark.parametrize(("age_seconds", "stays"), [(6 * 86400.0, True), (8 * 86400.0, False)])
def test_kept_part_goes_by_age_alone(tmp_path: Path, directory: int, age_seconds: float, stays: bool) -> None:
    kept = leftover(tmp_path, age_seconds).rename(tmp_path / kept_name("ann", b"a").decode())
    sweep(directory)
    assert kept.exists() is stays


def interrupted_by(monkeypatch: pytest.MonkeyPatch, deed: Callable[[], object]) -> None:
    """Have *deed* done between the first look at a file and its lock."""
    deeds = [deed]

    def late_flock(number: int, operation: int, flock: Callable[[int, int], None] = fcntl.flock) -> None:
        if deeds and operation & fcntl.LOCK_EX:
            deeds.pop()()
        flock(number, operation)

    monkeypatch.setattr(fcntl, "flock", late_flock)


def test_kept_part_that_is_resumed_under_a_sweep_stays(tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = leftover(tmp_path, 8 * 86400.0).rename(tmp_path / kept_name("ann", b"a").decode())
    interrupted_by(monkeypatch, lambda: kept.write_bytes(b"half and more"))
    sweep(directory)
    assert kept.read_bytes() == b"half and more"


def test_kept_part_that_takes_the_name_of_an_outdated_one_under_a_sweep_stays(
    tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = leftover(tmp_path, 8 * 86400.0).rename(tmp_path / kept_name("ann", b"a").decode())
    fresh = leftover(tmp_path)
    interrupted_by(monkeypatch, lambda: fresh.replace(kept))
    staging.sweep(directory, [kept.name], 7 * 86400.0, lambda _: True)
    assert kept.exists()


# Files that are made.


def test_made_file_is_locked(tmp_path: Path, directory: int) -> None:
    name, number, _ = staging.create(directory, 0o600)
    sweep(directory)
    assert os.listdir(tmp_path) == [name.decode()]
    os.close(number)
    sweep(directory)
    assert os.listdir(tmp_path) == []


def test_file_that_is_swept_before_it_is_locked_is_made_again(
    tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupted_by(monkeypatch, lambda: sweep(directory))
    name, number, _ = staging.create(directory, 0o600)
    assert os.listdir(tmp_path) == [name.decode()]
    assert os.path.samestat(os.fstat(number), os.stat(tmp_path / name.decode()))
    os.close(number)


def test_file_that_is_locked_by_a_sweep_first_is_made_again(
    tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweeping: list[int] = []

    def lock_first() -> None:
        (found,) = os.listdir(tmp_path)
        sweeping.append(os.open(tmp_path / found, os.O_RDWR))
        staging.lock(sweeping[0])

    interrupted_by(monkeypatch, lock_first)
    name, number, _ = staging.create(directory, 0o600)
    assert not os.path.samestat(os.fstat(number), os.fstat(sweeping[0]))
    assert staging.size_of(directory, name) == 0
    for descriptor in (number, *sweeping):
        os.close(descriptor)


def test_disk_on_which_nothing_can_be_locked_is_busy(directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "lock", lambda _: False)
    with pytest.raises(Busy):
        staging.create(directory, 0o600)


def test_file_on_a_disk_that_counts_no_links_is_made_once(tmp_path: Path, directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fstat = os.fstat
    monkeypatch.setattr(os, "fstat", lambda number: os.stat_result([*fstat(number)[:3], 0, *fstat(number)[4:]]))
    name, number, _ = staging.create(directory, 0o600)
    assert os.listdir(tmp_path) == [name.decode()]
    os.close(number)
