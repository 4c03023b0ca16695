"""Language of the control socket: how values become lines of JSON and come back.

Apart from both sides, which import it and nothing of each other: the command line has no use for Twisted.

A request is one line, `{"protocol": 1, "do": "kick", "field": "account", "value": "ann"}`.  Its answer is any number of lines `{"part": …}`
and then `{"done": …}` or `{"failed": kind, "message": …}`.  Lines are ASCII; what was no UTF-8 in a name stands there as lone surrogates.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final, TypeVar, cast

import attrs

from ftpd.processes.status import ListenerStatus, Status, WorkerStatus
from ftpd.schema import Problem
from ftpd.values import SessionRow

__all__ = [
    "MOST_REQUEST_BYTES",
    "PROTOCOL",
    "Message",
    "read_line",
    "read_problem",
    "read_row",
    "read_status",
    "written_line",
    "written_problem",
    "written_row",
    "written_status",
]

Message = Mapping[str, Any]
T = TypeVar("T", bound=attrs.AttrsInstance)

PROTOCOL: Final = 1  # the next number where one side could misunderstand the other; what is only added needs none
MOST_REQUEST_BYTES: Final = 4096

_ROW_FIELDS: Final = tuple(field.name for field in attrs.fields(SessionRow))


def written_line(message: Message) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def read_line(line: bytes) -> Message:
    """Raises `ValueError` where *line* is no JSON object."""
    try:
        message = json.loads(line)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(message, dict):
        raise ValueError("no JSON object")
    return message


def written_row(row: SessionRow) -> Message:
    return {name: getattr(row, name) for name in _ROW_FIELDS}  # a tenth of what attrs.asdict takes, for thousands of rows


def read_row(message: Message) -> SessionRow:
    """Raises `TypeError` where something is missing, as the other `read_` do."""
    return _read(SessionRow, message)


def written_status(status: Status) -> Message:
    return attrs.asdict(status)


def read_status(message: Message) -> Status:
    listeners = tuple(_read(ListenerStatus, listener) for listener in message["listeners"])
    workers = tuple(_read(WorkerStatus, worker) for worker in message["workers"])
    return _read(Status, {**message, "listeners": listeners, "workers": workers})


def written_problem(problem: Problem) -> Message:
    return attrs.asdict(problem)


def read_problem(message: Message) -> Problem:
    return _read(Problem, message)


def _read(kind: type[T], message: Message) -> T:
    """Leave out what another release of the server has added."""
    names = {field.name for field in attrs.fields(cast("Any", kind))}
    return kind(**{name: value for name, value in message.items() if name in names})
