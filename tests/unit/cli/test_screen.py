"""Where displays are drawn."""

from __future__ import annotations

import io
import os
import sys

import pytest

from ftpd.cli.screen import Screen, say


class Output(io.TextIOWrapper):
    """Standard output, as a terminal or not, and in some encoding."""

    def __init__(self, *, is_terminal=False, encoding="utf-8"):
        super().__init__(io.BytesIO(), encoding=encoding, newline="")
        self._is_terminal = is_terminal

    def isatty(self):
        return self._is_terminal

    @property
    def text(self):
        self.flush()
        return self.buffer.getvalue().decode(self.encoding)


@pytest.fixture
def output(monkeypatch):
    def begin(**options):
        made = Output(**options)
        monkeypatch.setattr(sys, "stdout", made)
        return made

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((80, 24)))
    return begin


def test_a_file_has_no_size(output):
    output()
    assert (Screen().columns, Screen().lines) == (None, None)


def test_a_terminal_keeps_a_line_for_the_cursor(output):
    output(is_terminal=True)
    assert (Screen().columns, Screen().lines) == (80, 23)


def test_elsewhere_displays_follow_one_another(output):
    made = output()
    screen = Screen()
    screen.draw(["a", "b"])
    screen.draw(["c"])
    assert made.text == "a\nb\n\nc\n"


def test_on_a_terminal_they_take_the_place_of_one_another(output):
    made = output(is_terminal=True)
    screen = Screen()
    screen.draw(["a", "b"])
    screen.draw(["c"])
    assert made.text == "\x1b[2J\x1b[1;1H" + "\x1b[Ha\x1b[K\nb\x1b[K\n\x1b[J" + "\x1b[Hc\x1b[K\n\x1b[J"


@pytest.mark.parametrize("term", ["dumb", None])
def test_a_terminal_that_cannot_be_steered_is_not(output, monkeypatch, term):
    made = output(is_terminal=True)
    monkeypatch.delenv("TERM") if term is None else monkeypatch.setenv("TERM", term)
    screen = Screen()
    screen.draw(["a"])
    assert made.text == "a\n"
    assert (screen.columns, screen.lines) == (80, None)


def test_letters_that_the_encoding_lacks_are_escaped(output):
    made = output(encoding="iso-8859-1")
    say(["é…文\udcff"])
    assert made.text == "é\\u2026\\u6587\\udcff\n"
