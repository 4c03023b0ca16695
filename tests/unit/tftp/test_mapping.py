"""MappedFrames: what leaves is the file's blocks, or nothing, whatever happens to the file."""

from __future__ import annotations

import errno
import mmap
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ftpd.disks import Disk
from ftpd.errors import IntegrityLost
from ftpd.testing.fakes import finish
from ftpd.tftp import mapping
from ftpd.tftp.frames import Geometry, HotFiles
from ftpd.tftp.mapping import MappedFrames, can_map
from tests.unit.tftp.exchanges import PATH, FakeFile, FakeLine, blocks_of, pattern

MIB = 1 << 20
BLOCK = 65464
CONTENT = pattern(12 * MIB + 1)
BLOCKS = blocks_of(CONTENT, BLOCK)


@pytest.fixture
def os_path(tmp_path: Path) -> Path:
    os_path = tmp_path / "kernel"
    os_path.write_bytes(CONTENT)
    return os_path


@pytest.fixture
def file(os_path: Path) -> Iterator[FakeFile]:
    file = FakeFile(os_path=os_path)
    yield file
    finish(file.close())


@pytest.fixture
def frames(file: FakeFile) -> Iterator[MappedFrames]:
    frames = map_frames(file)
    yield frames
    frames.close()


def map_frames(file: FakeFile, window: int = 1) -> MappedFrames:
    return MappedFrames(file, PATH, Geometry(BLOCK, window, 0), HotFiles(MIB))


def sent(frames: MappedFrames, first: int, count: int = 1) -> list[bytes]:
    """Return the datagrams of so many blocks, fetched where they have to be."""
    line = FakeLine()
    while len(line.sent) < count:
        block, left = first + len(line.sent), count - len(line.sent)
        if frames.send(line, block, left) is None:
            finish(frames.fetch(block, left))
    return line.sent


def mapped(os_path: Path) -> int:
    """Return how many maps of the file this process has."""
    return Path("/proc/self/maps").read_text(encoding="utf-8").count(str(os_path))


class WireLine(FakeLine):
    """A line to a socket of our own: the kernel reads what is sent, and nobody else."""

    def __init__(self) -> None:
        super().__init__()
        self.near, self.far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def burst(self, pieces: Any) -> None:
        self.near.sendmsg(pieces)
        self.sent.append(self.far.recv(70_000))

    def close(self) -> None:
        self.near.close()
        self.far.close()


@given(steps=some.lists(some.integers(-5, 200), max_size=12))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_are_the_files_wherever_they_are_wanted(file, steps):
    frames = map_frames(file)
    first = 1
    for step in steps:
        assert sent(frames, first) == [BLOCKS[first - 1]]
        first = min(max(1, first + step), len(BLOCKS))
    frames.close()


def test_all_of_a_file_goes_and_all_but_its_last_block_from_the_page_cache(frames, os_path):
    with patch.object(Disk, "scatter_cached", autospec=True, side_effect=Disk.scatter_cached) as read:
        assert sent(frames, 1, len(BLOCKS)) == BLOCKS
    copied = [call for call in read.call_args_list if sum(map(len, call.args[2])) > 1]
    assert len(copied) == 1
    assert mapped(os_path) == 1
    frames.close()
    assert mapped(os_path) == 0


@pytest.mark.parametrize("room", [1, 7, 8, None])
def test_a_window_is_sent_as_far_as_there_is_room(frames, room):
    line = FakeLine()
    line.room = room
    sent = min(8, room or 8)
    assert frames.send(line, 3, 8) == sent * (BLOCK + 4)
    assert line.sent == BLOCKS[2 : 2 + sent]


def test_where_there_is_no_room_at_all_it_says_so(frames):
    line = FakeLine()
    line.room = 0
    with pytest.raises(BlockingIOError):
        frames.send(line, 3, 8)


def test_a_window_is_sent_up_to_the_end_of_what_is_mapped(frames):
    line = FakeLine()
    frames.send(line, 1, 1)
    mapped_blocks = len(frames._parts)
    assert frames.send(line, mapped_blocks - 1, 8) == 2 * (BLOCK + 4)


