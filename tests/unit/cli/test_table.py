"""Text in columns."""

from __future__ import annotations

import pytest

from ftpd.cli.table import clip, columns, cut, width


@pytest.mark.parametrize(
    ("text", "cells"), [("", 0), ("abc", 3), ("é", 1), ("e\u0301", 1), ("文件", 4), ("ｱ", 1), ("한글.txt", 8)], ids=ascii
)
def test_width_is_in_cells(text, cells):
    assert width(text) == cells


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("/pub/file.bin", 13, "/pub/file.bin"),
        ("/pub/file.bin", 12, "/pub/…le.bin"),
        ("/pub/file.bin", 5, "/p…in"),
        ("/pub/file.bin", 2, "…n"),
        ("/pub/file.bin", 1, "…"),
        ("/pub/file.bin", 0, ""),
        ("/pub/file.bin", -3, ""),
        ("文件文件文件", 6, "文…件"),
    ],
    ids=ascii,
)
def test_a_long_text_loses_its_middle(text, most, shown):
    assert cut(text, most) == shown
    assert width(shown) <= max(0, most)


@pytest.mark.parametrize(
    ("text", "most", "shown"), [("abc", 3, "abc"), ("abc", 2, "ab"), ("文件", 3, "文"), ("abc", 0, "")], ids=ascii
)
def test_a_line_is_clipped_at_its_end(text, most, shown):
    assert clip(text, most) == shown


def test_columns_stand_below_one_another_in_cells():
    assert list(columns([("NAME", "SIZE", "X"), ("文件", "7", "x"), ("a", "12345", "")], frozenset({1}))) == [
        "NAME   SIZE  X",
        "文件      7  x",
        "a     12345",
    ]


def test_no_rows_are_no_lines():
    assert list(columns([])) == []
