"""Which calls are made in threads: those that may wait for the disk, and no others."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest
from twisted.internet.defer import fail
from twisted.internet.task import Clock

from ftpd import disks
from ftpd.errors import Unavailable, Unsupported
from ftpd.schema import FilePath
from ftpd.storage import kernel
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Account, FileKind
from tests.unit.storage.local.disk import Disk, path

LARGE = 100_000_000  # bytes, in a file without blocks


@pytest.fixture
def hand(top: Path, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time by which the disk is judged; it stands still, or a busy machine would look like a slow disk."""
    clock, device = Clock(), top.stat().st_dev
    monkeypatch.setattr(disks, "_disks", {device: disks.Disk(device, clock.seconds)})
    return clock


@pytest.fixture
def counted(top: Path, hand: Clock) -> tuple[Disk, InlineThreads]:
    disk, threads = Disk(top), InlineThreads()
    disk.store = LocalStore(LocalSettings(root=FilePath(str(top)), durable="none"), threads)
    disk.files = disk.open("ann")
    threads.calls = 0
    return disk, threads


def test_what_is_in_memory_needs_no_thread(counted: tuple[Disk, InlineThreads]) -> None:
    disk, threads = counted
    disk.names()
    disk.put("/first", b"x")
    threads.calls = 0
    disk.put("/a", b"x")
    disk.put("/a", b"y")
    disk.get("/a")
    disk.stat("/a")
    disk.names()
    finish(disk.files.rename(path("/a"), path("/b")))
    finish(disk.files.remove_file(path("/b")))
    assert threads.calls == 0


def test_a_new_name_in_a_directory_that_nobody_read_needs_a_thread(counted: tuple[Disk, InlineThreads]) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    assert threads.calls == 1
    disk.put("/b", b"x")
    assert threads.calls == 1


def test_a_time_of_creation_is_told_and_set_in_a_thread(counted: tuple[Disk, InlineThreads]) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    threads.calls = 0
    finish(disk.files.created_ns(path("/a")))
    assert threads.calls == 1
    with suppress(Unsupported):  # as the disk may be
        disk.date("/a", 5)
    assert threads.calls == 2


def test_a_name_that_is_not_in_memory_needs_a_thread(counted: tuple[Disk, InlineThreads], monkeypatch: pytest.MonkeyPatch) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    threads.calls = 0
    plain = kernel.openat2

    def openat2(directory: int, name: bytes, flags: int, resolve: int) -> int:
        if resolve & kernel.RESOLVE_CACHED:
            return -errno.EAGAIN
        return plain(directory, name, flags, resolve)

    monkeypatch.setattr(kernel, "openat2", openat2)
    assert disk.get("/a") == b"x"
    assert threads.calls == 1


def test_what_is_not_in_memory_is_read_in_a_thread(counted: tuple[Disk, InlineThreads], monkeypatch: pytest.MonkeyPatch) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    threads.calls = 0
    monkeypatch.setattr("ftpd.disks.Disk.is_cached", lambda *_: False)
    assert disk.get("/a") == b"x"
    assert threads.calls == 1


