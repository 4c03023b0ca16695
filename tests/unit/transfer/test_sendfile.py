"""SendFile where the file system, the disk or the network say something odd, on the reactor thread and in a thread.

The rest is in the pump contract.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.disks import Disk
from ftpd.errors import IntegrityLost
from ftpd.spi import Wanted
from ftpd.testing.lines import DiskFile, Line, crews_of, drive, opened, pattern, private_reactor, started, turn
from ftpd.transfer import sendfile
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.sendfile import SendFile
from ftpd.values import Outcome, TransferResult

# Read and sent, by sendfile on the reactor thread, by sendfile in a thread.
COPIED, INLINE, THREADED = pattern(40_000), pattern(200_000), pattern(700_000)
everywhere = pytest.mark.parametrize("data", [COPIED, INLINE, THREADED], ids=["copied", "inline", "threaded"])

Send = Callable[[bytes], tuple[TransferResult, bytes]]


@pytest.fixture
def send(tmp_path: Path) -> Send:
    """Return a function that sends a file to a client that reads, and gives the result and what the client got."""

    def send(data: bytes) -> tuple[TransferResult, bytes]:
        (tmp_path / "file").write_bytes(data)
        with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
            result = drive(reactor, started(pump_of(reactor, line, file)), line.read)
            received = line.read_all() if result.outcome is Outcome.FINISHED else bytes(line.received)
        return result, received

    return send


def pump_of(reactor: Any, line: Line, file: DiskFile) -> SendFile:
    return SendFile(crews_of(reactor), line.below, file.descriptor(), file.info.size, Wanted(stall_seconds=5))


def failing(name: str, number: int, after: int = 0) -> Callable[..., Any]:
    """Return a function that fails with *number* from its call *after* on, and else is `os.name`."""
    real, calls = getattr(os, name), 0

    def call(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > after:
            raise OSError(number, os.strerror(number))
        return real(*arguments)

    return call


def noting(monkeypatch: pytest.MonkeyPatch, name: str) -> list[bool]:
    """Return a list that grows with each call of `os.name`: whether it was on the reactor thread."""
    real, here, calls = getattr(os, name), threading.current_thread(), []

    def call(*arguments: Any) -> Any:
        calls.append(threading.current_thread() is here)
        return real(*arguments)

    monkeypatch.setattr(os, name, call)
    return calls


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP])
@pytest.mark.parametrize(("data", "after"), [(INLINE, 0), (THREADED, 0), (THREADED, 1)], ids=["inline", "threaded", "later"])
def test_file_system_without_sendfile_is_read(
    send: Send, monkeypatch: pytest.MonkeyPatch, number: int, data: bytes, after: int
) -> None:
    monkeypatch.setattr(os, "sendfile", failing("sendfile", number, after))
    result, received = send(data)
    assert (result.outcome, result.moved) == (Outcome.FINISHED, len(data))
    assert received == data


@everywhere
def test_damaged_disk_is_our_fault(send: Send, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    for name in ("sendfile", "pread", "preadv"):
        monkeypatch.setattr(os, name, failing(name, errno.EIO))
    result, received = send(data)
    assert (result.outcome, type(result.error), result.moved, received) == (Outcome.LOCAL_FAULT, IntegrityLost, 0, b"")


@everywhere
def test_network_that_times_out_is_the_peers_fault(send: Send, monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    def fail(*_: Any) -> int:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))

    monkeypatch.setattr(os, "sendfile", fail)
    monkeypatch.setattr(SocketConnection, "send_some", fail)
    monkeypatch.setattr(SocketConnection, "send_last", fail)
    result, _ = send(data)
    assert (result.outcome, result.moved) == (Outcome.PEER_FAULT, 0)
    assert isinstance(result.error, TimeoutError)


@pytest.mark.parametrize("data", [INLINE, THREADED], ids=["inline", "threaded"])
def test_file_that_shrinks_on_a_file_system_without_sendfile_is_our_fault(
    send: Send, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(os, "sendfile", failing("sendfile", errno.EINVAL))
    monkeypatch.setattr(os, "pread", lambda *_: b"")
    result, _ = send(data)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


@pytest.mark.parametrize("copied_bytes", [0, 64 * 1024], ids=["lent pages", "copied"])
def test_file_cut_while_its_last_bytes_were_under_way_is_our_fault_where_they_were_not_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, copied_bytes: int
) -> None:
    monkeypatch.setattr(sendfile, "_COPIED_BYTES", copied_bytes)
    (tmp_path / "file").write_bytes(pattern(6000))
    with private_reactor() as reactor, closing(Line(reactor, is_narrow=True)) as line, opened(tmp_path / "file") as file:
        pump = pump_of(reactor, line, file)
        done = started(pump)
        for _ in range(1000):
            if pump.moved == 6000:
                break
            turn(reactor)
        assert pump.moved == 6000
        os.truncate(tmp_path / "file", 5000)
        result = drive(reactor, done, line.read)
        if copied_bytes:
            assert (result.outcome, line.read_all()) == (Outcome.FINISHED, pattern(6000))
        else:
            assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


@pytest.mark.parametrize("data", [COPIED, INLINE], ids=["copied", "inline"])
def test_file_that_is_not_in_memory_is_never_waited_for_on_the_reactor_thread(
    send: Send, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr(Disk, "read_cached", lambda *_: None)
    monkeypatch.setattr(Disk, "is_cached", lambda *_: False)
    calls = noting(monkeypatch, "sendfile")
    result, received = send(data)
    assert (result.outcome, received) == (Outcome.FINISHED, data)
    assert calls
    assert not any(calls)


def test_file_of_which_the_end_is_not_in_memory_is_finished_by_a_thread(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_beginning(_: Disk, descriptor: int, buffer: memoryview, offset: int) -> int | None:
        return os.preadv(descriptor, [buffer[: max(0, 10_000 - offset)]], offset) if offset < 10_000 else None

    monkeypatch.setattr(Disk, "read_cached", read_beginning)
    calls = noting(monkeypatch, "sendfile")
    result, received = send(COPIED)
    assert (result.outcome, received) == (Outcome.FINISHED, COPIED)
    assert calls
    assert not any(calls)


def test_small_file_in_memory_is_sent_without_sendfile(send: Send, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = noting(monkeypatch, "sendfile")
    result, received = send(COPIED)
    assert (result.outcome, received) == (Outcome.FINISHED, COPIED)
    assert calls == []


def test_client_that_ends_its_side_and_does_not_read_wakes_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(THREADED)
    with private_reactor() as reactor, closing(Line(reactor, is_narrow=True)) as line, opened(tmp_path / "file") as file:
        done = started(pump_of(reactor, line, file))
        line.end()
        for _ in range(200):
            turn(reactor)
        settled = line.below.wakeups
        for _ in range(100):
            turn(reactor)
        assert line.below.wakeups - settled <= 1
        done.cancel()
        assert drive(reactor, done).outcome is Outcome.CANCELLED


def test_small_file_is_over_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(pattern(2000))
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        result = pump_of(reactor, line, file).start()
        assert isinstance(result, TransferResult)
        assert (result.moved, result.outcome) == (2000, Outcome.FINISHED)
        assert line.read_all() == pattern(2000)
