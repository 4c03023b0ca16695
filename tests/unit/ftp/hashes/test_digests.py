"""Digests: of what stood in the file, or none; a few at a time, and no file read twice that has not changed."""

from __future__ import annotations

import hashlib
import os
from functools import partial
from pathlib import Path

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.errors import Busy, NotPermitted, OverLimit
from ftpd.ftp.hashes import digests as module
from ftpd.ftp.hashes import reading
from ftpd.ftp.hashes.algorithms import Algorithm
from ftpd.ftp.hashes.digests import Hashed, digest_of
from ftpd.ftp.settings import HashSettings
from ftpd.ftp.states import Stop
from ftpd.paths import ROOT, VirtualPath
from ftpd.schema import Seconds, Size
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import finish
from ftpd.testing.server import Server
from ftpd.values import Account, Permission, Rule
from tests.unit.ftp.hashes.asker import CONTENT, SHA_256, Asker, OpenFile

MIB = 1024 * 1024
LONG_AGO = 1_000_000_000


@pytest.fixture
def settled(monkeypatch):
    """Files count as settled as soon as they are written."""
    monkeypatch.setattr(module, "_SETTLED_NS", -1)


def test_what_the_store_refuses_is_refused(path, clock):
    asker = Asker(path, clock)

    def refuse(path):
        raise NotPermitted

    asker.kind = refuse
    with pytest.raises(NotPermitted):
        asker.hears()


# What is remembered.


def test_second_digest_reads_nothing(path, clock, settled, reads):
    asker = Asker(path, clock)
    assert asker.hears() == asker.hears() == Hashed(SHA_256, 0, len(CONTENT))
    assert len(reads) == 1


@pytest.mark.parametrize("other", [{"algorithm": Algorithm.MD5}, {"start": 1}, {"end": 5}])
def test_other_algorithm_or_part_is_read(path, clock, settled, reads, other):
    asker = Asker(path, clock)
    asker.hears()
    asker.hears(**other)
    assert len(reads) == 2


def test_other_content_with_the_old_size_and_time_is_read(path, clock, settled):
    os.utime(path, (LONG_AGO, LONG_AGO))
    asker = Asker(path, clock)
    asker.hears()
    path.write_bytes(CONTENT.upper())
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert asker.hears().value == hashlib.sha256(CONTENT.upper()).hexdigest()


def test_file_that_was_just_written_is_not_remembered(path, clock, reads):
    asker = Asker(path, clock)
    asker.hears()
    asker.hears()
    assert len(reads) == 2


def test_file_that_grew_meanwhile_is_not_remembered(path, clock, settled, reads):
    def grow():
        with path.open("ab") as file:
            file.write(b"!")

    reads.before = grow
    asker = Asker(path, clock)
    asker.hears(end=5)
    reads.before = lambda: None
    asker.hears(end=5)
    assert len(reads) == 3


def test_oldest_digest_is_forgotten_first(path, clock, settled, reads, monkeypatch):
    monkeypatch.setattr(module, "_MOST_REMEMBERED", 2)
    asker = Asker(path, clock)
    for end in (1, 2, 1, 3):
        asker.hears(end=end)
    assert reads == [(0, 1), (0, 2), (0, 3)]
    asker.hears(end=1)
    assert len(reads) == 3
    asker.hears(end=2)
    assert len(reads) == 4


def test_remembered_digest_needs_no_place(path, clock, settled):
    asker = Asker(path, clock, settings=HashSettings(max_at_once=1))
    asker.hears()
    large = path.with_name("large")
    large.write_bytes(bytes(MIB))
    asker.path = large
    running = asker.asks()
    asker.path = path
    assert asker.asks().called
    clock.wait(running)


# Limits.


def test_more_bytes_than_allowed_are_over_the_limit(path, clock, reads):
    asker = Asker(path, clock, settings=HashSettings(max_bytes=Size(len(CONTENT) - 1)))
    with pytest.raises(OverLimit, match=f"More than the {len(CONTENT) - 1} bytes"):
        asker.hears()
    assert reads == []
    assert asker.hears(end=len(CONTENT) - 1).end == len(CONTENT) - 1


def test_allowance_is_for_all_files_of_a_request(path, clock):
    asker = Asker(path, clock, settings=HashSettings(max_bytes=Size(2 * len(CONTENT) - 1)))
    allowance = asker.digests.allowance()
    asker.hears(allowance=allowance)
    with pytest.raises(OverLimit):
        asker.hears(allowance=allowance)


def test_sparse_file_of_a_tebibyte_is_refused_at_once(path, clock, reads):
    os.truncate(path, 1 << 40)
    with pytest.raises(OverLimit):
        Asker(path, clock).hears()
    assert reads == []


def test_no_more_are_read_at_a_time_than_there_are_places(path, clock):
    path.write_bytes(bytes(MIB))
    asker = Asker(path, clock, settings=HashSettings(max_at_once=2))
    asked = [asker.asks() for _ in range(5)]
    assert len(asker.files) == 5
    assert [clock.wait(one).end for one in asked] == [MIB] * 5
    assert all(file.is_closed for file in asker.files)


