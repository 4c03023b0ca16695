"""Readings of a server process from /proc: CPU time, memory, and where it may run.  Linux only."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["apart", "awake", "cpu_seconds", "peak_bytes", "private_share_bytes", "reset_peak"]


def cpu_seconds(pid: int) -> float:
    """CPU time so far of process *pid*, all threads, from its CPU clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def private_share_bytes(pid: int) -> int:
    """PSS: private pages, and the share in those it has in common with others."""
    return _field(pid, "smaps_rollup", "Pss:")


def reset_peak(pid: int) -> int:
    """Let the peak of resident memory count from now on; return what is resident now."""
    with open(f"/proc/{pid}/clear_refs", "w") as file:
        file.write("5")
    return _field(pid, "status", "VmRSS:")


def peak_bytes(pid: int) -> int:
    return _field(pid, "status", "VmHWM:")


def _field(pid: int, file: str, name: str) -> int:
    with open(f"/proc/{pid}/{file}") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


@contextmanager
def apart(pid: int) -> Iterator[None]:
    """Keep this client and server *pid* to cores of their own: whether they share one by chance would double or halve a ping-pong."""
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        yield
        return
    os.sched_setaffinity(0, cores[-1:])
    os.sched_setaffinity(pid, cores[:1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        os.sched_setaffinity(pid, cores)


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
