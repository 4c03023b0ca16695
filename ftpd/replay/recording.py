"""Recording: what a trace file says, checked: lines in order, and for each what was answered and what was transferred.

Apart from playing it, and strict: a file that comes from a stranger says how many bytes are to be sent and how much memory is taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any, Final

import attrs

__all__ = ["Answer", "Line", "Recording", "Transferred", "Unreadable", "read"]

_FORMAT: Final = 1
_MOST_LINE: Final = 2 * 1024 * 1024  # bytes of the file: a reply of 1 MiB, escaped
_MOST_RECORDS: Final = 1_000_000
_MOST_BYTES: Final = 256 * 1024 * 1024
_DIRECTIONS: Final = frozenset({"upload", "download", "listing"})


class Unreadable(Exception):
    """The file is no trace, or one that cannot be played; the message says where and why."""


@attrs.frozen
class Answer:
    """One reply: its code and its lines, the code still in them.  `is_cut`: only the code was written down."""

    code: int
    lines: tuple[str, ...]
    is_cut: bool = False


@attrs.frozen
class Transferred:
    """What moved over a data connection.

    `is_finished` says that it did so to the end, `is_reset` that the client broke it off by closing it, `is_refused` that the server did,
    for a reason of its own: a full disk, a limit.
    """

    direction: str
    size: int
    is_finished: bool
    is_reset: bool
    is_protected: bool
    is_refused: bool = False


@attrs.define
class Line:
    """One line of the client.  `answers` end with the final one; `answered_before` counts the final replies that it was said after."""

    text: str
    is_cut: bool
    answered_before: int
    answers: list[Answer] = attrs.field(factory=list)
    transferred: Transferred | None = None

    @property
    def verb(self) -> str:
        return self.text.partition(" ")[0].upper()

    @property
    def argument(self) -> str:
        return self.text.partition(" ")[2]


@attrs.frozen
class Recording:
    """A whole trace.  `greeting` is None where the client heard none; `is_whole`: it has the end of the session."""

    is_implicit: bool
    greeting: Answer | None
    lines: tuple[Line, ...]
    is_whole: bool


def read(file: IO[bytes]) -> Recording:
    """Read a trace; raises :class:`Unreadable`."""
    records = _records(file)
    first = next(records, None)
    if first is None or first.get("trace") != _FORMAT:
        found = "nothing" if first is None else f"format {first.get('trace')!r}"
        raise Unreadable(f"line 1: {found}, and a trace of format {_FORMAT} was expected")
    lines: list[Line] = []
    greeting: Answer | None = None
    answered, is_whole = 0, False
    for number, record in enumerate(records, 2):
        try:
            if "heard" in record:
                lines.append(Line(_text(record["heard"]), record.get("cut") is True, answered))
            elif "said" in record:
                answer = _answer(record)
                if "to" in record:
                    _line(lines, record["to"]).answers.append(answer)
                    answered += answer.code >= 200
                elif greeting is None and not lines:
                    greeting = answer
            elif "data" in record:
                _line(lines, record["data"]["to"]).transferred = _transferred(record["data"])
            is_whole = is_whole or "end" in record
        except (LookupError, TypeError, ValueError) as error:
            raise Unreadable(f"line {number}: {error!r}") from error
    return Recording(first.get("implicit_tls") is True, greeting, tuple(lines), is_whole)


def _records(file: IO[bytes]) -> Iterator[Mapping[str, Any]]:
    read_bytes = 0
    for number in range(1, _MOST_RECORDS + 2):
        raw = file.readline(_MOST_LINE + 1)
        if not raw:
            return
        read_bytes += len(raw)
        if len(raw) > _MOST_LINE or read_bytes > _MOST_BYTES or number > _MOST_RECORDS:
            raise Unreadable(f"line {number}: the trace is too large")
        try:
            record = json.loads(raw)
        except (ValueError, RecursionError) as error:
            raise Unreadable(f"line {number}: no JSON: {error}") from error
        if not isinstance(record, dict):
            raise Unreadable(f"line {number}: no JSON object")
        yield record


def _line(lines: list[Line], number: object) -> Line:
    if not isinstance(number, int) or not 0 < number <= len(lines):
        raise ValueError(f"there is no line {number!r}")
    return lines[number - 1]


def _text(value: object) -> str:
    if not isinstance(value, str) or "\r" in value or "\n" in value:
        raise ValueError("a line has to be text without a line end")
    value.encode("utf-8", "surrogateescape")  # only bytes can be said: UnicodeEncodeError is a ValueError
    return value


def _answer(record: Mapping[str, Any]) -> Answer:
    lines: Iterable[object] = record["said"]
    texts = tuple(map(_text, lines))
    code = int(texts[0][:3])
    if not 100 <= code < 700:
        raise ValueError(f"{code} is no reply code")
    return Answer(code, texts, record.get("cut") is True)


def _transferred(data: Mapping[str, Any]) -> Transferred:
    size, direction, outcome = data["bytes"], data["direction"], data["outcome"]
    if not isinstance(size, int) or size < 0 or direction not in _DIRECTIONS:
        raise ValueError("a transfer has a direction and a size")
    return Transferred(
        direction,
        size,
        outcome == "finished",
        outcome == "peer-fault",
        data.get("tls") is True,
        is_refused=outcome == "local-fault",
    )
