"""Measures of TFTP: one large file, small files one after the other, and many clients that begin at the same moment."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Final

from tests.bench import tftp_daemons
from tests.bench.measure import Figures, Measure
from tests.bench.process import apart, aside, awake, together
from tests.bench.servers import Server, Shape
from tests.bench.stream import MIB
from tests.bench.tftp_load import Fetched, fetch, need_content
from tests.bench.tree import FILE_BYTES

__all__ = ["single", "storm", "tiny"]

_SHAPE: Final = Shape(has_tftp=True)
_LARGE_BYTES: Final = 64 * MIB
_SLOWEST_BYTES: Final = 16 * MIB  # by the smallest blocks without windows, where 64 MiB would take a third of the whole
_FIRMWARE_BLOCK: Final = 1428  # what fits Ethernet with room for a tunnel; firmware asks for 1428 to 1468
_TINY_FILES: Final = 1000
_STORM: Final = {
    "s": False,
    "clients served /s": True,
    "failed": False,
    "timeouts": False,
    "blocks again or too early": False,
    "first packet p50 ms": False,
    "first packet p99 ms": False,
}

Place = Callable[[int], AbstractContextManager[None]]
# In a virtual machine a wake-up on another core costs the waker more than a block does, and a second core is worth something to who sends
# whole windows: where there are windows, each server has the better of both.
_PLACES: Final[Mapping[bool, tuple[Place, ...]]] = {False: (together,), True: (together, apart)}


def _fetch_large(server: Server, block: int, window: int, row: str) -> Figures:
    size = _SLOWEST_BYTES if block == 512 and window == 1 else _LARGE_BYTES
    name = f"tftp-{size // MIB}"
    need_content(server.root, name, size)
    fetched = min((_fetch_alone(server, name, place, block, window) for place in _PLACES[window > 1]), key=lambda it: it.seconds)
    if fetched.repeats or fetched.timeouts:
        print(f"{row}: {fetched.repeats} blocks came again or too early, {fetched.timeouts} timeouts", file=sys.stderr)
    return {
        f"{row} MB/s": size / 1e6 / fetched.seconds,
        f"{row} server CPU s/GiB": fetched.server_cpu / (size / MIB / 1024),
    }


def _fetch_alone(server: Server, name: str, place: Place, block: int, window: int) -> Fetched:
    with awake(), place(server.pid):
        fetched = fetch(server, name, clients=1, requests=1, block=block, window=window)
    if fetched.failures:
        raise RuntimeError(fetched.reason)
    return fetched


def _fetch_tiny(server: Server, clients: int, row: str) -> Figures:
    need_content(server.root, "tftp-tiny", FILE_BYTES)
    with awake(), together(server.pid) if clients == 1 else aside():
        fetched = fetch(server, "tftp-tiny", clients=clients, requests=_TINY_FILES, block=_FIRMWARE_BLOCK, window=1)
    if fetched.failures:
        raise RuntimeError(fetched.reason)
    return {row: _TINY_FILES / fetched.seconds}


def _fetch_by_many(server: Server, clients: int, row: str) -> Figures:
    need_content(server.root, "tftp-image", MIB)
    with aside():
        fetched = fetch(server, "tftp-image", clients=clients, requests=clients, block=_FIRMWARE_BLOCK, window=1)
    return {
        f"{row}: s": math.inf if fetched.failures else fetched.seconds,
        f"{row}: clients served /s": (clients - fetched.failures) / fetched.seconds,
        f"{row}: failed": fetched.failures,
        f"{row}: timeouts": fetched.timeouts,
        f"{row}: blocks again or too early": fetched.repeats,
        f"{row}: first packet p50 ms": fetched.first_p50 * 1000,
        f"{row}: first packet p99 ms": fetched.first_p99 * 1000,
    }


def single(block: int, window: int) -> Measure:
    """Return the measure of one file of 64 MiB in blocks of *block* bytes, of which *window* are sent before each acknowledgement."""
    row = f"TFTP {block}/{window}"
    return Measure(
        partial(_fetch_large, block=block, window=window, row=row),
        {f"{row} MB/s": True, f"{row} server CPU s/GiB": False},
        leaves_out=tftp_daemons.without_windows if window > 1 else frozenset(),
        shape=_SHAPE,
    )


def tiny(clients: int) -> Measure:
    """Return the measure of files of 4 KiB, fetched by *clients* at the same time, each from a new port."""
    row = f"TFTP 4 KiB files/s ({clients} at once)"
    return Measure(partial(_fetch_tiny, clients=clients, row=row), {row: True}, shape=_SHAPE)


def storm(clients: int, leaves_out: frozenset[str] = frozenset(), most_rounds: int | None = None) -> Measure:
    """Return the measure of *clients* that all begin to fetch 1 MiB at the same moment; *most_rounds* for one that takes very long."""
    row = f"TFTP storm of {clients:,}"
    rows = {f"{row}: {figure}": is_better for figure, is_better in _STORM.items()}
    act = partial(_fetch_by_many, clients=clients, row=row)
    return Measure(act, rows, leaves_out=leaves_out, shape=_SHAPE, most_rounds=most_rounds)
