"""Download, what sending pumps share; the rest is in the pump contract."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from ftpd.errors import IntegrityLost
from ftpd.spi import Wanted
from ftpd.testing.lines import DiskFile, Line, crews_of, drive, opened, pattern, private_reactor, started
from ftpd.testing.paces import CountedPace
from ftpd.transfer.download import shrunk
from ftpd.transfer.sendfile import SendFile
from ftpd.values import Outcome

KIB = 1024


class Room:
    """A reactor, a line, and a file of so many bytes."""

    def __init__(self, reactor: Any, line: Line, file: DiskFile) -> None:
        self.reactor = reactor
        self.line = line
        self.file = file

    def pump(self, **wanted: Any) -> SendFile:
        return SendFile(crews_of(self.reactor), self.line.below, self.file.descriptor(), self.file.info.size, Wanted(**wanted))


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Callable[[int], Room]]:
    with ExitStack() as closers:

        def make(size: int) -> Room:
            (tmp_path / "file").write_bytes(pattern(size))
            reactor = closers.enter_context(private_reactor())
            line = closers.enter_context(closing(Line(reactor)))
            return Room(reactor, line, closers.enter_context(opened(tmp_path / "file")))

        yield make


@pytest.mark.parametrize(("size", "start", "is_away"), [(256, 0, False), (257, 0, True), (500, 244, False), (500, 243, True)])
def test_what_outruns_a_step_begins_in_a_thread(room: Callable[[int], Room], size: int, start: int, is_away: bool) -> None:
    here = room(size * KIB)
    pump = here.pump(start=start * KIB)
    done = started(pump)
    assert pump.is_away == is_away
    assert drive(here.reactor, done, here.line.read).outcome is Outcome.FINISHED


@pytest.mark.parametrize("size", [100 * KIB, 1000 * KIB])
def test_pace_that_grants_nothing_at_first_is_asked_again_once(room: Callable[[int], Room], size: int) -> None:
    here = room(size)
    pace = CountedPace(50 * KIB, pause_seconds=1000)
    done = started(here.pump(pace=pace))
    assert pace.questions == 1
    assert len([call for call in here.reactor.getDelayedCalls() if call.active()]) == 1
    done.cancel()
    assert drive(here.reactor, done).outcome is Outcome.CANCELLED


def test_file_that_cannot_be_asked_for_its_size_is_our_fault(room: Callable[[int], Room], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(number: int) -> Any:
        raise OSError(5, "Input/output error")

    here = room(100 * KIB)
    pump = here.pump()
    pump._has_lent_pages = True
    with monkeypatch.context() as patches:
        patches.setattr(os, "fstat", fail)
        result = drive(here.reactor, started(pump), here.line.read)
    assert (result.outcome, type(result.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)


def test_file_that_became_shorter_is_a_fault_of_ours() -> None:
    end = shrunk()
    assert (end.outcome, type(end.error)) == (Outcome.LOCAL_FAULT, IntegrityLost)
