"""Settings of the processes: how many, as whom, and how they end."""

from __future__ import annotations

import os

import attrs

from ftpd.schema import FilePath, Seconds, Workers, setting

__all__ = ["ProcessSettings", "available_processors"]


@attrs.frozen
class ProcessSettings:
    """The `[process]` table."""

    workers: Workers = setting(
        Workers(-1),
        help="Processes that serve, beside the one that starts them; cores: as many as there are; 0: none, the first one serves, and cannot be reloaded.",
    )
    user: str = setting("", help="Who the server becomes once its ports are open, where root has started it; empty: nobody else.")
    group: str = setting("", help="Its group, and who may use the control socket; empty: the group of user.")
    directory: FilePath = setting(
        FilePath(""),
        help="Where the control socket and the shared state are; empty: $RUNTIME_DIRECTORY, else /run/ftpd for root, else $XDG_RUNTIME_DIR/ftpd.",
    )
    stop: Seconds = setting(Seconds(30), help="How long transfers may go on when the server is stopped.", unit="s", minimum=0)
    drain: Seconds = setting(
        Seconds(3600),
        help="How long sessions may go on with the old settings after a reload; then their transfers are cut.",
        unit="s",
        minimum=0,
    )
    drain_idle: Seconds = setting(
        Seconds(60), help="How long such a session may be quiet before it is ended with 421.", unit="s", minimum=0
    )

    @property
    def count(self) -> int:
        """The number of workers, 0 for none."""
        return self.workers if self.workers >= 0 else available_processors()


def available_processors() -> int:
    """Return on how many processors this process may run."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
