"""The xferlog: one line per file transfer as wu-ftpd wrote it (xferlog(5)), which statistics programs and fail2ban filters still read.

Apart from the journal: the format is somebody else's, and cannot change.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ftpd.events import Event, TransferEnded
from ftpd.logs.visible import visible
from ftpd.values import Outcome

__all__ = ["Xferlog", "xferlog_line"]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIRECTIONS = {"download": "o", "upload": "i"}


class Xferlog:
    """An observer of events that hands a line, without its end, to *write* for each download and upload."""

    event_kinds = (TransferEnded,)

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._write = write
        self._clock = clock

    def __call__(self, event: Event) -> None:
        if isinstance(event, TransferEnded) and event.direction in _DIRECTIONS:
            self._write(xferlog_line(event, time.localtime(self._clock())))


def xferlog_line(event: TransferEnded, now: time.struct_time) -> str:
    """Return the line of one download or upload.

    Fields in order: time, seconds, host, bytes, name, type (a or b), special action (none), direction, access (a or r), account,
    service, authentication method (0: none beyond the password), authenticated id (*), status (c or i).
    """
    return " ".join(
        (
            f"{_DAYS[now.tm_wday]} {_MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {time.strftime('%H:%M:%S %Y', now)}",
            str(round(event.seconds)),
            event.peer.address or "localhost",
            str(event.moved),
            _word(event.path),
            "a" if event.is_ascii else "b",
            "_",
            _DIRECTIONS[event.direction],
            "a" if event.is_anonymous else "r",
            _word(event.account),
            event.peer.protocol,
            "0",
            "*",
            "c" if event.outcome is Outcome.FINISHED else "i",
        )
    )


def _word(text: str) -> str:
    """Make one field of *text*: readers split at spaces, and wu-ftpd wrote `_` for them."""
    return visible(text).replace(" ", "_") or "_"
