"""EBCDIC code pages: which will do, and where lines end."""

from __future__ import annotations

import pytest

from ftpd.ftp.wire.ebcdic import CODE_PAGES, NEW_LINE, SPACE, from_ebcdic, to_ebcdic

every_page = pytest.mark.parametrize("code_page", CODE_PAGES)


@every_page
def test_every_byte_survives_the_way_there_and_back(code_page: str) -> None:
    every_byte = bytes(range(256))
    assert every_byte.translate(to_ebcdic(code_page)).translate(from_ebcdic(code_page)) == every_byte


@every_page
def test_a_line_ends_in_nl_and_lf_is_kept_apart(code_page: str) -> None:
    assert b"\n\x85".translate(to_ebcdic(code_page)) == b"\x15\x25"


@every_page
def test_letters_are_those_of_the_codec(code_page: str) -> None:
    assert b"Hello 123".translate(to_ebcdic(code_page)) == "Hello 123".encode(code_page)


@every_page
def test_filler_and_line_end_are_the_same_in_all(code_page: str) -> None:
    assert b" \n".translate(to_ebcdic(code_page)) == SPACE + NEW_LINE


@pytest.mark.parametrize(
    ("code_page", "sent"), [("cp037", b"\xba\x43"), ("cp273", b"\x63\xc0"), ("cp500", b"\x4a\x43"), ("cp1140", b"\xba\x43")]
)
def test_a_bracket_and_an_umlaut_are_where_the_code_page_has_them(code_page: str, sent: bytes) -> None:
    assert "[ä".encode("latin-1").translate(to_ebcdic(code_page)) == sent


def test_the_euro_stands_for_the_currency_sign() -> None:
    assert "€".encode("cp1140").translate(from_ebcdic("cp1140")) == b"\xa4"


def test_the_overline_stands_for_the_macron() -> None:
    assert "\u203e".encode("cp273").translate(from_ebcdic("cp273")) == b"\xaf"
