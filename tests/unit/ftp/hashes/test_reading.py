"""Readings: the bytes that were asked for, as they stood in the file at one time, or none."""

from __future__ import annotations

import hashlib
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.errors import BadOffset, IntegrityLost, NotFound, OverLimit
from ftpd.ftp.hashes.algorithms import Algorithm
from ftpd.ftp.hashes.digests import Hashed
from ftpd.ftp.hashes.reading import Allowance
from ftpd.ftp.settings import HashSettings
from ftpd.schema import Seconds, Size
from ftpd.testing.fakes import ThreadedClock
from tests.unit.ftp.hashes.asker import CONTENT, SHA_256, Asker, OpenFile, Streamed, without_descriptor

MIB = 1024 * 1024
LONG_AGO = 1_000_000_000


@pytest.mark.parametrize("kind", [OpenFile, without_descriptor, Streamed])
def test_digest_is_of_the_whole_file(path, clock, kind):
    asker = Asker(path, clock, kind)
    assert asker.hears() == Hashed(SHA_256, 0, len(CONTENT))
    assert all(file.is_closed for file in asker.files)


@pytest.mark.parametrize("kind", [OpenFile, without_descriptor])
def test_digest_of_a_large_file_is_made_in_threads(path, clock, kind):
    path.write_bytes(b"x" * (3 * MIB + 1))
    asker = Asker(path, clock, kind)
    asked = asker.asks(Algorithm.CRC32)
    assert not asked.called
    assert clock.wait(asked).value == f"{zlib.crc32(b'x' * (3 * MIB + 1)):08x}"
    assert [(progress.moved, progress.total) for progress in asker.told] == [(3 * MIB + 1, 3 * MIB + 1)]


@pytest.mark.parametrize("kind", [OpenFile, without_descriptor])
@given(content=st.binary(max_size=300), bounds=st.data())
def test_digest_of_a_part_is_that_of_the_slice(tmp_path_factory, kind, content, bounds):
    start = bounds.draw(st.integers(0, len(content)))
    end = bounds.draw(st.integers(start, len(content)))
    path = tmp_path_factory.mktemp("slices") / "file"
    path.write_bytes(content)
    asker = Asker(path, ThreadedClock(), kind)
    assert asker.hears(Algorithm.MD5, start, end) == Hashed(hashlib.md5(content[start:end]).hexdigest(), start, end)


@pytest.mark.parametrize("kind", [OpenFile, without_descriptor])
@pytest.mark.parametrize(("start", "end"), [(0, len(CONTENT) + 1), (len(CONTENT) + 1, len(CONTENT) + 1), (3, 2), (-1, 2)])
def test_bytes_that_are_not_there_are_a_bad_offset(path, clock, kind, start, end):
    with pytest.raises(BadOffset):
        Asker(path, clock, kind).hears(start=start, end=end)


# Files that change.


def test_digest_of_a_file_that_grows_is_of_what_it_had(path, clock, reads):
    def grow():
        with path.open("ab") as file:
            file.write(b" and more")

    reads.before = grow
    assert Asker(path, clock).hears() == Hashed(SHA_256, 0, len(CONTENT))
    assert reads == [(0, len(CONTENT))] * 2  # the second shows that it only grew


def test_file_that_is_written_anew_and_longer_has_no_digest(path, clock, reads):
    contents = [b"other content, " * 3, b"other content again, " * 3]
    reads.before = lambda: path.write_bytes(contents.pop(0))
    with pytest.raises(IntegrityLost):
        Asker(path, clock).hears()


@pytest.mark.parametrize("length", [0, 1, len(CONTENT) - 1])
def test_file_that_shrinks_has_no_digest(path, clock, reads, length):
    reads.before = lambda: os.truncate(path, length)
    with pytest.raises(IntegrityLost):
        Asker(path, clock).hears()


def test_file_that_changes_in_place_has_no_digest(path, clock, reads):
    os.utime(path, (LONG_AGO, LONG_AGO))
    reads.before = lambda: path.write_bytes(CONTENT.upper())
    with pytest.raises(IntegrityLost):
        Asker(path, clock).hears()


def test_file_that_is_replaced_is_hashed_as_it_was_opened(path, clock, reads):
    other = path.with_name("other")
    other.write_bytes(b"something else")
    reads.before = lambda: other.exists() and other.rename(path)
    asker = Asker(path, clock)
    assert asker.hears().value == SHA_256
    assert asker.hears().value == hashlib.sha256(b"something else").hexdigest()


@pytest.mark.parametrize("content", [CONTENT.upper(), b"shorter"])
def test_file_without_a_descriptor_that_changes_has_no_digest(path, clock, content):
    os.utime(path, (LONG_AGO, LONG_AGO))

    class Changing(OpenFile):
        def __init__(self, path):
            super().__init__(path, has_descriptor=False)

        async def read_at(self, offset, length):
            piece = await super().read_at(offset, length)
            path.write_bytes(content)
            return piece

    with pytest.raises(IntegrityLost):
        Asker(path, clock, Changing).hears()


@pytest.mark.parametrize("end", [None, 5])
def test_streamed_file_that_grows_has_no_digest(path, clock, end):
    class Growing(Streamed):
        def __init__(self, path):
            super().__init__(path)
            self.info = self.info._replace(size=os.fstat(self._number).st_size, unique="")
            with path.open("ab") as file:
                file.write(b"more")

    with pytest.raises(IntegrityLost):
        Asker(path, clock, Growing).hears(end=end)


def test_file_without_a_descriptor_that_is_gone_has_no_digest(path, clock):
    asker = Asker(path, clock, without_descriptor)

    def open_once(path):
        if asker.files:
            raise NotFound
        return without_descriptor(path)

    asker.kind = open_once
    with pytest.raises(NotFound):
        asker.hears()


# Limits.


def test_streamed_file_is_held_to_the_allowance_too(path, clock):
    asker = Asker(path, clock, Streamed, settings=HashSettings(max_bytes=Size(20)))
    with pytest.raises(OverLimit):
        asker.hears()


def test_part_of_a_streamed_file_is_counted_as_it_comes(path, clock):
    asker = Asker(path, clock, Streamed)
    assert asker.hears(start=2, end=12) == Hashed(hashlib.sha256(CONTENT[2:12]).hexdigest(), 2, 12)
    with pytest.raises(BadOffset):
        asker.hears(start=2, end=len(CONTENT) + 1)


def test_allowance_of_time_ends():
    allowance = Allowance(HashSettings(max_time=Seconds(10)), 5.0)
    assert allowance.seconds_left(14.0) == 1.0
    with pytest.raises(OverLimit):
        allowance.seconds_left(15.0)
