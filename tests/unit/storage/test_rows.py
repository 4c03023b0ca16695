"""RowWriter: rows of directory entries, without a description of each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ftpd.storage import kernel, statuses
from ftpd.storage.rows import Entries, RowWriter
from ftpd.values import FileInfo, FileKind

Found = Callable[[], Entries]

needs_statx = pytest.mark.skipif(not kernel.has_statx(), reason="machine: there is no statx here")

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


class Described:
    """`describe`, and the names it was asked for."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def __call__(self, name: str, entry: os.DirEntry[str]) -> FileInfo | None:
        self.names.append(name)
        return describe(name, entry)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., None]:
    def made(name: str, mode: int = 0o644, data: bytes = b"") -> None:
        (tmp_path / name).write_bytes(data)
        (tmp_path / name).chmod(mode)
        os.utime(tmp_path / name, ns=(0, 1_000_000_000_999_999_999))

    return made


@pytest.fixture(autouse=True, params=[pytest.param(statuses.ask_table, marks=needs_statx), statuses.ask_one_by_one])
def _asked(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statuses, "ask", request.param)


@pytest.fixture
def entries(tmp_path: Path) -> Iterator[Callable[[], Entries]]:
    number = os.open(tmp_path, os.O_RDONLY)

    def read() -> Entries:
        found = sorted(os.scandir(number), key=lambda entry: entry.name)
        return Entries(number, [entry.name for entry in found], found)

    yield read
    os.close(number)


def test_files_that_are_alike_are_described_once(make: Callable[..., None], entries: Found) -> None:
    for name in "abc":
        make(name, data=name.encode())
    make("d", data=b"1234")
    described = Described()
    assert RowWriter(Form(), described)(entries()) == [
        "alike 644 a 1 1000000000",
        "alike 644 b 1 1000000000",
        "alike 644 c 1 1000000000",
        "alike 644 d 4 1000000000",
    ]
    assert described.names == ["a"]


def test_files_that_differ_in_mode_are_not_alike(make: Callable[..., None], entries: Found) -> None:
    make("a", 0o644)
    make("b", 0o600)
    make("c", 0o644)
    assert RowWriter(Form(), describe)(entries()) == [f"alike {mode} 0 1000000000" for mode in ("644 a", "600 b", "644 c")]


def test_what_was_learnt_lasts_for_the_listing(make: Callable[..., None], entries: Found) -> None:
    make("a")
    described = Described()
    writer = RowWriter(Form(), described)
    assert [writer(entries()), writer(entries())] == [["alike 644 a 0 1000000000"]] * 2
    assert described.names == ["a"]


def test_each_link_is_described(tmp_path: Path, entries: Found) -> None:
    for name in "ab":
        (tmp_path / name).symlink_to("nowhere")
    assert RowWriter(Form(), describe)(entries()) == ["row 777 a", "row 777 b"]


def test_each_file_is_described_where_rows_tell_more(make: Callable[..., None], entries: Found) -> None:
    make("a")
    make("b")
    writer = RowWriter(Form(knows_alike=False), describe)
    assert [writer(entries()), writer(entries())] == [["row 644 a", "row 644 b"]] * 2


def test_statuses_are_not_asked_for_any_more_where_rows_tell_more(
    make: Callable[..., None], entries: Found, monkeypatch: pytest.MonkeyPatch
) -> None:
    make("a")
    writer = RowWriter(Form(knows_alike=False), describe)
    writer(entries())
    monkeypatch.delattr(statuses, "ask")
    assert writer(entries()) == ["row 644 a"]


def test_a_file_that_changes_while_it_is_described_does_not_pass_its_description_on(
    make: Callable[..., None], tmp_path: Path, entries: Found
) -> None:
    def change_and_describe(name: str, entry: os.DirEntry[str]) -> FileInfo | None:
        (tmp_path / name).chmod(0o600)
        return describe(name, entry)

    make("a")
    make("b")
    writer = RowWriter(Form(), change_and_describe)
    assert writer(entries()) == ["alike 644 a 0 1000000000", "alike 644 b 0 1000000000"]
    assert writer(entries()) == ["alike 600 a 0 1000000000", "alike 644 b 0 1000000000"]


def test_what_is_not_to_be_seen_has_no_row(make: Callable[..., None], entries: Found) -> None:
    make("a")
    assert RowWriter(Form(), lambda name, entry: None)(entries()) == []


def test_an_entry_that_the_disk_tells_nothing_of_is_left_to_the_description(
    make: Callable[..., None], tmp_path: Path, entries: Found
) -> None:
    make("a")
    found = entries()
    (tmp_path / "a").unlink()
    writer = RowWriter(Form(), lambda name, entry: FileInfo(name, FileKind.OTHER, mode=0))
    assert [writer(found), writer(found)] == [["row 0 a"], ["row 0 a"]]
