"""Scans: every byte once and in order, in a thread unless that costs more than the work, and no longer than they may."""

from __future__ import annotations

import os
import threading

import pytest
from twisted.internet.defer import CancelledError

from ftpd.disks import disk_of
from ftpd.errors import FileTransferError, IntegrityLost, OverLimit
from ftpd.testing.fakes import ThreadedClock
from ftpd.transfer.crew import Crews
from ftpd.transfer.scan import Scan

MIB = 1024 * 1024
SECONDS = 30.0  # the most that anything is waited for; never waited for in full
CONTENT = bytes(range(256)) * (3 * MIB // 256) + b"the end"
ALL = len(CONTENT)


class Taken:
    """What a scan has given, and where."""

    def __init__(self):
        self.data = bytearray()
        self.sizes = []
        self.threads = set()
        self.moved = 0
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.began = threading.Event()

    def take(self, data):
        self.began.set()
        assert self.goes_on.wait(SECONDS)
        self.data += data
        self.sizes.append(len(data))
        self.threads.add(threading.current_thread())

    def advance(self, count):
        self.moved += count


class Bystander:
    """A load that wants a thread, too."""

    def __init__(self):
        self.was_carried = threading.Event()

    def carry(self, crew):
        self.was_carried.set()

    def carried(self):
        pass


@pytest.fixture
def clock():
    return ThreadedClock()


@pytest.fixture
def crews(clock):
    return Crews(clock)


@pytest.fixture
def taken():
    return Taken()


@pytest.fixture
def file(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT)
    number = os.open(tmp_path / "file", os.O_RDWR)
    yield number
    os.close(number)


def scan(crews, file, taken, start=0, length=ALL, seconds=SECONDS):
    return Scan(crews, file, start, length, taken.take, taken.advance, seconds)


def test_bytes_are_given_in_order_by_a_thread(clock, crews, file, taken):
    clock.wait(scan(crews, file, taken).start())
    assert taken.data == CONTENT
    assert (taken.moved, max(taken.sizes)) == (len(CONTENT), MIB)
    assert threading.current_thread() not in taken.threads


def test_part_is_given_from_its_start_on(clock, crews, file, taken):
    clock.wait(scan(crews, file, taken, start=MIB + 5, length=MIB).start())
    assert taken.data == CONTENT[MIB + 5 : 2 * MIB + 5]


def test_little_that_is_in_memory_is_given_at_once(crews, file, taken):
    done = scan(crews, file, taken, start=10, length=1000).start()
    assert done.called
    assert taken.data == CONTENT[10:1010]
    assert taken.threads == {threading.current_thread()}


def test_nothing_is_given_of_no_bytes(crews, file, taken):
    assert scan(crews, file, taken, length=0).start().called
    assert taken.sizes == []


@pytest.mark.parametrize("missing", [1, MIB])
def test_file_that_is_shorter_has_lost_its_integrity(clock, crews, file, taken, missing):
    with pytest.raises(IntegrityLost):
        clock.wait(scan(crews, file, taken, length=len(CONTENT) + missing).start())


def test_little_of_a_file_that_is_shorter_has_lost_its_integrity(clock, crews, file, taken):
    with pytest.raises(IntegrityLost):
        clock.wait(scan(crews, file, taken, start=len(CONTENT) - 5, length=6).start())


def test_scan_that_takes_too_long_is_over_the_limit(clock, crews, file, taken):
    with pytest.raises(OverLimit):
        clock.wait(scan(crews, file, taken, seconds=-1.0).start())
    assert taken.sizes == []


def test_error_of_the_disk_is_told(clock, crews, taken, tmp_path):
    number = os.open(tmp_path, os.O_RDONLY)  # a directory cannot be read
    try:
        with pytest.raises(FileTransferError):
            clock.wait(scan(crews, number, taken).start())
    finally:
        os.close(number)


def test_fault_of_the_taker_ends_the_scan_and_not_the_thread(clock, crews, file, taken):
    def fail(data):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        clock.wait(Scan(crews, file, 0, len(CONTENT), fail, taken.advance, SECONDS).start())
    clock.wait(scan(crews, file, taken).start())
    assert taken.data == CONTENT


def test_cancel_waits_for_the_step_under_way(clock, crews, file, taken):
    taken.goes_on.clear()
    done = scan(crews, file, taken).start()
    assert taken.began.wait(SECONDS)
    done.cancel()
    assert not done.called
    taken.goes_on.set()
    with pytest.raises(CancelledError):
        clock.wait(done)
    assert taken.sizes == [MIB]


def test_cancel_of_a_scan_that_waits_for_a_thread_is_told_at_once(clock, crews, file, taken):
    others = [Taken() for _ in range(4)]
    for other in others:
        other.goes_on.clear()
    running = [scan(crews, file, other).start() for other in others]
    assert all(other.began.wait(SECONDS) for other in others)
    done = scan(crews, file, taken).start()
    done.cancel()
    assert done.called
    with pytest.raises(CancelledError):
        clock.wait(done)
    for other, one in zip(others, running, strict=True):
        other.goes_on.set()
        clock.wait(one)
    assert taken.sizes == []


def test_second_cancel_does_nothing(clock, crews, file, taken):
    taken.goes_on.clear()
    done = scan(crews, file, taken).start()
    assert taken.began.wait(SECONDS)
    done.cancel()
    done.cancel()
    taken.goes_on.set()
    with pytest.raises(CancelledError):
        clock.wait(done)
    done.cancel()


def test_scan_steps_aside_for_other_loads(clock, crews, file):
    scans = [Taken() for _ in range(4)]
    for one in scans:
        one.goes_on.clear()
    running = [scan(crews, file, one).start() for one in scans]
    assert all(one.began.wait(SECONDS) for one in scans)
    bystander = Bystander()
    crews.of(disk_of(file)).take(bystander)
    for one in scans:
        one.goes_on.set()
    assert bystander.was_carried.wait(SECONDS)
    for one in running:
        clock.wait(one)
    assert all(one.data == CONTENT for one in scans)
