"""`python -m tests.soak`: a server with workers under mixed work, a worker killed after a third of it, a reload after two; then the account.

Every transfer that was completed is compared to the last byte.  The exit code is 1 where anything is not as it has to be.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final

from ftpd.storage.names import is_staging
from ftpd.testing.certificates import make_authority, make_certificate
from tests.integration.fleet import Fleet, wait_until
from tests.integration.live import CHECKOUT
from tests.soak.crowd import ACCOUNTS, account_of
from tests.soak.readings import Life, open_descriptors
from tests.soak.user import SHARED

_USERS_OF_A_CROWD: Final = 50
_SAMPLES: Final = 120
_MIB: Final = 1 << 20
_KILL_SECONDS: Final = 15.0  # after a worker was killed, within which its users have noticed
_KEPT_PIPES: Final = 16  # descriptors of pipes that a worker keeps for the next upload (`ftpd.transfer.pipe`)


class Soaked(Fleet):
    """The server; of its log it keeps what is not about single sessions, which would be millions of lines."""

    def _note(self, line: str) -> None:
        if " info [" not in line:
            super()._note(line)


class Soak:
    """One run, in *folder*; `faults` are sentences about what is not as it has to be."""

    def __init__(self, folder: Path, clients: int, workers: int, ending: ExitStack) -> None:
        self.faults: list[str] = []
        self.lives: dict[int, Life] = {}
        self.notes: list[str] = []
        self.report: Counter[str] = Counter()
        self.moved: Counter[str] = Counter()
        self._clients = clients
        self._workers = workers
        self._killed_at = 0.0
        self._settings = _settings(folder, workers)
        self.server = Soaked(folder, self._settings)
        ending.callback(self.server.stop)
        _fill(self.server, clients)
        self._at_start = {pid: Counter(open_descriptors(pid)) for pid in (self.server.process.pid, *self.server.processes())}
        self._crowds = [self._crowd(first, ending) for first in range(0, clients, _USERS_OF_A_CROWD)]

    def run(self, seconds: float) -> None:
        """Let them work so long, beside what is done to the server meanwhile."""
        for deed in (self._kill, self._reload, self._finish):
            self._watch(seconds / 3, seconds / _SAMPLES)
            deed()
        self._judge_end()

    # Stages.

    def _watch(self, seconds: float, interval: float) -> None:
        never = threading.Event()
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._sample()
            never.wait(interval)

    def _sample(self) -> None:
        status = self.server.status()
        self.lives.setdefault(status.pid, Life("parent", status.pid))
        for worker in status.workers:
            self.lives.setdefault(worker.pid, Life(f"worker {worker.slot}, generation {worker.generation}", worker.pid))
        for life in self.lives.values():
            life.sample()

    def _kill(self) -> None:
        victim = max(self.server.workers(), key=lambda worker: worker.sessions)
        self._killed_at = time.time()
        os.kill(victim.pid, signal.SIGKILL)
        wait_until(lambda: self._all_serve(victim.pid), "a successor serves")
        self.notes.append(f"worker {victim.slot} killed with {victim.sessions} sessions, {victim.transfers} transfers")
        self.notes.append(f"its successor served after {time.time() - self._killed_at:.1f} s")

    def _all_serve(self, without: int) -> bool:
        workers = self.server.workers()
        return len(workers) == self._workers and all(one.state == "ready" and one.pid != without for one in workers)

    def _reload(self) -> None:
        begun = time.time()
        self.server.configure({**self._settings, "ftp": {**self._settings["ftp"], "greeting": "Reloaded."}})
        self.server.reload()
        self.notes.append(f"reload done after {time.time() - begun:.1f} s")
        wait_until(lambda: len(self.server.processes()) == self._workers, "the old workers are gone", seconds=300)
        self.notes.append(f"the last old worker had ended after {time.time() - begun:.1f} s")

    def _finish(self) -> None:
        for crowd in self._crowds:
            assert crowd.stdin is not None
            crowd.stdin.close()
        interruptions = []
        for crowd in self._crowds:
            assert crowd.stdout is not None
            told: dict[str, Any] = json.loads(crowd.stdout.read())
            self.report += Counter(told["done"])
            self.moved += Counter(told["moved"])
            self.faults += told["failures"]
            interruptions += told["interruptions"]
        self._judge_interruptions(interruptions)

    def _judge_interruptions(self, interruptions: list[list[float]]) -> None:
        """A user is interrupted by the death of its worker, once, and by nothing else."""
        times = [at for user in interruptions for at in user]
        self.notes.append(f"{len(times)} users were interrupted")
        early = [at for at in times if not self._killed_at <= at <= self._killed_at + _KILL_SECONDS]
        if early:
            self.faults.append(
                f"{len(early)} interruptions without a cause, the first {early[0] - self._killed_at:.1f} s after the kill"
            )
        if any(len(user) > 1 for user in interruptions):
            self.faults.append("a user was interrupted more than once")

    def _judge_end(self) -> None:
        wait_until(lambda: not self.server.who(), "no session is left")
        self._sample()
        self.faults += [f"memory of {life.name} grows" for life in self.lives.values() if not life.is_level]
        self._judge_descriptors()
        unwanted = [file for file in self.server.root.rglob(".*") if is_staging(file.name) and file.suffix == ".new"]
        if unwanted:
            self.faults.append(f"{len(unwanted)} staging files are left")
        if (code := self.server.stop()) or not self.server.is_gone():
            self.faults.append(f"the server has ended with {code}, or left processes")
        self.faults += [
            line for line in self.server.lines if "Traceback" in line or (" error " in line and "died: signal 9" not in line)
        ]

    def _judge_descriptors(self) -> None:
        for pid in (self.server.process.pid, *self.server.processes()):
            name = self.lives[pid].name
            with suppress(AssertionError):  # our own connection to the control socket is closed in a moment
                wait_until(lambda pid=pid: not self._left_over(pid), "no descriptor is left over", seconds=5)  # type: ignore[misc]
            self.notes.append(f"{name}: {len(open_descriptors(pid))} descriptors")
            if left := self._left_over(pid):
                self.faults.append(f"{name} has descriptors left over: {dict(left)}")

    def _left_over(self, pid: int) -> Counter[str]:
        """Return what *pid* has open, and neither it nor the first of its kind had before anybody came, and what nobody can miss."""
        parent = self.server.process.pid
        of_worker = next(found for other, found in self._at_start.items() if other != parent)
        left = Counter(open_descriptors(pid)) - (self._at_start[parent] if pid == parent else of_worker)
        del left[str(self.server.root)]  # opened by the first who logs in, and kept
        left["pipe"] -= 0 if pid == parent else _KEPT_PIPES
        return +left

    def _crowd(self, first: int, ending: ExitStack) -> subprocess.Popen[str]:
        last = min(first + _USERS_OF_A_CROWD, self._clients)
        crowd = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.crowd", str(self.server.port), str(first), str(last)],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ending.callback(crowd.wait)
        ending.callback(crowd.kill)
        return crowd


def _settings(folder: Path, workers: int) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    certificate = folder / "certificate.pem"
    certificate.write_bytes(make_certificate(make_authority(), ["localhost"]).pem)
    return {
        "process": {"workers": workers},
        "tls": {"certificates": [{"chain": certificate}]},
        "ftp": {"tls": {"data_resumption": "off"}},  # ftplib cannot
        "log": {"targets": [{"level": "info"}]},
    }


def _fill(server: Fleet, clients: int) -> None:
    """Make the accounts, the users' directories, and what all of an account fetch."""
    for number in range(ACCOUNTS):
        home = server.add(account_of(number)).home
        for name, piece in SHARED.items():
            (home / name).write_bytes(piece.data)
    for number in range(clients):
        (server.root / account_of(number) / f"user{number}").mkdir()


