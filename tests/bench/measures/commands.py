"""Measures of single commands: NOOP, and whole sessions that log in and leave."""

from __future__ import annotations

import os
import time
from typing import Final

from tests.bench.client import Client, trusting
from tests.bench.measure import Figures, Measure, named
from tests.bench.process import apart, awake
from tests.bench.servers import Server

__all__ = ["login", "noop"]

_NOOPS: Final = 5000
_AT_ONCE: Final = 8  # clients that log in
_LOGINS: Final = 200  # by each of them
_WARMING: Final = 20  # before the clock runs: every worker has begun to serve


def _noop(server: Server) -> Figures:
    client = server.client()
    with awake(), apart(server.pid):
        for _ in range(200):
            client.command(b"NOOP", 200)
        cpu, begun = server.cpu_seconds(), time.perf_counter()
        for _ in range(_NOOPS):
            client.command(b"NOOP", 200)
        seconds, cpu = time.perf_counter() - begun, server.cpu_seconds() - cpu
    client.quit()
    return {"NOOP /s": _NOOPS / seconds, "NOOP server us": cpu / _NOOPS * 1e6}


def _log_in(server: Server) -> Figures:
    """Connect, USER, PASS, QUIT, over and over, by several processes at once."""
    _log_in_at_once(server, _WARMING)
    cpu, begun = server.cpu_seconds(), time.perf_counter()
    _log_in_at_once(server, _LOGINS)
    seconds, cpu = time.perf_counter() - begun, server.cpu_seconds() - cpu
    count = _AT_ONCE * _LOGINS
    return named({"logins/s (8 at once)": count / seconds, "login server us": cpu / count * 1e6}, server)


def _log_in_at_once(server: Server, times: int) -> None:
    children = [_child(server, times) for _ in range(_AT_ONCE)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert not any(codes), f"logins to {server.name} failed"


def _child(server: Server, times: int) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        tls = trusting() if server.shape.has_tls else None
        for _ in range(times):
            Client(server.address, server.user, server.password, tls).quit()
        code = 0
    finally:
        os._exit(code)


noop = Measure(_noop, {"NOOP /s": True, "NOOP server us": False})
login = Measure(_log_in, {"logins/s (8 at once)": True, "login server us": False})
