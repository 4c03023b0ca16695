from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from ftpd.storage import familiar
from ftpd.storage.familiar import Familiar


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(clock: Clock) -> Familiar:
    return Familiar(clock.seconds)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    number = os.open(tmp_path, os.O_RDONLY)
    yield number
    os.close(number)


def test_a_directory_is_unknown_at_first(known: Familiar, directory: int) -> None:
    assert not known.knows(directory)


def test_a_directory_that_was_read_is_known_by_any_descriptor(known: Familiar, directory: int, tmp_path: Path) -> None:
    known.note(directory)
    other = os.open(tmp_path, os.O_RDONLY)
    assert known.knows(other)
    os.close(other)


def test_another_directory_is_not_known(known: Familiar, directory: int) -> None:
    known.note(directory)
    other = os.open("/", os.O_RDONLY)
    assert not known.knows(other)
    os.close(other)


def test_a_directory_is_forgotten_after_a_minute_without_use(known: Familiar, directory: int, clock: Clock) -> None:
    known.note(directory)
    clock.advance(59)
    assert known.knows(directory)
    clock.advance(59)
    assert known.knows(directory)
    clock.advance(60)
    assert not known.knows(directory)


def test_what_is_remembered_is_bounded(known: Familiar, directory: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(familiar, "_MOST", 1)
    other = os.open("/", os.O_RDONLY)
    known.note(other)
    known.note(directory)
    assert (known.knows(other), known.knows(directory)) == (False, True)
    os.close(other)
