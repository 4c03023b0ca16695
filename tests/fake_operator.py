"""An operator that does as a test says, for both ends of the control socket.

Run as a program it serves the control socket in a real reactor: see `main`.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet.defer import Deferred

from ftpd.listening import CannotListen
from ftpd.processes.control import ControlSocket
from ftpd.processes.operator import Refused
from ftpd.processes.status import ListenerStatus, Status, WorkerStatus
from ftpd.schema import ConfigError, Problem
from ftpd.values import SessionRow

SINCE = 1_800_000_000.0  # 2027-01-15 08:00:00 UTC


def row(session: str = "0" * 16, **fields: Any) -> SessionRow:
    """A session that came at `SINCE`, as *fields* say."""
    ours = {"address": "192.0.2.1", "port": 4242, "listener": "main", "protocol": "ftp", "since": SINCE, "heard": SINCE}
    return SessionRow(session, **{**ours, **fields})


class FakeOperator:
    """`calls` are what was asked; `rows` the sessions, `answers` what calls return or raise, by name."""

    def __init__(self, rows: tuple[SessionRow, ...] = (), **answers: Any) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.rows = rows
        self.answers = answers

    async def who(self) -> tuple[SessionRow, ...]:
        await self._answer("who", None)
        return self.rows

    async def kick(self, field: str, value: str) -> int:
        self.calls.append(("kick", field, value))
        count: int = await self._answer("kick", 1)
        return count

    async def slow(self, field: str, value: str, rate: int) -> int:
        self.calls.append(("slow", field, value, rate))
        count: int = await self._answer("slow", 1)
        return count

    def lock(self, message: str) -> None:
        self.calls.append(("lock", message))

    def unlock(self) -> None:
        self.calls.append(("unlock",))

    async def reload(self) -> None:
        self.calls.append(("reload",))
        await self._answer("reload", None)

    def stop(self, now: bool) -> float:
        self.calls.append(("stop", now))
        if "stop" in self.answers:
            self.answers["stop"]()
        return 2.0

    def status(self) -> Status:
        return Status(
            version="0.1.0",
            pid=1234,
            since=SINCE,
            configuration="/etc/ftpd/ftpd.toml",
            locked=None,
            listeners=(ListenerStatus("0.0.0.0", 21), ListenerStatus("::", 990, tls=True)),
            workers=(
                WorkerStatus(slot=0, pid=1235, state="ready", generation=2, since=SINCE + 60, sessions=12, transfers=3),
                WorkerStatus(slot=0, pid=1199, state="draining", generation=1, since=SINCE, sessions=1, restarts=4),
            ),
        )

    async def _answer(self, name: str, usual: Any) -> Any:
        answer = self.answers.get(name, usual)
        if isinstance(answer, Deferred):
            return await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


def main(os_path: str, count: int, reload: str) -> None:
    """Serve the control socket at *os_path* with *count* sessions; what *reload* does is one of "done", "broken", "refused"."""
    from twisted.internet import reactor
    from twisted.logger import globalLogBeginner, textFileLogObserver

    globalLogBeginner.beginLoggingTo([textFileLogObserver(sys.stderr)], redirectStandardIO=False)
    clock: Any = reactor
    problems = [
        Problem("ftpd.toml", "ftp.greting", "no such setting", "did you mean greeting?"),
        Problem("ftpd.toml", "a", "b", ""),
    ]
    outcome = {"done": None, "broken": ConfigError(problems), "refused": Refused("Not now.")}[reload]
    rows = tuple(row(f"{number:016}", account="ann", path="/" + "x" * 200) for number in range(count))
    operator = FakeOperator(rows, reload=outcome, stop=lambda: clock.callLater(0.1, clock.stop))
    control = ControlSocket(clock, os_path, operator)
    try:
        control.open()
    except CannotListen as error:
        sys.exit(str(error))
    clock.addSystemEventTrigger("after", "shutdown", control.close)
    print("ready", flush=True)
    clock.run()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
