"""The clock of the machine is set while the server runs: nobody is thrown out, nobody is let in, nothing waits for a time that is hours away.

Every process of the server has another time of day than the machine, from a module that Python imports before anything else.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

import pytest

from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, wait_until
from tests.integration.wire import Wire

CONTENT: Final = bytes(range(256)) * 4096
HOURS: Final = 3 * 3600
STRANGER: Final = "127.0.0.9"
TAMPERS: Final = """
import os, time

def tampered(untouched=time.time, stat=os.stat):
    return untouched() + stat({file!r}).st_mtime

time.time = tampered
"""
SERVES: Final = "import sys; sys.path.insert(0, {folder!r}); import sitecustomize; from ftpd.cli import main; main()"


class Clock:
    """The time of day of the server's processes: as many seconds ahead of the machine's as the time of *file* says, ten hours at first."""

    def __init__(self, file: Path) -> None:
        self._file = file
        file.touch()
        self._ahead = 10 * 3600
        self.set_forward(0)

    def set_forward(self, seconds: int) -> None:
        self._ahead += seconds
        os.utime(self._file, (self._ahead, self._ahead))


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    return Clock(tmp_path / "ahead")


@pytest.fixture
def launcher(tmp_path: Path, clock: Clock) -> tuple[str, ...]:
    (tmp_path / "sitecustomize.py").write_text(TAMPERS.format(file=str(tmp_path / "ahead")))
    return ("-P", "-c", SERVES.format(folder=str(tmp_path)), "serve")


@pytest.mark.parametrize("seconds", [HOURS, -HOURS])
def test_sessions_and_transfers_go_on(fleet: StartFleet, clock: Clock, launcher: tuple[str, ...], seconds: int) -> None:
    server = fleet({"rates": {"server_upload": "8 MiB"}}, launcher=launcher)
    guest = server.add("ann")
    with contextlib.ExitStack() as exits, Wire.of(guest) as idle:
        wires = server.on_each(guest, exits)
        uploads = [(wire, exits.enter_context(wire.data())) for wire in wires.values()]
        for number, (wire, data) in enumerate(uploads):
            assert wire.ask(f"STOR file{number}").code == 150
            data.sendall(CONTENT)
        clock.set_forward(seconds)
        reported_after(server)
        for wire, data in uploads:
            data.sendall(CONTENT)
            data.close()
            assert wire.reply().code == 226
        assert idle.ask("NOOP").code == 200
    assert [(guest.home / f"file{number}").read_bytes() for number in range(2)] == [CONTENT * 2] * 2


def test_a_ban_does_not_end_early(fleet: StartFleet, clock: Clock, launcher: tuple[str, ...]) -> None:
    server = fleet({"limits": {"failures_per_address": 1, "ban_time": 3600}}, launcher=launcher)
    be_banned(server)
    clock.set_forward(HOURS)
    reported_after(server)
    assert {greeting(server) for _ in range(8)} == {421}


def test_a_ban_does_not_last_longer(fleet: StartFleet, clock: Clock, launcher: tuple[str, ...]) -> None:
    server = fleet({"limits": {"failures_per_address": 1, "ban_time": 1}}, launcher=launcher)
    be_banned(server)
    clock.set_forward(-HOURS)
    wait_until(lambda: {greeting(server) for _ in range(8)} == {220}, "the ban has ended")


def test_timeouts_still_end_sessions(fleet: StartFleet, clock: Clock, launcher: tuple[str, ...]) -> None:
    server = fleet({"ftp": {"timeouts": {"idle": 2}}}, launcher=launcher)
    with Wire.of(server.add("ann")) as wire:
        clock.set_forward(-HOURS)
        assert wire.reply().code == 421


def be_banned(server: Fleet) -> None:
    with Wire(server.port, source=STRANGER) as wire:
        assert wire.reply().code == 220
        assert wire.asks("USER ann", "PASS wrong")[0] == 331
    server.wait_for(f"address {STRANGER} banned")


def greeting(server: Fleet) -> int:
    with Wire(server.port, source=STRANGER) as wire:
        return wire.reply().code


def reported_after(server: Fleet) -> None:
    """Wait until each worker has reported once more: what its reactor does every second, it does still."""
    for _ in range(2):
        with server.asked() as asked:
            assert asked.kick("account", "nobody") == 0
