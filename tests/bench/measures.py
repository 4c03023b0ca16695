"""The measures: each takes a running server and returns figures by the name of their row.

Sizes and counts of everything moved are checked, so that a server cannot be fast by failing.
"""

from __future__ import annotations

import os
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import attrs

from tests.bench.client import Client
from tests.bench.process import apart, awake, cpu_seconds, peak_bytes, private_share_bytes, reset_peak
from tests.bench.servers import Server
from tests.bench.tree import FILE_BYTES, LARGE, PASSWORD, SMALL_FILES, USER, empty_uploads, uploads

__all__ = ["Figures", "Measure", "measures"]

Figures = Mapping[str, float]

_NOOPS: Final = 5000
_AT_ONCE: Final = 8  # clients that log in
_LOGINS: Final = 60  # by each of them
_IDLE: Final = 1000
_TOO_SLOW_SECONDS: Final = 0.02  # a file; stock Twisted waits 40 ms for a delayed acknowledgement
_FEW_FILES: Final = 30
_PIECE_BYTES: Final = 256 * 1024
_MIB: Final = 1024 * 1024


@attrs.frozen
class Measure:
    """One measure; `rows` are the figures it gives, by name, with whether more is better.

    `leaves_out` names servers that cannot do it.  `is_of_memory`: it needs a server just started, for memory once freed is not asked for
    again, and a second round would find nothing.  `is_of_tls`: it needs a server that has a certificate.
    """

    run: Callable[[Server, int], Figures]
    rows: Mapping[str, bool]
    leaves_out: frozenset[str] = frozenset()
    is_of_memory: bool = False
    is_of_tls: bool = False


def _connect(server: Server, tls: ssl.SSLContext | None = None) -> Client:
    return Client(server.address, USER, PASSWORD, tls)


