"""SendFile where the file system, the disk or the network say something odd; the rest is in the pump contract."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import IntegrityLost
from ftpd.spi import Wanted
from ftpd.testing.pump_contract import DiskFile, Line, drive, pattern, private_reactor
from ftpd.transfer import sendfile
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.sendfile import SendFile
from ftpd.values import Outcome, TransferResult

DATA = pattern(700_000)


@pytest.fixture
def send(tmp_path: Path) -> Iterator[Callable[[], tuple[TransferResult, bytes]]]:
    """Return a function that sends a file to a client that reads, and gives the result and what the client got."""
    (tmp_path / "file").write_bytes(DATA)

    def send() -> tuple[TransferResult, bytes]:
        file = DiskFile(tmp_path / "file")
        with private_reactor() as reactor, closing(Line(reactor)) as line:
            pump = SendFile(reactor, line.connection, file.descriptor(), file.info.size, Wanted(stall_seconds=5))
            result = drive(reactor, pump.start(), line.read)
            received = line.read_all() if result.outcome is Outcome.FINISHED else bytes(line.received)
        os.close(file.descriptor())
        return result, received

    yield send
    assert sendfile._streaming == 0


def failing(number: int, after: int = 0) -> Callable[..., Any]:
    """Return a function that fails with *number* from its call *after* on, and else is os.sendfile."""
    real, calls = os.sendfile, 0

    def call(*args: Any) -> int:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(number, os.strerror(number))
        return real(*args)

    return call


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize("after", [0, 1])
def test_file_system_without_sendfile_is_read(
    send: Callable[[], Any], monkeypatch: pytest.MonkeyPatch, number: int, after: int
) -> None:
    monkeypatch.setattr(os, "sendfile", failing(number, after))
    result, received = send()
    assert (result.outcome, result.moved) == (Outcome.FINISHED, len(DATA))
    assert received == DATA


def test_damaged_disk_is_our_fault(send: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sendfile", failing(errno.EIO))
    monkeypatch.setattr(os, "pread", failing(errno.EIO))
    result, _ = send()
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


def test_network_that_times_out_is_the_peers_fault(send: Callable[[], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sendfile", failing(errno.ETIMEDOUT))
    monkeypatch.setattr(SocketConnection, "send_some", failing(errno.ETIMEDOUT))
    result, _ = send()
    assert (result.outcome, result.moved) == (Outcome.PEER_FAULT, 0)
    assert isinstance(result.error, TimeoutError)


def test_file_that_shrinks_on_a_file_system_without_sendfile_is_our_fault(
    send: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sendfile", failing(errno.EINVAL))
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    result, _ = send()
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


def test_file_cut_while_its_last_bytes_were_under_way_is_our_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA[:6000])
    file = DiskFile(tmp_path / "file")
    with private_reactor() as reactor, closing(Line(reactor, is_narrow=True)) as line:
        pump = SendFile(reactor, line.connection, file.descriptor(), file.info.size, Wanted(stall_seconds=5))
        done = pump.start()
        drive_until_sent(reactor, pump)
        os.truncate(tmp_path / "file", 5000)
        result = drive(reactor, done, line.read)
    os.close(file.descriptor())
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


def drive_until_sent(reactor: Any, pump: SendFile) -> None:
    for _ in range(1000):
        if pump.moved == 6000:
            return
        reactor.runUntilCurrent()
        reactor.doIteration(0.01)
    raise AssertionError("the kernel does not take the file")


def test_many_streams_share_one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    slices = []
    for count in (1, 2, 4, 8, 100):
        monkeypatch.setattr(sendfile, "_streaming", count)
        slices.append(sendfile._slice() // 1024)
    assert slices == [1024, 1024, 512, 256, 256]
