"""RowWriter: rows of directory entries, without a description of each."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ftpd.storage.rows import RowWriter
from ftpd.values import FileInfo, FileKind

KINDS = {0o10: FileKind.FILE, 0o4: FileKind.DIRECTORY, 0o12: FileKind.LINK}


class Form:
    """A `spi.RowFormat` that shows who wrote a row: `row`, or what `alike` returned."""

    from_name = None
    tells_creation = False

    def __init__(self, knows_alike: bool = True) -> None:
        self.knows_alike = knows_alike

    def row(self, info: FileInfo) -> str:
        return f"row {info.mode:o} {info.name}"

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return (lambda name, size, modified: f"alike {info.mode:o} {name} {size} {modified}") if self.knows_alike else None


def describe(name: str, entry: os.DirEntry[str]) -> FileInfo | None:
    status = entry.stat(follow_symlinks=False)
    return FileInfo(name, KINDS[status.st_mode >> 12], status.st_size, status.st_mtime_ns, status.st_mode & 0o7777)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., None]:
    def made(name: str, mode: int = 0o644, data: bytes = b"") -> None:
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(mode)
        os.utime(tmp_path / name, ns=(0, 1_000_000_000_999_999_999))

    return made


def entries(tmp_path: Path) -> list[tuple[str, os.DirEntry[str]]]:
    return sorted((entry.name, entry) for entry in os.scandir(tmp_path))


def test_files_that_are_alike_are_described_once(make: Callable[..., None], tmp_path: Path) -> None:
    for name in "abc":
        make(name, data=name.encode())
    make("d", data=b"1234")
    assert RowWriter(Form(), describe)(entries(tmp_path)) == [
        "row 644 a",
        "alike 644 b 1 1000000000",
        "alike 644 c 1 1000000000",
        "alike 644 d 4 1000000000",
    ]


def test_files_that_differ_in_mode_are_not_alike(make: Callable[..., None], tmp_path: Path) -> None:
    make("a", 0o644)
    make("b", 0o600)
    make("c", 0o644)
    assert RowWriter(Form(), describe)(entries(tmp_path)) == ["row 644 a", "row 600 b", "alike 644 c 0 1000000000"]


def test_what_was_learnt_lasts_for_the_listing(make: Callable[..., None], tmp_path: Path) -> None:
    make("a")
    writer = RowWriter(Form(), describe)
    assert writer(entries(tmp_path)) == ["row 644 a"]
    assert writer(entries(tmp_path)) == ["alike 644 a 0 1000000000"]


def test_each_link_is_described(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).symlink_to("nowhere")
    assert RowWriter(Form(), describe)(entries(tmp_path)) == ["row 777 a", "row 777 b"]


def test_each_file_is_described_where_rows_tell_more(make: Callable[..., None], tmp_path: Path) -> None:
    make("a")
    make("b")
    assert RowWriter(Form(knows_alike=False), describe)(entries(tmp_path)) == ["row 644 a", "row 644 b"]


def test_what_is_not_to_be_seen_has_no_row(make: Callable[..., None], tmp_path: Path) -> None:
    make("a")
    assert RowWriter(Form(), lambda name, entry: None)(entries(tmp_path)) == []


def test_an_entry_that_the_disk_tells_nothing_of_is_left_to_the_description(make: Callable[..., None], tmp_path: Path) -> None:
    make("a")
    found = entries(tmp_path)
    (tmp_path / "a").unlink()
    writer = RowWriter(Form(), lambda name, entry: FileInfo(name, FileKind.OTHER, mode=0))
    assert [writer(found), writer(found)] == [["row 0 a"], ["row 0 a"]]
