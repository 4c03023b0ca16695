"""Statuses: the same answers from statx and from lstat."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from ftpd.storage import kernel, statuses
from ftpd.storage.statuses import AT_ONCE, Status

Ask = Callable[[int, Sequence[bytes]], Sequence[Status | None]]

needs_statx = pytest.mark.skipif(not kernel.has_statx(), reason="machine: there is no statx here")


@pytest.fixture(params=[pytest.param(statuses.ask_table, marks=needs_statx), statuses.ask_one_by_one])
def ask(request: pytest.FixtureRequest) -> Ask:
    chosen: Ask = request.param
    return chosen


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY)
    yield number
    os.close(number)


def test_size_and_time_are_told_of_each_name_in_order(ask: Ask, tmp_path: Path, directory: int) -> None:
    for name, size, seconds in (("a", 3, 1_000_000_000), ("b", 5_000_000_000, 4_294_967_296)):
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
        os.utime(tmp_path / name, ns=(0, seconds * 10**9 + 999_999_999))
    told = ask(directory, [b"b", b"a"])
    assert [status and status[1:] for status in told] == [(5_000_000_000, 4_294_967_296), (3, 1_000_000_000)]


def test_a_time_before_the_epoch_is_rounded_down(ask: Ask, tmp_path: Path, directory: int) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(0, -1))
    (status,) = ask(directory, [b"a"])
    assert status is not None
    assert status[2] == -1


def test_the_likeness_is_that_of_the_status(ask: Ask, tmp_path: Path, directory: int) -> None:
    (tmp_path / "a").touch(0o640)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "d").mkdir()
    (tmp_path / "l").symlink_to("a")
    names = [b"a", b"b", b"d", b"l"]
    told = ask(directory, names)
    assert [status and status[0] for status in told] == [kernel.likeness(os.lstat(name, dir_fd=directory)) for name in names]
    assert len({status[0] for status in told if status}) == 3


@pytest.mark.parametrize("change", ["mode", "links"])
def test_files_that_differ_in_mode_or_links_are_not_alike(ask: Ask, tmp_path: Path, directory: int, change: str) -> None:
    for name in "ab":
        (tmp_path / name).touch()
    before = ask(directory, [b"a", b"b"])
    (tmp_path / "b").chmod(0o600) if change == "mode" else os.link(tmp_path / "b", tmp_path / "c")
    after = ask(directory, [b"a", b"b"])
    assert [status and status[0] == other[0] for status, other in (before, after) if other] == [True, False]


def test_owners_beyond_sixteen_bits_are_told_apart() -> None:
    def owned(user: int, group: int) -> bytes:
        return kernel.likeness(os.stat_result((0o100644, 1, 1, 1, user, group, 0, 0, 0, 0)))

    assert len({owned(0, 0), owned(65536, 0), owned(0, 65536), owned(4_000_000_000, 0), owned(-1, -1)}) == 5


def test_nothing_is_told_of_a_name_that_is_not_there_nor_what_was_told_before(ask: Ask, tmp_path: Path, directory: int) -> None:
    (tmp_path / "a").write_bytes(b"1234")
    assert [status is None for status in ask(directory, [b"a", b"a", b"a"])] == [False, False, False]
    told = ask(directory, [b"a", b"gone", b"a"])
    assert [status and status[1] for status in told] == [4, None, 4]


def test_a_name_that_is_not_utf8_is_found(ask: Ask, tmp_path: Path, directory: int) -> None:
    os.close(os.open(os.fsencode(tmp_path) + b"/caf\xe9", os.O_CREAT))
    assert None not in ask(directory, [b"caf\xe9"])


def test_as_many_as_there_is_room_for_are_told_at_once(ask: Ask, tmp_path: Path, directory: int) -> None:
    names = [b"%d" % number for number in range(AT_ONCE)]
    for number, name in enumerate(names):
        (tmp_path / name.decode()).write_bytes(b"x" * number)
    assert [status and status[1] for status in ask(directory, names)] == list(range(AT_ONCE))


@needs_statx
def test_more_names_than_there_is_room_for_are_refused(directory: int) -> None:
    with pytest.raises(AssertionError):
        kernel.StatusTable().ask(directory, [b"a"] * (AT_ONCE + 1))


@needs_statx
def test_threads_that_ask_at_the_same_time_hear_of_their_own_files(tmp_path: Path, directory: int) -> None:
    wrong: list[object] = []

    def ask_often(size: int) -> None:
        name = b"%d" % size
        for _ in range(200):
            told = statuses.ask_table(directory, [name] * 50)
            wrong.extend(status for status in told if status is None or status[1] != size)

    for size in range(4):
        (tmp_path / str(size)).write_bytes(b"x" * size)
    threads = [threading.Thread(target=ask_often, args=(size,)) for size in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert wrong == []
