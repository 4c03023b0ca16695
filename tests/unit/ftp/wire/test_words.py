from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.errors import BadArgument
from ftpd.ftp.wire.words import split_words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a b", ("a", "b")),
        ("a   b ", ("a", "b")),
        ('"a b" c', ("a b", "c")),
        ('"say ""hi""" x', ('say "hi"', "x")),
        ('"""" x', ('"', "x")),
        ('a"b c', ('a"b', "c")),
        ('" a "', (" a ",)),
        ("tab\tname", ("tab\tname",)),
        ('"é ß" "b"', ("é ß", "b")),
    ],
)
def test_words_are_split_at_spaces(text, words):
    assert split_words(text) == words


@pytest.mark.parametrize("text", ['"', '"a', 'a "', '"a"b', '"a""', '""', '"a" "', " a", '"a"b"c"'])
def test_quotes_that_do_not_fit_are_refused(text):
    with pytest.raises(BadArgument):
        split_words(text)


@given(st.lists(st.text(min_size=1), min_size=1, max_size=6))
def test_quoted_words_come_back_as_they_were(words):
    quoted = " ".join('"' + word.replace('"', '""') + '"' for word in words)
    assert split_words(quoted) == tuple(words)


@given(st.text(max_size=200))
def test_any_text_is_words_or_refused(text):
    try:
        words = split_words(text)
    except BadArgument:
        return
    assert all(words)


def test_a_long_line_of_quotes_takes_no_time():
    with pytest.raises(BadArgument):
        split_words('"' * 8191)
