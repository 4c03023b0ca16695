from __future__ import annotations

import errno
import os
import threading

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpd.errors import IntegrityLost, NoSpace, OverQuota
from ftpd.paths import VirtualPath
from ftpd.testing.fakes import ThreadedClock, finish
from ftpd.transfer import pouring
from ftpd.transfer.crew import Crews
from ftpd.transfer.pouring import pour
from ftpd.values import FileInfo, FileKind

TARGET = VirtualPath.parse("/target")
CONTENT = os.urandom(3_000_001)


opened = []


@pytest.fixture(autouse=True)
def _close():
    yield
    while opened:
        opened.pop().close()


class Source:
    """A `spi.ReadableFile` over a file of the disk; *has_descriptor* False as one that may hang."""

    def __init__(self, path, *, has_descriptor=True, size=None):
        self._file = path.open("rb")
        opened.append(self._file)
        self._has_descriptor = has_descriptor
        self.info = FileInfo(path.name, FileKind.FILE, path.stat().st_size if size is None else size)

    def descriptor(self):
        return self._file.fileno() if self._has_descriptor else None

    async def read_at(self, offset, length):
        return os.pread(self._file.fileno(), length, offset)


class Stream(Source):
    """A `spi.StreamedFile`, which does not know its size."""

    def pieces(self, start):
        offset = start

        async def next_piece():
            nonlocal offset
            piece = os.pread(self._file.fileno(), 1_000_000, offset)
            offset += len(piece)
            return piece

        return next_piece

    async def close(self):
        self._file.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        await self.close()


class Target:
    """A `spi.WritableFile` over a file of the disk."""

    path = TARGET
    start = 0

    def __init__(self, path, *, has_descriptor=True, ceiling=None):
        self._file = path.open("w+b", buffering=0)
        opened.append(self._file)
        self._has_descriptor = has_descriptor
        self.ceiling = ceiling

    def descriptor(self):
        return self._file.fileno() if self._has_descriptor else None

    async def write_at(self, offset, data):
        os.pwrite(self._file.fileno(), data, offset)

    def content(self):
        return os.pread(self._file.fileno(), 100_000_000, 0)


@pytest.fixture
def clock():
    return ThreadedClock()


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").write_bytes(CONTENT)
    return tmp_path / "source"


def nothing(count):
    pass


def test_everything_is_poured_between_descriptors(clock, source, tmp_path):
    target, told = Target(tmp_path / "target"), []
    assert clock.wait(pour(Crews(clock), Source(source), target, 0, told.append)) == 3_000_001
    assert target.content() == CONTENT
    assert sum(told) == 3_000_001


def test_it_begins_at_the_offset(clock, source, tmp_path):
    target = Target(tmp_path / "target")
    finish(target.write_at(0, b"before"))
    clock.wait(pour(Crews(clock), Source(source), target, 6, nothing))
    assert target.content() == b"before" + CONTENT


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM])
def test_where_the_kernel_cannot_copy_bytes_are_carried_over(clock, source, tmp_path, monkeypatch, number):
    def refused(*_):
        raise OSError(number, "refused")

    monkeypatch.setattr(os, "copy_file_range", refused)
    target = Target(tmp_path / "target")
    assert clock.wait(pour(Crews(clock), Source(source), target, 0, nothing)) == 3_000_001
    assert target.content() == CONTENT


