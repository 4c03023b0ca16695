"""Receive where the disk or the kernel say something odd, on the reactor thread and in a thread; the rest is in the pump contract."""

from __future__ import annotations

import errno
import fcntl
import os
import socket as sockets
import struct
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import IntegrityLost, NoSpace, OverQuota
from ftpd.spi import Wanted
from ftpd.testing.lines import Line, crews_of, drive, opened, pattern, private_reactor, started
from ftpd.transfer import carried, pipe
from ftpd.transfer.receive import Receive
from ftpd.values import Outcome, TransferResult

SMALL = b"0123456789"
LARGE = pattern(1_000_000)
NO_SPLICE = [errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP]
FAULTS = [(errno.ENOSPC, NoSpace), (errno.EDQUOT, OverQuota), (errno.EFBIG, OverQuota), (errno.EIO, IntegrityLost)]

Receiving = Callable[..., TransferResult]


@pytest.fixture
def receive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Receiving:
    """Return a function that uploads some bytes; more than 4 KiB at a time are for a thread."""
    monkeypatch.setattr(carried, "INLINE_BYTES", 4096)

    def receive(data: bytes, **wanted: Any) -> TransferResult:
        with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
            line.unsent = data
            pump = Receive(crews_of(reactor), line.below, file.descriptor(), Wanted(stall_seconds=5, **wanted))
            return drive(reactor, started(pump), line.write_and_end)

    return receive


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """The pipes that are kept, none at first.  None of them may ever have a byte in it: it would be the next transfer's first."""
    kept: list[tuple[int, int]] = []
    monkeypatch.setattr(pipe, "_kept", kept)
    yield kept
    left = [struct.unpack("i", fcntl.ioctl(reading, termios.FIONREAD, bytes(4)))[0] for reading, _ in kept]
    for ends in kept:
        for end in ends:
            os.close(end)
    assert left == [0] * len(kept)


def into_file(monkeypatch: pytest.MonkeyPatch, behaviour: Callable[[Callable[..., int], int], int], after: int = 0) -> None:
    """Have `os.splice` into a file behave, from its call *after* on; *behaviour* is given the real one, for so many bytes, and their number."""
    real, calls = os.splice, 0

    def splice(*arguments: Any, **named: Any) -> int:
        nonlocal calls
        if len(arguments) < 5:
            return real(*arguments, **named)
        calls += 1
        source, target, count, none, offset = arguments
        if calls <= after:
            return real(source, target, min(count, 1000), none, offset)
        return behaviour(lambda count: real(source, target, count, none, offset), count)

    monkeypatch.setattr(os, "splice", splice)


def raising(number: int) -> Callable[..., int]:
    def fail(*_: Any) -> int:
        raise OSError(number, os.strerror(number))

    return fail


# On the reactor thread.


@pytest.mark.parametrize(("number", "fault"), FAULTS)
def test_error_of_the_disk_is_our_fault(
    receive: Receiving, monkeypatch: pytest.MonkeyPatch, number: int, fault: type[Exception]
) -> None:
    monkeypatch.setattr(os, "pwrite", raising(number))
    result = receive(SMALL)
    assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, fault, 0)


def test_disk_that_takes_nothing_is_our_fault_and_no_endless_loop(receive: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    result = receive(SMALL)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


def test_short_writes_are_completed(receive: Receiving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda number, data, offset: real(number, data[:3], offset))
    result = receive(SMALL)
    assert (result.outcome, result.moved) == (Outcome.FINISHED, 10)
    assert (tmp_path / "file").read_bytes() == SMALL


def test_small_upload_needs_no_pipe(receive: Receiving, kept: list[tuple[int, int]]) -> None:
    assert receive(SMALL).outcome is Outcome.FINISHED
    assert kept == []


# In a thread.


@pytest.mark.parametrize(("number", "fault"), FAULTS)
@pytest.mark.parametrize("after", [0, 1])
def test_error_of_the_disk_in_a_thread_is_our_fault(
    receive: Receiving, monkeypatch: pytest.MonkeyPatch, number: int, fault: type[Exception], after: int, tmp_path: Path
) -> None:
    into_file(monkeypatch, raising(number), after)
    result = receive(LARGE)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, fault)
    assert (tmp_path / "file").read_bytes() == LARGE[: result.moved]


