"""Transcript: a replay beside its recording, as lines: what was said, and where the answers differ, both.

Apart from playing, and pure.  Whatever a server said is made visible: nothing of it steers the terminal.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest

import attrs

from ftpd.logs.visible import visible
from ftpd.replay.likeness import are_alike
from ftpd.replay.player import Played, Replay
from ftpd.replay.recording import Answer, Recording, Transferred

__all__ = ["Shown", "transcript"]


@attrs.frozen
class Shown:
    """One line of a transcript: `mark` is ">" for what the client said, " " for what both answered, "-" recorded, "+" heard now."""

    mark: str
    text: str

    @property
    def is_difference(self) -> bool:
        return self.mark in "-+"

    def __str__(self) -> str:
        return f"{self.mark} {self.text}"


def transcript(recording: Recording, replay: Replay, *, only_codes: bool = False) -> Iterator[Shown]:
    """Yield what was said, with what was recorded and what was heard where they differ.

    *only_codes* lets words differ, and numbers of bytes.
    """
    recorded = [recording.greeting] if recording.greeting is not None else []
    heard = [replay.greeting] if replay.greeting is not None else []
    yield from _answers(recorded, heard, only_codes)
    for played in replay.lines:
        if played.said is not None:
            yield Shown(">", visible(played.said))
            yield from _answers(played.line.answers, played.answers, only_codes)
            yield from _data(played, only_codes)
    if replay.fault:
        yield Shown("+", f"({replay.fault})")


def _answers(recorded: list[Answer], heard: list[Answer], only_codes: bool) -> Iterator[Shown]:
    for one, other in zip_longest(recorded, heard):
        if one is not None and other is not None and are_alike(one, other, only_codes=only_codes):
            yield from _shown(" ", other)
            continue
        if one is not None:
            yield from _shown("-", one)
        if other is not None:
            yield from _shown("+", other)


def _shown(mark: str, answer: Answer) -> Iterator[Shown]:
    return (Shown(mark, visible(line)) for line in answer.lines)


def _data(played: Played, only_codes: bool) -> Iterator[Shown]:
    """Show what was transferred, where the line announced data in either of both."""
    recorded = played.line.transferred
    if recorded is None or played.moved is None:
        return
    then, now = _moved(recorded, recorded.size, ""), _moved(recorded, played.moved, played.fault)
    is_same = not (played.fault and recorded.is_finished) and (
        only_codes or recorded.direction != "download" or not recorded.is_finished or recorded.size == played.moved
    )
    if is_same:
        yield Shown(" ", now)
    else:
        yield Shown("-", then)
        yield Shown("+", now)


def _moved(recorded: Transferred, size: int, fault: str) -> str:
    return f"({recorded.direction} of {size} bytes{f': {visible(fault)}' if fault else ''})"
