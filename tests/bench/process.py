"""Readings of a server from /proc: CPU time, memory, and where it may run, of its process and all below it.  Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Final

__all__ = [
    "apart",
    "aside",
    "awake",
    "cpu_seconds",
    "family",
    "open_files",
    "peak_bytes",
    "private_share_bytes",
    "punctual",
    "reset_peak",
    "together",
]

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PARENT: Final = 1  # in /proc/PID/stat, counted from the state, which is behind the name
_CPU_OF_CHILDREN: Final = slice(13, 15)


def family(pid: int) -> list[int]:
    """Return *pid* and all its descendants: some servers are a process, or two, for each session."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with suppress(OSError):  # it has ended
            children.setdefault(int(_stat(int(name))[_PARENT]), []).append(int(name))
    found = [pid]
    for member in found:
        found += children.get(member, ())
    return found


def cpu_seconds(pid: int) -> float:
    """CPU time so far: of those alive from their CPU clocks (clock_getcpuclockid(3)), of children that ended as the kernel adds it up."""
    seconds = 0.0
    for member in family(pid):
        with suppress(OSError):
            ended = sum(int(ticks) for ticks in _stat(member)[_CPU_OF_CHILDREN])
            seconds += time.clock_gettime((~member << 3) | 2) + ended / _TICKS
    return seconds


def private_share_bytes(pid: int) -> int:
    """PSS: private pages, and the share in those it has in common with others."""
    return _sum(family(pid), "smaps_rollup", "Pss:")


def reset_peak(pid: int) -> int:
    """Let the peak of resident memory count from now on; return what is resident now."""
    members = family(pid)
    for member in members:
        with open(f"/proc/{member}/clear_refs", "w") as file:
            file.write("5")
    return _sum(members, "status", "VmRSS:")


def peak_bytes(pid: int) -> int:
    return _sum(family(pid), "status", "VmHWM:")


def open_files(pid: int) -> list[str]:
    """Return the names of the files, and what else, that descriptors are open to."""
    names = []
    for member in family(pid):
        for number in os.listdir(f"/proc/{member}/fd"):
            with suppress(FileNotFoundError):  # closed meanwhile
                names.append(os.readlink(f"/proc/{member}/fd/{number}"))
    return names


def _stat(pid: int) -> list[str]:
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rpartition(")")[2].split()


def _sum(members: Iterable[int], file: str, name: str) -> int:
    total = 0
    for member in members:
        with open(f"/proc/{member}/{file}") as lines:
            total += next((int(line.split()[1]) * 1024 for line in lines if line.startswith(name)), 0)
    return total


def apart(pid: int) -> AbstractContextManager[None]:
    """Keep this client and server *pid* to cores of their own: whether they share one by chance would double or halve a ping-pong."""
    return _kept(pid, slice(1))


def together(pid: int) -> AbstractContextManager[None]:
    """Keep this client and server *pid* to one core: what is seen is the work of both, and no wake-up from core to core."""
    return _kept(pid, slice(-1, None))


@contextmanager
def _kept(pid: int, which: slice) -> Iterator[None]:
    """Keep server *pid* to *which* of the cores, and this client to the last."""
    cores = sorted(os.sched_getaffinity(0))
    with aside():
        _keep_to(pid, cores[which])
        try:
            yield
        finally:
            _keep_to(pid, cores)


@contextmanager
def aside() -> Iterator[None]:
    """Keep this client, and processes that it begins, to the last core; the server may run anywhere."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-1:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def _keep_to(pid: int, cores: Iterable[int]) -> None:
    """Keep all threads of the server to *cores*: one asked by its process's number is the first only."""
    for member in family(pid):
        with suppress(FileNotFoundError):  # it has ended
            for thread in os.listdir(f"/proc/{member}/task"):
                with suppress(ProcessLookupError):
                    os.sched_setaffinity(int(thread), cores)


@contextmanager
def punctual() -> Iterator[None]:
    """Let this process run as soon as it can, where it may: what is to be seen is how long the server takes, not our own turn."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except PermissionError:
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@contextmanager
def awake() -> Iterator[None]:
    """Keep every core from halting, with a loop that yields to anything: in a virtual machine a wake-up would cost more than a command."""
    spinners = [_spin(core) for core in os.sched_getaffinity(0)]
    try:
        yield
    finally:
        for pid in spinners:
            os.kill(pid, 9)
            os.waitpid(pid, 0)


def _spin(core: int) -> int:
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    os.sched_setaffinity(0, [core])
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    while os.getppid() == parent:
        for _ in range(100_000):
            pass
    os._exit(0)
