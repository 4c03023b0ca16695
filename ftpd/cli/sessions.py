"""Sessions as lines: what `ftpd who` prints, and with `--watch` redraws.

Apart from the command, and pure: rows go in, lines come out.  Whatever a client named is `visible`: nothing of it steers the terminal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Final

import attrs

from ftpd.cli.table import clip, columns, cut, width
from ftpd.cli.units import clock, counted, duration, rate, size, time_left
from ftpd.logs.visible import visible
from ftpd.values import SessionRow

__all__ = ["View", "session_board", "session_table"]

_HEAD: Final = ("SESSION", "ACCOUNT", "ADDRESS", "SINCE")
_LEAST_PATH: Final = 16  # cells that are left of a path at least, before a tail
_LEAST_PATH_ALONE: Final = 8  # and where it has the line to itself: a narrower terminal breaks it
_MOST_ACCOUNT: Final = 24
_LEAST_BAR: Final = 10
_MOST_BAR: Final = 40
_BAR_WORDS: Final = 52  # cells beside the bar: "  [" "]  " "100 % of 99.9 GiB  99.9 MiB/s  10:12:34 left"
_GAP: Final = "  "


@attrs.frozen
class View:
    """What is looked at when, and through what: *now* in seconds since the epoch; *columns* and *lines* None where nothing bounds them.

    *zone* None is the machine's.
    """

    now: float
    columns: int | None = None
    lines: int | None = None
    zone: tzinfo | None = None


def session_table(rows: Sequence[SessionRow], speeds: Mapping[str, float], view: View) -> list[str]:
    """Return a head and a line for each of *rows*; *speeds* are bytes a second, by session.

    Where that is too wide, how far a transfer is stands on a line of its own.
    """
    words = [_GAP.join(_progress(row, speeds)) if row.command else "" for row in rows]
    lines = _table(rows, [text and _GAP + text for text in words], view)
    if view.columns is None or max(map(width, lines)) <= view.columns:
        return lines
    head, *lines = _table(rows, [""] * len(rows), view)
    pairs = zip(lines, words, strict=True)
    return [head, *(text for line, below in pairs for text in ((line, _GAP + below) if below else (line,)))]


def session_board(rows: Sequence[SessionRow], speeds: Mapping[str, float], view: View) -> list[str]:
    """Return totals, the sessions with a transfer, each with a bar below it, then the others: what fits, and how many do not."""
    rows = sorted(rows, key=lambda row: not row.command)
    head, *lines = _table(rows, [""] * len(rows), view)
    blocks = [[line, _bar(row, speeds, view)] if row.command else [line] for row, line in zip(rows, lines, strict=True)]
    board = [_totals(rows, speeds, view), "", head]
    for index, block in enumerate(blocks):
        rest = len(blocks) - index
        if view.lines is not None and len(board) + len(block) + (rest > 1) > view.lines:
            board.append(f"{rest} more")
            break
        board += block
    return board if view.columns is None else [clip(line, view.columns) for line in board]


def _table(rows: Sequence[SessionRow], tails: Sequence[str], view: View) -> list[str]:
    """Return a head and a line for each of *rows*, whose path gives way to its tail."""
    left = [_HEAD, *(_who(row, view) for row in rows)]
    room = None if view.columns is None else view.columns - max(map(width, columns(left))) - len(_GAP)
    doing = ["DOING", *(_doing(row, tail, room, view) for row, tail in zip(rows, tails, strict=True))]
    return list(columns([(*cells, last) for cells, last in zip(left, doing, strict=True)]))


def _who(row: SessionRow, view: View) -> tuple[str, str, str, str]:
    account = f"{row.account} ({row.host})" if row.account and row.host else row.account or "-"
    return row.session, cut(visible(account), _MOST_ACCOUNT), row.address or "local", clock(row.since, view.now, view.zone)


def _doing(row: SessionRow, tail: str, room: int | None, view: View) -> str:
    if not row.command:
        doing = f"idle {duration(view.now - row.heard)}" if row.account else "not logged in"
        return f"{doing} ({row.device}: {row.tolerated})" if row.tolerated else doing
    path = visible(row.path)
    if room is not None:
        least = _LEAST_PATH if tail else _LEAST_PATH_ALONE
        path = cut(path, max(least, room - width(row.command) - 1 - width(tail)))
    return f"{visible(row.command)} {path}".rstrip() + tail


def _progress(row: SessionRow, speeds: Mapping[str, float]) -> list[str]:
    """Say how far the transfer is, how fast, and how long it will take."""
    speed = speeds.get(row.session, 0.0)
    words = [size(row.moved) if row.size is None else f"{_percent(row)} % of {size(row.size)}"]
    if speed:
        words.append(rate(speed))
        if row.size is not None:
            words.append(f"{time_left(max(0, row.size - row.moved) / speed)} left")
    return words


def _bar(row: SessionRow, speeds: Mapping[str, float], view: View) -> str:
    far, *fast = _progress(row, speeds)
    cells = _MOST_BAR if view.columns is None else min(_MOST_BAR, max(_LEAST_BAR, view.columns - _BAR_WORDS))
    if row.size is None:  # nobody knows how much is left
        bar = " " * (cells + len("[]"))
    else:
        done = cells * _percent(row) // 100
        bar, far = f"[{'#' * done}{'-' * (cells - done)}]", far.rjust(len("100 % of 99.9 GiB"))
    return _GAP.join(("", bar, far, *fast))


def _percent(row: SessionRow) -> int:
    return min(100, 100 * row.moved // row.size) if row.size else 100


def _totals(rows: Sequence[SessionRow], speeds: Mapping[str, float], view: View) -> str:
    at = datetime.fromtimestamp(view.now, view.zone)
    down, up = (
        sum(speeds.get(row.session, 0.0) for row in rows if row.direction == direction) for direction in ("download", "upload")
    )
    transfers = sum(bool(row.command) for row in rows)
    return _GAP.join(
        (
            f"{at:%H:%M:%S}",
            counted(len(rows), "session"),
            counted(transfers, "transfer"),
            f"downloads {rate(down)}",
            f"uploads {rate(up)}",
        )
    )
