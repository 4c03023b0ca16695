"""A disk that answers nothing any more keeps no process for ever: not one that ends, nor one that starts, nor the parent.

The disk is a module that waits where it is imported, or a command that waits for ever.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ftpd.processes.asking import NotDone
from tests.integration.conftest import StartFleet
from tests.integration.fleet import Fleet, process_of, wait_for_end, wait_until
from tests.integration.live import SECONDS
from tests.integration.wire import Wire

WAITS: Final = """
import os, sys, time
if sys.modules["__main__"].__spec__.name == "ftpd.processes.{module}":
    open({gate!r} + ".reached", "a").close()
    while os.path.exists({gate!r}):
        time.sleep(0.01)
"""
# A command that waits for a thread which a dead disk holds: that it was cancelled changes nothing.
HANGS: Final = """
import sys
from contextlib import suppress
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from ftpd.ftp.command import command, nothing

if hasattr(sys.modules["__main__"], "_GRACE_SECONDS"):  # a worker
    sys.modules["__main__"]._GRACE_SECONDS = 0.2

@command("XHANG", takes=nothing, rfc="extension", syntax="XHANG")
async def hang(session, argument):
    Logger().info("XHANG has begun")
    while True:
        with suppress(CancelledError):
            await Deferred()
"""


class Gate:
    """A module that waits, where it is imported by *module*, as long as the file *at* exists."""

    def __init__(self, at: Path) -> None:
        self._at = at

    def close(self, folder: Path, module: str) -> None:
        self._at.touch()
        (folder / "extensions").mkdir(parents=True, exist_ok=True)
        (folder / "extensions" / "waits.py").write_text(WAITS.format(gate=str(self._at), module=module))

    def open(self) -> None:
        self._at.unlink(missing_ok=True)

    def is_reached(self) -> bool:
        return os.path.exists(f"{self._at}.reached")

    def wait(self) -> None:
        wait_until(self.is_reached, "the module is imported")


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Gate]:
    gate = Gate(tmp_path / "gate")
    yield gate
    gate.open()


# The parent, while a new configuration is tried.


def test_what_hangs_while_a_configuration_is_tried_keeps_nobody_else_waiting(fleet: StartFleet, gate: Gate) -> None:
    server = fleet({})
    gate.close(server.folder, "examiner")
    with server.commanded("reload") as reload:
        gate.wait()
        victim = server.workers()[0].pid
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and victim not in server.processes(), "the dead has a successor")
        assert reload.poll() is None
        gate.open()
        assert reload.wait(SECONDS) == 0
    assert {worker.generation for worker in server.workers()} == {2}


def test_a_stop_while_a_configuration_is_tried_waits_for_nothing(fleet: StartFleet, gate: Gate) -> None:
    server = fleet({})
    gate.close(server.folder, "examiner")
    with server.commanded("reload") as reload:
        gate.wait()
        server.process.terminate()
        assert server.end() == 0
        assert reload.wait(SECONDS) == 1
    wait_until(server.is_gone, "nothing is left")


def test_an_examiner_whose_parent_is_killed_is_gone_as_well(fleet: StartFleet, gate: Gate) -> None:
    server = fleet({})
    gate.close(server.folder, "examiner")
    with server.commanded("reload"):
        gate.wait()
        server.process.kill()
        wait_until(server.is_gone, "nothing is left")


def test_an_examiner_that_is_killed_changes_nothing(fleet: StartFleet) -> None:
    server = fleet({})
    before = server.processes()
    (server.folder / "extensions" / "dies.py").write_text(
        'import os, sys\nif sys.modules["__main__"].__spec__.name == "ftpd.processes.examiner":\n    os.kill(os.getpid(), 9)\n'
    )
    with pytest.raises(NotDone, match=r"could not be examined: the process that did it ended with signal 9\.$"):
        server.reload()
    assert server.processes() == before


# A worker that starts.


def test_workers_that_hang_at_their_start_are_gone_with_a_parent_that_is_killed(
    fleet: StartFleet, gate: Gate, tmp_path: Path
) -> None:
    gate.close(tmp_path / "fleet0", "worker")
    server = fleet({}, is_awaited=False)
    gate.wait()
    server.process.kill()
    wait_until(server.is_gone, "nothing is left")


# A worker that ends.


def stuck(fleet: StartFleet, tmp_path: Path) -> tuple[Fleet, Wire, int]:
    """A server that drains at once, a session of it that nothing can end, and the process that serves that."""
    extensions = tmp_path / "fleet0" / "extensions"
    extensions.mkdir(parents=True)
    (extensions / "hangs.py").write_text(HANGS)
    server = fleet({"process": {"drain": 0.2, "stop": 0.2}})
    wire = Wire.of(server.add("ann"))
    pid = process_of(wire)
    wire.send("XHANG\r\n")
    server.wait_for("XHANG has begun")
    return server, wire, pid


def test_an_old_worker_with_a_session_that_cannot_end_ends_all_the_same(fleet: StartFleet, tmp_path: Path) -> None:
    server, wire, old = stuck(fleet, tmp_path)
    with wire:
        server.reload()
        wait_for_end(old)
    server.wait_for(rf"worker . \(process {old}\) died: signal 9")
    assert {worker.generation for worker in server.workers()} == {2}


def test_a_worker_with_a_session_that_cannot_end_ends_after_its_parent_was_killed(fleet: StartFleet, tmp_path: Path) -> None:
    server, wire, pid = stuck(fleet, tmp_path)
    with wire:
        server.process.kill()
        wait_for_end(pid)
    wait_until(server.is_gone, "nothing is left")
