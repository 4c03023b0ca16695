"""Measures of small files, one after the other over one control connection, and over eight at once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

from tests.bench.client import Client
from tests.bench.crowd import at_once
from tests.bench.measure import Figures, Measure, named
from tests.bench.process import apart, awake
from tests.bench.servers import Server
from tests.bench.tree import FILE_BYTES, SMALL_FILES, empty_uploads, sizes_of_uploads

__all__ = ["retrieve", "retrieve_by_eight", "store", "store_by_eight"]

_TOO_SLOW_SECONDS: Final = 0.02  # a file; stock Twisted waits 40 ms for a delayed acknowledgement
_FEW_FILES: Final = 30
_CLIENTS: Final = 8

Move = Callable[[Client, int], None]


def _fetch(client: Client, number: int) -> None:
    count = client.retrieve(b"small/f%05d" % number)
    assert count == FILE_BYTES, f"{count} bytes were sent"


def _retrieve(server: Server) -> Figures:
    return _files(server, _fetch, "RETR")


def _retrieve_by_eight(server: Server) -> Figures:
    return _files_by_eight(server, lambda _: _fetch, "RETR")


def _store(server: Server) -> Figures:
    content = os.urandom(FILE_BYTES)
    figures = _files(server, lambda client, number: client.store(b"up/f%05d" % number, content), "STOR")
    _check_uploads(server, _FEW_FILES)
    return figures


def _store_by_eight(server: Server) -> Figures:
    content = os.urandom(FILE_BYTES)

    def store_of(owner: int) -> Move:
        return lambda client, number: client.store(b"up/f%d-%05d" % (owner, number), content)

    figures = _files_by_eight(server, store_of, "STOR")
    _check_uploads(server, _CLIENTS * SMALL_FILES)
    return figures


def _check_uploads(server: Server, least: int) -> None:
    sizes = sizes_of_uploads(server.root)
    assert len(sizes) >= least, f"{server.name} stored {len(sizes)} files"
    assert set(sizes) == {FILE_BYTES}, f"{server.name} stored {set(sizes)} bytes"
    empty_uploads(server.root)


def _files_by_eight(server: Server, move_of: Callable[[int], Move], verb: str) -> Figures:
    """Move small files by several clients at once, each one after the other."""

    def act(number: int) -> Iterator[None]:
        client, move = server.client(), move_of(number)
        client.command(b"TYPE I", 200)
        yield
        for file in range(SMALL_FILES):
            move(client, file)
        yield
        client.quit()

    span = at_once(_CLIENTS, act, server.cpu_seconds)
    count = _CLIENTS * SMALL_FILES
    row = f"{_CLIENTS} x 4 KiB {verb}"
    return named({f"{row} files/s": count / span.seconds, f"{row} server us": span.metered / count * 1e6}, server)


def _files(server: Server, move: Move, verb: str) -> Figures:
    """Move small files one after the other; fewer where each takes long."""
    client = server.client()
    client.command(b"TYPE I", 200)
    with awake(), apart(server.pid):
        begun = time.perf_counter()
        for number in range(_FEW_FILES):
            move(client, number)
        is_slow = (time.perf_counter() - begun) / _FEW_FILES > _TOO_SLOW_SECONDS
        count = _FEW_FILES if is_slow else SMALL_FILES
        cpu, begun = server.cpu_seconds(), time.perf_counter()
        for number in range(count):
            move(client, number)
        seconds, cpu = time.perf_counter() - begun, server.cpu_seconds() - cpu
    client.quit()
    return named({f"4 KiB {verb} files/s": count / seconds, f"4 KiB {verb} server us": cpu / count * 1e6}, server)


retrieve = Measure(_retrieve, {"4 KiB RETR files/s": True, "4 KiB RETR server us": False})
retrieve_by_eight = Measure(
    _retrieve_by_eight, {"8 x 4 KiB RETR files/s": True, "8 x 4 KiB RETR server us": False}, leaves_out=frozenset({"twisted"})
)
store_by_eight = Measure(
    _store_by_eight, {"8 x 4 KiB STOR files/s": True, "8 x 4 KiB STOR server us": False}, leaves_out=frozenset({"twisted"})
)
store = Measure(_store, {"4 KiB STOR files/s": True, "4 KiB STOR server us": False})
