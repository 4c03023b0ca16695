"""Frames: whatever is asked for, the datagrams are the file's blocks; and what readers of one file share."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from twisted.internet.defer import Deferred

from ftpd.disks import Disk
from ftpd.errors import IntegrityLost, Unavailable
from ftpd.testing.fakes import finish
from ftpd.tftp.frames import FileFrames, Geometry, HotFiles
from tests.unit.tftp.exchanges import PATH, FakeFile, blocks_of, pattern

MIB = 1 << 20
CHUNK = 127  # blocks of 512 bytes


def frames_of(file: FakeFile, block_size: int = 512, window: int = 1, rollover: int = 0, hot: HotFiles | None = None) -> FileFrames:
    return FileFrames(file, PATH, Geometry(block_size, window, rollover), hot or HotFiles(MIB))


def packets(frames: FileFrames, first: int, count: int, stride: int) -> list[bytes]:
    """Return so many datagrams from *first* on, fetched where they have to be."""
    found: list[bytes] = []
    while len(found) < count:
        some_frames = frames.frames(first + len(found), count - len(found))
        if some_frames is None:
            finish(frames.fetch(first + len(found), count - len(found)))
            continue
        if not some_frames:
            break
        found += [bytes(some_frames[start : start + stride]) for start in range(0, len(some_frames), stride)]
    return found


@given(
    size=some.integers(0, 5000) | some.sampled_from([8 * 65_537, 65464 * 9]),
    block_size=some.sampled_from([8, 100, 512, 1428, 65464]),
    window=some.sampled_from([1, 2, 7, 64, 2000]),
    rollover=some.sampled_from([0, 1]),
    has_descriptor=some.booleans(),
)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_frames_of_a_file_are_its_blocks(tmp_path: Path, size, block_size, window, rollover, has_descriptor):
    content = pattern(size)
    os_path = tmp_path / "file"
    os_path.write_bytes(content)
    file = FakeFile(os_path=os_path) if has_descriptor else FakeFile(content)
    frames = frames_of(file, block_size, window, rollover)
    last = size // block_size + 1
    assert frames.last == last
    found: list[bytes] = []
    while len(found) < last:
        found += packets(frames, len(found) + 1, min(window, last - len(found)), block_size + 4)
    assert found == blocks_of(content, block_size, rollover)
    frames.close()
    finish(file.close())


@given(window=some.sampled_from([1, 5, 16, 64]), steps=some.lists(some.integers(0, 64), max_size=50))
@settings(max_examples=60)
def test_window_that_is_wanted_again_is_the_same(window, steps):
    content = pattern(100_000)
    expected = blocks_of(content, 512)
    frames = frames_of(FakeFile(content), 512, window)
    base = 0
    for step in steps:
        count = min(window, len(expected) - base)
        assert packets(frames, base + 1, count, 516) == expected[base : base + count]
        base += min(step, count)


@pytest.mark.parametrize(
    ("block_size", "window", "per_chunk"),
    [(512, 1, 127), (8, 1, 1024), (1428, 1, 45), (1428, 64, 128), (1428, 16, 32), (512, 64, 128), (65464, 1, 8), (65464, 64, 8)],
)
def test_chunk_is_a_number_of_windows_where_it_can_be(block_size, window, per_chunk):
    assert Geometry(block_size, window, 0).per_chunk == per_chunk


def test_numbers_roll_over_to_0_and_to_1():
    assert Geometry(8, 1, 0).headers(65535, 3) == (b"\xff\0\0", b"\xff\0\1")
    assert Geometry(8, 1, 1).headers(65535, 3) == (b"\xff\0\0", b"\xff\1\2")
    assert Geometry(8, 1, 0).headers(131_071, 2) == (b"\xff\0", b"\xff\0")
    assert Geometry(8, 1, 1).headers(131_070, 2) == (b"\xff\0", b"\xff\1")


def test_empty_file_is_one_empty_block():
    assert packets(frames_of(FakeFile()), 1, 1, 516) == [b"\0\3\0\1"]


def test_behind_the_end_there_is_nothing():
    frames = frames_of(FakeFile(pattern(600)))
    assert packets(frames, 1, 2, 516) == blocks_of(pattern(600), 512)
    found = frames.frames(3, 1)
    assert found is not None
    assert bytes(found) == b""


def test_buffer_is_used_again_for_what_follows():
    content = pattern(512 * CHUNK * 4)
    frames = frames_of(FakeFile(content))
    packets(frames, 1, CHUNK, 516)
    first = frames._chunks[0]
    packets(frames, CHUNK + 1, CHUNK, 516)
    packets(frames, 2 * CHUNK + 1, CHUNK, 516)
    assert frames._chunks[2] is first
    assert 0 not in frames._chunks


def test_block_of_a_buffer_that_was_used_again_is_not_taken_from_there(tmp_path: Path):
    os_path, content = tmp_path / "file", pattern(512 * CHUNK * 4)
    os_path.write_bytes(content)
    file = FakeFile(os_path=os_path)
    frames = frames_of(file)
    packets(frames, 1, CHUNK, 516)
    with patch.object(Disk, "scatter_cached", return_value=None):
        assert frames.frames(CHUNK + 1, 1) is None  # what was there is let go of
        finish(frames.fetch(CHUNK + 1, 1))  # and overwritten
        assert frames.frames(CHUNK, 1) is None
    assert packets(frames, CHUNK, 2, 516) == blocks_of(content, 512)[CHUNK - 1 : CHUNK + 1]
    finish(file.close())


def test_file_that_is_shorter_than_it_was_is_not_framed(tmp_path: Path):
    os_path = tmp_path / "file"
    os_path.write_bytes(pattern(10_000))
    file = FakeFile(os_path=os_path)
    frames = frames_of(file)
    os_path.write_bytes(pattern(9_999))
    assert frames.frames(1, 1) is None
    with pytest.raises(IntegrityLost):
        finish(frames.fetch(1, 1))
    finish(file.close())


def test_file_that_is_longer_than_it_was_is_framed_as_it_was(tmp_path: Path):
    os_path = tmp_path / "file"
    os_path.write_bytes(pattern(1000))
    file = FakeFile(os_path=os_path)
    frames = frames_of(file)
    os_path.write_bytes(pattern(2000))
    assert packets(frames, 1, 2, 516) == blocks_of(pattern(1000), 512)
    finish(file.close())


def test_what_is_not_in_memory_is_fetched(tmp_path: Path):
    os_path = tmp_path / "file"
    os_path.write_bytes(pattern(1000))
    file = FakeFile(os_path=os_path)
    frames = frames_of(file)
    with patch.object(Disk, "scatter_cached", return_value=None):
        assert frames.frames(1, 1) is None
        finish(frames.fetch(1, 1))
    assert packets(frames, 1, 2, 516) == blocks_of(pattern(1000), 512)
    finish(file.close())


def test_half_of_it_in_memory_is_not_sent_as_all(tmp_path: Path):
    os_path = tmp_path / "file"
    os_path.write_bytes(pattern(1000))
    file = FakeFile(os_path=os_path)
    frames = frames_of(file)
    with patch.object(Disk, "scatter_cached", return_value=600):
        assert frames.frames(1, 1) is None
    finish(file.close())


def test_store_that_gives_less_than_asked_is_asked_again():
    class Dribbling(FakeFile):
        async def read_at(self, offset, length):
            return await super().read_at(offset, min(length, 100))

    frames = frames_of(Dribbling(pattern(1000)))
    assert packets(frames, 1, 2, 516) == blocks_of(pattern(1000), 512)


# What readers share.


CHUNK_BYTES = CHUNK * 516


def test_chunk_is_read_once_for_two_readers():
    hot, content = HotFiles(MIB), pattern(100_000)
    files = [FakeFile(content, unique="a") for _ in range(2)]
    readers = [frames_of(file, hot=hot) for file in files]
    for reader in readers:
        assert packets(reader, 1, 196, 516) == blocks_of(content, 512)
    assert (len(files[0].reads), files[1].reads) == (2, [])


def test_lone_reader_shares_nothing():
    hot = HotFiles(MIB)
    frames = frames_of(FakeFile(pattern(100_000), unique="a"), hot=hot)
    packets(frames, 1, 196, 516)
    assert hot._used == 0


def test_file_without_identity_shares_nothing():
    hot = HotFiles(MIB)
    readers = [frames_of(FakeFile(pattern(100_000)), hot=hot) for _ in range(2)]
    for reader in readers:
        packets(reader, 1, 196, 516)
    assert hot._used == 0


@pytest.mark.parametrize("other", [{"block_size": 1428}, {"window": 64}, {"rollover": 1}])
def test_other_geometry_is_framed_apart(other):
    hot, content = HotFiles(MIB), pattern(100_000)
    one = frames_of(FakeFile(content, unique="a"), hot=hot)
    two = frames_of(FakeFile(content, unique="a"), hot=hot, **other)
    packets(one, 1, 196, 516)
    size = other.get("block_size", 512)
    assert packets(two, 1, 100_000 // size + 1, size + 4) == blocks_of(content, size, other.get("rollover", 0))


def test_changed_file_is_framed_apart():
    hot = HotFiles(MIB)
    old, new = pattern(100_000), bytes(reversed(pattern(100_000)))
    file = FakeFile(new, unique="a")
    file.info = file.info._replace(modified_ns=2)
    readers = [frames_of(FakeFile(old, unique="a"), hot=hot) for _ in range(2)]
    changed = frames_of(file, hot=hot)
    packets(readers[0], 1, 196, 516)
    assert packets(changed, 1, 196, 516) == blocks_of(new, 512)


def test_memory_is_bounded_and_the_least_recently_used_goes():
    hot, content = HotFiles(2 * CHUNK_BYTES), pattern(512 * CHUNK * 5)
    readers = [frames_of(FakeFile(content, unique="a"), hot=hot) for _ in range(2)]
    for first in (1, CHUNK + 1, 2 * CHUNK + 1):
        packets(readers[0], first, CHUNK, 516)
    assert hot._used == 2 * CHUNK_BYTES
    assert sorted(readers[0]._shared.chunks) == [1, 2]


def test_evicted_chunk_stays_whole_for_who_still_has_it():
    hot, content = HotFiles(CHUNK_BYTES), pattern(512 * CHUNK * 5)
    one, two = (frames_of(FakeFile(content, unique="a"), hot=hot) for _ in range(2))
    packets(one, 1, CHUNK, 516)
    held = two.frames(1, CHUNK)
    assert held is not None
    for first in (CHUNK + 1, 2 * CHUNK + 1, 3 * CHUNK + 1):  # evicts the first chunk, of which the maker lets go as well
        packets(one, first, CHUNK, 516)
    assert bytes(held) == b"".join(blocks_of(content, 512)[:CHUNK])
    assert packets(two, 1, CHUNK, 516) == blocks_of(content, 512)[:CHUNK]


def test_chunk_larger_than_the_memory_is_sent_and_not_kept():
    hot, content = HotFiles(1000), pattern(100_000)
    readers = [frames_of(FakeFile(content, unique="a"), hot=hot) for _ in range(2)]
    for reader in readers:
        assert packets(reader, 1, 196, 516) == blocks_of(content, 512)
    assert hot._used == 0


def test_last_reader_frees_the_memory():
    hot, content = HotFiles(MIB), pattern(100_000)
    readers = [frames_of(FakeFile(content, unique="a"), hot=hot) for _ in range(2)]
    packets(readers[0], 1, 196, 516)
    assert hot._used > 100_000
    for reader in readers:
        reader.close()
        reader.close()
    assert (hot._used, hot._files, len(hot._recent)) == (0, {}, 0)


def test_closed_frames_hold_no_memory():
    frames = frames_of(FakeFile(pattern(100_000)))
    packets(frames, 1, 196, 516)
    frames.close()
    assert (frames._chunks, frames._spare) == ({}, None)


def held_readers(count: int) -> tuple[HotFiles, list[FakeFile], list[FileFrames], list[Deferred[None]]]:
    """Return readers of one file, all of which are fetching its first chunk, and what they wait for."""
    hot, content = HotFiles(MIB), pattern(100_000)
    files = [FakeFile(content, unique="a") for _ in range(count)]
    for file in files:
        file.is_held = True
    readers = [frames_of(file, hot=hot) for file in files]
    return hot, files, readers, [Deferred.fromCoroutine(reader.fetch(1, 1)) for reader in readers]


def test_one_asks_the_store_for_all_who_want_the_same():
    hot, files, readers, fetches = held_readers(3)
    assert [file.waiting for file in files] == [1, 0, 0]
    files[0].let_go()
    assert [fetch.called for fetch in fetches] == [True] * 3
    for reader in readers:
        assert packets(reader, 1, CHUNK, 516) == blocks_of(pattern(100_000), 512)[:CHUNK]
        reader.close()
    assert (hot._used, hot._files) == (0, {})


def test_what_fails_for_one_who_asked_fails_for_all():
    _, files, readers, fetches = held_readers(3)
    files[0].let_go(Unavailable())
    for fetch in fetches:
        with pytest.raises(Unavailable):
            finish(awaited(fetch))
    again = Deferred.fromCoroutine(readers[1].fetch(1, 1))
    files[1].let_go()
    assert again.called
    assert packets(readers[2], 1, CHUNK, 516) == blocks_of(pattern(100_000), 512)[:CHUNK]


async def awaited(deferred: Deferred[None]) -> None:
    await deferred


def test_another_asks_where_the_one_who_did_is_gone():
    _, files, readers, fetches = held_readers(3)
    readers[0].close()
    files[0].let_go()
    assert [file.waiting for file in files] == [0, 1, 0]
    files[1].let_go()
    assert [fetch.called for fetch in fetches] == [True] * 3
    for reader in readers[1:]:
        assert packets(reader, 1, CHUNK, 516) == blocks_of(pattern(100_000), 512)[:CHUNK]


def test_reader_that_is_gone_when_its_chunk_comes_does_not_ask_again():
    _, files, readers, fetches = held_readers(2)
    readers[1].close()
    files[0].let_go()
    assert ([fetch.called for fetch in fetches], files[1].reads) == ([True] * 2, [])
