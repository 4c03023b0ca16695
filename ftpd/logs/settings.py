"""Settings of the logs."""

from __future__ import annotations

import attrs

from ftpd.schema import FilePath, setting

__all__ = ["LogSettings", "TargetSettings"]


@attrs.frozen
class TargetSettings:
    """One `[[log.targets]]` table: a place where log lines go.  Repeat it for more."""

    format: str = setting(
        "text",
        help="text: one readable line each; json: one JSON object each; syslog: to the system's log.",
        choices=("text", "json", "syslog"),
    )
    file: FilePath = setting(FilePath(""), help="File that lines are appended to; empty: standard error; not for syslog.")
    level: str = setting(
        "info",
        help="Least weight that is written; debug has one line for every command.",
        choices=("debug", "info", "warn", "error", "critical"),
    )


@attrs.frozen
class LogSettings:
    """The `[log]` table."""

    xferlog: FilePath = setting(
        FilePath(""), help="File for one line per file transfer in the format of wu-ftpd's xferlog; empty: none."
    )
    targets: tuple[TargetSettings, ...] = setting(
        (), help="Where log lines go; none: readable lines on standard error, or under twistd to twistd's own log."
    )
