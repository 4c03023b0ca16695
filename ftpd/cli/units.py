"""Units: sizes, rates and times as people read them.

Apart from tables and sentences, which both have them.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Final

__all__ = ["clock", "counted", "duration", "rate", "size", "time_left"]

_UNITS: Final = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_SPANS: Final = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def size(count: float) -> str:
    """Return *count* bytes with three digits: `512 B`, `1.50 KiB`, `12.3 MiB`."""
    unit = 0
    while count >= 999.5 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    digits = 0 if not unit or count >= 99.95 else 1 if count >= 9.995 else 2
    return f"{count:.{digits}f} {_UNITS[unit]}"


def rate(bytes_a_second: float) -> str:
    return f"{size(bytes_a_second)}/s"


def duration(seconds: float) -> str:
    """Return the two largest units of *seconds*, rounded down: `3 d 4 h`, `2 min`, `12 s`."""
    whole = max(0, int(seconds))
    for span, name, lesser, lesser_name in _SPANS:
        count, rest = divmod(whole, span)
        if count:
            return f"{count} {name} {rest // lesser} {lesser_name}" if rest // lesser else f"{count} {name}"
    return f"{whole} s"


def time_left(seconds: float) -> str:
    """Return *seconds* as a clock that runs down: `0:07`, `12:34`, `1:02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def clock(at: float, now: float, zone: tzinfo | None = None) -> str:
    """Return when *at* was, both in seconds since the epoch: `08:44` where it was on the day of *now*, else `2026-11-20`.

    *zone* None is the machine's.
    """
    moment = datetime.fromtimestamp(at, zone)
    return f"{moment:%H:%M}" if moment.date() == datetime.fromtimestamp(now, zone).date() else f"{moment:%Y-%m-%d}"


def counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
