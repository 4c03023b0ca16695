from __future__ import annotations

import pytest

from ftpd.replay.likeness import are_alike, plain
from ftpd.replay.recording import Answer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("227 Entering Passive Mode (127,0,0,1,200,10).", "227 Entering Passive Mode (192,0,2,7,4,1)."),
        ("229 Entering Extended Passive Mode (|||50000|)", "229 Entering Extended Passive Mode (|||1024|)"),
        (" Connected from 192.0.2.7", " Connected from 2001:db8::7"),
        ("213 20260101120000", "213 20261231235959.123"),
        ("226 Transfer complete: 10 bytes stored in 0.005 s.", "226 Transfer complete: 12 bytes stored in 1.5 s."),
        ("150 Opening BINARY mode data connection for /a (10 bytes).", "150 Opening BINARY mode data connection for /a (9 bytes)."),
        ("200 Session 0b1c2d3e4f5g6h7i", "200 Session 7i6h5g4f3e2d1c0b"),
        ("-rw-r--r--   1 ftp ftp 10 Jan 12 10:20 a", "-rw-r--r--   1 ftp ftp 999 Dec  1 2019 a"),
        (" type=file;unique=1ag2; /a", " type=file;unique=9zz; /a"),
    ],
)
def test_what_varies_is_alike(one, other):
    assert plain(one) == plain(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("HASH SHA-256", "HASH SHA-512"),
        ("Protected by TLSv1.2", "Protected by TLSv1.3"),
        (" UTF8", " UTF16"),
        ("257 /a1", "257 /a2"),
        ("226 Transfer complete.", "226 Closing data connection."),
        ("200 ok", "250 ok"),
    ],
)
def test_what_means_something_is_not(one, other):
    assert plain(one) != plain(other)


def test_codes_count_always():
    assert not are_alike(Answer(200, ("200 Fine",)), Answer(250, ("250 Fine",)), only_codes=True)


def test_words_count_unless_only_codes_do():
    recorded, heard = Answer(200, ("200 Fine",)), Answer(200, ("200 Good",))
    assert not are_alike(recorded, heard, only_codes=False)
    assert are_alike(recorded, heard, only_codes=True)


def test_words_that_were_cut_cannot_differ():
    assert are_alike(Answer(550, ("550",), is_cut=True), Answer(550, ("550 /a: No such file",)), only_codes=False)
