"""Ledger: what calls do to the file of a shared state, and what this worker has told it so far.

Apart from the thread, which says when, and from the file, which may be lost: a new one is told everything again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from ftpd.state.calls import Ask, Call, Close, Fail, Forget, GiveBack, Report, Sessions, Share, Take
from ftpd.state.places import Holdings
from ftpd.state.tables import plain, request_of, row_of, text_of_request, text_of_row, unplain
from ftpd.state.tally import Tally, counted
from ftpd.values import Request, SessionRow

__all__ = ["Ledger", "clear"]

_OF_WORKERS: Final = ("held", "uses", "sessions")  # tables of what is gone when its worker is
_PRUNE_SECONDS: Final = 60.0
_REQUEST_SECONDS: Final = 3600.0  # a worker that was stopped for longer is not asked any more
_MOST_ADDRESSES: Final = 65_536  # of failed logins kept, about 5 MB; more come from nobody who can be banned

# One statement for any number of keys or rows: with each the thread gives up the interpreter, and may wait a while to have it back.
# This one is a transaction by itself, without `begin` and `commit`, and without any wait while others are locked out: it enters the counts
# where the others leave room enough, or else nothing.  20 us instead of 100 beside a busy reactor (tests/bench: login).
_COUNT: Final = """
    insert into held (key, worker, count)
    select json_extract(value, '$[0]'), ?, json_extract(value, '$[1]') from json_each(?) where not exists (
        select * from json_each(?) as room where json_extract(room.value, '$[1]') < (
            select total(count) from held where key = json_extract(room.value, '$[0]') and worker <> ?))
    on conflict do update set count = excluded.count"""
_OTHERS: Final = """
    select json_group_array((select total(count) from held where key = value and worker <> ?)) from json_each(?)"""
_USE: Final = """
    insert into uses (key, worker, amount)
    select json_extract(value, '$[0]'), ?, json_extract(value, '$[1]') from json_each(?)"""
_USED: Final = """
    select json_group_array((select total(amount) from uses where key = value)) from json_each(?)"""
_ENTER_ROWS: Final = """
    insert or replace into sessions (session, worker, row) select json_extract(value, '$.session'), ?, value from json_each(?)"""
_REMOVE_ROWS: Final = "delete from sessions where worker = ? and session in (select value from json_each(?))"
_TALLY: Final = """
    select count, since, coalesce(until, 0.0) from failures left join bans using (address) where failures.address = ?"""
_FORGOTTEN_FIRST: Final = """
    delete from failures where address in (
        select address from failures order by expires limit max(0, (select count(*) from failures) - ?))"""


class _Asked(NamedTuple):
    """What one key was asked for: that others have no more of it than is `left`, of `most` in all."""

    most: int
    left: int

    def granted(self, count: int) -> _Asked:
        """Return what holds as long as the file has *count* of ours, once it has granted this: what others take leaves us that."""
        return self._replace(left=max(self.left, self.most - count))

    def covers(self, other: _Asked) -> bool:
        return self.most == other.most and self.left <= other.left


_NOTHING_ASKED: Final[Mapping[str, _Asked]] = MappingProxyType({})
_NOTHING: Final = _Asked(0, 0)  # covers nothing: who takes a place of none leaves less


class Ledger:
    """The ledger of the worker called *worker*; *seconds* is the time since the epoch.

    Used by one thread at a time; but `bans`, until when each address is banned, may be read by any.
    """

    def __init__(self, worker: str, seconds: Callable[[], float]) -> None:
        self.bans: dict[str, float] = {}
        self._worker = worker
        self._seconds = seconds
        self._held = Holdings()
        self._unwritten: set[str] = set()  # keys of counts that may be others here than in the file
        self._granted: dict[str, _Asked] = {}  # of the counts that the file has, those that it was asked for
        self._uses: Mapping[str, float] = {}
        self._texts: dict[str, str] = {}  # of rows, by session
        self._forgotten: set[str] = set()  # workers that the file still has to forget
        self._entered: sqlite3.Connection | None = None
        self._origin = ""
        self._last_ban = 0
        self._last_request = 0
        self._pruned = 0.0

    @property
    def is_behind(self) -> bool:
        """Whether the file has still to be told what was noted, or who has left, or everything."""
        return self._entered is None or bool(self._unwritten)

    def prepare(self, call: Call) -> None:
        """Do what takes long before the lock is taken."""
        if isinstance(call, Report) and call.texts is None:
            call.texts = {row.session: text_of_row(row) for row in call.changed}

    def take_at_once(self, sql: sqlite3.Connection, calls: Sequence[Call]) -> bool:
        """Do what *calls* ask as `enter_at_once` does, but without a statement where the file has granted as much before: it is `is_behind` then.

        Who comes has the place of who has left, whom the file counts until it is told: no other worker's count can be in the way.
        """
        asked = self._move(sql, calls)
        return asked is not None and (self._has_granted(asked) or self._write_counts(sql, asked))

    def enter_at_once(self, sql: sqlite3.Connection, calls: Sequence[Call]) -> bool:
        """Do what *calls* ask, outside a transaction and without the lock, if that can be done in one statement; else `apply` is needed.

        That is so where they take and give back, and there is room for all.  Raises `sqlite3.OperationalError` where somebody else is writing.
        """
        asked = self._move(sql, calls)
        return asked is not None and self._write_counts(sql, asked)

    def apply(self, sql: sqlite3.Connection, calls: Sequence[Call]) -> None:
        """Do what *calls* ask, within a transaction, and leave the results in them.  May be called again with the same."""
        now = self._seconds()
        if sql is not self._entered:
            self._enter(sql)
        for call in calls:
            if isinstance(call, Forget):
                self._forget(sql, call.worker)
        self._settle(sql, [call for call in calls if isinstance(call, Take | GiveBack)])
        for call in calls:
            if isinstance(call, Fail):
                self._fail(sql, call, now)
            elif isinstance(call, Share):
                self._share(sql, call)
            elif isinstance(call, Ask):
                _ask(sql, call, now)
            elif isinstance(call, Report):
                self._report(sql, call)
            elif isinstance(call, Close):
                self._forget(sql, self._worker)
        if now - self._pruned >= _PRUNE_SECONDS:
            self._prune(sql, now)

    def committed(self) -> None:
        """What `apply` has written is there to stay."""
        self._forgotten.clear()

    def note(self, calls: Iterable[Call]) -> None:
        """Remember what *calls* tell, where the file cannot be told now; whoever asks for a place goes on without an answer, and is counted."""
        self._entered = None
        for call in calls:
            if isinstance(call, Take | GiveBack):
                self._leave(call)
            if isinstance(call, Take):
                self._enter_places(call)
            elif isinstance(call, Report):
                self._note_rows(call)
            elif isinstance(call, Share):
                self._uses = call.uses
            elif isinstance(call, Forget):
                self._forgotten.add(call.worker)
            elif isinstance(call, Close):
                self._clear()

    def read(self, sql: sqlite3.Connection, calls: Iterable[Call]) -> None:
        """After `apply`, and without the lock: answer those of *calls* that want to know something."""
        for call in calls:
            if isinstance(call, Sessions):
                call.result = _sessions(sql)
            elif isinstance(call, Share):
                call.result = _used(sql, call.uses)
            elif isinstance(call, Report):
                self._learn_bans(sql)
                if call.is_awaited:  # else they are left for the next one
                    call.result = self._requests(sql)

    # A file that is opened.

    def _enter(self, sql: sqlite3.Connection) -> None:
        """Tell the file all that this worker has; what it is told again stays as it is."""
        for worker in self._forgotten:
            self._forget(sql, worker)
        _forget_worker(sql, self._worker)
        self._unwritten = set(self._held.counts)
        self._granted.clear()
        self._write_counts(sql)
        self._write_uses(sql)
        self._write_rows(sql, self._texts.values())
        [origin] = sql.execute("select identity from origin").fetchone()
        if origin != self._origin:
            self._begin(sql, is_first=not self._origin)
            self._origin = origin
        self._entered = sql

    def _begin(self, sql: sqlite3.Connection, is_first: bool) -> None:
        """Read the file from its start, but of requests, where this is the first one, only those that are still to come."""
        self._last_ban = self._last_request = 0
        if is_first:
            [self._last_request] = sql.execute("select coalesce(max(serial), 0) from requests").fetchone()
        for address, until in self.bans.items():
            _ban(sql, address, until)

    # Places.

    def _settle(self, sql: sqlite3.Connection, calls: Sequence[Take | GiveBack]) -> None:
        """Take and give back in the order of the calls; exact, since no other worker writes meanwhile."""
        for call in calls:  # what was tried before, and did not come to be
            self._leave(call)
        others = self._of_others(sql, calls)
        for call in calls:
            self._leave(call)
            if isinstance(call, Take):
                call.result = self._held.full(call.places, others) if call.is_asking else None
                if call.result is None:
                    self._enter_places(call)
        self._write_counts(sql)

    def _leave(self, call: Take | GiveBack) -> None:
        self._unwritten.update(place.key for place in self._held.leave(call.session))

    def _enter_places(self, call: Take) -> None:
        self._held.enter(call.session, call.places)
        self._unwritten.update(place.key for place in call.places)

    def _of_others(self, sql: sqlite3.Connection, calls: Sequence[Take | GiveBack]) -> Mapping[str, int]:
        takes = (call for call in calls if isinstance(call, Take))
        keys = list({place.key: None for take in takes for place in take.places if place.most is not None})
        if not keys:
            return {}
        [counts] = sql.execute(_OTHERS, (self._worker, json.dumps([plain(key) for key in keys]))).fetchone()
        return dict(zip(keys, json.loads(counts), strict=True))

    def _move(self, sql: sqlite3.Connection, calls: Sequence[Call]) -> dict[str, _Asked] | None:
        """Take and give back here, and return what the file is to be asked for, by key; None where it has to be told more than that."""
        moves = [call for call in calls if isinstance(call, Take | GiveBack)]
        if sql is not self._entered or len(moves) < len(calls):
            return None
        asked: dict[str, _Asked] = {}
        for call in moves:
            self._leave(call)
            if isinstance(call, Take):
                self._enter_places(call)
                for place in call.places if call.is_asking else ():
                    if place.most is not None:
                        left = place.most - self._held.counts[place.key]
                        asked[place.key] = _Asked(place.most, min(left, asked[place.key].left) if place.key in asked else left)
        return asked

    def _has_granted(self, asked: Mapping[str, _Asked]) -> bool:
        return all(self._granted.get(key, _NOTHING).covers(wish) for key, wish in asked.items())

    def _write_counts(self, sql: sqlite3.Connection, asked: Mapping[str, _Asked] = _NOTHING_ASKED) -> bool:
        """Write the counts that the file has not, unless others have more of a key than is left for them; return whether it was done."""
        if not self._unwritten:
            return True
        counts = {key: self._held.counts.get(key, 0) for key in self._unwritten}
        room = [(plain(key), wish.left) for key, wish in asked.items()]
        texts = json.dumps([(plain(key), count) for key, count in counts.items()]), json.dumps(room)
        if sql.execute(_COUNT, (self._worker, *texts, self._worker)).rowcount <= 0:
            return False
        for key, count in counts.items():
            self._granted.pop(key, None)
            if count and key in asked:
                self._granted[key] = asked[key].granted(count)
        self._unwritten.clear()  # should the transaction fail, the file is opened again, and told everything
        return True

    # What all have together.

    def _share(self, sql: sqlite3.Connection, call: Share) -> None:
        self._uses = call.uses
        sql.execute("delete from uses where worker = ?", (self._worker,))
        self._write_uses(sql)

    def _write_uses(self, sql: sqlite3.Connection) -> None:
        if self._uses:
            sql.execute(_USE, (self._worker, json.dumps([(plain(key), amount) for key, amount in self._uses.items()])))

    # Failed logins.

    def _fail(self, sql: sqlite3.Connection, call: Fail, now: float) -> None:
        address = plain(call.address)
        known = sql.execute(_TALLY, (address,)).fetchone()
        tally = counted(Tally(*known) if known else None, now, call.window, call.most, call.ban)
        expires = max(tally.since + call.window, tally.until)
        sql.execute(
            "insert or replace into failures (address, count, since, expires) values (?, ?, ?, ?)",
            (address, tally.count, tally.since, expires),
        )
        if tally.until > now:
            _ban(sql, call.address, tally.until)
            self.bans[call.address] = tally.until
        call.result = tally.failures(now)

    def _learn_bans(self, sql: sqlite3.Connection) -> None:
        for serial, address, until in sql.execute("select serial, address, until from bans where serial > ?", (self._last_ban,)):
            self.bans[unplain(address)] = until
            self._last_ban = max(self._last_ban, serial)

    # Sessions.

    def _report(self, sql: sqlite3.Connection, call: Report) -> None:
        self._note_rows(call)
        self._write_rows(sql, (call.texts or {}).values())
        if call.gone:
            sql.execute(_REMOVE_ROWS, (self._worker, json.dumps(call.gone)))

    def _note_rows(self, call: Report) -> None:
        self.prepare(call)
        self._texts.update(call.texts or {})
        for session in call.gone:
            self._texts.pop(session, None)

    def _write_rows(self, sql: sqlite3.Connection, texts: Iterable[str]) -> None:
        rows = list(texts)
        if rows:
            sql.execute(_ENTER_ROWS, (self._worker, json.dumps(rows)))

    def _requests(self, sql: sqlite3.Connection) -> list[Request]:
        """Return what was asked of this worker since it was told last."""
        found = sql.execute(
            "select serial, request from requests where serial > ? and worker in ('', ?)", (self._last_request, self._worker)
        ).fetchall()
        self._last_request = max((serial for serial, _ in found), default=self._last_request)
        return [request_of(text) for _, text in found]

    # The end.

    def _forget(self, sql: sqlite3.Connection, worker: str) -> None:
        if worker == self._worker:
            self._clear()
        _forget_worker(sql, worker)
        sql.execute("delete from requests where worker = ?", (worker,))

    def _clear(self) -> None:
        self._held.clear()
        self._granted.clear()
        self._uses = {}
        self._texts.clear()

    def _prune(self, sql: sqlite3.Connection, now: float) -> None:
        self._pruned = now
        sql.execute("delete from held where worker = ? and count = 0", (self._worker,))
        sql.execute("delete from failures where expires <= ?", (now,))
        sql.execute(_FORGOTTEN_FIRST, (_MOST_ADDRESSES,))
        sql.execute("delete from bans where until <= ?", (now,))
        sql.execute("delete from requests where asked <= ?", (now - _REQUEST_SECONDS,))
        for address in [address for address, until in self.bans.items() if until <= now]:
            del self.bans[address]


def clear(sql: sqlite3.Connection, now: float) -> None:
    """Remove what belongs to workers of a former run; bans and failed logins stay, but for those whose time has not come.

    A ban ends within window and ban time of the first of its failures: so none that stays is longer than that.
    """
    for table in (*_OF_WORKERS, "requests"):
        sql.execute(f"delete from {table}")
    sql.execute("delete from failures where since > ?", (now,))
    sql.execute("delete from bans where until > ? and address not in (select address from failures)", (now,))


def _ban(sql: sqlite3.Connection, address: str, until: float) -> None:
    """Enter the ban under a new serial number, so that everybody finds it."""
    sql.execute("insert or replace into bans (address, until) values (?, ?)", (plain(address), until))


def _ask(sql: sqlite3.Connection, call: Ask, now: float) -> None:
    if call.is_awaited:  # an operator who was told that it failed is not surprised by it later
        request = call.request
        worker = request.value if request.field == "worker" else ""
        sql.execute("insert into requests (worker, asked, request) values (?, ?, ?)", (worker, now, text_of_request(request)))


def _forget_worker(sql: sqlite3.Connection, worker: str) -> None:
    for table in _OF_WORKERS:
        sql.execute(f"delete from {table} where worker = ?", (worker,))


def _used(sql: sqlite3.Connection, keys: Iterable[str]) -> dict[str, float]:
    [sums] = sql.execute(_USED, (json.dumps([plain(key) for key in keys]),)).fetchone()
    return dict(zip(keys, json.loads(sums), strict=True))


def _sessions(sql: sqlite3.Connection) -> list[SessionRow]:
    rows = [row_of(text, worker) for worker, text in sql.execute("select worker, row from sessions")]
    return sorted(rows, key=lambda row: (row.since, row.session))
