"""What is asked of disks, and when one counts as slow."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import TypeVar

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import implementer

from ftpd import disks
from ftpd.disks import Disk, disk_of

T = TypeVar("T")


class Hand:
    """A clock that the test moves, and calls that take as long as it says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> str:
        self.now += seconds
        return "done"


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def disk(hand: Hand) -> Disk:
    return Disk(os.stat("/").st_dev, hand)


@pytest.fixture
def file(tmp_path: Path):  # type: ignore[no-untyped-def]
    (tmp_path / "file").write_bytes(b"0123456789")
    number = os.open(tmp_path / "file", os.O_RDONLY)
    yield number
    os.close(number)


def answers(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let every probe of the cache fail with the error *number*; plain reads do what they do."""
    plain = os.preadv

    def preadv(descriptor: int, buffers: tuple[bytearray], offset: int, flags: int = 0) -> int:
        if flags:
            raise OSError(number, os.strerror(number))
        return plain(descriptor, buffers, offset)

    monkeypatch.setattr("ftpd.disks.os.preadv", preadv)


def test_what_is_in_memory_is_read(file: int) -> None:
    buffer = bytearray(4)
    assert (disk_of(file).read_cached(file, buffer, 3), bytes(buffer)) == (4, b"3456")


def test_the_end_of_a_file_is_no_wait(file: int) -> None:
    assert [disk_of(file).read_cached(file, bytearray(4), 8), disk_of(file).read_cached(file, bytearray(4), 10)] == [2, 0]


def test_what_is_not_in_memory_is_none(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EAGAIN)
    assert disk_of(file).read_cached(file, bytearray(4), 0) is None


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_disk_that_cannot_be_asked_is_none(file: int, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, number)
    monkeypatch.setattr(disk_of(file), "is_memory", False)
    assert disk_of(file).read_cached(file, bytearray(4), 0) is None


def test_a_file_system_in_memory_cannot_be_asked_and_is_read(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EOPNOTSUPP)
    monkeypatch.setattr(disk_of(file), "is_memory", True)
    assert disk_of(file).read_cached(file, bytearray(4), 0) == 4


def test_a_fault_of_the_disk_is_raised(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, errno.EIO)
    with pytest.raises(OSError, match="Input/output"):
        disk_of(file).read_cached(file, bytearray(4), 0)


@pytest.fixture(autouse=True)
def lost(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the thread lost its processor during each of the next calls; never, where that is empty."""
    answers_left: list[bool] = []
    monkeypatch.setattr(disks, "_lost_processor", lambda: bool(answers_left) and answers_left.pop(0))
    return answers_left


def test_a_disk_is_quick_at_first(disk: Disk) -> None:
    assert not disk.is_slow


def test_a_quick_call_leaves_a_disk_quick(disk: Disk, hand: Hand) -> None:
    assert disk.timed(hand.wait, 0.019) == "done"
    assert not disk.is_slow


def test_a_long_call_makes_a_disk_slow_for_a_second(disk: Disk, hand: Hand) -> None:
    assert disk.timed(hand.wait, 0.021) == "done"
    assert disk.is_slow
    hand.wait(0.9)
    assert disk.is_slow
    hand.wait(0.2)
    assert not disk.is_slow


def test_calls_that_hold_more_than_a_hundredth_of_the_time_make_a_disk_slow(disk: Disk, hand: Hand) -> None:
    for _ in range(4):
        disk.timed(hand.wait, 0.005)
        assert not disk.is_slow
        hand.wait(0.1)
    disk.timed(hand.wait, 0.005)
    assert disk.is_slow


def test_calls_that_hold_less_than_a_hundredth_of_the_time_leave_a_disk_quick(disk: Disk, hand: Hand) -> None:
    for _ in range(100):
        disk.timed(hand.wait, 0.005)
        hand.wait(0.6)
    assert not disk.is_slow


def test_many_short_calls_leave_a_disk_quick(disk: Disk, hand: Hand) -> None:
    for _ in range(1000):
        disk.timed(hand.wait, 0.0009)
    assert not disk.is_slow


def test_a_thread_that_lost_its_processor_says_nothing_of_a_disk(disk: Disk, hand: Hand, lost: list[bool]) -> None:
    for _ in range(100):
        lost.append(True)
        disk.timed(hand.wait, 0.019)
    assert not disk.is_slow


def test_a_call_that_is_too_long_for_a_lost_processor_makes_a_disk_slow(disk: Disk, hand: Hand, lost: list[bool]) -> None:
    lost.append(True)
    disk.timed(hand.wait, 0.021)
    assert disk.is_slow


def test_a_long_call_that_fails_makes_a_disk_slow(disk: Disk, hand: Hand) -> None:
    def fail() -> None:
        hand.wait(1)
        raise OSError(errno.EIO, "no")

    with pytest.raises(OSError, match="no"):
        disk.timed(fail)
    assert disk.is_slow


def test_a_disk_that_stays_slow_is_left_to_threads_for_longer_and_longer(disk: Disk, hand: Hand) -> None:
    periods = []
    for _ in range(8):
        disk.timed(hand.wait, 0.5)
        began = hand.now
        while disk.is_slow:
            hand.wait(0.25)
        periods.append(hand.now - began)
    assert periods == [1, 2, 4, 8, 16, 30, 30, 30]


def test_after_half_a_minute_an_episode_begins_anew(disk: Disk, hand: Hand) -> None:
    disk.timed(hand.wait, 0.5)
    disk.timed(hand.wait, 0.5)
    hand.wait(32)
    disk.timed(hand.wait, 0.5)
    hand.wait(1)
    assert not disk.is_slow


def test_memory_is_never_slow(hand: Hand) -> None:
    disk = Disk(0, hand, is_memory=True)
    disk.timed(hand.wait, 1)
    assert not disk.is_slow


def test_an_episode_is_one_line_in_the_log(disk: Disk, hand: Hand) -> None:
    lines: list[str] = []

    @implementer(ILogObserver)
    def note(event: LogEvent) -> None:
        lines.append(formatEvent(event))

    globalLogPublisher.addObserver(note)
    try:
        disk.timed(hand.wait, 0.25)
        hand.wait(20)
        disk.timed(hand.wait, 3)
        hand.wait(60)
        disk.timed(hand.wait, 0.5)
    finally:
        globalLogPublisher.removeObserver(note)
    device = os.stat("/").st_dev
    where = f"the disk {os.major(device)}:{os.minor(device)} at / held the server up for"
    rest = "s: it is used through threads until it is quick again"
    assert lines == [f"{where} 0.250 {rest}", f"{where} 0.500 {rest}"]


def test_a_device_that_is_mounted_nowhere_is_its_number(hand: Hand) -> None:
    assert disks._name(os.makedev(4095, 1)) == "4095:1"


def test_files_of_one_device_share_their_disk(file: int, tmp_path: Path) -> None:
    other = os.open(tmp_path, os.O_RDONLY)
    try:
        assert disk_of(file) is disk_of(other)
    finally:
        os.close(other)


def test_memory_is_told_from_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    number = os.open(tmp_path, os.O_RDONLY)
    monkeypatch.setattr(disks, "_disks", {})
    monkeypatch.setattr(disks, "file_system_type", lambda _: 0x01021994)  # tmpfs
    assert disk_of(number).is_memory
    monkeypatch.setattr(disks, "_disks", {})
    monkeypatch.setattr(disks, "file_system_type", lambda _: 0xEF53)  # ext4
    assert not disk_of(number).is_memory
    os.close(number)


def test_a_thread_that_sleeps_has_not_lost_its_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    switches = [7, 7, 8, 8]
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_nivcsw=switches.pop(0)))
    assert in_thread(lambda: [disks._lost_processor() for _ in range(4)]) == [True, False, True, False]


def in_thread(function: Callable[[], T]) -> T:
    """Return what *function* returns in a thread that is new, and remembers nothing."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(function).result()
