"""A large file that is replaced is freed after the rename, when nobody waits for its directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftpd.storage.replace import replace

LARGE = 1024 * 1024 + 1


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY)
    yield number
    os.close(number)


def held(inode: int) -> bool:
    """Whether this process has a descriptor of *inode*."""
    statuses = []
    for number in os.listdir("/proc/self/fd"):
        try:
            statuses.append(os.fstat(int(number)))
        except OSError:  # that of the listing itself
            continue
    return any(status.st_ino == inode for status in statuses)


@pytest.mark.parametrize(("size", "is_held"), [(LARGE, True), (LARGE - 1, False)])
def test_large_file_is_held_during_the_rename_and_let_go_after_it(
    directory: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, is_held: bool
) -> None:
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(bytes(size))
    replaced, rename, seen = os.stat(tmp_path / "old"), os.rename, []

    def watched(*args: bytes, src_dir_fd: int, dst_dir_fd: int) -> None:
        rename(*args, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        seen.append(held(replaced.st_ino))

    monkeypatch.setattr(os, "rename", watched)
    replace(b"new", b"old", replaced, old_directory=directory, new_directory=directory)
    assert (seen, held(replaced.st_ino)) == ([is_held], False)
    assert (tmp_path / "old").read_bytes() == b"new"


def test_rename_that_fails_is_told_and_holds_nothing(directory: int, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(bytes(LARGE))
    replaced = os.stat(tmp_path / "old")
    with pytest.raises(FileNotFoundError):
        replace(b"missing", b"old", replaced, old_directory=directory, new_directory=directory)
    assert not held(replaced.st_ino)


def test_file_that_is_gone_meanwhile_is_no_fault(directory: int, tmp_path: Path) -> None:
    (tmp_path / "old").write_bytes(bytes(LARGE))
    replaced = os.stat(tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    replace(b"new", b"old", replaced, old_directory=directory, new_directory=directory)
    assert (tmp_path / "old").stat().st_size == LARGE
