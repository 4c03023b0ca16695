"""Expressions of map files: what the C library calls a match."""

from __future__ import annotations

import pytest

from ftpd.tftp.wire.expression import Expression


def span(source, name, **options):
    """The text that *source* matches in *name*; None: no match."""
    found = Expression(source, **options).search(name)
    return None if found is None else name[found[0] : found[1]]


@pytest.mark.parametrize(
    ("source", "name", "matched"),
    [
        (b"b+", b"abbbc", b"bbb"),
        (b"x", b"abc", None),
        (b"^b", b"ab", None),
        (b"b$", b"ab", b"b"),
        (b"a|ab|abc", b"xabcx", b"abc"),  # the longest of the leftmost
        (b"c|a", b"abc", b"a"),  # the leftmost of all
        (b"(a|b)*c|(a|ab)*c", b"abc", b"abc"),
        (b"[[:alnum:]]+", b"--a1--", b"a1"),
        (b"[[:upper:]]", b"abC", b"C"),
        (b"[[:xdigit:]]{2}(-[[:xdigit:]]{2}){5}", b"01-00-1a-2B-33-44-55", b"01-00-1a-2B-33-44"),
        (b"[^/]*$", b"a/b/c", b"c"),
        (b"[]x]", b"]", b"]"),
        (b"a{2,3}", b"aaaa", b"aaa"),
        (rb"(.)\1", b"abccd", b"cc"),
        (rb"\.pvt$", b"x.pvt", b".pvt"),
        (rb"a\ b\#", b"a b#", b"a b#"),
        (rb"\\", b"a\\b", b"\\"),
        (b".", b"", None),
        (b"x*", b"ab", b""),
    ],
)
def test_match_is_what_egrep_calls_one(source, name, matched):
    assert span(source, name) == matched


def test_case_counts_unless_told_otherwise():
    assert span(b"ab", b"AB") is None
    assert span(b"ab", b"xAb", ignore_case=True) == b"Ab"


def test_groups_are_told_by_their_offsets():
    assert Expression(b"(a)|(b)(c)").search(b"xbc") == [1, 3, -1, -1, 1, 2, 2, 3, *[-1] * 12]


def test_ten_groups_are_told_and_more_do_no_harm():
    assert Expression(b"(.)" * 12).search(b"abcdefghijkl") == [0, 12, *(n for i in range(9) for n in (i, i + 1))]


def test_search_from_a_place_counts_from_the_start_of_the_name():
    assert Expression(b"a(b)").search(b"abcab", 1)[:4] == [3, 5, 4, 5]


def test_start_of_the_name_is_not_where_the_search_starts():
    assert Expression(b"^a").search(b"aa", 1) is None


def test_letters_are_matched_whole():
    assert span(b"^.$", "é".encode()) == "é".encode()


def test_bytes_that_are_no_letters_do_no_harm():
    assert span(b"b+$", b"\xff\xfebb") == b"bb"


@pytest.mark.parametrize(
    ("source", "words"),
    [(b"(a", "Unmatched ( or \\("), (b"[a", "Unmatched [, [^, [:, [., or [="), (b"[[:no:]]", "Invalid character class name")],
)
def test_what_is_no_expression_is_said_in_the_words_of_the_library(source, words):
    with pytest.raises(ValueError, match=r"^.+$") as raised:
        Expression(source)
    assert str(raised.value) == words


@pytest.mark.parametrize(
    "source", [rb"^(a+)+$", rb"^(.*/)*x$", rb"(a|aa)+$", rb"^(([a-z]+)-?)+$", rb"((a*)*)*b", rb"(.*)(.*)(.*)(.*)(.*)x"]
)
def test_no_name_makes_a_match_take_exponential_time(source):
    assert span(source, b"a" * 500 + b"!") is None
