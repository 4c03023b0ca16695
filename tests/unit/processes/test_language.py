"""Values as lines, there and back."""

from __future__ import annotations

import pytest

from ftpd.processes.language import (
    read_line,
    read_problem,
    read_row,
    read_status,
    written_line,
    written_problem,
    written_row,
    written_status,
)
from ftpd.schema import Problem
from tests.fake_operator import FakeOperator, row

ROW = row(account="ann", command="RETR", path="/\udcff\n\u2028.bin", size=7, moved=3, transfer_since=1.5, worker="3")


@pytest.mark.parametrize(
    ("write", "read", "value"),
    [
        (written_row, read_row, ROW),
        (written_status, read_status, FakeOperator().status()),
        (written_problem, read_problem, Problem("f", "a.b", "odd", "even")),
    ],
)
def test_a_value_comes_back_as_it_was(write, read, value):
    assert read(read_line(written_line(write(value)))) == value


def test_a_line_is_one_line_of_ascii():
    line = written_line(written_row(ROW))
    assert line.isascii()
    assert line.splitlines(keepends=True) == [line]


def test_what_a_newer_server_adds_is_left_out():
    assert read_row({**written_row(ROW), "mood": "fine"}) == ROW
    status = FakeOperator().status()
    assert read_status({**written_status(status), "mood": "fine"}) == status


def test_what_a_row_cannot_be_without_is_missed():
    with pytest.raises(TypeError):
        read_row({"session": "0" * 16})


@pytest.mark.parametrize("line", [b"", b"7", b"{", b"\xff", b"[" * 100_000])
def test_no_object_is_a_value_error(line):
    with pytest.raises(ValueError):  # noqa: PT011  # whatever json says of it
        read_line(line)