def test_a_copy_that_the_kernel_takes_for_done_too_early_goes_on(clock, source, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    target = Target(tmp_path / "target")
    assert clock.wait(pour(Crews(clock), Source(source), target, 0, nothing)) == 3_000_001
    assert target.content() == CONTENT


@pytest.mark.parametrize("has_descriptor", [(True, False), (False, True), (False, False)])
def test_without_descriptors_it_is_read_and_written(source, tmp_path, has_descriptor):
    target = Target(tmp_path / "target", has_descriptor=has_descriptor[1])
    told = []
    poured = pour(Crews(Clock()), Source(source, has_descriptor=has_descriptor[0]), target, 0, told.append)
    assert finish(poured) == 3_000_001
    assert target.content() == CONTENT
    assert sum(told) == 3_000_001


def test_a_stream_ends_where_its_bytes_end(source, tmp_path):
    target = Target(tmp_path / "target")
    assert finish(pour(Crews(Clock()), Stream(source, size=7), target, 0, nothing)) == 3_000_001
    assert target.content() == CONTENT


def test_an_empty_file_is_poured(clock, tmp_path):
    (tmp_path / "empty").touch()
    assert clock.wait(pour(Crews(clock), Source(tmp_path / "empty"), Target(tmp_path / "target"), 0, nothing)) == 0


@pytest.mark.parametrize("has_descriptor", [True, False])
def test_a_source_that_was_cut_short_is_an_error(clock, source, tmp_path, has_descriptor):
    longer = Source(source, size=3_000_002, has_descriptor=has_descriptor)
    with pytest.raises(IntegrityLost):
        clock.wait(pour(Crews(clock), longer, Target(tmp_path / "target"), 0, nothing))


def test_of_a_source_that_grows_what_was_there_is_poured(clock, source, tmp_path):
    before, target = Source(source), Target(tmp_path / "target")
    with source.open("ab") as growing:
        growing.write(b"more")
    assert clock.wait(pour(Crews(clock), before, target, 0, nothing)) == 3_000_001
    assert target.content() == CONTENT


def test_beyond_the_ceiling_nothing_is_written(source, tmp_path):
    target = Target(tmp_path / "target", ceiling=3_000_000)
    with pytest.raises(OverQuota):
        finish(pour(Crews(Clock()), Source(source), target, 0, nothing))
    assert target.content() == b""


def test_a_stream_beyond_the_ceiling_is_over_quota(source, tmp_path):
    target = Target(tmp_path / "target", ceiling=2_500_000)
    with pytest.raises(OverQuota):
        finish(pour(Crews(Clock()), Stream(source), target, 0, nothing))
    assert len(target.content()) == 2_000_000


def test_a_full_disk_is_no_space(clock, source, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "copy_file_range", full)
    with pytest.raises(NoSpace) as caught:
        clock.wait(pour(Crews(clock), Source(source), Target(tmp_path / "target"), 0, nothing))
    assert caught.value.path == TARGET


def test_a_cancel_ends_it_once_the_thread_is_back(clock, source, tmp_path, monkeypatch):
    monkeypatch.setattr(pouring, "_STEP_BYTES", 1_000_000)
    target = Target(tmp_path / "target")
    poured: Deferred[int]
    is_known = threading.Event()

    def cancel_in_the_first_step(count):
        assert is_known.wait(30)
        poured.cancel()

    poured = Deferred.fromCoroutine(pour(Crews(clock), Source(source), target, 0, cancel_in_the_first_step))
    is_known.set()
    with pytest.raises(CancelledError):
        clock.wait(poured)
    assert target.content() == CONTENT[:1_000_000]


def test_a_cancel_before_a_thread_has_it_ends_it_at_once(clock, source, tmp_path, monkeypatch):
    from ftpd.transfer import crew

    monkeypatch.setattr(crew.Crew, "_start_thread", lambda _: None)
    target = Target(tmp_path / "target")
    poured = Deferred.fromCoroutine(pour(Crews(clock), Source(source), target, 0, nothing))
    ended = []
    poured.addBoth(ended.append)
    poured.cancel()
    assert ended[0].check(CancelledError)
    assert target.content() == b""


def test_a_turn_that_somebody_waits_for_is_given_up_and_taken_again(clock, source, tmp_path, monkeypatch):
    monkeypatch.setattr(pouring, "_STEP_BYTES", 100_000)
    monkeypatch.setattr(pouring, "_TURN_BYTES", 300_000)
    monkeypatch.setattr("ftpd.transfer.crew.Crew.is_awaited", True)
    target = Target(tmp_path / "target")
    assert clock.wait(pour(Crews(clock), Source(source), target, 0, nothing)) == 3_000_001
    assert target.content() == CONTENT