class Hung:
    """A scan of a disk that does not answer."""

    def __init__(self, *arguments): ...

    def start(self):
        return Deferred()


def test_disk_that_hangs_keeps_no_place_of_another(path, clock, monkeypatch):
    asker = Asker(path, clock, settings=HashSettings(max_at_once=1))
    with monkeypatch.context() as patch, open(os.memfd_create("other"), "wb") as other:
        patch.setattr(reading, "Scan", Hung)
        asker.path = Path(f"/proc/self/fd/{other.fileno()}")
        other.write(CONTENT)
        other.flush()
        hung = [asker.asks() for _ in range(2)]
        asker.path = path
        patch.undo()
        assert asker.hears() == Hashed(SHA_256, 0, len(CONTENT))
        assert not any(one.called for one in hung)


def test_store_that_hangs_keeps_no_place_of_a_disk(path, clock):
    class Slow(OpenFile):
        async def read_at(self, offset, length):
            return await Deferred()

    asker = Asker(path, clock, partial(Slow, has_descriptor=False), settings=HashSettings(max_at_once=1))
    hung = [asker.asks() for _ in range(2)]
    asker.kind = OpenFile
    assert asker.hears() == Hashed(SHA_256, 0, len(CONTENT))
    assert not any(one.called for one in hung)


def test_who_waits_too_long_for_a_place_is_told_that_others_are_served(path, clock):
    path.write_bytes(bytes(MIB))
    asker = Asker(path, clock, settings=HashSettings(max_at_once=1, max_time=Seconds(10)))
    running, waiting = asker.asks(), asker.asks()
    clock.advance(10)
    with pytest.raises(Busy, match="Other files are being hashed"):
        clock.wait(waiting)
    clock.wait(running)
    assert asker.hears().end == MIB


def test_cancel_while_waiting_takes_no_place(path, clock):
    path.write_bytes(bytes(MIB))
    asker = Asker(path, clock, settings=HashSettings(max_at_once=1))
    running, waiting, last = asker.asks(), asker.asks(), asker.asks()
    waiting.cancel()
    with pytest.raises(CancelledError):
        clock.wait(waiting)
    clock.wait(running)
    assert clock.wait(last).end == MIB


def test_cancel_while_reading_gives_the_place_back_and_closes_the_file(path, clock):
    path.write_bytes(bytes(8 * MIB))
    asker = Asker(path, clock, settings=HashSettings(max_at_once=1))
    running = asker.asks()
    running.cancel()
    with pytest.raises(CancelledError):
        clock.wait(running)
    assert asker.files[0].is_closed
    assert asker.hears().end == 8 * MIB


# What the session itself has stored.

STORED = VirtualPath.parse("/in/file")
DROPPER = Account("drop", rules=(Rule(ROOT, Permission.CREATE),))


def dropped():
    """A session that may store and not read, and its file as `commit` told it."""
    server = Server(files={"/in": None}, accounts=[DROPPER])
    dialogue = Dialogue(login="drop", server=server).says("STOR in/file").hears(150).sends(CONTENT).ends().hears(226)
    return dialogue, finish(server.everything().stat(STORED))


def test_who_may_not_read_is_told_the_digest_of_what_it_has_stored():
    dialogue, info = dropped()
    assert finish(digest_of(dialogue.session, STORED, info)) == SHA_256


def test_who_may_not_read_is_not_told_the_digest_of_what_others_have_stored():
    dialogue, info = dropped()
    assert finish(digest_of(dialogue.session, STORED, info, is_own=False)) is None


def test_file_that_others_have_replaced_meanwhile_has_no_digest():
    dialogue, info = dropped()
    dialogue.server.fill({"/in/file": CONTENT})
    assert finish(digest_of(dialogue.session, STORED, info)) is None


def test_file_that_is_too_large_has_no_digest():
    dialogue, info = dropped()
    dialogue.session.factory.digests.settings = HashSettings(max_bytes=Size(1))
    assert finish(digest_of(dialogue.session, STORED, info)) is None


def test_cancelled_digest_is_none():
    dialogue, info = dropped()
    digests = dialogue.session.factory.digests

    async def cancelled(*arguments):
        raise CancelledError

    digests.of = cancelled
    assert finish(digest_of(dialogue.session, STORED, info)) is None


def test_session_that_was_told_to_stop_meanwhile_has_no_digest():
    dialogue, info = dropped()
    dialogue.session.stop = Stop.ABORTED
    assert finish(digest_of(dialogue.session, STORED, info)) is None


def test_other_algorithm_can_be_asked_for():
    dialogue, info = dropped()
    assert finish(digest_of(dialogue.session, STORED, info, Algorithm.MD5)) == hashlib.md5(CONTENT).hexdigest()
