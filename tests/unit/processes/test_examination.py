"""Examination: what the examiner says is believed, and its silence waited for only so long."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from ftpd.config.source import Overrides, Source
from ftpd.processes.examination import ANSWER, Finding, examined
from ftpd.processes.operator import Refused
from ftpd.schema import ConfigError, Problem

SOURCE = Source("ftpd.toml", "/etc/ftpd", "[log]\n", Overrides(listen=("[::1]:21",)))
GOOD = {"source": SOURCE.as_message(), "workers": 2, "problems": [], "warnings": ["plain passwords"]}
BAD = {
    "source": None,
    "workers": 0,
    "problems": [{"file": "ftpd.toml", "path": "log", "found": "wrong", "allowed": "right"}],
    "warnings": [],
}


class Machine(Clock):
    """A reactor on which one process can be started, by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = b""
        self.is_asked = False
        self.signals: list[str] = []

    def spawnProcess(self, protocol: Any, *arguments: Any, **options: Any) -> Machine:
        self.protocol = protocol
        protocol.makeConnection(self)
        return self

    def write(self, data: bytes) -> None:
        self.asked += data

    def closeStdin(self) -> None:
        self.is_asked = True

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def end(self, answer: bytes, how: Any = None) -> None:
        for place in range(0, len(answer), 50):
            self.protocol.childDataReceived(ANSWER, answer[place : place + 50])
        self.protocol.processEnded(Failure(how or ProcessDone(0)))


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def examination(machine: Machine) -> Deferred[Finding]:
    return Deferred.fromCoroutine(examined(machine, "ftpd.toml", Overrides(listen=("[::1]:21",))))


def result(examination: Deferred[Finding]) -> Finding:
    """Return what it came to, or raise that."""
    results: list[Any] = []
    examination.addBoth(results.append)
    [found] = results
    if isinstance(found, Failure):
        found.raiseException()
    return cast("Finding", found)


def test_it_is_asked_one_question(machine: Machine, examination: Deferred[Finding]) -> None:
    question = json.loads(machine.asked)
    assert machine.is_asked
    assert (question["file"], Overrides.of_message(question["overrides"])) == ("ftpd.toml", Overrides(listen=("[::1]:21",)))
    machine.end(json.dumps(GOOD).encode())
    result(examination)


def test_what_can_be_used_is_told_with_its_warnings(machine: Machine, examination: Deferred[Finding]) -> None:
    machine.end(json.dumps(GOOD).encode())
    assert result(examination) == Finding(SOURCE, 2, ["plain passwords"])
    assert machine.getDelayedCalls() == []


def test_what_cannot_be_used_is_told_in_full(machine: Machine, examination: Deferred[Finding]) -> None:
    machine.end(json.dumps(BAD).encode())
    with pytest.raises(ConfigError) as caught:
        result(examination)
    assert caught.value.problems == (Problem("ftpd.toml", "log", "wrong", "right"),)


def test_one_that_dies_is_said(machine: Machine, examination: Deferred[Finding]) -> None:
    machine.end(json.dumps(GOOD).encode()[:100], ProcessTerminated(signal=9))
    with pytest.raises(Refused, match=r"the process that did it ended with signal 9\.$"):
        result(examination)


def test_one_that_hangs_is_killed_after_two_minutes(machine: Machine, examination: Deferred[Finding]) -> None:
    machine.advance(119)
    assert machine.signals == []
    machine.advance(1)
    assert machine.signals == ["KILL"]
    with pytest.raises(Refused, match=r"within 120 s: something that it names hangs, such as a disk or a name server\.$"):
        result(examination)
    machine.end(b"", ProcessTerminated(signal=9))


def test_one_that_is_cancelled_is_killed(machine: Machine, examination: Deferred[Finding]) -> None:
    failures: list[Any] = []
    examination.addErrback(failures.append)
    examination.cancel()
    machine.end(b"", ProcessTerminated(signal=9))
    assert machine.signals == ["KILL"]
    assert [failure.type.__name__ for failure in failures] == ["CancelledError"]


def test_one_that_is_cancelled_and_gone_already_is_no_error(
    machine: Machine, examination: Deferred[Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_gone(name: str) -> None:
        raise ProcessExitedAlready

    monkeypatch.setattr(machine, "signalProcess", is_gone)
    examination.addErrback(lambda failure: None)
    examination.cancel()
    machine.end(json.dumps(GOOD).encode())


def test_a_process_that_cannot_be_made_is_said() -> None:
    class Full(Clock):
        def spawnProcess(self, *arguments: Any, **options: Any) -> None:
            raise OSError(11, "Resource temporarily unavailable")

    with pytest.raises(Refused, match=r"^The configuration cannot be examined: Resource temporarily unavailable\.$"):
        result(Deferred.fromCoroutine(examined(Full(), "ftpd.toml", Overrides())))
