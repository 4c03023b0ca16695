"""What clients put before the path of LIST."""

from __future__ import annotations

import pytest

from ftpd.ftp.wire.arguments import split_list_flags


@pytest.mark.parametrize(
    ("text", "flags", "path"),
    [
        ("", "", ""),
        ("pub", "", "pub"),
        ("-la", "la", ""),
        ("-a pub", "a", "pub"),
        ("-a -l pub/x y", "al", "pub/x y"),
        ("-CF", "CF", ""),
        ("-1", "1", ""),
        ("--", "", ""),
        ("-- -la", "", "-la"),
        ("-a -- -la", "a", "-la"),
        ("-a ", "a", ""),
    ],
)
def test_flags_are_taken_from_the_front(text: str, flags: str, path: str) -> None:
    assert split_list_flags(text) == (flags, path)


def test_a_name_that_looks_like_flags_is_reachable_with_a_dot() -> None:
    assert split_list_flags("./-x") == ("", "./-x")


@pytest.mark.parametrize("text", ["-x.txt", "-", "--all", "pub -la", "-ü", "-a/b"])
def test_what_only_resembles_flags_is_a_path(text: str) -> None:
    assert split_list_flags(text) == ("", text)


def test_spaces_around_a_name_are_part_of_it() -> None:
    assert split_list_flags(" a ") == ("", " a ")
    assert split_list_flags("-l  a ") == ("l", " a ")
