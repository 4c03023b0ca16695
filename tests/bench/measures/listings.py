"""Measures of one listing of a large directory, with a second session beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Final

from tests.bench.latency import Stall
from tests.bench.measure import Figures, Measure
from tests.bench.process import peak_bytes, reset_peak
from tests.bench.servers import Server
from tests.bench.tree import LARGE, need_entries

__all__ = ["listing"]

_PIECE_BYTES: Final = 256 * 1024
_MIB: Final = 1024 * 1024


def _listing(server: Server, entries: int, verb: str) -> Figures:
    """List the large directory while a second session sends NOOPs; the longest of these is the stall."""
    need_entries(server.root, entries)
    client, other = server.client(), server.client()
    client.command(b"TYPE A", 200)
    with client.socket_of_listing(f"{verb} up".encode()) as data:  # whatever a first listing loads is not what is measured
        _drain(data.recv_into)
    client.reply(125, 150)
    client.reply(226)
    stall = Stall(other)
    resident = reset_peak(server.pid)
    cpu, begun = server.cpu_seconds(), time.perf_counter()
    with stall, client.socket_of_listing(f"{verb} {LARGE}".encode()) as data:
        first, rows = _drain(data.recv_into)
        client.reply(125, 150)
        client.reply(226)
        seconds = time.perf_counter() - begun
    cpu = server.cpu_seconds() - cpu
    growth = peak_bytes(server.pid) - resident
    assert entries <= rows <= entries + 3, f"{server.name} listed {rows} rows"  # `.`, `..` and a total are allowed
    client.quit()
    other.quit()
    return {
        f"{verb} {entries:,} s": seconds,
        f"{verb} first byte ms": (first - begun) * 1e3,
        f"{verb} longest NOOP beside it ms": stall.longest_seconds * 1e3,
        f"{verb} peak memory growth MiB": max(0, growth) / _MIB,
        f"{verb} server CPU s": cpu,
    }


def _drain(receive: Callable[[memoryview], int]) -> tuple[float, int]:
    """Read to the end; return when the first bytes came, and how many lines."""
    buffer = bytearray(_PIECE_BYTES)
    view = memoryview(buffer)
    got = receive(view)
    first, rows = time.perf_counter(), 0
    while got:
        rows += buffer.count(b"\n", 0, got)
        got = receive(view)
    return first, rows


def listing(verb: str, entries: int, leaves_out: frozenset[str] = frozenset()) -> Measure:
    """Return the measure of *verb* over a directory of *entries*."""
    names = (f"{entries:,} s", "first byte ms", "longest NOOP beside it ms", "peak memory growth MiB", "server CPU s")
    rows = {f"{verb} {name}": False for name in names}
    return Measure(partial(_listing, entries=entries, verb=verb), rows, leaves_out, is_of_memory=True)
