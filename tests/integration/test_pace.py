"""Every pump keeps to its pace, over real sockets and a reactor whose time the test lets pass.

Apart from the contract of pumps, which move as fast as they can.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ftpd.spi import Pump, Wanted
from ftpd.testing.lines import DiskFile, Line, TLSLine, drive, opened, pattern, private_reactor, started
from ftpd.testing.reactors import ClockedReactor
from ftpd.transfer import CopyOut, Crews, choose_download, choose_upload
from ftpd.transfer.copy import CopyIn
from ftpd.transfer.pace import Bucket, TransferPace
from ftpd.transfer.source import pieces_of
from ftpd.values import Outcome

RATE = 512 * 1024
SECONDS = 10
TICK = 0.01
QUIET_TURNS = 3
MOST_TURNS = 1000
TRANSFERS = 8


class Way(NamedTuple):
    """One pump: what makes it, over which connection, and whether it sends."""

    make: Callable[[Any, Any, DiskFile, Wanted], Pump]
    line: type[Line]
    sends: bool


def _download(reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
    return choose_download(Crews(reactor), connection, file, wanted)


def _upload(reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
    return choose_upload(Crews(reactor), connection, file, wanted)


def _copy_out(reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
    return CopyOut(reactor, connection, pieces_of(file, wanted.start), wanted)


def _copy_in(reactor: Any, connection: Any, file: DiskFile, wanted: Wanted) -> Pump:
    return CopyIn(reactor, connection, file, wanted, Crews(reactor).compute)


WAYS = {
    "download": Way(_download, Line, True),
    "upload": Way(_upload, Line, False),
    "copied download": Way(_copy_out, Line, True),
    "copied upload": Way(_copy_in, Line, False),
    "TLS download": Way(_download, TLSLine, True),
    "TLS upload": Way(_upload, TLSLine, False),
    "copied TLS download": Way(_copy_out, TLSLine, True),
    "copied TLS upload": Way(_copy_in, TLSLine, False),
}


@pytest.fixture
def reactor() -> Iterator[Any]:
    with private_reactor(ClockedReactor) as reactor:
        yield reactor


@pytest.fixture(params=list(WAYS.values()), ids=list(WAYS))
def way(request: pytest.FixtureRequest) -> Way:
    way: Way = request.param
    return way


def settle(reactor: Any, pumps: list[Pump], step: Callable[[], None]) -> None:
    """Turn the reactor at one moment of its time, with a *step* of the clients between turns, until nothing moves any more."""
    quiet, before = 0, -1
    for _ in range(MOST_TURNS):
        if quiet == QUIET_TURNS:
            return
        step()
        reactor.runUntilCurrent()
        reactor.doIteration(0)
        moved = sum(pump.moved for pump in pumps)
        quiet = quiet + 1 if moved == before else 0
        before = moved
    raise AssertionError("the transfers never come to rest")


def let_pass(reactor: Any, seconds: float, pumps: list[Pump], step: Callable[[], None]) -> None:
    for _ in range(round(seconds / TICK)):
        reactor.clock.advance(TICK)
        settle(reactor, pumps, step)


def let_pass_with(reactor: Any, step: Callable[[], None]) -> Callable[[], None]:
    """Return a client's *step* that lets time pass as well."""

    def both() -> None:
        reactor.clock.advance(TICK)
        step()

    return both


def test_rate_holds_within_5_percent_and_changes_under_way(reactor: Any, way: Way, tmp_path: Path) -> None:
    content = pattern(12 * 1024 * 1024)
    (tmp_path / "file").write_bytes(content if way.sends else b"")
    bucket = Bucket(reactor, None, RATE)
    with closing(way.line(reactor)) as line, opened(tmp_path / "file") as file:
        line.unsent = b"" if way.sends else content
        client = line.read if way.sends else line.write
        pump = way.make(reactor, line.connection, file, Wanted(pace=TransferPace(reactor, bucket), stall_seconds=1))
        done = started(pump)

        let_pass(reactor, SECONDS, [pump], client)
        assert 0.95 * RATE * SECONDS <= pump.moved <= 1.05 * RATE * SECONDS

        before, bucket.rate = pump.moved, RATE // 4
        let_pass(reactor, SECONDS, [pump], client)
        assert 0.95 * RATE / 4 * SECONDS <= pump.moved - before <= 1.05 * RATE / 4 * SECONDS

        bucket.rate = 0
        result = drive(reactor, done, let_pass_with(reactor, line.read if way.sends else line.write_and_end))
        assert result.outcome is Outcome.FINISHED
        assert (line.read_all() if way.sends else (tmp_path / "file").read_bytes()) == content


def test_transfers_of_one_account_get_the_same(reactor: Any, way: Way, tmp_path: Path) -> None:
    content = pattern(4 * 1024 * 1024)
    account = Bucket(reactor, None, RATE)
    with ExitStack() as stack:
        lines: list[Line] = []
        pumps: list[Pump] = []
        for number in range(TRANSFERS):
            (tmp_path / str(number)).write_bytes(content if way.sends else b"")
            line = stack.enter_context(closing(way.line(reactor)))
            line.unsent = b"" if way.sends else content
            pace = TransferPace(reactor, Bucket(reactor, account))
            file = stack.enter_context(opened(tmp_path / str(number)))
            lines.append(line)
            pumps.append(way.make(reactor, line.connection, file, Wanted(pace=pace, stall_seconds=1)))
        done = [started(pump) for pump in pumps]

        def clients() -> None:
            for line in lines:
                if way.sends:
                    line.read()
                else:
                    line.write()

        let_pass(reactor, SECONDS, pumps, clients)
        moved = [pump.moved for pump in pumps]
        assert 0.95 * RATE * SECONDS <= sum(moved) <= 1.05 * RATE * SECONDS
        assert sum(moved) ** 2 / (len(moved) * sum(each * each for each in moved)) >= 0.95
        for each in done:
            each.cancel()
            assert drive(reactor, each).outcome is Outcome.CANCELLED
