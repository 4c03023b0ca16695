"""The measure of what sessions on a slow disk cost a session elsewhere.

The disk is the integration tests' file system over /dev/fuse, mounted into the tree, with every read and write delayed; it needs root.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.bench.crowd import load
from tests.bench.latency import of_noops
from tests.bench.measure import Figures, Measure
from tests.bench.measures.responsive import fetching, storing
from tests.bench.process import awake, open_files
from tests.bench.servers import PEERS, Server, Shape
from tests.bench.stream import MIB, source
from tests.integration.fuse import Call, Gated

__all__ = ["slow_disk"]

_DELAY_SECONDS: Final = 0.02  # of each call, of at most 128 KiB; one after the other
_READERS: Final = 2
_WRITERS: Final = 2
_FILE_BYTES: Final = 4 * MIB
_SECONDS: Final = 2.0
_PATIENCE_SECONDS: Final = 30.0
_fork = multiprocessing.get_context("fork")


def _slow_disk(server: Server) -> Figures:
    row = _row(server.shape)
    client = server.client()
    with awake():
        quiet = of_noops(client, _SECONDS)
        with _slow(server), ExitStack() as loads:
            file = source(_FILE_BYTES)
            loads.callback(os.close, file)
            loads.enter_context(load(_READERS, fetching(server, "slow/old", _FILE_BYTES)))
            loads.enter_context(load(_WRITERS, storing(server, "slow", file)))
            cpu, begun = server.cpu_seconds(), time.perf_counter()
            beside = of_noops(client, _SECONDS)
            seconds, cpu = time.perf_counter() - begun, server.cpu_seconds() - cpu
    client.quit()
    return {
        f"{row}: NOOP p99 ms": beside.p99 * 1e3,
        f"{row}: NOOP p99, times that of an idle server": beside.p99 / quiet.p99,
        f"{row}: NOOP longest ms": beside.longest * 1e3,
        f"{row}: server CPU cores": cpu / seconds,
    }


@contextmanager
def _slow(server: Server) -> Iterator[None]:
    """Mount the disk, with a file `old` on it, from a process of its own: it shall not share a Python with the clock."""
    folder = server.root / "slow"
    folder.mkdir(exist_ok=True)
    is_mounted, is_over, is_left = _fork.Event(), _fork.Event(), _fork.Event()
    process = _fork.Process(target=_serve, args=(folder, is_mounted, is_over, is_left))
    process.start()
    try:
        assert is_mounted.wait(_PATIENCE_SECONDS), "the slow disk was not mounted"
        yield
    finally:
        is_over.set()
        _await_leaving(server, folder)
        is_left.set()
        process.join(_PATIENCE_SECONDS)


def _serve(folder: Path, is_mounted: Any, is_over: Any, is_left: Any) -> None:
    disk = Gated(folder, remembers_names=True)
    try:
        disk.add("old", bytes(_FILE_BYTES))
        with disk.delay(Call.READ, _DELAY_SECONDS), disk.delay(Call.WRITE, _DELAY_SECONDS):
            is_mounted.set()
            is_over.wait()
        is_left.wait()
    finally:
        disk.close()


def _await_leaving(server: Server, folder: Path) -> None:
    """Wait until the server has no file of *folder* open: a disk that is torn away is another measure."""
    end = time.monotonic() + _PATIENCE_SECONDS
    while any(file.startswith(f"{folder}/") for file in open_files(server.pid)) and time.monotonic() < end:
        time.sleep(0.05)


def _row(shape: Shape) -> str:
    return "beside a slow FUSE disk" if shape.network_file_system == "auto" else "beside a slow disk taken for a local one"


def slow_disk(network_file_system: str) -> Measure:
    """Return the measure; with "no" ours is told, by the setting of that name, that the disk is a local one, and is measured alone."""
    shape = Shape(network_file_system=network_file_system)
    leaves_out = frozenset() if network_file_system == "auto" else PEERS
    names = ("NOOP p99 ms", "NOOP p99, times that of an idle server", "NOOP longest ms", "server CPU cores")
    return Measure(_slow_disk, {f"{_row(shape)}: {name}": False for name in names}, leaves_out, shape=shape)
