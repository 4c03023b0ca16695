"""Traces: which sessions are written down, and what of them waits for the disk.

Apart from a single trace, which knows its lines: here all of them are written together, about once a second, by one thread.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from twisted.internet.defer import Deferred, succeed
from twisted.python.failure import Failure

from ftpd.ftp.settings import TraceSettings
from ftpd.ftp.traces.discretion import Discretion, new_key
from ftpd.ftp.traces.file import Piece, write
from ftpd.ftp.traces.trace import Trace
from ftpd.spi import DelayedCall, Reactor, Threads
from ftpd.threads import Pool

if TYPE_CHECKING:
    from ftpd.ftp.session import Session

__all__ = ["Traces"]

_BATCH_SECONDS: Final = 1.0
_MOST_QUEUED: Final = 16 * 1024 * 1024  # bytes that wait for the disk, of all traces together


class Traces:
    """The `[[ftp.traces]]` of a factory, and what of them waits for the disk.  Of several that fit a session the first counts.

    *threads*, by default one of its own, runs one call at a time, so that each file has its lines in order.
    """

    def __init__(self, settings: Iterable[TraceSettings], reactor: Reactor, threads: Threads | None = None) -> None:
        self.reactor = reactor
        self._rows = tuple(settings)
        self._pool = Pool(reactor, "ftpd-trace", 1)
        self._threads = threads or self._pool
        self._key = new_key()
        self._unwritten: set[Trace] = set()
        self._timer: DelayedCall | None = None
        self._queued = 0
        self._flushing: list[Deferred[None]] = []

    def begin(self, session: Session) -> Trace | None:
        """Return the trace of a session that has just begun; None where it will have none, whoever logs in."""
        if not self._rows:
            return None
        rows = [row for row in self._rows if _is_on(row, session.peer.address)]
        if not rows:
            return None
        trace = Trace(self, session, rows)
        trace.choose(None)
        return trace

    def discretion(self, session: Session, has_names: bool) -> Discretion:
        return Discretion(session, has_names, self._key)

    # What traces ask.

    def wake(self, trace: Trace) -> None:
        """*trace* has lines that shall be written soon."""
        self._unwritten.add(trace)
        if self._timer is None:
            self._timer = self.reactor.callLater(_BATCH_SECONDS, self._write_all)

    def write(self, traces: Iterable[Trace]) -> None:
        """Let a thread write what *traces* have to write; one that cannot be written stops."""
        pieces: list[tuple[Trace, Piece]] = []
        size = 0
        for trace in traces:
            self._unwritten.discard(trace)
            piece = trace.take()
            if piece is None:
                continue
            if self._queued + size + len(piece.data) > _MOST_QUEUED:
                trace.fail("the disk does not keep up")
                continue
            size += len(piece.data)
            pieces.append((trace, piece))
        if pieces:
            self._queued += size
            written = self._threads.run(write, [piece for _, piece in pieces])
            written.addBoth(self._written, [trace for trace, _ in pieces], size)

    def _written(self, result: list[str] | Failure, traces: list[Trace], size: int) -> None:
        self._queued -= size
        faults = [result.getErrorMessage()] * len(traces) if isinstance(result, Failure) else result
        for trace, fault in zip(traces, faults, strict=True):
            if fault:
                trace.fail(fault)
        if not self._queued:
            flushing, self._flushing = self._flushing, []
            for waiting in flushing:
                waiting.callback(None)

    def flush(self) -> Deferred[None]:
        """Write what is left, and leave no timer; the Deferred fires when nothing waits for the disk any more."""
        self._write_all()
        if not self._queued:
            return succeed(None)
        flushed: Deferred[None] = Deferred()
        self._flushing.append(flushed)
        return flushed

    def close(self) -> None:
        """Let the thread end once it has written what waits."""
        self._pool.close()

    def _write_all(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self.write(tuple(self._unwritten))


def _is_on(row: TraceSettings, address: str) -> bool:
    if not row.networks:
        return True
    client = ipaddress.ip_address(address) if address else None
    return client is not None and any(client in network for network in row.networks)
