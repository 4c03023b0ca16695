"""Measures of many sessions that are logged in and silent."""

from __future__ import annotations

from functools import partial
from typing import Final

from tests.bench import daemons
from tests.bench.client import Client
from tests.bench.latency import Latency, of_each
from tests.bench.measure import Figures, Measure, named
from tests.bench.process import apart, awake, private_share_bytes
from tests.bench.servers import Server

__all__ = ["idle"]

_ASKED: Final = 40  # sessions that are asked how long a NOOP takes
_NOOPS: Final = 50  # of each


def _idle(server: Server, sessions: int) -> Figures:
    """What a session costs that is logged in and does nothing, and what it costs the others."""
    server.client().quit()
    before = private_share_bytes(server.pid)
    clients = [server.client() for _ in range(_ASKED)]
    alone, _ = _ask(server, clients)
    clients += [server.client() for _ in range(sessions - _ASKED)]
    after = private_share_bytes(server.pid)
    among, cpu_seconds = _ask(server, clients[:: sessions // _ASKED])
    for client in clients:
        client.close()
    return named(
        {
            f"idle session of {sessions:,} KiB": (after - before) / sessions / 1024,
            f"NOOP p99 among {sessions:,} us": among.p99 * 1e6,
            f"NOOP p99 among {sessions:,}, times that with none": among.p99 / alone.p99,
            f"NOOP among {sessions:,} server us": cpu_seconds / (_ASKED * _NOOPS) * 1e6,
        },
        server,
    )


def _ask(server: Server, clients: list[Client]) -> tuple[Latency, float]:
    with awake(), apart(server.pid):
        of_each(clients, 1)
        cpu = server.cpu_seconds()
        return of_each(clients, _NOOPS), server.cpu_seconds() - cpu


def idle(sessions: int) -> Measure:
    """Return the measure of *sessions*; daemons have a process for each, some hundred times the memory."""
    names = ("idle session of {} KiB", "NOOP p99 among {} us", "NOOP p99 among {}, times that with none", "NOOP among {} server us")
    rows = {name.format(f"{sessions:,}"): False for name in names}
    return Measure(partial(_idle, sessions=sessions), rows, leaves_out=frozenset(daemons.NAMES), is_of_memory=True)
