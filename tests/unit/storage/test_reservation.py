"""Reservations: which file a staging name tells of."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ftpd.storage import reservation
from ftpd.storage.names import is_staging


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield number
    os.close(number)


def reserved(file: Path) -> str:
    file.touch()
    return reservation.staging_name_of(file.stat()).decode()


def test_name_is_one_of_the_stores_own(tmp_path: Path) -> None:
    assert is_staging(reserved(tmp_path / "a"))
    assert reservation.is_reserving(reserved(tmp_path / "a"))


def test_empty_file_goes_and_its_neighbours_stay(tmp_path: Path, directory: int) -> None:
    name = reserved(tmp_path / "a")
    (tmp_path / "b").touch()
    reservation.free(directory, name)
    assert [file.name for file in tmp_path.iterdir()] == ["b"]


def test_file_that_was_renamed_goes_too(tmp_path: Path, directory: int) -> None:
    name = reserved(tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / "c")
    reservation.free(directory, name)
    assert list(tmp_path.iterdir()) == []


def test_file_with_content_stays(tmp_path: Path, directory: int) -> None:
    name = reserved(tmp_path / "a")
    status = (tmp_path / "a").stat()
    (tmp_path / "a").write_bytes(b"x")
    os.utime(tmp_path / "a", ns=(status.st_atime_ns, status.st_mtime_ns))
    reservation.free(directory, name)
    assert (tmp_path / "a").exists()


def test_empty_file_that_was_changed_since_stays(tmp_path: Path, directory: int) -> None:
    name = reserved(tmp_path / "a")
    os.utime(tmp_path / "a", ns=(0, 1))
    reservation.free(directory, name)
    assert (tmp_path / "a").exists()


def test_time_before_1970_is_told_as_well(tmp_path: Path, directory: int) -> None:
    (tmp_path / "a").touch()
    os.utime(tmp_path / "a", ns=(0, -1))
    reservation.free(directory, reservation.staging_name_of((tmp_path / "a").stat()).decode())
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_left_to_remove(tmp_path: Path, directory: int) -> None:
    name = reserved(tmp_path / "a")
    (tmp_path / "a").unlink()
    reservation.free(directory, name)
    assert list(tmp_path.iterdir()) == []
