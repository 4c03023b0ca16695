"""The measure of one account's rate, shared by many downloads.  Ours only: no peer has a rate for several sessions together."""

from __future__ import annotations

import selectors
import socket
import time
from typing import Final

from tests.bench.client import Client
from tests.bench.measure import Figures, Measure
from tests.bench.servers import PEERS, Server, Shape
from tests.bench.stream import MIB
from tests.bench.tree import need_file

__all__ = ["fair"]

_STREAMS: Final = 100
_RATE: Final = 64 * MIB  # a second
_SETTLING_SECONDS: Final = 1.0
_SECONDS: Final = 10.0
_FILE_BYTES: Final = 1024 * MIB  # for none to end: its share is less than 12 MiB
_WINDOW_BYTES: Final = 4 * MIB


def _fair(server: Server) -> Figures:
    name = f"file-{_FILE_BYTES // MIB}"
    need_file(server.root, name, _FILE_BYTES)
    clients = [server.client() for _ in range(_STREAMS)]
    streams = [_begin(client, name) for client in clients]
    _receive(streams, _SETTLING_SECONDS)
    cpu, begun = server.cpu_seconds(), time.perf_counter()
    moved = _receive(streams, _SECONDS)
    seconds, cpu = time.perf_counter() - begun, server.cpu_seconds() - cpu
    for stream, client in zip(streams, clients, strict=True):
        stream.close()
        client.close()
    total = sum(moved)
    return {
        "100 streams of one rate: Jain index": total**2 / (_STREAMS * sum(count**2 for count in moved)),
        "100 streams of one rate: most bytes / fewest": max(moved) / max(1, min(moved)),
        "100 streams of one rate: off the rate %": abs(total / seconds / _RATE - 1) * 100,
        "100 streams of one rate: server CPU s/GiB": cpu / (total / MIB / 1024),
    }


def _begin(client: Client, name: str) -> socket.socket:
    client.command(b"TYPE I", 200)
    data = client.data()
    client.command(f"RETR {name}".encode(), 125, 150)
    data.setblocking(False)
    return data


def _receive(streams: list[socket.socket], seconds: float) -> list[int]:
    """Drop what comes for *seconds*; return the bytes of each stream."""
    window = memoryview(bytearray(_WINDOW_BYTES))
    moved = [0] * len(streams)
    with selectors.DefaultSelector() as selector:
        for number, stream in enumerate(streams):
            selector.register(stream, selectors.EVENT_READ, number)
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0:
            for key, _ in selector.select(left):
                count = streams[key.data].recv_into(window, 0, socket.MSG_TRUNC)
                assert count, "a download ended early"
                moved[key.data] += count
    return moved


fair = Measure(
    _fair,
    {
        "100 streams of one rate: Jain index": True,
        "100 streams of one rate: most bytes / fewest": False,
        "100 streams of one rate: off the rate %": False,
        "100 streams of one rate: server CPU s/GiB": False,
    },
    leaves_out=PEERS,
    shape=Shape(rate=_RATE),
)
