"""PumpTrial: the ground on which a pump is tried: a reactor of the test's own, lines, a file, and how the pump is begun and cancelled.

Apart from the promises, which all stand on it; what a kit for one direction has to say is here by name.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from twisted.internet.defer import Deferred
from twisted.internet.epollreactor import EPollReactor

from ftpd.spi import Pump, Wanted
from ftpd.testing.lines import MIB, DiskFile, Line, drive, private_reactor, started
from ftpd.transfer.descriptor import SocketConnection
from ftpd.values import TransferResult

__all__ = ["A_FEW_EXAMPLES", "LONG_SECONDS", "SIZES", "STALL_SECONDS", "PumpTrial", "Running"]

STALL_SECONDS: Final = 0.1
_PATIENCE_SECONDS: Final = 30.0
LONG_SECONDS: Final = 300.0  # the stall timeout of servers
SIZES: Final = (0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MIB - 1, MIB, MIB + 1, 5 * MIB + 3)
A_FEW_EXAMPLES: Final = settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
)  # each makes a connection; a kit's tests run in many classes


class Running(NamedTuple):
    """A pump that was started, and what tells its end."""

    pump: Pump
    done: Deferred[TransferResult]


class PumpTrial:
    """What a subclass says of its pump, and what both directions have to try it with."""

    reactor_kind: ClassVar[Callable[[], Any]] = EPollReactor
    line_kind: ClassVar[type[Line]] = Line
    streams: ClassVar[int] = 1000  # that stall at the same time; select() can watch fewer
    transfers: ClassVar[int] = 10_000  # one after the other
    large_bytes: ClassVar[int] = 1024 * MIB
    under_way_bytes: ClassVar[int] = 0  # that the pace allowed, and of which nobody can say at a bad end whether they moved

    def make_pump(self, reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
        """Return the pump to be tried; *wanted* asks for no transformation."""
        raise NotImplementedError

    def fill(self, file: Path) -> None:
        """Prepare *file* for a transfer that does not end by itself."""

    def offer(self, line: Line, file: Path, size: int) -> None:
        """Prepare a transfer of `pattern(size)` into or from *file*."""
        raise NotImplementedError

    def client_goes_on(self, line: Line) -> None:
        """The client takes or gives a little more."""
        raise NotImplementedError

    def client_helps(self, line: Line) -> None:
        """The client takes or gives as much as it can, and ends when that was all."""
        raise NotImplementedError

    def check_partly(self, line: Line, file: Path, before: bytes, result: TransferResult) -> None:
        """Assert that of what was offered a part has moved, and nothing else; *before* is what *file* had in it."""
        raise NotImplementedError

    @pytest.fixture
    def reactor(self) -> Iterator[Any]:
        with private_reactor(type(self).reactor_kind) as reactor:
            yield reactor

    @pytest.fixture
    def line(self, reactor: Any) -> Iterator[Line]:
        with closing(type(self).line_kind(reactor)) as line:
            yield line

    @pytest.fixture
    def narrow(self, reactor: Any) -> Iterator[Line]:
        with closing(type(self).line_kind(reactor, is_narrow=True)) as line:
            yield line

    @pytest.fixture
    def os_path(self, tmp_path: Path) -> Path:
        return tmp_path / "file"

    @pytest.fixture
    def begin(self, reactor: Any) -> Iterator[Callable[..., Running]]:
        """Return a function that starts a pump over a line, with a file that is closed at the end."""
        numbers: list[int] = []

        def start(line: Line, os_path: Path | str, **wanted: Any) -> Running:
            file = DiskFile(os_path)
            numbers.append(file.descriptor())
            return self.started(reactor, line, file, **wanted)

        yield start
        for number in numbers:
            os.close(number)

    @pytest.fixture
    def run(self, begin: Callable[..., Running]) -> Callable[..., Deferred[TransferResult]]:
        """As `begin`, for those who want only the end."""
        return lambda *arguments, **wanted: begin(*arguments, **wanted).done

    def started(self, reactor: Any, line: Line, file: DiskFile, **wanted: Any) -> Running:
        pump = self.make_pump(reactor, line.connection, file, Wanted(**{"stall_seconds": _PATIENCE_SECONDS} | wanted))
        return Running(pump, started(pump))

    def cancelled(self, reactor: Any, done: Deferred[TransferResult]) -> TransferResult:
        """Cancel and return the result, with the reactor clean of the transfer; a thread at work is waited for."""
        done.cancel()
        done.cancel()
        result = drive(reactor, done)
        assert not [call for call in reactor.getDelayedCalls() if call.active()]
        assert not [one for one in reactor.getReaders() + reactor.getWriters() if isinstance(one, SocketConnection)]
        return result

    @contextmanager
    def room(self) -> Iterator[tuple[Any, Path]]:
        """Make reactor and folder for one of many examples."""
        with private_reactor(type(self).reactor_kind) as reactor, tempfile.TemporaryDirectory() as folder:
            yield reactor, Path(folder)
