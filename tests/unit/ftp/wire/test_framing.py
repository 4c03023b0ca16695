"""The framing that adds nothing, and the one that leaves out what REST has counted."""

from __future__ import annotations

import pytest

from ftpd.errors import BadOffset
from ftpd.ftp.wire.framing import PlainFraming, PlainUnframing, SkippingFraming
from ftpd.ftp.wire.records import RecordFraming


def test_plain_bytes_are_not_copied() -> None:
    data = b"a" * 1000
    assert PlainFraming().frame(data) is data
    assert next(PlainUnframing().unframe(data)) is data


def test_what_is_left_out_may_end_within_any_piece() -> None:
    framing = SkippingFraming(PlainFraming(), 4)
    assert [framing.frame(b"abc"), framing.frame(b"def"), framing.frame(b"gh"), framing.end()] == [b"", b"ef", b"gh", b""]


def test_the_codes_that_end_a_file_count_as_well() -> None:
    framing = SkippingFraming(RecordFraming(b"\n"), 4)
    assert [framing.frame(b"a\n"), framing.end()] == [b"", b"\x02"]


def test_more_than_there_is_cannot_be_left_out() -> None:
    framing = SkippingFraming(PlainFraming(), 4)
    framing.frame(b"abc")
    with pytest.raises(BadOffset):
        framing.end()
