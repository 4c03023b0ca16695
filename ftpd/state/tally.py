"""Tally: how failed logins of one address add up to a ban.

Apart from the states, which keep it in memory or in a file, and must count alike.
"""

from __future__ import annotations

import attrs

from ftpd.values import Failures

__all__ = ["Tally", "counted"]


@attrs.frozen
class Tally:
    """`count` failed logins since `since`; banned until `until`, 0.0 for never.  Times in seconds since the epoch."""

    count: int
    since: float
    until: float

    def failures(self, now: float) -> Failures:
        """Return what `spi.State.fail` tells of it."""
        return Failures(self.count, self.until if self.until > now else 0.0)


def counted(before: Tally | None, now: float, window: float, most: int, ban: float) -> Tally:
    """Return *before* with one more failure; see `spi.State.fail`.

    A login that was under way when the ban began, and fails too, makes it last longer and never shorter.  A clock that was set back begins a
    new window.
    """
    if before is None:
        before = Tally(0, now, 0.0)
    elif not 0 <= now - before.since < window:
        before = Tally(0, now, before.until)
    count = before.count + 1
    is_banned = 0 < most <= count
    return Tally(count, before.since, max(before.until, now + ban) if is_banned else before.until)
