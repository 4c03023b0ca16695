"""Overview: the state of a server as lines, what `ftpd status` prints.

Apart from the command, and pure.
"""

from __future__ import annotations

from typing import Final

from ftpd.cli.sessions import View
from ftpd.cli.table import columns
from ftpd.cli.units import clock, counted, duration
from ftpd.logs.visible import visible
from ftpd.processes.status import ListenerStatus, Status

__all__ = ["overview"]

_HEAD: Final = ("WORKER", "PROCESS", "STATE", "SINCE", "GENERATION", "SESSIONS", "TRANSFERS", "RESTARTS")
_RIGHT: Final = frozenset({0, 1, 4, 5, 6, 7})


def overview(status: Status, view: View) -> list[str]:
    """Return what there is to know of the server, then a line for each worker."""
    sessions = counted(sum(worker.sessions for worker in status.workers), "session")
    transfers = counted(sum(worker.transfers for worker in status.workers), "transfer")
    facts = [
        ("Server", f"ftpd {status.version}, process {status.pid}"),
        ("Since", f"{clock(status.since, view.now, view.zone)} ({duration(view.now - status.since)})"),
        ("Configuration", visible(status.configuration)),
        *(("Listens", _listener(listener)) for listener in status.listeners),
        ("Locked", "no" if status.locked is None else visible(status.locked)),
        ("Serves", f"{sessions}, {transfers}"),
    ]
    return [*columns(facts), "", *columns([_HEAD, *_workers(status, view)], _RIGHT)]


def _listener(listener: ListenerStatus) -> str:
    kind = "implicit TLS" if listener.tls else "" if listener.protocol == "ftp" else listener.protocol.upper()
    return f"{listener.address} port {listener.port}{f' ({kind})' if kind else ''}"


def _workers(status: Status, view: View) -> list[tuple[str, ...]]:
    return [
        (
            str(worker.slot),
            str(worker.pid),
            worker.state,
            clock(worker.since, view.now, view.zone),
            str(worker.generation),
            str(worker.sessions),
            str(worker.transfers),
            str(worker.restarts),
        )
        for worker in status.workers
    ]
