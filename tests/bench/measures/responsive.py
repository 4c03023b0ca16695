"""The measure of how soon a session is answered while others keep the server busy."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final

from tests.bench.client import Client
from tests.bench.crowd import load
from tests.bench.latency import Latency, of_noops
from tests.bench.measure import Figures, Measure
from tests.bench.process import awake
from tests.bench.servers import Server
from tests.bench.stream import MIB, fetch, source, store
from tests.bench.tree import LARGE, empty_uploads, need_entries, need_file

__all__ = ["fetching", "responsive", "storing"]

_SECONDS: Final = 1.5  # of NOOPs, a millisecond apart
_AT_ONCE: Final = 8
_DOWNLOAD_BYTES: Final = 256 * MIB
_UPLOAD_BYTES: Final = 64 * MIB


def fetching(server: Server, name: str, size: int) -> Callable[[int], Iterator[int]]:
    """Return what downloads a file of *size* bytes over and over."""

    def act(_: int) -> Iterator[int]:
        client = server.client()
        client.command(b"TYPE I", 200)
        while True:
            yield from fetch(client, name.encode(), size)

    return act


def storing(server: Server, folder: str, file: int) -> Callable[[int], Iterator[int]]:
    """Return what uploads what descriptor *file* holds over and over."""

    def act(number: int) -> Iterator[int]:
        client = server.client()
        client.command(b"TYPE I", 200)
        while True:
            yield from store(client, f"{folder}/again-{number}".encode(), file)

    return act


def _listing(server: Server, _: int) -> Iterator[int]:
    client = server.client()
    client.command(b"TYPE A", 200)
    while True:
        with client.socket_of_listing(f"LIST {LARGE}".encode()) as data:
            while piece := data.recv(MIB):
                yield len(piece)
        client.reply(125, 150)
        client.reply(226)


def _responsive(server: Server, entries: int) -> Figures:
    name = f"file-{_DOWNLOAD_BYTES // MIB}"
    need_file(server.root, name, _DOWNLOAD_BYTES)
    need_entries(server.root, entries)
    client = server.client()
    with awake():
        figures = _rows_of("idle", of_noops(client, _SECONDS))
    figures |= _beside(server, client, "8 downloads", _AT_ONCE, fetching(server, name, _DOWNLOAD_BYTES))
    file = source(_UPLOAD_BYTES)
    try:
        figures |= _beside(server, client, "8 uploads", _AT_ONCE, storing(server, "up", file))
    finally:
        os.close(file)
        empty_uploads(server.root)
    figures |= _beside(server, client, f"LIST {entries:,}", 1, partial(_listing, server))
    client.quit()
    return figures


def _beside(server: Server, client: Client, what: str, count: int, act: Callable[[int], Iterator[int]]) -> dict[str, float]:
    """Measure *client*'s NOOPs while *count* others *act*; how much these move meanwhile shows that the server was busy with it."""
    with load(count, act) as counters:
        cpu, moved, begun = server.cpu_seconds(), counters.total, time.perf_counter()
        latency = of_noops(client, _SECONDS)
        seconds, moved, cpu = time.perf_counter() - begun, counters.total - moved, server.cpu_seconds() - cpu
    client.command(b"NOOP", 200)
    return {
        **_rows_of(f"beside {what}", latency),
        f"{what} meanwhile MiB/s": moved / MIB / seconds,
        f"{what} meanwhile server CPU cores": cpu / seconds,
    }


def _rows_of(when: str, latency: Latency) -> dict[str, float]:
    return {
        f"NOOP {when} p50 ms": latency.p50 * 1e3,
        f"NOOP {when} p99 ms": latency.p99 * 1e3,
        f"NOOP {when} longest ms": latency.longest * 1e3,
    }


def responsive(entries: int) -> Measure:
    """Return the measure; the listing is of *entries*."""
    rows = dict.fromkeys(_rows_of("idle", Latency(0, 0, 0)), False)
    for what in ("8 downloads", "8 uploads", f"LIST {entries:,}"):
        rows |= dict.fromkeys(_rows_of(f"beside {what}", Latency(0, 0, 0)), False)
        rows |= {f"{what} meanwhile MiB/s": True, f"{what} meanwhile server CPU cores": False}
    return Measure(partial(_responsive, entries=entries), rows)
