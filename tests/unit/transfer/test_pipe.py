"""Pipes that are lent: always empty, and never too many."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ftpd.transfer import pipe
from ftpd.transfer.pipe import PIPE_BYTES, lent_pipe


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """What is kept, nothing at first; other tests' pipes stay as they are."""
    kept: list[tuple[int, int]] = []
    monkeypatch.setattr(pipe, "_kept", kept)
    yield kept
    for ends in kept:
        for end in ends:
            os.close(end)


def is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


def test_pipe_holds_a_whole_step() -> None:
    with lent_pipe() as (_, writing):
        assert fcntl.fcntl(writing, fcntl.F_GETPIPE_SZ) == PIPE_BYTES == 1024 * 1024


def test_pipe_of_a_user_who_has_too_many_is_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    with lent_pipe() as (reading, writing):
        assert os.write(writing, b"data") == 4
        assert os.read(reading, 4) == b"data"


def test_pipe_is_closed_in_programs_that_are_started() -> None:
    with lent_pipe() as ends:
        assert [os.get_inheritable(end) for end in ends] == [False, False]


def test_pipe_is_lent_again() -> None:
    with lent_pipe() as first:
        pass
    with lent_pipe() as second:
        assert second == first


def test_two_who_borrow_at_once_have_two_pipes() -> None:
    with lent_pipe() as one, lent_pipe() as other:
        assert set(one).isdisjoint(other)


def test_pipe_that_was_left_by_an_exception_is_closed_with_what_is_in_it(kept: list[tuple[int, int]]) -> None:
    with pytest.raises(ZeroDivisionError), lent_pipe() as ends:  # noqa: PT012  # what raises is the block itself
        os.write(ends[1], b"somebody's data")
        raise ZeroDivisionError
    assert kept == []
    assert [is_open(end) for end in ends] == [False, False]


def test_number_of_kept_pipes_is_bounded(kept: list[tuple[int, int]]) -> None:
    with ExitStack() as borrowing:
        lent = [borrowing.enter_context(lent_pipe()) for _ in range(20)]
    assert len(kept) == 8
    assert sum(is_open(reading) for reading, _ in lent) == 8
