"""LocalDirectory: which entries are told, in batches and in rows, and when the disk is asked about them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ftpd.paths import ROOT
from ftpd.schema import FilePath
from ftpd.storage.local import LocalSettings, LocalStore
from ftpd.testing.fakes import InlineThreads, finish
from ftpd.values import Account, FileInfo


class Kinds:
    """A `spi.RowFormat`: the kind and the name."""

    from_name: Callable[[str], str] | None = None

    def row(self, info: FileInfo) -> str:
        return f"{info.kind.value} {info.name}"

    def alike(self, info: FileInfo) -> Callable[[str, int, int], str] | None:
        return lambda name, size, modified: f"{info.kind.value} {name}"


class Names(Kinds):
    """A `spi.RowFormat`: the name alone."""

    def __init__(self) -> None:
        self.from_name = str.upper


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
