"""The xferlog line, field by field."""

from __future__ import annotations

import time
from functools import partial

import pytest

from ftpd.events import LoggedIn
from ftpd.logs.xferlog import Xferlog, xferlog_line
from ftpd.values import Outcome, Peer
from tests.transfer_ended import PEER, transfer_ended

NOW = time.gmtime(1_000_000_000)
event = partial(transfer_ended, path="/a/b.txt", seconds=2.4)


def test_a_download_by_an_account():
    assert xferlog_line(event(), NOW) == "Sun Sep  9 01:46:40 2001 2 192.0.2.7 1000 /a/b.txt b _ o r ann ftp 0 * c"


def test_an_anonymous_upload_in_ascii_that_was_cut():
    cut = event(direction="upload", is_anonymous=True, account="anonymous", is_ascii=True, outcome=Outcome.PEER_FAULT)
    assert xferlog_line(cut, NOW) == "Sun Sep  9 01:46:40 2001 2 192.0.2.7 1000 /a/b.txt a _ i a anonymous ftp 0 * i"


@pytest.mark.parametrize(
    ("path", "field"),
    [("/a b", "/a_b"), ("/a\nb", "/a\\nb"), ("/\x1b[2J", "/\\x1b[2J"), ("/\xa0", "/\\xa0"), ("/caf\udce9", "/caf\\xe9")],
)
def test_a_name_is_one_field_whatever_is_in_it(path, field):
    line = xferlog_line(event(path=path), NOW)
    assert line.split()[8] == field
    assert len(line.split()) == 18


def test_a_client_on_a_unix_socket_has_a_host_field_all_the_same():
    assert xferlog_line(event(peer=Peer("", 0, "", 0)), NOW).split()[6] == "localhost"


def test_only_downloads_and_uploads_are_written():
    lines = []
    xferlog = Xferlog(lines.append, lambda: 1_000_000_000.0)
    for each in (event(direction="listing"), LoggedIn(peer=PEER, account="ann"), event()):
        xferlog(each)
    assert len(lines) == 1
