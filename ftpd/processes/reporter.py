"""Reporter: what the sessions of a worker are doing goes to the shared state, and what was asked of them comes back.

Apart from the worker, which serves: a report that has to wait for the state holds up the next report, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpd.errors import Unavailable
from ftpd.spi import Served, State
from ftpd.values import Request, SessionRow

__all__ = ["Reporter"]


class Reporter:
    """Tells *state* of the sessions of *served*, and has *obey* do what others ask.

    `sessions` and `transfers` are how many there were at the last `look`.
    """

    _log = Logger()

    def __init__(self, served: Sequence[Served], state: State, obey: Callable[[Request], None]) -> None:
        self.sessions = 0
        self.transfers = 0
        self._served = tuple(served)
        self._state = state
        self._obey = obey
        self._rows: dict[str, SessionRow] = {}  # by session, as they are
        self._told: dict[str, SessionRow] = {}  # and as the state has them
        self._named: set[str] = set()  # sessions that it may have, also of reports that came to nothing
        self._turn = DeferredLock()  # one report at a time

    def look(self) -> None:
        """See what the sessions are doing, and report it unless the last report is still under way."""
        self._rows = {row.session: row for served in self._served for row in served.rows()}
        self.sessions = len(self._rows)
        self.transfers = sum(bool(row.command) for row in self._rows.values())
        if not self._turn.locked:
            self.report()

    def report(self) -> Deferred[bool]:
        """Report what was seen last, after any report under way; whether the state has answered, so that all that was asked is done.  Never fails."""
        reported: Deferred[bool] = Deferred.fromCoroutine(self._report())
        return reported.addErrback(self._failed)

    def _failed(self, failure: Failure) -> bool:
        self._log.failure("reporting sessions failed", failure=failure)
        return False

    async def _report(self) -> bool:
        await self._turn.acquire()
        try:
            requests = await self._tell()
            for request in requests or ():  # before the next report: whoever waits for that takes all as done
                self._obey(request)
            return requests is not None
        finally:
            self._turn.release()

    async def _tell(self) -> Sequence[Request] | None:
        """Tell the state what is new, and return what was asked; None where it does not answer."""
        rows = self._rows
        changed = [row for session, row in rows.items() if self._told.get(session) != row]
        gone = [session for session in self._named if session not in rows]
        self._named.update(rows)
        try:
            requests = await self._state.report(changed, gone)
        except Unavailable:
            return None  # the state says so in the log, and once
        self._told, self._named = rows, set(rows)
        return requests
