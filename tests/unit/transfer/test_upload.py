"""Upload, what receiving pumps share; the rest is in the pump contract."""

from __future__ import annotations

import errno
import os
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import OverQuota
from ftpd.spi import Wanted
from ftpd.testing.gate import Gate
from ftpd.testing.lines import Line, crews_of, drive, opened, pattern, private_reactor, started, turn
from ftpd.transfer import carried
from ftpd.transfer.carried import Ended
from ftpd.transfer.receive import Receive
from ftpd.transfer.upload import took_nothing
from ftpd.values import Outcome


@pytest.mark.parametrize("error", [None, OSError(errno.ENOSPC, "full")], ids=["in order", "by a fault"])
def test_low_water_is_high_in_a_thread_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError | None) -> None:
    monkeypatch.setattr(carried, "INLINE_BYTES", 4096)
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        with Gate("splice", 1, error) as gate:
            line.client.sendall(pattern(40_000))
            line.end()
            assert line.low_water() == 1
            done = started(Receive(crews_of(reactor), line.below, file.descriptor(), Wanted()))
            while not gate.is_reached:
                turn(reactor)
            assert line.low_water() > 4096  # 256 KiB, or half of what the socket holds
            gate.open()
            result = drive(reactor, done)
        assert result.outcome is (Outcome.FINISHED if error is None else Outcome.LOCAL_FAULT)
        assert line.low_water() == 1


@pytest.mark.parametrize(("ceiling", "is_refused"), [(None, False), (10, False), (9, True)])
def test_ceiling_counts_what_is_there_and_what_comes(tmp_path: Path, ceiling: int | None, is_refused: bool) -> None:
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        pump = Receive(crews_of(reactor), line.below, file.descriptor(), Wanted(start=100, ceiling=ceiling))
        pump.write(memoryview(b"12345"))
        refusal: Any = None
        try:
            pump.check_ceiling(5)
        except Ended as end:
            refusal = end
    assert (refusal is not None) == is_refused
    assert refusal is None or (refusal.outcome, type(refusal.error)) == (Outcome.LOCAL_FAULT, OverQuota)


def test_disk_that_took_nothing_is_an_error_of_the_disk() -> None:
    assert took_nothing().errno == errno.EIO


def test_what_is_written_stands_behind_what_is_there(tmp_path: Path) -> None:
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        os.pwrite(file.descriptor(), b"0123456789", 0)
        pump = Receive(crews_of(reactor), line.below, file.descriptor(), Wanted(start=3))
        pump.write(memoryview(b"abc"))
        pump.write(memoryview(b"def"))
    assert (tmp_path / "file").read_bytes() == b"012abcdef9"
    assert pump.moved == 6