@pytest.mark.parametrize(("rollover", "behind"), [(0, b"\0\0"), (1, b"\0\1")])
def test_numbers_roll_over(tmp_path, rollover, behind):
    os_path = tmp_path / "image"
    size = 32 * 1024
    with os_path.open("wb") as sparse:
        sparse.truncate(65_540 * size)
    file = FakeFile(os_path=os_path)
    frames = MappedFrames(file, PATH, Geometry(size, 1, rollover), HotFiles(MIB))
    os.pread(file.number, 10 * size, 65_530 * size)  # so that it is in the page cache
    assert [datagram[:4] for datagram in sent(frames, 65_535, 2)] == [b"\0\3\xff\xff", b"\0\3" + behind]
    assert mapped(os_path) == 1
    frames.close()
    finish(file.close())


def test_what_the_page_cache_has_not_got_is_fetched(frames, file):
    with patch.object(Disk, "scatter_cached", return_value=None):
        assert frames.send(FakeLine(), 1, 1) is None
        finish(frames.fetch(1, 1))
        assert sent(frames, 1, 2) == BLOCKS[:2]
    assert file.reads


def test_what_was_missed_in_the_page_cache_is_not_looked_for_at_once(frames):
    with patch.object(Disk, "scatter_cached", return_value=None) as look:
        for first in (1, 2, 3):
            assert frames.send(FakeLine(), first, 1) is None
        looks = [call for call in look.call_args_list if len(call.args[1][0]) == 1]
        assert len(looks) == 1
        with patch.object(mapping, "monotonic", return_value=frames._until):
            assert frames.send(FakeLine(), 3, 1) is None
    with patch.object(mapping, "monotonic", return_value=frames._until):
        assert sent(frames, 3) == [BLOCKS[2]]
    assert frames._parts


@pytest.mark.parametrize("refusal", [OSError(errno.EMFILE, "Too many open files"), OSError(errno.ENODEV, "No such device")])
def test_where_nothing_can_be_mapped_it_is_copied(frames, os_path, refusal):
    with patch.object(mmap, "mmap", side_effect=refusal):
        assert sent(frames, 1, 3) == BLOCKS[:3]
    assert mapped(os_path) == 0


def test_page_cache_is_asked_again_after_a_while(frames):
    sent(frames, 1)
    with patch.object(Disk, "scatter_cached", return_value=None):
        assert sent(frames, 2) == [BLOCKS[1]]
        with patch.object(mapping, "monotonic", return_value=frames._until):
            assert frames.send(FakeLine(), 3, 1) is None


def test_file_that_was_cut_short_ends_before_its_last_block(frames, os_path):
    assert sent(frames, 1, len(BLOCKS) - 1) == BLOCKS[:-1]
    os.truncate(os_path, len(CONTENT) - 1)
    with pytest.raises(IntegrityLost):
        frames.send(FakeLine(), len(BLOCKS), 1)


def test_what_was_cut_off_under_the_map_is_an_error_and_no_signal(frames, os_path):
    line = WireLine()
    assert frames.send(line, 1, 1)
    os.truncate(os_path, 4096)
    with pytest.raises(IntegrityLost):
        frames.send(line, 2, 1)
    assert line.sent == BLOCKS[:1]
    line.close()


def test_file_that_was_cut_short_is_not_mapped(frames, os_path):
    os.truncate(os_path, MIB)
    with pytest.raises(IntegrityLost):
        sent(frames, 100)


def test_another_failure_is_the_lines(frames):
    line = FakeLine()
    line.failures.append(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    with pytest.raises(ConnectionRefusedError):
        frames.send(line, 1, 1)


def test_large_blocks_of_large_files_are_mapped(file, tmp_path):
    assert can_map(file, Geometry(BLOCK, 8, 0))
    assert not can_map(file, Geometry(8192, 8, 0))
    assert not can_map(FakeFile(CONTENT), Geometry(BLOCK, 8, 0))  # no descriptor
    sparse = tmp_path / "sparse"
    with sparse.open("wb") as image:
        image.truncate(4 * MIB)
    holes = FakeFile(os_path=sparse)
    assert not can_map(holes, Geometry(BLOCK, 8, 0))  # on tmpfs each would turn into memory
    finish(holes.close())
    small = tmp_path / "small"
    small.write_bytes(b"x")
    other = FakeFile(os_path=small)
    assert not can_map(other, Geometry(BLOCK, 8, 0))
    finish(other.close())
