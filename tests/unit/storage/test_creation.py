"""Times of creation on a disk: the attribute as it stands there, what others may have written into it, and what the kernel tells."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftpd.errors import Unsupported
from ftpd.storage import creation, kernel

ATTRIBUTE = "user.ftpd.created"


class Disk:
    """A directory, open, with an open file `a` in it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        (top / "a").write_bytes(b"content")
        self.directory = os.open(top, os.O_RDONLY)
        self.file = os.open(top / "a", os.O_PATH)

    def close(self) -> None:
        os.close(self.directory)
        os.close(self.file)

    def told(self, name: bytes = b"a") -> int | None:
        return creation.created_ns(self.directory, name)

    def is_birth(self, told: int | None) -> bool:
        return told is not None and told == kernel.birth_ns(self.directory, b"a")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    disk = Disk(tmp_path)
    if not creation.can_set(disk.directory):
        pytest.skip("machine: this disk keeps no attributes of users")
    yield disk
    disk.close()


def refusing(code: int) -> Callable[..., bytes]:
    def call(*_: object, **__: object) -> bytes:
        raise OSError(code, os.strerror(code))

    return call


@pytest.mark.parametrize(
    ("nanoseconds", "value"),
    [
        (1_577_934_245_123_456_789, b"1577934245.123456789"),
        (0, b"0.000000000"),
        (-1, b"-0.000000001"),
        (-1_500_000_000, b"-1.500000000"),
        (-62_135_596_800_000_000_000, b"-62135596800.000000000"),
        (253_402_300_799_999_999_999, b"253402300799.999999999"),
    ],
)
def test_a_time_stands_there_as_seconds_and_is_told_to_the_nanosecond(disk: Disk, nanoseconds: int, value: bytes) -> None:
    creation.set_created_ns(disk.file, nanoseconds)
    assert os.getxattr(disk.top / "a", ATTRIBUTE) == value
    assert (disk.told(), creation.created_ns(disk.file)) == (nanoseconds, nanoseconds)


@pytest.mark.parametrize("nanoseconds", [253_402_300_800_000_000_000, -62_135_596_800_000_000_001])
def test_a_time_beyond_four_digits_of_the_year_is_refused(disk: Disk, nanoseconds: int) -> None:
    with pytest.raises(Unsupported):
        creation.set_created_ns(disk.file, nanoseconds)
    assert os.listxattr(disk.top / "a") == []


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"5",
        b"5.0",
        b"5.000000000\n",
        b" 5.000000000",
        b"+5.000000000",
        b"5.000000000 UTC",
        b"253402300800.000000000",
        b"-62135596800.000000001",
        b"9999999999999.000000000",
        "٥.000000000".encode(),
        b"\xff\0\x80",
        b"9" * 3000,
    ],
)
def test_what_is_no_time_counts_as_nothing(disk: Disk, value: bytes) -> None:
    os.setxattr(disk.top / "a", ATTRIBUTE, value)
    assert disk.is_birth(disk.told())


def test_a_file_of_which_nothing_is_set_has_its_birth(disk: Disk) -> None:
    assert disk.is_birth(disk.told())
    assert disk.is_birth(creation.created_ns(disk.file))


def test_a_birth_is_not_changed_by_what_happens_to_the_file(disk: Disk) -> None:
    born = disk.told()
    os.utime(disk.top / "a", ns=(0, 0))
    (disk.top / "a").write_bytes(b"more content")
    assert disk.told() == born
    assert born is not None
    assert abs(born - time.time_ns()) < 86_400 * 10**9


def test_neither_links_nor_fifos_are_followed_or_opened(disk: Disk) -> None:
    creation.set_created_ns(disk.file, 5)
    (disk.top / "link").symlink_to("a")
    os.mkfifo(disk.top / "fifo")
    for name in (b"link", b"fifo"):
        assert disk.told(name) == kernel.birth_ns(disk.directory, name) != 5


def test_of_what_is_gone_nobody_knows(disk: Disk) -> None:
    assert disk.told(b"none") is None
    assert kernel.birth_ns(disk.directory, b"none") is None


def test_of_a_file_that_may_not_be_read_nobody_knows(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    creation.set_created_ns(disk.file, 5)
    monkeypatch.setattr(os, "getxattr", refusing(errno.EACCES))
    assert disk.told() is None


@pytest.mark.parametrize("code", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_without_attributes_tells_births_and_keeps_nothing(disk: Disk, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", refusing(code))
    monkeypatch.setattr(os, "setxattr", refusing(code))
    assert not creation.can_set(disk.directory)
    assert disk.is_birth(disk.told())
    assert creation.attribute(disk.file) is None
    with pytest.raises(Unsupported, match="This file system keeps no time of creation"):
        creation.set_created_ns(disk.file, 5)


def test_a_directory_that_may_not_be_read_says_nothing_of_its_disk(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", refusing(errno.EACCES))
    assert creation.can_set(disk.directory)


def test_where_the_disk_knows_no_birth_nobody_does(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "birth_ns", lambda *_: None)
    assert disk.told() is None
    creation.set_created_ns(disk.file, 5)
    assert disk.told() == 5


def test_a_machine_that_tells_no_births_keeps_none(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(creation, "IS_TOLD", False)
    for call in ("getxattr", "setxattr", "removexattr"):  # what Python has on Linux only
        monkeypatch.delattr(os, call)
    assert not creation.can_set(disk.directory)
    assert disk.told() is None
    assert creation.attribute(disk.file) is None
    with pytest.raises(Unsupported):
        creation.set_created_ns(disk.file, 5)


def test_a_system_library_without_statx_tells_no_births(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "_libc", None)
    assert not kernel.has_birth()
    assert kernel.birth_ns(disk.directory, b"a") is None


@pytest.mark.parametrize("before", [None, b"5.000000000", b"whatever stood there"])
def test_what_was_set_can_be_put_back(disk: Disk, before: bytes | None) -> None:
    if before is not None:
        os.setxattr(disk.top / "a", ATTRIBUTE, before)
    value = creation.attribute(disk.file)
    assert value == before
    creation.set_created_ns(disk.file, 7)
    creation.put_back(disk.file, value)
    assert creation.attribute(disk.file) == before


def test_a_full_disk_is_not_taken_for_one_that_cannot(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "setxattr", refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        creation.set_created_ns(disk.file, 5)
