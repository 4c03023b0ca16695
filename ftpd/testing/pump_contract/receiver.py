"""ReceiverContract: pumps that store what a client sends.

Apart from the other direction, and from what holds for both.
"""

from __future__ import annotations

import resource
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftpd.errors import FileTransferError, NoSpace, OverQuota
from ftpd.testing.lines import MIB, Line, drive, every, opened, pattern, turn
from ftpd.testing.pump_contract.crowd import CrowdContract
from ftpd.testing.pump_contract.ends import EndsContract
from ftpd.testing.pump_contract.large import Checked, marked_block
from ftpd.testing.pump_contract.paced import PacedContract
from ftpd.testing.pump_contract.trial import A_FEW_EXAMPLES, SIZES, STALL_SECONDS
from ftpd.values import Outcome, TransferResult

__all__ = ["ReceiverContract"]


class ReceiverContract(EndsContract, PacedContract, CrowdContract):
    """For pumps that store what comes until the peer's truthful end."""

    def client_goes_on(self, line: Line) -> None:
        line.write(b"data" * 100)

    def client_helps(self, line: Line) -> None:
        line.write_and_end()

    def fill(self, file: Path) -> None:
        file.touch()

    def offer(self, line: Line, file: Path, size: int) -> None:
        file.touch()
        line.unsent = pattern(size)

    def check_partly(self, line: Line, file: Path, before: bytes, result: TransferResult) -> None:
        stored = file.read_bytes()
        assert result.moved == len(stored) - len(before)
        assert before + pattern(result.moved) == stored

    @pytest.mark.parametrize("size", SIZES)
    def test_every_byte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any, size: int) -> None:
        line.unsent = pattern(size)
        result = drive(reactor, run(line, os_path), line.write_and_end)
        assert (result.outcome, result.moved, result.error) == (Outcome.FINISHED, size, None)
        assert os_path.read_bytes() == pattern(size)

    def test_start_at_an_offset_leaves_what_is_before_it(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(b"0123456789")
        line.unsent = b"abc"
        result = drive(reactor, run(line, os_path, start=7), line.write_and_end)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 3)
        assert os_path.read_bytes() == b"0123456abc"

    @given(data=some.data())
    @A_FEW_EXAMPLES
    def test_start_anywhere_leaves_what_is_before_it(self, data: some.DataObject) -> None:
        before = pattern(data.draw(some.integers(0, MIB), "size before"))[::-1]
        content = pattern(data.draw(some.integers(0, 2 * MIB), "size"))
        start = data.draw(some.integers(0, len(before)), "start")
        with self.room() as (reactor, folder), closing(type(self).line_kind(reactor)) as line:
            (folder / "file").write_bytes(before)
            line.unsent = content
            with opened(folder / "file") as file:
                result = drive(reactor, self.started(reactor, line, file, start=start).done, line.write_and_end)
            assert (result.outcome, result.moved) == (Outcome.FINISHED, len(content))
            assert (folder / "file").read_bytes() == before[:start] + content + before[start + len(content) :]

    def test_gigabyte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        numbers = iter(range(self.large_bytes // MIB))

        def step() -> None:
            if not line.unsent and (number := next(numbers, None)) is not None:
                line.unsent = marked_block(number)
            elif line.unsent:
                line.write()
            else:
                line.write_and_end()

        result = drive(reactor, run(line, os_path), step)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, self.large_bytes)
        stored = Checked()
        with os_path.open("rb") as file:
            while block := file.read(MIB):
                stored += block
        os_path.unlink()
        assert stored.count == self.large_bytes

    def test_byte_by_byte_is_stored(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(300)

        def step() -> None:
            if line.unsent:
                line.write(count=1)
            else:
                line.end()

        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert os_path.read_bytes() == pattern(300)

    def test_client_that_sends_slowly_for_longer_than_the_stall_timeout_is_served(
        self, reactor: Any, line: Line, os_path: Path, run: Any
    ) -> None:
        stall = 2 * STALL_SECONDS
        line.unsent = pattern(40)

        def write() -> None:
            line.write(count=1)
            if not line.unsent:
                line.end()

        result = drive(reactor, run(line, os_path, stall_seconds=stall), every(reactor, stall / 10, write))
        assert result.outcome is Outcome.FINISHED
        assert result.seconds > 2 * stall

    def test_reset_after_all_data_is_not_finished(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        done = run(line, os_path)
        line.write(b"all there is")
        for _ in range(5):
            turn(reactor)
        line.reset()
        result = drive(reactor, done)
        assert (result.outcome, result.moved) == (Outcome.PEER_FAULT, 12)

    def test_ceiling_is_reached_without_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(1000)
        assert drive(reactor, run(line, os_path, ceiling=1000), line.write_and_end).outcome is Outcome.FINISHED

    @pytest.mark.parametrize("start", [0, 7])
    def test_one_byte_above_the_ceiling_is_over_quota(self, reactor: Any, line: Line, os_path: Path, run: Any, start: int) -> None:
        line.unsent = pattern(1001)
        result = drive(reactor, run(line, os_path, ceiling=1000, start=start), line.write_and_end)
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, OverQuota)
        assert os_path.stat().st_size <= start + 1000

    def test_nothing_above_the_ceiling_is_ever_written(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(3 * MIB)
        result = drive(reactor, run(line, os_path, ceiling=2 * MIB), line.write)
        assert isinstance(result.error, OverQuota)
        assert result.moved <= 2 * MIB
        assert os_path.read_bytes() == pattern(3 * MIB)[: os_path.stat().st_size]
        assert os_path.stat().st_size <= 2 * MIB

    def test_full_disk_is_our_fault(self, reactor: Any, line: Line, run: Any) -> None:
        line.unsent = pattern(10)
        result = drive(reactor, run(line, "/dev/full"), line.write_and_end)
        assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, NoSpace, 0)

    def test_file_too_large_for_the_disk_is_our_fault(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.unsent = pattern(3000)
        done = run(line, os_path)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            result = drive(reactor, done, line.write_and_end)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert result.outcome is Outcome.LOCAL_FAULT
        assert isinstance(result.error, FileTransferError)

    def test_nothing_is_read_after_a_fault_of_ours(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        line.write(pattern(100))
        drive(reactor, run(line, os_path, ceiling=10))
        wakeups = line.below.wakeups
        line.write(pattern(100))
        for _ in range(5):
            turn(reactor)
        assert line.below.wakeups == wakeups
        assert line.unread() >= 100
