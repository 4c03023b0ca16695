"""The pumps over TLS where disk, peer or network say something odd, on the reactor thread and in a thread.

The rest is in the pump contract.
"""

from __future__ import annotations

import errno
import os
import socket as sockets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.disks import Disk
from ftpd.errors import IntegrityLost, NoSpace
from ftpd.spi import Wanted
from ftpd.testing.gate import Gate
from ftpd.testing.lines import DiskFile, TLSLine, crews_of, drive, opened, pattern, private_reactor, started, turn
from ftpd.testing.paces import CountedPace
from ftpd.transfer import carried
from ftpd.transfer.protected import ReceiveProtected, SendProtected
from ftpd.transfer.tunnel import Truncated, TunnelBroken
from ftpd.values import Outcome

SMALL, LARGE = 3000, 1_000_000  # one step on the reactor thread, and many in a thread
everywhere = pytest.mark.parametrize("size", [SMALL, LARGE], ids=["inline", "threaded"])


class Room:
    """A reactor, a line over TLS, and a file."""

    def __init__(self, reactor: Any, line: TLSLine, file: DiskFile) -> None:
        self.reactor = reactor
        self.line = line
        self.file = file

    def download(self, **wanted: Any) -> SendProtected:
        number, size = self.file.descriptor(), self.file.info.size
        return SendProtected(crews_of(self.reactor), self.line.connection, number, size, Wanted(**wanted))

    def upload(self, **wanted: Any) -> ReceiveProtected:
        return ReceiveProtected(crews_of(self.reactor), self.line.connection, self.file.descriptor(), Wanted(**wanted))


Rooms = Callable[..., Room]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rooms]:
    """Return what makes a room; what outruns 4 KiB is for a thread."""
    monkeypatch.setattr(carried, "INLINE_BYTES", 4096)
    with ExitStack() as closers:

        def make(size: int = 0, *, is_narrow: bool = False) -> Room:
            (tmp_path / "file").write_bytes(pattern(size))
            reactor = closers.enter_context(private_reactor())
            line = closers.enter_context(closing(TLSLine(reactor, is_narrow=is_narrow)))
            return Room(reactor, line, closers.enter_context(opened(tmp_path / "file")))

        yield make


def raising(number: int) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return fail


@everywhere
def test_damaged_disk_is_our_fault(room: Rooms, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    here = room(size)
    monkeypatch.setattr(os, "preadv", raising(errno.EIO))
    result = drive(here.reactor, started(here.download()), here.line.read)
    assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, IntegrityLost, 0)


@everywhere
def test_full_disk_is_our_fault(room: Rooms, monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    here = room()
    monkeypatch.setattr(os, "pwrite", raising(errno.ENOSPC))
    here.line.unsent = pattern(size)
    result = drive(here.reactor, started(here.upload()), here.line.write_and_end)
    assert (result.outcome, type(result.error), result.moved) == (Outcome.LOCAL_FAULT, NoSpace, 0)


@everywhere
def test_upload_that_ends_without_the_end_of_tls_is_truncated(room: Rooms, size: int) -> None:
    here = room()
    here.line.unsent = pattern(size)

    done = started(here.upload())
    while here.line.unsent or here.line._wire:
        here.line.write()
        turn(here.reactor)
    here.line.client.shutdown(sockets.SHUT_WR)
    result = drive(here.reactor, done)
    assert (result.outcome, type(result.error), result.moved) == (Outcome.PEER_FAULT, Truncated, size)


@pytest.mark.parametrize("is_away", [False, True])
def test_damaged_record_in_an_upload_is_the_peers_fault(room: Rooms, is_away: bool) -> None:
    here = room()
    pump = here.upload()
    if is_away:
        here.line.write(pattern(40_000))
        with Gate("pwrite") as gate:
            done = started(pump)
            while not gate.is_reached:
                turn(here.reactor)
            here.line.client.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    else:
        done = started(pump)
        here.line.client.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    result = drive(here.reactor, done)
    assert (result.outcome, type(result.error)) == (Outcome.PEER_FAULT, TunnelBroken)


def test_damaged_record_in_a_download_is_the_peers_fault(room: Rooms) -> None:
    here = room(LARGE, is_narrow=True)
    done = started(here.download())
    here.line.client.sendall(b"\x17\x03\x03\x00\x20" + bytes(32))
    result = drive(here.reactor, done)
    assert (result.outcome, type(result.error)) == (Outcome.PEER_FAULT, TunnelBroken)


def test_file_that_is_not_in_memory_is_read_by_a_thread(room: Rooms, monkeypatch: pytest.MonkeyPatch) -> None:
    here = room(SMALL)
    monkeypatch.setattr(Disk, "read_cached", lambda *_: None)
    pump = here.download()
    done = started(pump)
    assert pump.is_away
    assert drive(here.reactor, done, here.line.read).outcome is Outcome.FINISHED
    assert here.line.read_all() == pattern(SMALL)


def test_what_is_encrypted_is_charged_once_and_at_once(room: Rooms) -> None:
    """The kernel takes a part of it: what is still to be flushed needs no further grant."""
    here = room(LARGE, is_narrow=True)
    pace = CountedPace(100_000)
    done = started(here.download(pace=pace))
    seen = set()
    for _ in range(50):
        turn(here.reactor)
        seen.add(pace.allowed)
    assert max(seen) == 100_000
    done.cancel()
    assert drive(here.reactor, done).outcome is Outcome.CANCELLED


def test_progress_is_what_the_peer_has_of_it(room: Rooms) -> None:
    here = room(LARGE, is_narrow=True)
    pump = here.download()
    done = started(pump)
    while not here.reactor.getWriters():
        turn(here.reactor)
    before = pump.progress()
    for _ in range(200):
        here.line.read(4096)
        turn(here.reactor)
    assert before < pump.progress() <= len(here.line.received)
    done.cancel()
    drive(here.reactor, done)
