"""Recording: what is no trace is said to be none, whoever wrote it."""

from __future__ import annotations

import io

import pytest

from ftpd.replay import Unreadable, read


def test_a_reply_without_lines_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="line 2"):
        read(io.BytesIO(b'{"trace": 1}\n{"said": []}\n'))


def test_text_that_no_bytes_give_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="line 2"):
        read(io.BytesIO(b'{"trace": 1}\n{"heard": "CWD \\ud800"}\n'))


def test_bytes_that_are_no_utf_8_can_be_read() -> None:
    recording = read(io.BytesIO(b'{"trace": 1}\n{"heard": "CWD \\udcff"}\n'))
    assert recording.lines[0].text == "CWD \udcff"
