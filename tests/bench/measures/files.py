"""Measures of small files, one after the other over one control connection."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Final

from tests.bench.client import Client
from tests.bench.measure import Figures, Measure, named
from tests.bench.process import apart, awake
from tests.bench.servers import Server
from tests.bench.tree import FILE_BYTES, SMALL_FILES, empty_uploads, sizes_of_uploads

__all__ = ["retrieve", "store"]

_TOO_SLOW_SECONDS: Final = 0.02  # a file; stock Twisted waits 40 ms for a delayed acknowledgement
_FEW_FILES: Final = 30


def _retrieve(server: Server) -> Figures:
    def fetch(client: Client, number: int) -> None:
        count = client.retrieve(b"small/f%05d" % number)
        assert count == FILE_BYTES, f"{server.name} sent {count} bytes"

    return _files(server, fetch, "RETR")


def _store(server: Server) -> Figures:
    content = os.urandom(FILE_BYTES)
    figures = _files(server, lambda client, number: client.store(b"up/f%05d" % number, content), "STOR")
    sizes = sizes_of_uploads(server.root)
    assert len(sizes) >= _FEW_FILES, f"{server.name} stored {len(sizes)} files"
    assert set(sizes) == {FILE_BYTES}, f"{server.name} stored {set(sizes)} bytes"
    empty_uploads(server.root)
    return figures


def _files(server: Server, move: Callable[[Client, int], None], verb: str) -> Figures:
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
store = Measure(_store, {"4 KiB STOR files/s": True, "4 KiB STOR server us": False})
