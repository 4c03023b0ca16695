"""Nothing that a client names can forge a line or steer a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.logs.visible import readable, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name", "plain name"),
        ("ünïcode 文", "ünïcode 文"),
        ("a\nb\r\tc", r"a\nb\r\tc"),
        ("\x1b[2J", r"\x1b[2J"),
        ("\x9b2J", r"\x9b2J"),
        ("a\\nb", r"a\\nb"),
        ("caf\udce9", r"caf\xe9"),
        ("\u202egnp", r"\u202egnp"),
        ("\u2028", r"\u2028"),
        ("\x7f\x00", r"\x7f\x00"),
        ("\U000e0001", r"\U000e0001"),
    ],
)
def test_what_does_not_print_as_itself_is_escaped(text, shown):
    assert visible(text) == shown


@given(st.text(st.characters() | st.characters(whitelist_categories=["Cs", "Cc", "Zl", "Zp"])))
def test_what_is_visible_is_one_printable_line_of_utf8(text):
    assert visible(text).isprintable()
    visible(text).encode("utf-8")


@given(st.text(), st.text())
def test_two_texts_never_look_alike(one, other):
    assert (visible(one) == visible(other)) == (one == other)


def test_json_text_keeps_controls_for_json_to_escape():
    assert readable("a\nb caf\udce9") == "a\nb caf\\xe9"