def _print(soak: Soak, seconds: float) -> None:
    print("\n| work | done | MiB |\n|---|---|---|")
    for kind, count in sorted(soak.report.items()):
        print(f"| {kind} | {count} | {soak.moved[kind] / _MIB:.0f} |")
    total = sum(soak.moved.values()) / _MIB
    print(f"\n{total:.0f} MiB in {seconds:.0f} s, {total / seconds:.0f} MiB/s, all compared")
    print("\n| process | s | MiB at its start | first third | second | last third | at its end |\n|---|---|---|---|---|---|---|")
    for life in soak.lives.values():
        thirds = [f"{size / _MIB:.1f}" for size in life.thirds()] or [""] * 3
        first, last = (f"{life.samples[place][1] / _MIB:.1f}" for place in (0, -1))
        print(f"| {life.name} ({life.pid}) | {life.seconds:.0f} | {first} | {' | '.join(thirds)} | {last} |")
    print()
    for note in soak.notes:
        print(note)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long (default: %(default)s)")
    parser.add_argument("--clients", type=int, default=200, help="at a time (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of the server (default: %(default)s)")
    parser.add_argument("--folder", help="where the files are while it runs (default: a temporary directory)")
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))
    seconds = arguments.minutes * 60
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder, ExitStack() as ending:
        soak = Soak(Path(folder) / "server", arguments.clients, arguments.workers, ending)
        begun = time.monotonic()
        soak.run(seconds)
        worked = time.monotonic() - begun
    _print(soak, worked)
    for fault in soak.faults:
        print(f"FAULT: {fault}")
    print("\nNothing is wrong." if not soak.faults else f"\n{len(soak.faults)} faults.")
    return 1 if soak.faults else 0


if __name__ == "__main__":
    sys.exit(main())
