"""Writer: the thread that the SQL of a shared state runs in, and the queue before it; what cannot wait is attempted before.

Apart from the state, which lives on the reactor thread and never waits.  Everything that was asked while one transaction ran, or while others
had the lock, goes into the next one together: the busier the server, the less a login costs.
"""

from __future__ import annotations

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from twisted.logger import Logger

from ftpd.state.calls import Call, Close, Take
from ftpd.state.database import Database
from ftpd.state.ledger import Ledger

__all__ = ["Deliver", "Writer"]

_RETRY_SECONDS: Final = 1.0

Deliver = Callable[[Sequence[Call], str | None], None]


class Writer:
    """Carries calls out on *database* by *ledger*, and hands them to *deliver*, in its thread, with what is wrong if anything is: then none was.

    It ends after a `Close`.  The thread is a daemon: a lock that is never given back does not keep the process.
    """

    _log = Logger()

    def __init__(self, database: Database, ledger: Ledger, deliver: Deliver) -> None:
        self._database = database
        self._ledger = ledger
        self._deliver = deliver
        self._waiting: deque[Call] = deque()
        # Locks, since waking a thread by anything else in the library costs several times as much (tests/bench: login).
        self._bell = threading.Lock()
        self._bell.acquire()
        self._is_rung = False
        self._at_work = threading.Lock()
        self._trouble: str | None = None
        self._is_over = False
        threading.Thread(target=self._run, name="ftpd-state", daemon=True).start()

    @property
    def is_behind(self) -> bool:
        """Whether there is anything to be carried out, or to be told to the file."""
        return bool(self._waiting) or self._ledger.is_behind

    def put(self, call: Call) -> None:
        """Have *call* carried out, with the next that is rung for at the latest.  On the reactor thread."""
        self._waiting.append(call)

    def ring(self) -> None:
        """Have what waits carried out now.  On the reactor thread."""
        if self.is_behind and not self._is_rung:
            self._is_rung = True
            self._bell.release()

    def attempt(self, call: Take) -> bool:
        """Carry *call* out here and now, with what waits, if one statement can grant it, or none; else nothing has happened.  On the reactor thread.

        It waits for nothing: not for the thread, nor for another process, nor for a disk that was slow lately.  By way of the thread a login costs
        100 us more, most of it for handing over the interpreter (tests/bench: login).
        """
        call.is_attempted = True
        call.is_attempted = self._is_done_here(self._ledger.take_at_once, [call])
        return call.is_attempted

    def tell(self) -> bool:
        """Carry out here and now what waits, and tell the file, if that is one statement; else nothing has happened.  As `attempt`."""
        return self._is_done_here(self._ledger.enter_at_once, [])

    def _is_done_here(self, work: Callable[[sqlite3.Connection, Sequence[Call]], bool], calls: list[Take]) -> bool:
        if self._is_rung or not self._at_work.acquire(blocking=False):
            return False
        try:
            others = self._taken()
            if self._database.run_at_once(lambda sql: work(sql, [*others, *calls]), is_timed=True):
                return True
            self._waiting.extendleft(reversed(others))
            return False
        finally:
            self._at_work.release()

    def note(self) -> None:
        """Where others' lock keeps the thread, remember in its place what nobody waits for, which would grow without bound."""
        if not self._at_work.acquire(blocking=False):
            return
        try:
            while self._waiting and not self._waiting[0].is_awaited:
                self._ledger.note([self._waiting.popleft()])
        finally:
            self._at_work.release()

    def _run(self) -> None:
        while not self._is_over:
            if self._bell.acquire(timeout=-1 if self._trouble is None else _RETRY_SECONDS):
                self._is_rung = False
            if self.is_behind:
                self._turn()

    def _turn(self) -> None:
        calls: list[Call] = []
        try:
            if not self._carry_out_at_once(calls):
                self._carry_out(calls)
            self._trouble = None
        except Exception as error:
            if not isinstance(error, OSError | sqlite3.Error):
                self._log.failure("the shared state cannot be written")
            self._remember(calls)
            self._trouble = str(error)
        if any(isinstance(call, Close) for call in calls):
            self._is_over = True
            with self._at_work:
                self._database.close()
        self._deliver(calls, self._trouble)

    def _carry_out_at_once(self, calls: list[Call]) -> bool:
        """Do what waits without the lock, if that is possible, and move it to *calls*; else it waits on, where `note` finds it."""
        with self._at_work:
            calls += self._taken()
            if self._database.run_at_once(lambda sql: self._ledger.enter_at_once(sql, calls)):
                return True
            self._waiting.extendleft(reversed(calls))
            calls.clear()
        return False

    def _carry_out(self, calls: list[Call]) -> None:
        """Take the lock first, then what waits: so whatever comes meanwhile goes along."""
        for call in self._waiting.copy():
            self._ledger.prepare(call)
        with self._database.locked(), self._at_work:
            calls += self._taken()
            self._database.run(lambda sql: self._ledger.apply(sql, calls))
            self._ledger.committed()
        with self._at_work:
            self._ledger.read(self._database.connection, calls)

    def _remember(self, calls: list[Call]) -> None:
        with self._at_work:
            calls += self._taken()
            self._ledger.note(calls)

    def _taken(self) -> list[Call]:
        calls = []
        while self._waiting:
            calls.append(self._waiting.popleft())
        return calls
