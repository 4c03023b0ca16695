"""Patterns: what they match, and that they cannot be made expensive."""

from __future__ import annotations

import pytest

from ftpd.errors import BadArgument
from ftpd.ftp.wire.globs import has_magic, matcher


@pytest.mark.parametrize("text", ["*", "a?", "[ab]", "a[1].txt", "[]]", "[[]"])
def test_patterns_have_magic(text: str) -> None:
    assert has_magic(text)


@pytest.mark.parametrize("text", ["", "a", "a.b", "[", "]", "[]", "a]b[c", "back\\slash"])
def test_plain_names_have_none(text: str) -> None:
    assert not has_magic(text)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*", "a"),
        ("*.csv", "a.csv"),
        ("a*b*c", "aXbXbYc"),
        ("?", "ü"),
        ("[a-c]x", "bx"),
        ("[!a-c]x", "dx"),
        ("[*]", "*"),
        (".*", ".hidden"),
        ("a.b", "a.b"),
        ("a\\b*", "a\\b"),
        ("*", "a\nb"),
        ("\udce9*", "\udce9a"),
        ("[", "["),
    ],
)
def test_matches(pattern: str, name: str) -> None:
    assert matcher(pattern)(name)


@pytest.mark.parametrize(
    ("pattern", "name"),
    [
        ("*.csv", "a.CSV"),
        ("*.csv", "a.csv.gz"),
        ("*.csv", "a.csv\n"),
        ("?", ""),
        ("?", "ab"),
        ("a.b", "axb"),
        ("[a-c]", "d"),
        ("[z-a]", "b"),
        ("*", ".hidden"),
        ("?hidden", ".hidden"),
        ("[.]hidden", ".hidden"),
    ],
)
def test_does_not_match(pattern: str, name: str) -> None:
    assert not matcher(pattern)(name)


def test_a_pattern_of_many_stars_gives_up_without_trying_every_split() -> None:
    # A matcher that backtracks would not come back from this one.
    assert not matcher("*a" * 120 + "c")("a" * 254 + "b")


def test_a_pattern_longer_than_any_name_is_refused() -> None:
    matcher("*" * 255)
    with pytest.raises(BadArgument):
        matcher("*" * 256)