def test_a_disk_that_held_a_call_for_long_is_used_through_threads(
    counted: tuple[Disk, InlineThreads], hand: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    disk.names()
    plain = os.rename

    def rename(*names: bytes, **where: int) -> None:
        hand.advance(0.1)
        plain(*names, **where)

    monkeypatch.setattr(os, "rename", rename)
    threads.calls = 0
    finish(disk.files.rename(path("/a"), path("/b")))
    assert threads.calls == 0
    finish(disk.files.rename(path("/b"), path("/c")))
    assert disk.get("/c") == b"x"
    assert disk.names() == ["c"]
    disk.put("/c", b"y")
    assert threads.calls == 1 + 3 + 3 + 4  # rename; open, read, close; the same; open, write, commit, close
    hand.advance(31)
    threads.calls = 0
    assert disk.get("/c") == b"y"
    assert threads.calls == 0


def test_removing_a_large_file_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", LARGE)
    threads.calls = 0
    finish(disk.files.remove_file(path("/a")))
    assert threads.calls == 1
    assert os.listdir(top) == []


def test_replacing_a_large_file_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", LARGE)
    threads.calls = 0
    disk.put("/a", b"new")
    assert threads.calls == 1
    assert disk.get("/a") == b"new"


def cut_large(disk: Disk, top: Path, text: str) -> Path:
    """Leave a large kept part of *text*; return its file."""
    before = set(top.rglob(".ftpd.*"))
    disk.cut(text, b"x")
    (kept,) = set(top.rglob(".ftpd.*")) - before
    os.truncate(kept, LARGE)
    return kept


def test_removing_a_large_kept_part_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    kept = cut_large(disk, top, "/a")
    threads.calls = 0
    finish(disk.files.remove_file(path("/a")))
    assert threads.calls == 1
    assert (kept.exists(), os.listdir(top)) == (False, [])


def test_renaming_over_a_large_kept_part_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    disk.put("/b", b"y")
    kept = cut_large(disk, top, "/b")
    threads.calls = 0
    finish(disk.files.rename(path("/a"), path("/b")))
    assert threads.calls == 1
    assert (kept.exists(), os.listdir(top)) == (False, ["b"])


def test_an_upload_that_makes_a_large_kept_part_useless_ends_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    kept = cut_large(disk, top, "/a")
    threads.calls = 0
    disk.put("/a", b"whole")
    assert threads.calls == 1
    assert (kept.exists(), disk.get("/a")) == (False, b"whole")


def test_an_upload_that_is_cut_beside_a_large_kept_part_ends_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    kept = cut_large(disk, top, "/a")
    threads.calls = 0
    disk.cut("/a", b"abc")
    assert threads.calls == 1
    assert kept.read_bytes() == b"abc"


def test_removing_a_directory_with_kept_parts_is_done_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    (top / "d").mkdir()
    cut_large(disk, top, "/d/a")
    disk.stat("/d")
    threads.calls = 0
    finish(disk.files.remove_directory(path("/d")))
    assert threads.calls == 1
    assert os.listdir(top) == []


def test_a_large_file_that_was_deleted_while_it_was_read_is_closed_in_a_thread(
    counted: tuple[Disk, InlineThreads], top: Path
) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", LARGE)
    file = finish(disk.files.open_read(path("/a")))
    os.unlink(top / "a")
    threads.calls = 0
    finish(file.close())
    assert threads.calls == 1


def test_a_large_upload_that_is_discarded_is_closed_in_a_thread(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    upload = disk.begin("/a")
    os.truncate(upload.descriptor() or -1, LARGE)
    threads.calls = 0
    finish(upload.abandon(keeps=False))
    assert threads.calls == 2  # unlink, close
    assert os.listdir(top) == []


def test_without_a_thread_to_be_had_a_large_file_is_closed_all_the_same(
    counted: tuple[Disk, InlineThreads], top: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk, threads = counted
    disk.put("/a", b"x")
    os.truncate(top / "a", LARGE)
    file = finish(disk.files.open_read(path("/a")))
    number = file.descriptor() or -1
    os.unlink(top / "a")
    monkeypatch.setattr(threads, "run", lambda *_: fail(Unavailable()))
    finish(file.close())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def test_a_mount_point_is_looked_at_in_threads_of_its_own(
    counted: tuple[Disk, InlineThreads], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, threads = counted
    pools: list[str] = []

    def separate(name: str) -> InlineThreads:
        pools.append(name)
        return threads

    monkeypatch.setattr(threads, "separate", separate)
    store = LocalStore(LocalSettings(root=FilePath("/")), threads)
    files = finish(store.open(Account("ann")))
    pools.clear()
    assert finish(files.stat(path("/proc"))).kind is FileKind.DIRECTORY
    assert [name.partition("-")[0] for name in pools] == ["disk", "below"]


def test_a_short_listing_known_already_needs_no_thread_and_a_long_one_does(counted: tuple[Disk, InlineThreads], top: Path) -> None:
    disk, threads = counted
    for number in range(255):
        (top / str(number)).touch()
    assert len(disk.names()) == 255
    assert threads.calls == 1
    assert len(disk.names()) == 255
    assert threads.calls == 1
    threads.calls = 0
    for number in range(255, 1000):
        (top / str(number)).touch()
    assert len(disk.names()) == 1000
    assert threads.calls == 2
