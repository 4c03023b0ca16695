"""Targets: where log lines go, as observers for `twisted.logger`: a terminal, a file, syslog; readable text or JSON.

Apart from the journal, which says what is told.  A file is opened for appending and can be opened again after logrotate has moved it.
"""

from __future__ import annotations

import json
import os
import re
import sys
import syslog
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from io import FileIO
from operator import itemgetter
from string import Formatter
from typing import Any, TextIO

from twisted.logger import ILogObserver, LogEvent, LoggingFile, LogLevel, formatEvent
from zope.interface import implementer

from ftpd.logs.journal import FIELDS
from ftpd.logs.settings import TargetSettings
from ftpd.logs.visible import readable, visible

__all__ = ["LogFile", "Target", "json_line", "make_target", "text_line"]

_WEIGHTS = {level: weight for weight, level in enumerate(LogLevel.iterconstants())}  # debug first
# Not blocking, for a FIFO that nobody reads: that is ENXIO then, and not a wait.
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
_PLAIN = re.compile(r"|\.[0-9]f")  # what our own forms say of how a field is written
_FACILITY = 11 << 3  # ftp in RFC 5424 6.2.1; `syslog.LOG_FTP` comes with Python 3.13
_PRIORITIES = {
    "debug": syslog.LOG_DEBUG,
    "info": syslog.LOG_INFO,
    "warn": syslog.LOG_WARNING,
    "error": syslog.LOG_ERR,
    "critical": syslog.LOG_CRIT,
}


class LogFile:
    """A file that whole lines are appended to; each line is one write, so that two processes can share it.

    Raises `OSError` where it cannot be opened.
    """

    def __init__(self, os_path: str) -> None:
        self._os_path = os_path
        self._file: FileIO | None = _open(os_path)
        self._changes = 0  # under way, each of which has the number
        self._lock = threading.Lock()

    def write(self, line: str) -> None:
        """Append *line*; after `close`, nothing."""
        if self._file is not None:
            self._file.write(f"{line}\n".encode("utf-8", "backslashreplace"))

    def reopen(self) -> None:
        """Open the path anew: logrotate has moved the old file.  Where that fails the old one stays in use, and `OSError` is raised.

        It may block, and be called in any thread: lines that are written meanwhile go to the old file.
        """
        with _open(self._os_path) as new:
            with self._lock:
                file = self._file
                if file is None:
                    return
                self._changes += 1
            try:
                os.dup2(new.fileno(), file.fileno(), inheritable=False)  # whoever is writing keeps a number that is this file's
            finally:
                with self._lock:
                    self._changes -= 1
                    if self._file is None and not self._changes:
                        file.close()

    def close(self) -> None:
        """Close it, or have it closed when it has been opened anew; may be called twice."""
        with self._lock:
            file, self._file = self._file, None
            if file is not None and not self._changes:
                file.close()


