"""Receive where the disk says something odd; the rest is in the pump contract."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import IntegrityLost, NoSpace, OverQuota
from ftpd.spi import Wanted
from ftpd.testing.pump_contract import DiskFile, Line, drive, private_reactor
from ftpd.transfer.receive import Receive
from ftpd.values import Outcome, TransferResult


@pytest.fixture
def receive(tmp_path: Path) -> Callable[[bytes], TransferResult]:
    """Return a function that uploads some bytes."""

    def receive(data: bytes) -> TransferResult:
        file = DiskFile(tmp_path / "file")
        with private_reactor() as reactor, closing(Line(reactor)) as line:
            line.unsent = data
            pump = Receive(reactor, line.connection, file.descriptor(), Wanted(stall_seconds=5))
            result = drive(reactor, pump.start(), line.write_and_end)
        os.close(file.descriptor())
        return result

    return receive


@pytest.mark.parametrize(
    ("number", "fault"),
    [(errno.ENOSPC, NoSpace), (errno.EDQUOT, OverQuota), (errno.EFBIG, OverQuota), (errno.EIO, IntegrityLost)],
)
def test_error_of_the_disk_is_our_fault(
    receive: Callable[[bytes], TransferResult], monkeypatch: pytest.MonkeyPatch, number: int, fault: type[Exception]
) -> None:
    def pwrite(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "pwrite", pwrite)
    result = receive(b"data")
    assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, fault, 0)


def test_disk_that_takes_nothing_is_our_fault_and_no_endless_loop(
    receive: Callable[[bytes], TransferResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    assert receive(b"data").outcome is Outcome.LOCAL_FAULT


def test_short_writes_are_completed(
    receive: Callable[[bytes], TransferResult], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda number, data, offset: real(number, data[:3], offset))
    result = receive(b"0123456789")
    assert (result.outcome, result.moved) == (Outcome.FINISHED, 10)
    assert (tmp_path / "file").read_bytes() == b"0123456789"
