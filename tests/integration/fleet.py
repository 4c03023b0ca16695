"""A real server with workers, and what an operator does with it: look, reload, stop, kill.

Apart from `live`, whose servers are one process.  A verb of an extension, XPID, tells a client which process serves it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ftpd.processes.asking import Server as Asked
from ftpd.processes.asking import asked_server
from ftpd.processes.status import Status, WorkerStatus
from ftpd.values import SessionRow
from tests.integration.live import CHECKOUT, SECONDS, ConfiguredServer, Guest, is_readable, merged
from tests.integration.wire import Wire

__all__ = ["Fleet", "process_of", "wait_for_end", "wait_until"]

_WORKERS: Final = 2
_MOST_CONNECTIONS: Final = 400  # until each worker has had one
_POLL_SECONDS: Final = 0.02
_VERB: Final = '''"""A verb: XPID tells which process serves the session."""

import os

from ftpd.ftp.command import command, nothing
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply


@command("XPID", takes=nothing, rfc="extension", syntax="XPID")
async def tell_process(session: Session, argument: None) -> Reply:
    """Tell which process serves the session."""
    return Reply(200, str(os.getpid()))
'''


class Fleet(ConfiguredServer):
    """A server with two workers, unless *settings* say otherwise; they all serve once it is made, where that *is_awaited*."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], *, is_awaited: bool = True, **options: Any) -> None:
        self.folder = folder
        self.control = os.path.join(settings.get("process", {}).get("directory", folder / "run"), "control")
        extensions = folder / "extensions"
        extensions.mkdir(parents=True, exist_ok=True)
        (extensions / "process.py").write_text(_VERB)
        super().__init__(folder, settings, **options)
        if is_awaited:
            self.wait_for("(?s)worker . .*? serves.*?worker . .*? serves")

    def configure(self, settings: Mapping[str, Any]) -> Mapping[str, Any]:
        own = {
            "process": {"workers": _WORKERS, "directory": self.folder / "run"},
            "extensions": {"directories": [self.folder / "extensions"]},
            "storage": {"local": {"durable": "none"}},
            "limits": {"sessions": 0},
        }
        return super().configure(merged(own, settings))

    # The operator.

    @contextlib.contextmanager
    def asked(self) -> Iterator[Asked]:
        """Ask it over its control socket, without the 0.2 s that a command line takes."""
        with asked_server([self.control]) as server:
            yield server

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run `ftpd` with *arguments*, to ask this server."""
        with self.commanded(*arguments) as process:
            output, errors = process.communicate(timeout=SECONDS)
        return subprocess.CompletedProcess(process.args, process.returncode, output, errors)

    @contextlib.contextmanager
    def commanded(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Have `ftpd` run with *arguments* as long as the `with` lasts."""
        with subprocess.Popen(
            [sys.executable, "-m", "ftpd", *arguments, "--socket", self.control],
            env={**os.environ, "PYTHONPATH": str(CHECKOUT), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def status(self) -> Status:
        with self.asked() as server:
            return server.status()

    def who(self) -> list[SessionRow]:
        with self.asked() as server:
            return server.who()

    def reload(self) -> None:
        """Have it take its configuration file; raises what `Asked.reload` does."""
        with self.asked() as server:
            server.reload()

    def workers(self) -> list[WorkerStatus]:
        """The workers that are not on their way out."""
        return [worker for worker in self.status().workers if worker.state != "draining"]

    def processes(self) -> set[int]:
        """The process ids of all workers, those that drain included."""
        return {worker.pid for worker in self.status().workers}

    def send(self, number: signal.Signals) -> None:
        """Send the parent a signal."""
        self.process.send_signal(number)

    # Clients.

    def on_each(self, guest: Guest, exits: contextlib.ExitStack) -> dict[int, Wire]:
        """Log *guest* in once on each worker; return the sessions by process id, to be closed with *exits*."""
        found = self.greeted_by_each(exits)
        for wire in found.values():
            wire.log_in(guest.name)
        return found

    def greeted_by_each(self, exits: contextlib.ExitStack, source: str = "") -> dict[int, Wire]:
        """Connect from *source* until each worker has a session, without a login; return them by process id, to be closed with *exits*."""
        wanted = {worker.pid for worker in self.workers()}
        found: dict[int, Wire] = {}
        with contextlib.ExitStack() as surplus:  # held until the end: a worker that is left alone would accept the next one, too
            for _ in range(_MOST_CONNECTIONS):
                wire = Wire(self.port, source=source)
                assert wire.reply().code == 220
                process = process_of(wire)
                (surplus if process in found else exits).callback(wire.control.close)
                found.setdefault(process, wire)
                if found.keys() >= wanted:
                    return found
        raise AssertionError(f"of {wanted} only {found.keys()} accept connections")


def process_of(wire: Wire) -> int:
    """Return the id of the process that serves *wire*."""
    reply = wire.ask("XPID")
    assert reply.code == 200, reply
    return int(reply.text)


def wait_for_end(*pids: int) -> None:
    """Wait until processes have ended that are not our children."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            try:
                assert is_readable(descriptor), f"process {pid} has not ended"
            finally:
                os.close(descriptor)


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Wait for what nothing tells us of: *is_so* is asked again and again."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, f"not so within {seconds:g} s: {what}"
        time.sleep(_POLL_SECONDS)
