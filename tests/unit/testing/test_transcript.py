from __future__ import annotations

import pytest

from ftpd.ftp.wire.replies import Reply
from ftpd.testing.dialogue.transcript import Transcript, shown


def heard(data):
    transcript = Transcript()
    transcript.hear(data)
    return transcript.replies


def test_a_line_is_a_reply():
    assert heard(b"220 Hello.\r\n") == [Reply(220, "Hello.")]


def test_lines_between_first_and_last_are_kept_as_they_are():
    assert heard(b"211-Features:\r\n SIZE\r\n211-no end\r\n211 End\r\n") == [
        Reply(211, "Features:", lines=(" SIZE", "211-no end"), last="End")
    ]


def test_a_reply_may_come_in_pieces():
    transcript = Transcript()
    for byte in b"200 OK.\r\n":
        transcript.hear(bytes([byte]))
    assert transcript.replies == [Reply(200, "OK.")]


def test_answers_of_telnet_before_a_reply_are_no_part_of_it():
    assert heard(b"\xff\xfc\x01\xff\xfe\x06200 OK.\r\n") == [Reply(200, "OK.")]


def test_what_is_no_reply_is_a_mismatch():
    with pytest.raises(AssertionError, match="'Hello' is no reply"):
        heard(b"Hello\r\n")


def test_a_mismatch_shows_both_columns():
    transcript = Transcript()
    transcript.note("C: NOOP")
    transcript.expect("S: 500")
    transcript.hear(b"200 OK.\r\n")
    assert str(transcript.mismatch("why")).splitlines() == [
        "why", "", "expected:", "C: NOOP", "S: 500", "", "heard:", "C: NOOP", "S: 200 OK.",
    ]  # fmt: skip


def test_a_reply_is_shown_by_its_first_line():
    assert [shown(Reply(200, "OK.")), shown(Reply(211, "Some:", lines=(" a",)))] == ["200 OK.", "211-Some:"]
