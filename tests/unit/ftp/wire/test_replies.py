"""Replies: nothing inside one can be taken for another."""

from __future__ import annotations

import pytest

from ftpd.ftp.wire.replies import Reply, encode, quote


def test_a_reply_is_one_line() -> None:
    assert encode(Reply(200, "Done.")) == b"200 Done.\r\n"


def test_a_reply_without_text_keeps_its_space() -> None:
    assert encode(Reply(200)) == b"200 \r\n"


def test_inner_lines_stand_behind_one_space() -> None:
    reply = Reply(211, "Features:", ("MDTM", "REST STREAM"))
    assert encode(reply) == b"211-Features:\r\n MDTM\r\n REST STREAM\r\n211 End\r\n"


def test_the_last_line_can_be_chosen() -> None:
    assert encode(Reply(250, "Listing /a", ("size=1; a",), "Listed")) == b"250-Listing /a\r\n size=1; a\r\n250 Listed\r\n"


def test_an_inner_line_cannot_look_like_the_end() -> None:
    assert encode(Reply(212, "Status", ("212 End",))) == b"212-Status\r\n 212 End\r\n212 End\r\n"


def test_an_inner_line_of_spaces_gets_one_more() -> None:
    assert encode(Reply(211, "x", ("  a",))) == b"211-x\r\n   a\r\n211 End\r\n"


@pytest.mark.parametrize("end", ["\r", "\n", "\0"])
def test_line_ends_in_text_become_question_marks(end: str) -> None:
    assert encode(Reply(550, f"a{end}226 Done")) == b"550 a?226 Done\r\n"
    assert encode(Reply(211, "x", (f"a{end}211 End",), f"b{end}c")) == b"211-x\r\n a?211 End\r\n211 b?c\r\n"


def test_text_is_utf8() -> None:
    assert encode(Reply(257, '"/grüße"')) == b'257 "/gr\xc3\xbc\xc3\x9fe"\r\n'


def test_names_that_are_not_utf8_leave_as_the_bytes_they_came_from() -> None:
    assert encode(Reply(257, b"/\xe9\xff".decode("utf-8", "surrogateescape"))) == b"257 /\xe9\xff\r\n"


def test_text_that_no_bytes_give_becomes_question_marks() -> None:
    assert encode(Reply(550, "a\ud800b\udc0ac\udce9")) == b"550 a?b?c\xe9\r\n"


@pytest.mark.parametrize("code", [220, 227, 229, 234, 350])
def test_what_clients_read_by_pattern_has_one_line(code: int) -> None:
    with pytest.raises(AssertionError):
        encode(Reply(code, "a", ("b",)))


def test_quotation_marks_in_a_path_are_doubled() -> None:
    assert quote('/a "b"') == '"/a ""b"""'