def _client_context() -> ssl.SSLContext:
    """Return a context that trusts anybody, as the servers' certificate is self-signed."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _noop(server: Server, _: int) -> Figures:
    client = _connect(server)
    with awake(), apart(server.pid):
        for _ in range(200):
            client.command(b"NOOP", 200)
        cpu, begun = cpu_seconds(server.pid), time.perf_counter()
        for _ in range(_NOOPS):
            client.command(b"NOOP", 200)
        seconds, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - cpu
    client.quit()
    return {"NOOP /s": _NOOPS / seconds, "NOOP server us": cpu / _NOOPS * 1e6}


def _retrieve(server: Server, _: int, *, tls: ssl.SSLContext | None = None) -> Figures:
    def fetch(client: Client, number: int) -> None:
        count = client.retrieve(b"small/f%05d" % number)
        assert count == FILE_BYTES, f"{server.name} sent {count} bytes"

    return _files(server, fetch, "RETR", tls)


def _store(server: Server, _: int, *, tls: ssl.SSLContext | None = None) -> Figures:
    content = os.urandom(FILE_BYTES)
    figures = _files(server, lambda client, number: client.store(b"up/f%05d" % number, content), "STOR", tls)
    sizes = uploads(server.root)
    assert len(sizes) >= _FEW_FILES, f"{server.name} stored {len(sizes)} files"
    assert set(sizes) == {FILE_BYTES}, f"{server.name} stored {set(sizes)} bytes"
    empty_uploads(server.root)
    return figures


def _files(server: Server, move: Callable[[Client, int], None], verb: str, tls: ssl.SSLContext | None) -> Figures:
    """Move small files one after the other; fewer where each takes long."""
    client = _connect(server, tls)
    client.command(b"TYPE I", 200)
    with awake(), apart(server.pid):
        begun = time.perf_counter()
        for number in range(_FEW_FILES):
            move(client, number)
        is_slow = (time.perf_counter() - begun) / _FEW_FILES > _TOO_SLOW_SECONDS
        count = _FEW_FILES if is_slow else SMALL_FILES
        cpu, begun = cpu_seconds(server.pid), time.perf_counter()
        for number in range(count):
            move(client, number)
        seconds, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - cpu
    client.quit()
    return _named({f"4 KiB {verb} files/s": count / seconds, f"4 KiB {verb} server us": cpu / count * 1e6}, tls)


def _log_in(server: Server, _: int, *, tls: ssl.SSLContext | None = None) -> Figures:
    """Connect, USER, PASS, QUIT, over and over, by several processes at once."""
    cpu, begun = cpu_seconds(server.pid), time.perf_counter()
    children = [_child(server, tls) for _ in range(_AT_ONCE)]
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    seconds, cpu = time.perf_counter() - begun, cpu_seconds(server.pid) - cpu
    assert not any(codes), f"logins to {server.name} failed"
    count = _AT_ONCE * _LOGINS
    return _named({"logins/s (8 at once)": count / seconds, "login server us": cpu / count * 1e6}, tls)


def _child(server: Server, tls: ssl.SSLContext | None) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for _ in range(_LOGINS):
            _connect(server, tls).quit()
        code = 0
    finally:
        os._exit(code)


def _list(server: Server, entries: int) -> Figures:
    return _listing(server, entries, "LIST")


def _mlsd(server: Server, entries: int) -> Figures:
    return _listing(server, entries, "MLSD")


def _listing(server: Server, entries: int, verb: str) -> Figures:
    """List the large directory while a second session sends NOOPs; the longest of these is the stall."""
    client, other = _connect(server), _connect(server)
    client.command(b"TYPE A", 200)
    with client.socket_of_listing(f"{verb} up".encode()) as data:  # whatever a first listing loads is not what is measured
        _drain(data.recv_into)
    client.reply(125, 150)
    client.reply(226)
    stall = _Stall(other)
    resident = reset_peak(server.pid)
    cpu, begun = cpu_seconds(server.pid), time.perf_counter()
    with stall, client.socket_of_listing(f"{verb} {LARGE}".encode()) as data:
        first, rows = _drain(data.recv_into)
        client.reply(125, 150)
        client.reply(226)
        seconds = time.perf_counter() - begun
    cpu = cpu_seconds(server.pid) - cpu
    assert entries <= rows <= entries + 3, f"{server.name} listed {rows} rows"  # `.`, `..` and a total are allowed
    client.quit()
    other.quit()
    return {
        f"{verb} {entries:,} s": seconds,
        f"{verb} first byte ms": (first - begun) * 1e3,
        f"{verb} longest NOOP beside it ms": stall.longest_seconds * 1e3,
        f"{verb} peak memory growth MiB": max(0, peak_bytes(server.pid) - resident) / _MIB,
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


class _Stall:
    """A session that sends NOOPs, a millisecond apart, from a thread of its own."""

    def __init__(self, client: Client) -> None:
        self.longest_seconds = 0.0
        self._client = client
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join(60)

    def _run(self) -> None:
        while not self._is_over.wait(0.001):
            begun = time.perf_counter()
            self._client.command(b"NOOP", 200)
            self.longest_seconds = max(self.longest_seconds, time.perf_counter() - begun)


def _idle(server: Server, _: int, *, tls: ssl.SSLContext | None = None) -> Figures:
    """What a session costs that is logged in and does nothing."""
    _connect(server, tls).quit()
    before = private_share_bytes(server.pid)
    clients = [_connect(server, tls) for _ in range(_IDLE)]
    after = private_share_bytes(server.pid)
    for client in clients:
        client.close()
    return _named({"idle session KiB": (after - before) / _IDLE / 1024}, tls)


def _listing_rows(verb: str, entries: int) -> dict[str, bool]:
    names = (f"{entries:,} s", "first byte ms", "longest NOOP beside it ms", "peak memory growth MiB", "server CPU s")
    return {f"{verb} {name}": False for name in names}


def _named(figures: Figures, tls: ssl.SSLContext | None) -> Figures:
    """Return *figures* under the names of their rows: those over TLS stand beside the same in clear."""
    return figures if tls is None else {f"TLS {name}": figure for name, figure in figures.items()}


def _over_tls(measure: Measure, run: Callable[..., Figures]) -> Measure:
    """Return *measure* with every connection over TLS; Twisted's FTP server has none."""
    return Measure(
        partial(run, tls=_client_context()),
        {f"TLS {name}": is_better for name, is_better in measure.rows.items()},
        leaves_out=frozenset({"twisted"}),
        is_of_memory=measure.is_of_memory,
        is_of_tls=True,
    )


def measures(entries: int) -> dict[str, Measure]:
    """Return the measures by name; listings are of a directory of *entries*."""
    retrieve = Measure(_retrieve, {"4 KiB RETR files/s": True, "4 KiB RETR server us": False})
    store = Measure(_store, {"4 KiB STOR files/s": True, "4 KiB STOR server us": False})
    login = Measure(_log_in, {"logins/s (8 at once)": True, "login server us": False})
    idle = Measure(_idle, {"idle session KiB": False}, is_of_memory=True)
    return {
        "noop": Measure(_noop, {"NOOP /s": True, "NOOP server us": False}),
        "retr": retrieve,
        "stor": store,
        "login": login,
        "list": Measure(_list, _listing_rows("LIST", entries), is_of_memory=True),
        "mlsd": Measure(_mlsd, _listing_rows("MLSD", entries), leaves_out=frozenset({"twisted"}), is_of_memory=True),
        "idle": idle,
        "tls-retr": _over_tls(retrieve, _retrieve),
        "tls-stor": _over_tls(store, _store),
        "tls-login": _over_tls(login, _log_in),
        "tls-idle": _over_tls(idle, _idle),
    }
