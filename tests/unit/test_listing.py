"""LIST's rows: what a person reads, and what parsers of thirty years expect."""

from __future__ import annotations

import time
import tracemalloc
from collections.abc import Iterator

import pytest

from ftpd.listing import LongFormat
from ftpd.values import FileInfo, FileKind

NOW = 1_790_000_000  # 2026-09-21 14:13:20 UTC
DAY = 86_400
FILE = FileInfo("a.txt", FileKind.FILE, 12, NOW * 10**9, 0o640, 1, "ann", "staff", "803g1")
DIRECTORY = FileInfo("d", FileKind.DIRECTORY, 4096, NOW * 10**9, 0o755, 3)
LINK = FileInfo("l", FileKind.LINK, 4, NOW * 10**9, 0o777, target="/a/b")


def row(info: FileInfo) -> str:
    return LongFormat(NOW).row(info)


def date(seconds: int) -> str:
    return row(FILE._replace(modified_ns=seconds * 10**9)).removeprefix("-rw-r-----   1 ann      staff              12 ")


@pytest.fixture
def in_tokyo(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_file() -> None:
    assert row(FILE) == "-rw-r-----   1 ann      staff              12 Sep 21 14:13 a.txt"


def test_a_directory() -> None:
    assert row(DIRECTORY) == "drwxr-xr-x   3 ftp      ftp              4096 Sep 21 14:13 d"


def test_a_link_shows_its_target() -> None:
    assert row(LINK) == "lrwxrwxrwx   1 ftp      ftp                 4 Sep 21 14:13 l -> /a/b"


def test_what_is_none_of_these_is_a_pipe_to_old_parsers() -> None:
    assert row(FileInfo("p", FileKind.OTHER, modified_ns=NOW * 10**9)).startswith("prw-r--r--   1 ftp ")


def test_special_bits_are_in_the_mode() -> None:
    assert row(FILE._replace(mode=0o4755)).startswith("-rwsr-xr-x ")


def test_a_size_of_more_digits_than_its_column_is_whole() -> None:
    assert row(FILE._replace(size=2**63)) == "-rw-r-----   1 ann      staff    9223372036854775808 Sep 21 14:13 a.txt"


def test_an_old_file_shows_its_year() -> None:
    assert date(NOW - 183 * DAY) == "Mar 22  2026 a.txt"


def test_a_file_of_this_half_year_shows_its_time() -> None:
    assert date(NOW - 182 * DAY) == "Mar 23 14:13 a.txt"


def test_a_little_clock_skew_is_not_the_future() -> None:
    assert date(NOW + 3600) == "Sep 21 15:13 a.txt"


def test_a_file_of_the_future_shows_its_year() -> None:
    assert date(NOW + 7200) == "Sep 21  2026 a.txt"


def test_a_time_before_the_epoch_is_rounded_down() -> None:
    assert row(FILE._replace(modified_ns=-1)).endswith(" Dec 31  1969 a.txt")


@pytest.mark.parametrize("seconds", [2**62, 253_402_300_800, 10**15])
def test_a_year_of_five_digits_is_the_last_of_four(seconds: int) -> None:
    assert date(seconds) == "Dec 31  9999 a.txt"


@pytest.mark.parametrize("seconds", [-(2**62), -(10**15)])
def test_a_year_before_the_first_is_the_first(seconds: int) -> None:
    assert date(seconds) == "Jan  2  0001 a.txt"


@pytest.mark.usefixtures("in_tokyo")
def test_local_time_is_the_machine_s() -> None:
    assert LongFormat(NOW, in_local_time=True).row(FILE).endswith(" Sep 21 23:13 a.txt")


@pytest.mark.usefixtures("in_tokyo")
@pytest.mark.parametrize("seconds", [2**62, -(2**62)])
def test_local_time_has_a_bound_too(seconds: int) -> None:
    assert LongFormat(NOW, in_local_time=True).row(FILE._replace(modified_ns=seconds * 10**9)).endswith(" a.txt")


def test_remembered_rows_do_not_mix() -> None:
    form = LongFormat(NOW)
    infos = [FILE, FILE._replace(mode=0o600), FILE._replace(owner="bob"), FILE._replace(links=2), DIRECTORY, FILE]
    assert [form.row(info).partition(" Sep")[0] for info in infos] == [
        "-rw-r-----   1 ann      staff              12",
        "-rw-------   1 ann      staff              12",
        "-rw-r-----   1 bob      staff              12",
        "-rw-r-----   2 ann      staff              12",
        "drwxr-xr-x   3 ftp      ftp              4096",
        "-rw-r-----   1 ann      staff              12",
    ]


def test_files_that_are_alike_are_written_as_if_each_were_described() -> None:
    form = LongFormat(NOW)
    write = form.alike(FILE)
    assert write("b", 7, NOW - 60) == form.row(FILE._replace(name="b", size=7, modified_ns=(NOW - 60) * 10**9 + 999))
    assert write("b", 7, NOW - 60) == "-rw-r-----   1 ann      staff               7 Sep 21 14:12 b"


def test_memory_does_not_grow_with_the_directory() -> None:
    form = LongFormat(NOW)
    tracemalloc.start()
    try:
        for number in range(20_000):
            form.row(FILE._replace(modified_ns=number * DAY * 10**9, owner=str(number)))
        assert tracemalloc.get_traced_memory()[0] < 2_000_000
    finally:
        tracemalloc.stop()
