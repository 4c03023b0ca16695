"""Status: what a server with workers says of itself (`ftpd status`).

Apart from who fills it in, so that the command line reads it without Twisted.
"""

from __future__ import annotations

import attrs

__all__ = ["ListenerStatus", "Status", "WorkerStatus"]


@attrs.frozen
class ListenerStatus:
    """A listening socket, as bound; `tls`: TLS begins with the connection; `protocol` is "ftp" or "tftp"."""

    address: str
    port: int
    tls: bool = False
    protocol: str = "ftp"


@attrs.frozen
class WorkerStatus:
    """One worker process.

    `state` is "starting", "ready" or "draining".  `generation` counts reloads; `restarts` how often the worker of this slot has died.
    `since` is when it was started, in seconds since the epoch.
    """

    slot: int
    pid: int
    state: str
    generation: int
    since: float
    sessions: int = 0
    transfers: int = 0
    restarts: int = 0


@attrs.frozen
class Status:
    """The server: `pid` is the parent's, `since` when it was started; `locked` the message of `ftpd lock`, None where it is not locked."""

    version: str
    pid: int
    since: float
    configuration: str
    locked: str | None
    listeners: tuple[ListenerStatus, ...]
    workers: tuple[WorkerStatus, ...]
