"""The logs of one running server, open: its targets join `twisted.logger`, its xferlog hears the events.

Apart from the single targets: here they are opened, reopened and closed together.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, TextIO, TypeVar

from twisted.internet.defer import Deferred, DeferredLock, gatherResults
from twisted.logger import Logger, LogLevel, globalLogPublisher

from ftpd.errors import Unavailable
from ftpd.logs.settings import LogSettings, TargetSettings
from ftpd.logs.targets import LogFile, Target, make_target
from ftpd.logs.xferlog import Xferlog
from ftpd.schema import ConfigError, Problem
from ftpd.spi import Observer, Threads

__all__ = ["OpenLogs"]

Part = TypeVar("Part", Target, LogFile)


class OpenLogs:
    """What *settings* name, opened at once, so that a wrong path is told at start.  Raises `ConfigError`.

    `observers` are observers of events; the targets observe `twisted.logger` until `close`.  `least` is the least weight of a line
    that any target writes; without targets whoever else observes gets everything.
    """

    _log = Logger()

    def __init__(self, settings: LogSettings, stream: TextIO | None = None) -> None:
        with ExitStack() as opened:
            self._targets = [
                _open(opened, f"log.targets[{index}]", _target(target, stream)) for index, target in enumerate(settings.targets)
            ]
            self._xferlog = _open(opened, "log.xferlog", lambda: LogFile(settings.xferlog)) if settings.xferlog else None
            opened.pop_all()
        self._turns = [(part, DeferredLock()) for part in self._parts()]
        self.observers: list[Observer] = [Xferlog(self._xferlog.write)] if self._xferlog else []
        self.least: Any = min((LogLevel.levelWithName(target.level) for target in settings.targets), default=LogLevel.debug)
        for target in self._targets:
            globalLogPublisher.addObserver(target)

    async def reopen(self, threads: Threads) -> None:
        """Open every file anew, in *threads*: a disk that hangs holds up nobody, and no other file.

        One that cannot be opened is logged, and the old file stays in use.
        """
        reopened = [Deferred.fromCoroutine(self._reopen(part, turn, threads)) for part, turn in self._turns]
        await gatherResults(reopened, consumeErrors=True)
        self._log.info("log files opened anew")

    async def _reopen(self, part: Target | LogFile, turn: DeferredLock, threads: Threads) -> None:
        if turn.waiting:  # one that has not begun yet will do
            return
        await turn.acquire()
        try:
            await threads.run(part.reopen)
        except OSError as error:
            self._log.error("log file not opened anew, the old one stays in use: {error}", error=error)
        except Unavailable:  # the server is stopping
            pass
        finally:
            turn.release()

    def close(self) -> None:
        """Take the targets off and close the files; may be called twice."""
        for target in self._targets:
            globalLogPublisher.removeObserver(target)
        for part in self._parts():
            part.close()

    def _parts(self) -> list[Target | LogFile]:
        return [*self._targets, *([self._xferlog] if self._xferlog else [])]


def _target(settings: TargetSettings, stream: TextIO | None) -> Callable[[], Target]:
    return lambda: make_target(settings, stream)


def _open(opened: ExitStack, path: str, make: Callable[[], Part]) -> Part:
    try:
        part = make()
    except OSError as error:
        raise ConfigError([Problem("", path, f"cannot open {error.filename}: {error.strerror}", "")]) from error
    opened.callback(part.close)
    return part