def test_disk_that_takes_nothing_in_a_thread_is_our_fault_and_no_endless_loop(
    receive: Receiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    into_file(monkeypatch, lambda *_: 0)
    result = receive(LARGE)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


def test_short_splices_are_completed(receive: Receiving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    into_file(monkeypatch, lambda real, count: real(min(count, 5000)))
    result = receive(LARGE)
    assert (result.outcome, result.moved) == (Outcome.FINISHED, len(LARGE))
    assert (tmp_path / "file").read_bytes() == LARGE


def test_upload_goes_on_where_no_pipe_can_be_made(receive: Receiving, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "pipe2", raising(errno.EMFILE))
    result = receive(LARGE)
    assert (result.outcome, result.moved) == (Outcome.FINISHED, len(LARGE))
    assert (tmp_path / "file").read_bytes() == LARGE


@pytest.mark.parametrize("number", NO_SPLICE)
@pytest.mark.parametrize("after", [0, 1, 3])
def test_file_system_without_splice_is_written(
    receive: Receiving, monkeypatch: pytest.MonkeyPatch, number: int, after: int, tmp_path: Path
) -> None:
    into_file(monkeypatch, raising(number), after)
    result = receive(LARGE)
    assert (result.outcome, result.moved) == (Outcome.FINISHED, len(LARGE))
    assert (tmp_path / "file").read_bytes() == LARGE


def test_file_system_without_splice_is_asked_once(receive: Receiving, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def refuse(*_: Any) -> int:
        asked.append(1)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    into_file(monkeypatch, refuse)
    assert receive(LARGE).outcome is Outcome.FINISHED
    assert asked == [1]


@pytest.mark.parametrize(("number", "fault"), FAULTS)
def test_error_of_a_disk_without_splice_is_our_fault(
    receive: Receiving, monkeypatch: pytest.MonkeyPatch, number: int, fault: type[Exception]
) -> None:
    real, here = os.pwrite, threading.current_thread()

    def pwrite(*arguments: Any) -> int:
        if threading.current_thread() is here:
            return real(*arguments)
        raise OSError(number, os.strerror(number))

    into_file(monkeypatch, raising(errno.EINVAL))
    monkeypatch.setattr(os, "pwrite", pwrite)
    result = receive(LARGE)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, fault)


def test_nothing_above_the_ceiling_is_written_by_a_thread(receive: Receiving, tmp_path: Path) -> None:
    result = receive(LARGE, ceiling=300_000)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, OverQuota)
    assert (tmp_path / "file").stat().st_size == result.moved <= 300_000


def test_thread_uses_one_pipe_for_a_whole_upload(receive: Receiving, kept: list[tuple[int, int]]) -> None:
    assert receive(LARGE).outcome is Outcome.FINISHED
    assert len(kept) == 1


# Urgent data, where splice stops, and says that nothing is there, or that this was all.


@pytest.fixture
def urgent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes, bytes], tuple[TransferResult, bytes]]:
    """Return a function that uploads some bytes, an urgent one that recv leaves out, and some more."""
    monkeypatch.setattr(carried, "INLINE_BYTES", 4096)

    def receive(before: bytes, after: bytes) -> tuple[TransferResult, bytes]:
        with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
            assert line.client.send(before) == len(before)
            assert line.client.send(b"!", sockets.MSG_OOB) == 1
            line.unsent = after
            pump = Receive(crews_of(reactor), line.below, file.descriptor(), Wanted(stall_seconds=5))
            result = drive(reactor, started(pump), line.write_and_end)
            return result, (tmp_path / "file").read_bytes()

    return receive


@pytest.mark.parametrize("before", [1, 20_000, 40_000])
@pytest.mark.parametrize("after", [0, 1, 20_000, 1_000_000])
def test_urgent_byte_ends_no_upload(urgent: Any, before: int, after: int) -> None:
    result, stored = urgent(pattern(before), b"x" * after)
    assert (result.outcome, result.moved) == (Outcome.FINISHED, before + after)
    assert stored == pattern(before) + b"x" * after


def test_urgent_byte_right_before_the_end_ends_no_upload(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is here, and the end too, when the first look is taken."""
    monkeypatch.setattr(carried, "INLINE_BYTES", 4096)
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        line.client.sendall(pattern(20_000))
        line.client.send(b"!", sockets.MSG_OOB)
        line.client.sendall(b"x" * 20_000)
        line.end()
        pump = Receive(crews_of(reactor), line.below, file.descriptor(), Wanted(stall_seconds=5))
        result = drive(reactor, started(pump))
    assert (result.outcome, result.moved) == (Outcome.FINISHED, 40_000)
    assert (tmp_path / "file").read_bytes() == pattern(20_000) + b"x" * 20_000


# Which thread.


def test_client_that_gives_little_but_often_comes_back_to_the_reactor_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread would wake for each little piece, and there are four of them."""
    monkeypatch.setattr(carried, "INLINE_BYTES", 4096)
    with private_reactor() as reactor, closing(Line(reactor)) as line, opened(tmp_path / "file") as file:
        pump = Receive(crews_of(reactor), line.below, file.descriptor(), Wanted(stall_seconds=5))
        line.client.sendall(pattern(20_000))
        done = started(pump)
        assert pump.is_away
        seen_back = False

        def step() -> None:
            nonlocal seen_back
            if pump.is_away:
                line.write(b"a little")
            else:
                seen_back = True
                line.end()

        assert drive(reactor, done, step).outcome is Outcome.FINISHED
        assert seen_back
