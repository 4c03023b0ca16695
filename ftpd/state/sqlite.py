"""SQLiteState: the shared state of a server of several processes on one machine, in a file.

Here is the side of it that the reactor sees, and that never waits; `writer` is the thread, `ledger` what stands in the file, and `database`
the file.  Apart from the one in memory: importing this imports sqlite3, and only who opens one does.

The parent calls `prepare` once, after it has given up root and before any worker starts.  Each worker, and the parent for its own part, makes a
`SQLiteState` on its running reactor (or before it runs, but after the last fork), and awaits `close` while that still runs.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ftpd.errors import Unavailable
from ftpd.spi import Clock, DelayedCall
from ftpd.state.calls import Ask, Call, Close, Fail, Forget, GiveBack, Report, Sessions, Share, Take
from ftpd.state.database import Database
from ftpd.state.ledger import Ledger, clear
from ftpd.state.writer import Writer
from ftpd.values import Failures, Place, Request, SessionRow

__all__ = ["SQLiteState", "prepare"]

_MOST_SECONDS: Final = 5.0  # that anybody waits for an answer
_SOON_SECONDS: Final = 0.02  # for what nobody waits for
_log = Logger()


class _Reactor(Clock, Protocol):
    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None: ...


def prepare(path: str, mode: int = 0o600) -> None:
    """Make the file at *path* ready for the workers of a new run; it blocks, for 5 s at most.

    It is made with these mode bits if it is missing.  Places, sessions and requests of a former run are removed; bans and failed logins stay,
    but for those of a time that is still to come: the clock was wrong then, and the ban would last until it is that time.
    A file that is damaged, or of another version, is set aside beside it, and the log says so.  Raises `Unavailable` where it cannot be made.
    """
    database = Database(path, mode, _warn, is_ours=True)
    try:
        with database.locked(_MOST_SECONDS):
            database.run(partial(clear, now=time.time()))
    except (OSError, sqlite3.Error) as error:
        raise Unavailable(None, f"the shared state {path} cannot be made ready: {error}") from error
    finally:
        database.close()


class SQLiteState:
    """A `spi.State` in the file at *path*, as the process called *worker* sees it; it starts a thread.

    Two at a time may not have the same name.  A process that serves nobody, and only asks, is called "".  The file is made, with *mode*, where
    it is missing.  Places without a limit are taken at once, and for any other the file is asked, but where it counts more of ours than are left:
    others learn within 20 ms of what is taken without asking, and of what is given back.

    *ahead* is what the time since the epoch has, and *reactor*'s seconds have not.  It has to be the same for all processes of a server, and is as
    their parent found it: where somebody sets the clock of the machine meanwhile, no ban ends early or lasts longer for that.

    While the file cannot be used every call is `Unavailable`, after 5 s at the start of it and then at once; the log says so, and when it is over.
    What was told meanwhile is entered then, and whoever has gone on without an answer to `take` is counted: give back what was perhaps taken.
    """

    def __init__(self, path: str, worker: str, reactor: _Reactor, mode: int = 0o600, *, ahead: float = 0.0) -> None:
        self._path = path
        self._reactor = reactor
        self._ahead = ahead
        self._ledger = Ledger(worker, lambda: reactor.seconds() + ahead)
        self._pending: dict[Call, None] = {}  # whoever waits, oldest first
        self._late: DelayedCall | None = None
        self._soon: DelayedCall | None = None
        self._trouble: str | None = None
        self._troubled_since = 0.0
        self._undelivered: list[Request] = []
        self._is_closed = False
        self._writer = Writer(
            Database(path, mode, lambda text: reactor.callFromThread(_warn, text)),
            self._ledger,
            lambda calls, trouble: reactor.callFromThread(self._deliver, calls, trouble),
        )
        self._writer.put(Report((), ()))  # to learn of bans before anybody comes
        self._writer.ring()

    async def take(self, session: str, places: Sequence[Place]) -> Place | None:
        call = Take(session, tuple(places))
        if all(place.most is None for place in places):
            self._tell(call)
            return None
        if self._is_idle and self._writer.attempt(call):
            if self._writer.is_behind:
                self._ring_soon()
            return None
        full: Place | None = await self._ask(call)
        return full

    def give_back(self, session: str) -> None:
        if not self._is_closed:
            self._tell(GiveBack(session))

    async def fail(self, address: str, *, window: float, most: int, ban: float) -> Failures:
        failures: Failures = await self._ask(Fail(address, window, most, ban))
        return Failures(failures.count, self._here(failures.banned_until))

    def banned_until(self, address: str) -> float:
        return self._here(self._ledger.bans.get(address, 0.0))

    async def report(self, changed: Sequence[SessionRow], gone: Sequence[str]) -> Sequence[Request]:
        """See `spi.State.report`; after `Unavailable` what was told is remembered, and need not be told again."""
        requests: Sequence[Request] = await self._ask(Report(tuple(changed), tuple(gone)))
        undelivered, self._undelivered = self._undelivered, []
        return [*undelivered, *requests]

    async def share(self, uses: Mapping[str, float]) -> Mapping[str, float]:
        sums: Mapping[str, float] = await self._ask(Share(dict(uses)))
        return sums

    async def sessions(self) -> Sequence[SessionRow]:
        rows: Sequence[SessionRow] = await self._ask(Sessions())
        return rows

    async def ask(self, request: Request) -> None:
        await self._ask(Ask(request))

    async def forget(self, worker: str) -> None:
        await self._ask(Forget(worker))

    async def close(self) -> None:
        if self._is_closed:
            return
        closing = self._ask(Close())
        self._is_closed = True
        with suppress(Unavailable):
            await closing
        for timer in (self._soon, self._late):
            if timer is not None and timer.active():
                timer.cancel()

    def _here(self, until: float) -> float:
        """Return the end of a ban, 0.0 for none, in the reactor's seconds."""
        return until - self._ahead if until else 0.0

    # To the thread.

    def _tell(self, call: Call) -> None:
        """Have *call* carried out soon; nobody waits for it."""
        if self._is_closed:
            raise Unavailable(None, "the shared state is closed")
        self._writer.put(call)
        self._ring_soon()

    @property
    def _is_idle(self) -> bool:
        """Whether what can be done on the reactor thread may be: nobody waits for the other one, who would be overtaken, and nothing is wrong."""
        return not self._pending and self._trouble is None and not self._is_closed

    def _ring_soon(self) -> None:
        if self._soon is None:
            self._soon = self._reactor.callLater(_SOON_SECONDS, self._ring)

    def _ring(self) -> None:
        self._soon = None
        if self._is_idle and self._writer.tell():
            return
        self._writer.ring()

    def _ask(self, call: Call) -> Deferred[Any]:
        """Have *call* carried out now; its result is the Deferred's.  Raises `Unavailable` at once where that is what it would be."""
        if self._trouble is not None and not isinstance(call, Close):
            self._tell(call)
            raise _unavailable(self._trouble)
        if self._is_closed:
            raise Unavailable(None, "the shared state is closed")
        answer: Deferred[Any] = Deferred()
        call.answer = answer
        call.since = self._reactor.seconds()
        self._pending[call] = None
        if self._late is None:
            self._late = self._reactor.callLater(_MOST_SECONDS, self._give_up)
        self._writer.put(call)
        self._writer.ring()
        return answer

    def _give_up(self) -> None:
        """Let nobody wait for too long: the thread may be kept by the lock of a process that is stopped."""
        now = self._reactor.seconds()
        late = [call for call in self._pending if now - call.since >= _MOST_SECONDS]
        for call in late:
            call.is_given_up = True
        if late:
            self._deliver(late, f"no answer within {_MOST_SECONDS:g} s; another process may hold {self._path}.lock")
        if self._trouble is not None:
            self._writer.note()
        self._late = None
        if self._pending:
            self._late = self._reactor.callLater(next(iter(self._pending)).since + _MOST_SECONDS - now, self._give_up)
        elif self._trouble is not None and not self._is_closed:
            self._late = self._reactor.callLater(_MOST_SECONDS, self._give_up)

    # From the thread.

    def _deliver(self, calls: Sequence[Call], trouble: str | None) -> None:
        self._judge(trouble)
        for call in calls:
            is_awaited = call in self._pending and call.answer is not None and not call.answer.called
            self._pending.pop(call, None)
            if call.answer is None or not is_awaited:
                self._undelivered += call.result if isinstance(call, Report) and call.result else ()
            elif trouble is not None:
                call.answer.errback(_unavailable(trouble))
            else:
                call.answer.callback(call.result)

    def _judge(self, trouble: str | None) -> None:
        """Tell the operator when it begins and when it ends, and no more."""
        if trouble is not None and self._trouble is None:
            self._troubled_since = self._reactor.seconds()
            _log.error("the shared state {path} cannot be used, logins go on without it: {reason}", path=self._path, reason=trouble)
        elif trouble is None and self._trouble is not None:
            seconds = self._reactor.seconds() - self._troubled_since
            _log.info("the shared state {path} can be used again, after {seconds:.0f} s", path=self._path, seconds=seconds)
        self._trouble = trouble


def _unavailable(trouble: str) -> Unavailable:
    return Unavailable(None, f"the shared state cannot be used: {trouble}")


def _warn(text: str) -> None:
    _log.warn("{text}", text=text)
