"""LocalDirectory: which entries are told, in batches and in rows, and when the disk is asked about them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftpd import disks
from ftpd.paths import ROOT
from ftpd.schema import FilePath
from ftpd.storage import creation
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Account, FileInfo


class Kinds:
    """A `spi.RowFormat`: the kind and the name."""

    from_name: Callable[[str], str] | None = None
    tells_creation = False

    def row(self, info: FileInfo) -> str:
        return f"{info.kind.value} {info.name}"

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return lambda name, size, modified: f"{info.kind.value} {name}"


class Names(Kinds):
    """A `spi.RowFormat`: the name alone."""

    def __init__(self) -> None:
        self.from_name = str.upper


class Dates(Kinds):
    """A `spi.RowFormat`: the name and the time of creation."""

    tells_creation = True

    def row(self, info: FileInfo) -> str:
        return f"{info.name} {info.created_ns}"

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return None


class Times(Kinds):
    """A `spi.RowFormat`: the time of the last change."""

    def row(self, info: FileInfo) -> str:
        return str(info.modified)

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return lambda name, size, modified: str(modified)


def pieces(top: Path, form: Kinds, **settings: Any) -> list[list[str]]:
    async def read() -> list[list[str]]:
        store = LocalStore(LocalSettings(root=FilePath(str(top)), **settings), InlineThreads())
        found: list[list[str]] = []
        async with await (await store.open(Account("ann"))).open_directory(ROOT) as directory:
            next_rows = directory.rows(form)
            while rows := await next_rows():
                found.append(list(rows))
        await store.close()
        return found

    return finish(read())


def rows(top: Path, form: Kinds, **settings: Any) -> list[str]:
    return sorted(row for piece in pieces(top, form, **settings) for row in piece)


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "a").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("nowhere")
    (tmp_path / ".ftpd.0123456789abcdef0123456789abcdef.new").touch()
    (tmp_path / "secret.key").touch()
    return tmp_path


def test_rows_tell_of_each_kind(top: Path) -> None:
    assert rows(top, Kinds()) == ["- a", "- secret.key", "d d", "l l"]


def test_rows_of_names_tell_of_each_name(top: Path) -> None:
    assert rows(top, Names()) == ["A", "D", "L", "SECRET.KEY"]


@pytest.mark.parametrize(("form", "expected"), [(Kinds(), ["- a", "d d", "l l"]), (Names(), ["A", "D", "L"])])
def test_hidden_names_have_no_row(top: Path, form: Kinds, expected: list[str]) -> None:
    assert rows(top, form, hidden_names=("*.key",)) == expected


@pytest.mark.parametrize(("form", "expected"), [(Kinds(), ["- a", "- secret.key", "d d"]), (Names(), ["A", "D", "SECRET.KEY"])])
def test_hidden_links_have_no_row(top: Path, form: Kinds, expected: list[str]) -> None:
    assert rows(top, form, symlinks="hide") == expected


def test_the_first_rows_are_few_and_the_others_come_in_ever_larger_pieces(tmp_path: Path) -> None:
    for number in range(6000):
        (tmp_path / str(number)).touch()
    assert [len(piece) for piece in pieces(tmp_path, Names())] == [256, 512, 1024, 2048, 2048, 112]


def test_pieces_stay_small_on_a_disk_that_may_hang(tmp_path: Path) -> None:
    for number in range(1500):
        (tmp_path / str(number)).touch()
    assert [len(piece) for piece in pieces(tmp_path, Names(), network_file_system="yes")] == [256, 512, 512, 220]


def test_a_listing_that_ends_with_a_full_piece_has_no_empty_one(tmp_path: Path) -> None:
    for number in range(256):
        (tmp_path / str(number)).touch()
    assert [len(piece) for piece in pieces(tmp_path, Names())] == [256]


def test_a_time_before_the_epoch_is_rounded_down_in_either_way_to_tell_it(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).touch()
        os.utime(tmp_path / name, ns=(0, -1))
    assert rows(tmp_path, Times()) == ["-1", "-1"]


def test_a_name_that_is_not_utf8_has_a_row(tmp_path: Path) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9", os.O_CREAT))
    assert rows(tmp_path, Kinds()) == ["- caf\udce9"]


def test_times_of_creation_are_told_of_each_entry_and_of_links_themselves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9", os.O_CREAT))
    (tmp_path / "l").symlink_to("nowhere")
    times = {b"caf\xe9": 5, b"l": None}
    monkeypatch.setattr(creation, "created_ns", lambda directory, name: times[name])
    assert rows(tmp_path, Dates()) == ["caf\udce9 5", "l None"]
    assert rows(tmp_path, Dates(), symlinks="hide") == ["caf\udce9 5"]


@pytest.mark.parametrize("form", [Kinds, Names, Times])
def test_nobody_looks_for_times_of_creation_that_are_not_asked_for(
    top: Path, form: Callable[[], Kinds], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(creation, "created_ns", lambda *name: asked.append(name))
    rows(top, form())
    assert asked == []


def test_an_attribute_that_is_no_time_does_not_break_a_listing(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    born = rows(tmp_path, Dates())
    try:
        os.setxattr(tmp_path / "a", creation.ATTRIBUTE, b"\xff" * 3000)
    except OSError:
        pytest.skip("machine: this disk keeps no attributes of users")
    assert rows(tmp_path, Dates()) == born


def test_a_listing_with_times_of_creation_is_made_in_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def calls_for(form: Kinds) -> int:
        threads = InlineThreads()
        store = LocalStore(LocalSettings(root=FilePath(str(tmp_path))), threads)
        files = await store.open(Account("ann"))
        for _ in range(2):  # the first makes the directory known
            threads.calls = 0
            async with await files.open_directory(ROOT) as directory:
                next_rows = directory.rows(form)
                while await next_rows():
                    pass
        calls = threads.calls
        await files.close()
        await store.close()
        return calls

    (tmp_path / "a").touch()
    device = tmp_path.stat().st_dev
    monkeypatch.setattr(disks, "_disks", {device: disks.Disk(device, lambda: 0.0)})  # no busy machine makes it a slow one
    assert finish(calls_for(Kinds())) == 0
    assert finish(calls_for(Dates())) == 1
