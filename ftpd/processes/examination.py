"""Examination: a configuration is read and tried in a process of its own, while the parent does what it always does.

Apart from that process, the `examiner`, whose code the parent need not load, and from the fleet, which knows what may not change.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import attrs
from twisted.internet import defer
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from ftpd.config.source import Overrides, Source
from ftpd.processes.language import read_problem
from ftpd.processes.operator import Refused
from ftpd.processes.program import ending, started
from ftpd.schema import ConfigError

__all__ = ["ANSWER", "Finding", "examined"]

ANSWER: Final = 3  # the descriptor on which the examiner answers; 1 and 2 are its extensions' to write to
_MOST_SECONDS: Final = 120.0


@attrs.frozen
class Finding:
    """A configuration that can be used: its text, as it was tried, how many workers serve it, and what an operator should know of it."""

    source: Source
    workers: int
    warnings: Sequence[str]


async def examined(reactor: Any, file: str, overrides: Overrides) -> Finding:
    """Return what the configuration *file*, with *overrides* over it, says by now.

    Raises `ConfigError` with everything in it that cannot be used, and `Refused` where it cannot be told, since something that it names hangs for two
    minutes.  May be cancelled.
    """
    examination = _Examination(json.dumps({"file": file, "overrides": attrs.asdict(overrides)}).encode())
    try:
        examination.process = started(reactor, examination, {0: "w", 1: 1, 2: 2, ANSWER: "r"}, "ftpd.processes.examiner")
    except OSError as error:
        raise Refused(f"The configuration cannot be examined: {error.strerror}.") from error
    try:
        answer = await examination.answer.addTimeout(_MOST_SECONDS, reactor)
    except defer.TimeoutError as error:
        raise Refused(
            f"The configuration could not be examined within {_MOST_SECONDS:.0f} s: something that it names hangs, such as a disk or a name server."
        ) from error
    if answer["problems"]:
        raise ConfigError(map(read_problem, answer["problems"]))
    return Finding(Source.of_message(answer["source"]), answer["workers"], answer["warnings"])


class _Examination(ProcessProtocol):
    """Asks the examiner *question*; `answer` is what it says, or fails with `Refused`.  To cancel that kills it."""

    process: Any
    transport: Any

    def __init__(self, question: bytes) -> None:
        self._question = question
        self._parts: list[bytes] = []
        self.answer: Deferred[dict[str, Any]] = Deferred(lambda _: self._kill())

    def _kill(self) -> None:
        with suppress(ProcessExitedAlready):
            self.process.signalProcess("KILL")

    def connectionMade(self) -> None:
        self.transport.write(self._question)
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        self._parts.append(data)

    def processEnded(self, reason: Failure) -> None:
        if self.answer.called:  # by who has cancelled it
            return
        try:
            self.answer.callback(json.loads(b"".join(self._parts)))
        except ValueError:
            self.answer.errback(
                Refused(f"The configuration could not be examined: the process that did it ended with {ending(reason.value)}.")
            )
