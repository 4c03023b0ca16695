"""SenderContract: pumps that send a file.

Apart from the other direction, and from what holds for both.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from ftpd.errors import IntegrityLost
from ftpd.spi import Wanted
from ftpd.testing.lines import MIB, DiskFile, Line, drive, every, opened, pattern, started, turn
from ftpd.testing.pump_contract.crowd import CrowdContract
from ftpd.testing.pump_contract.ends import EndsContract
from ftpd.testing.pump_contract.large import Checked, mark_block
from ftpd.testing.pump_contract.paced import PacedContract
from ftpd.testing.pump_contract.trial import A_FEW_EXAMPLES, SIZES, STALL_SECONDS
from ftpd.transfer.pump import Stalled
from ftpd.values import Outcome, TransferResult

__all__ = ["SenderContract"]


class SenderContract(EndsContract, PacedContract, CrowdContract):
    """For pumps that send `file.info.size - wanted.start` bytes of a file."""

    def fill(self, file: Path) -> None:
        file.write_bytes(pattern(4 * MIB))

    def offer(self, line: Line, file: Path, size: int) -> None:
        file.write_bytes(pattern(size))

    def client_goes_on(self, line: Line) -> None:
        line.read(512)

    def client_helps(self, line: Line) -> None:
        line.read()

    def check_partly(self, line: Line, file: Path, before: bytes, result: TransferResult) -> None:
        assert file.read_bytes() == before
        assert before.startswith(line.received)

    @pytest.mark.parametrize("size", SIZES)
    def test_every_byte_arrives(self, reactor: Any, line: Line, os_path: Path, run: Any, size: int) -> None:
        os_path.write_bytes(pattern(size))
        result = drive(reactor, run(line, os_path), line.read)
        assert (result.outcome, result.moved, result.error) == (Outcome.FINISHED, size, None)
        assert line.read_all() == pattern(size)

    @pytest.mark.parametrize("start", [1, 4095, 256 * 1024, MIB - 1, MIB + 6, MIB + 7])
    def test_start_at_an_offset_sends_the_rest(self, reactor: Any, line: Line, os_path: Path, run: Any, start: int) -> None:
        data = pattern(MIB + 7)
        os_path.write_bytes(data)
        result = drive(reactor, run(line, os_path, start=start), line.read)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, len(data) - start)
        assert line.read_all() == data[start:]

    @given(data=some.data())
    @A_FEW_EXAMPLES
    def test_start_anywhere_sends_the_rest(self, data: some.DataObject) -> None:
        content = pattern(data.draw(some.integers(0, 2 * MIB), "size"))
        start = data.draw(some.integers(0, len(content)), "start")
        with self.room() as (reactor, folder), closing(type(self).line_kind(reactor)) as line:
            (folder / "file").write_bytes(content)
            with opened(folder / "file") as file:
                result = drive(reactor, self.started(reactor, line, file, start=start).done, line.read)
            assert (result.outcome, result.moved) == (Outcome.FINISHED, len(content) - start)
            assert line.read_all() == content[start:]

    def test_gigabyte_arrives(self, reactor: Any, line: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(b"")
        with os_path.open("r+b") as file:  # sparse: only the marks take room
            for number in range(self.large_bytes // MIB):
                mark_block(file.fileno(), number)
        line.received = received = Checked()
        result = drive(reactor, run(line, os_path), line.read)
        os_path.unlink()
        line.read_to_end()
        assert (result.outcome, result.moved) == (Outcome.FINISHED, self.large_bytes)
        assert received.count == self.large_bytes

    def test_client_that_waits_for_the_reply_before_it_closes_is_served(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(50_000))
        result = drive(reactor, run(narrow, os_path), lambda: narrow.read(5000))
        assert result.outcome is Outcome.FINISHED

    def test_finished_means_acknowledged(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(100_000))
        assert drive(reactor, run(narrow, os_path), narrow.read).outcome is Outcome.FINISHED
        assert narrow.connection.unacknowledged() <= 1  # the end itself counts as one

    def test_client_that_ends_its_sending_side_still_gets_the_file(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(200_000))
        narrow.end()
        assert drive(reactor, run(narrow, os_path), narrow.read).outcome is Outcome.FINISHED
        assert narrow.read_all() == pattern(200_000)

    def test_client_that_ends_its_sending_side_under_way_still_gets_the_file(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(200_000))
        done = run(narrow, os_path)
        turn(reactor)
        narrow.end()
        assert drive(reactor, done, narrow.read).outcome is Outcome.FINISHED
        assert narrow.read_all() == pattern(200_000)

    @pytest.mark.parametrize("size", [4096, 3 * MIB])
    def test_client_that_talks_during_a_download_gets_the_file_and_its_end(
        self, reactor: Any, line: Line, os_path: Path, run: Any, size: int
    ) -> None:
        os_path.write_bytes(pattern(size))
        line.write(b"j" * 100_000)
        assert drive(reactor, run(line, os_path), line.read).outcome is Outcome.FINISHED
        line.connection.close()
        assert line.read_all() == pattern(size)

    def test_client_that_never_stops_talking_does_not_stop_the_download(
        self, reactor: Any, line: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(8 * MIB))

        def step() -> None:
            line.write(b"j" * (256 * 1024 - len(line.unsent)))
            line.read(64 * 1024)

        assert drive(reactor, run(line, os_path), step).outcome is Outcome.FINISHED
        assert bytes(line.received) == pattern(8 * MIB)[: len(line.received)]

    def test_client_that_closes_with_data_unread_is_at_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        turn(reactor)
        narrow.client.close()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_reset_after_the_last_byte_left_us_is_not_finished(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        done = run(narrow, os_path)
        for _ in range(10):
            turn(reactor)
        assert narrow.connection.unacknowledged() > 0
        narrow.reset()
        assert drive(reactor, done).outcome is Outcome.PEER_FAULT

    def test_stall_after_the_last_byte_left_us_is_not_finished(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        result = drive(reactor, run(narrow, os_path, stall_seconds=STALL_SECONDS))
        assert (result.outcome, type(result.error)) == (Outcome.PEER_FAULT, Stalled)

    def test_cancel_after_the_last_byte_left_us_is_cancelled(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(6000))
        done = run(narrow, os_path)
        for _ in range(10):
            turn(reactor)
        assert self.cancelled(reactor, done).outcome is Outcome.CANCELLED

    def test_client_that_reads_slowly_for_longer_than_the_stall_timeout_is_served(
        self, reactor: Any, narrow: Line, os_path: Path, run: Any
    ) -> None:
        os_path.write_bytes(pattern(40_000))
        # Kernels open a full window late: with buffers this small a byte may wait for the sender's probe, a quarter of a second.
        stall = 5 * STALL_SECONDS
        read = every(reactor, stall / 25, lambda: narrow.read(1000))
        result = drive(reactor, run(narrow, os_path, stall_seconds=stall), read)
        assert result.outcome is Outcome.FINISHED
        assert result.seconds > stall
        assert narrow.read_all() == pattern(40_000)

    def test_file_that_shrinks_under_way_is_our_fault(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        self.fill(os_path)
        done = run(narrow, os_path)
        os.truncate(os_path, MIB)
        result = drive(reactor, done, narrow.read)
        assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)
        assert result.moved <= MIB

    def test_file_that_shrinks_to_nothing_before_the_first_byte_is_our_fault(self, reactor: Any, line: Line, os_path: Path) -> None:
        os_path.write_bytes(pattern(4096))
        file = DiskFile(os_path)
        os.truncate(os_path, 0)
        result = drive(reactor, started(self.make_pump(reactor, line.connection, file, Wanted())), line.read)
        os.close(file.descriptor())
        assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, IntegrityLost, 0)

    def test_file_that_grows_under_way_is_sent_as_promised(self, reactor: Any, narrow: Line, os_path: Path, run: Any) -> None:
        os_path.write_bytes(pattern(300_000))
        done = run(narrow, os_path)
        with os_path.open("ab") as file:
            file.write(b"more" * 100_000)
        result = drive(reactor, done, narrow.read)
        assert (result.outcome, result.moved) == (Outcome.FINISHED, 300_000)
        assert narrow.read_all() == pattern(300_000)
