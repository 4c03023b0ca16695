"""The automaton's page is what the table holds."""

from __future__ import annotations

from pathlib import Path

from ftpd.ftp.chart import automaton_page
from ftpd.ftp.wire.automaton import ROWS

_TOP = Path(__file__).resolve().parents[3]


def test_the_page_is_current() -> None:
    assert (_TOP / "docs" / "automaton.md").read_text(encoding="utf-8") == automaton_page()


def test_every_verb_has_a_line() -> None:
    lines = automaton_page().partition("## Replies\n")[2].splitlines()
    assert [verb for verb in ROWS if not any(line.startswith(f"| {verb} |") for line in lines)] == []


def test_departures_stand_with_their_reasons() -> None:
    assert "- REST: 504 in a MODE and TYPE whose restart points are none of ours.\n" in automaton_page()