class Stream:
    """A stream that is somebody else's, such as standard error; written to, never closed."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> None:
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def reopen(self) -> None: ...
    def close(self) -> None: ...


class SystemLog:
    """syslog, facility FTP, through the C library."""

    def __init__(self) -> None:
        syslog.openlog("ftpd", syslog.LOG_PID, _FACILITY)

    def write(self, line: str) -> None:
        """Tell *line*, which begins with its level, and the lines of a traceback that follow it; a message itself has no line end."""
        priority = _PRIORITIES[line.partition(" ")[0]]
        for each in line.split("\n"):
            syslog.syslog(priority, each)

    def reopen(self) -> None: ...
    def close(self) -> None: ...


@implementer(ILogObserver)
class Target:
    """An `ILogObserver` that writes what weighs at least *level* to *sink*, as *form* has it; *sink* is reopened and closed with it."""

    def __init__(self, level: str, form: Callable[[LogEvent], str], sink: LogFile | Stream | SystemLog) -> None:
        self._least = _WEIGHTS[LogLevel.levelWithName(level)]
        self._form = form
        self._sink = sink

    def __call__(self, event: LogEvent) -> None:
        if _WEIGHTS.get(event.get("log_level"), 1) >= self._least:
            self._sink.write(self._form(event))

    def reopen(self) -> None:
        self._sink.reopen()

    def close(self) -> None:
        self._sink.close()


def make_target(settings: TargetSettings, stream: TextIO | None = None) -> Target:
    """Open what *settings* name; *stream* stands for standard error.  Raises `OSError` where a file cannot be opened."""
    if settings.format == "syslog":
        return Target(settings.level, _timeless_line, SystemLog())
    form = json_line if settings.format == "json" else text_line
    sink = LogFile(settings.file) if settings.file else Stream(stream or _standard_error())
    return Target(settings.level, form, sink)


def _standard_error() -> TextIO:
    """Return standard error itself, also where `twistd` has put its log in its place: each line would come back as a line, without end."""
    return sys.__stderr__ if isinstance(sys.stderr, LoggingFile) and sys.__stderr__ is not None else sys.stderr


def text_line(event: LogEvent) -> str:
    """Return *event* as `TIME LEVEL message`; lines of a traceback follow, indented, so that none can pass for a log line."""
    return f"{_time(event)} {_timeless_line(event)}"


def json_line(event: LogEvent) -> str:
    """Return *event* as one JSON object: time, level, source, message, and those of `FIELDS` that it has."""
    row: dict[str, Any] = {
        "time": _time(event),
        "level": event.get("log_level", LogLevel.info).name,
        "source": event.get("log_namespace", ""),
        "message": readable(_message(event)),
    }
    row |= {field: _plain(event[field]) for field in FIELDS if field in event}
    if lines := _traceback(event):
        row["traceback"] = readable("\n".join(lines))
    return json.dumps(row)


def _timeless_line(event: LogEvent) -> str:
    line = f"{event.get('log_level', LogLevel.info).name} {visible(_message(event))}"
    if event.get("log_failure") is None:
        return line
    return "\n".join([line, *[f"    {visible(row)}" for row in _traceback(event)]])


def _message(event: LogEvent) -> str:
    """Fill in the event's format as `formatEvent` does, faster: a whole line costs 8 us instead of 20 (tests/bench: retr)."""
    form = event.get("log_format")
    if isinstance(form, str):
        try:
            template, fields = _template(form)
            return (form.format_map(event) if fields is None else template % fields(event)).strip()
        except Exception:  # a call, or something that cannot be formatted, about which formatEvent has words
            return formatEvent(event).strip()
    return formatEvent(event).strip()


@lru_cache(maxsize=256)
def _template(form: str) -> tuple[str, Callable[[LogEvent], tuple[Any, ...]] | None]:
    """Return *form* as a template for `%`, which fills it in twice as fast (tests/bench: tftp-tiny), and what takes its fields out of an event.

    None in their place: it has parts that `%` does not know, or not two fields.
    """
    template, names = "", []
    for literal, name, written, conversion in Formatter().parse(form):
        template += literal.replace("%", "%%")
        if name is None:
            continue
        if not name.isidentifier() or conversion or not _PLAIN.fullmatch(written or ""):
            return form, None
        template += f"%{written or 's'}"
        names.append(name)
    return template, itemgetter(*names) if len(names) > 1 else None


def _traceback(event: LogEvent) -> list[str]:
    failure = event.get("log_failure")
    return failure.getTraceback().splitlines() if failure is not None else []


def _time(event: LogEvent) -> str:
    """UTC to the millisecond, ISO 8601: sorts, and means the same on every machine."""
    second, milliseconds = divmod(int(event.get("log_time", 0.0) * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}Z"


@lru_cache(maxsize=8)  # lines of one moment share it: 0.5 us instead of 3 (tests/bench: stor)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).replace(tzinfo=None).isoformat()


def _plain(value: object) -> object:
    if isinstance(value, str):
        return readable(value)
    return value if isinstance(value, int | float | None) else readable(str(value))


def _open(os_path: str) -> FileIO:
    descriptor = os.open(os_path, _APPEND, 0o640)  # peers and names: not for everybody
    os.set_blocking(descriptor, True)
    return FileIO(descriptor, "a")
