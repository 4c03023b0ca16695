"""Trace: one session written down, line by line, so that a bug report can be played back.

Apart from the log, which tells an operator what happened, a line for each thing: a trace has all that was said, with its times, for as long
as somebody looks into one client.  The format is a promise: docs/traces.md.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import attrs
from twisted.logger import Logger

from ftpd.events import Event, LoggedIn, LoginFailed, TransferEnded
from ftpd.ftp.settings import TraceSettings
from ftpd.ftp.traces.file import Piece, Shelf, name_of
from ftpd.ftp.wire.lines import TooLong
from ftpd.ftp.wire.replies import Reply
from ftpd.version import __version__

if TYPE_CHECKING:
    from ftpd.ftp.session import Session
    from ftpd.ftp.traces.collection import Traces
    from ftpd.values import TLSFacts

__all__ = ["FORMAT", "Trace"]

FORMAT: Final = 1  # the next number where a reader could misunderstand; what is only added needs none
_BATCH_BYTES: Final = 32 * 1024
_MOST_BEFORE_LOGIN: Final = 64 * 1024  # kept for a session whose account is not known yet


@attrs.define
class _Claim:
    """A USER that is written without its name, and where it waits: `line` is put in that place once it is known to be a name."""

    number: int
    place: int
    name: str
    line: bytes


class Trace:
    """One session's trace: undecided until it is known whose it is, then a file, until it is full, or the disk is."""

    _log = Logger()

    def __init__(self, traces: Traces, session: Session, rows: Iterable[TraceSettings]) -> None:
        self._traces = traces
        self._session = session
        self._undecided = tuple(rows)
        self._row: TraceSettings | None = None
        self._name = ""
        self._written = 0  # bytes that were handed to the disk
        self._is_over = False
        self._has_failed = False
        self._size = 0
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._claim: _Claim | None = None
        self._heard = 0  # lines; each is called by its number, from 1
        self._unanswered: list[tuple[int, bytes | TooLong]] = []
        self._answered = 0  # the number of the line that was answered last
        # Until it is decided whose rules count, the strictest of them do.
        self._discretion = traces.discretion(session, all(row.names for row in self._undecided))
        self._add(_origin(session))

    def choose(self, account: str | None) -> None:
        """It is *account* now, None before the login: take up what traces it, or nothing, once somebody else has logged in."""
        if self._row is not None or self._is_over:
            return
        for row in self._undecided:
            if not row.accounts or account in row.accounts:
                self._take(row)
                return
            if account is None:  # this one counts, if it is its account that logs in
                return
        self._stop()
        self._session.trace = None

    def _choose_without_login(self) -> None:
        """Nobody has logged in, and nobody will, or too late: take up what traces everybody."""
        if self._row is None:
            self._undecided = tuple(row for row in self._undecided if not row.accounts)
            self.choose(None)

    def _take(self, row: TraceSettings) -> None:
        self._row = row
        self._discretion = self._traces.discretion(self._session, row.names)
        peer = self._session.peer
        self._name = name_of(peer.session, datetime.now(UTC))
        self._log.info("[{session}] {peer} is traced in {file}", session=peer.session, peer=peer.endpoint, file=self._path)
        self._traces.wake(self)

    # What the channel tells.

    def heard(self, lines: Iterable[bytes | TooLong]) -> None:
        """The client said *lines*, at once."""
        if self._is_over:
            return
        for line in lines:
            self._heard += 1
            self._unanswered.append((self._heard, line))
            told = self._discretion.command(line)
            self._add({"heard": told.text} | ({"cut": True} if told.is_cut else {}), told.claim)

    def said(self, reply: Reply, line: bytes | TooLong | None = None) -> None:
        """The client is told *reply*; the final one to *line*, or a 1xx to the oldest that waits."""
        if self._is_over:
            return
        lines, is_cut = self._discretion.reply(reply, line)
        number = self._number_of(reply, line)
        self._add({"said": lines} | ({"to": number} if number else {}) | ({"cut": True} if is_cut else {}))

    def protected(self, facts: TLSFacts) -> None:
        """TLS has come into being on the control connection; what was said in clear before it is not answered."""
        self._unanswered.clear()
        self._add({"tls": {"version": facts.version, "cipher": facts.cipher, "resumed": facts.is_resumed}})

    def observe(self, event: Event) -> None:
        """Note the end of a transfer, and whether a name was one; other events are told by lines."""
        if isinstance(event, TransferEnded):
            self._add({"data": self._transfer(event)})
        elif isinstance(event, LoggedIn | LoginFailed):
            self._judge_claim(event)

    def end(self, reason: str) -> None:
        """The session is over."""
        self._choose_without_login()
        self._claim = None
        self._add({"end": reason})
        self._is_over = True

    def _number_of(self, reply: Reply, line: bytes | TooLong | None) -> int:
        """Return the number of the line that *reply* answers; 0: of none.  What may overtake a transfer is answered out of order."""
        if line is None:
            return self._unanswered[0][0] if self._unanswered and reply.code < 200 else 0
        for place, (number, waiting) in enumerate(self._unanswered):
            if waiting == line:
                del self._unanswered[place]
                self._answered = number
                return number
        return 0

    def _judge_claim(self, event: LoggedIn | LoginFailed) -> None:
        """Tell the name of the USER that *event* is about where the log tells it, too: what is no name may be a password typed too early."""
        claim = self._claim
        if claim is None or any(number == claim.number for number, _ in self._unanswered[1:]):  # its own PASS is yet to come
            return
        self._claim = None
        if isinstance(event, LoggedIn) or event.account == claim.name:
            self._pending_size += len(claim.line) - len(self._pending[claim.place])
            self._pending[claim.place] = claim.line
        if self._row is not None:
            self._traces.wake(self)

    # What is written.

    def take(self) -> Piece | None:
        """Return what is pending, as far as it is decided what may be told; None where nothing is, or nobody knows whether it is wanted."""
        pending, rest = self._pending, list[bytes]()
        if self._claim is not None:
            pending, rest = pending[: self._claim.place], pending[self._claim.place :]
        row, data = self._row, b"".join(pending)
        if row is None or not data:
            return None
        if self._claim is not None:
            self._claim.place = 0
        self._pending, self._pending_size = rest, sum(map(len, rest))
        at, self._written = self._written, self._written + len(data)
        return Piece(Shelf(row.directory, row.max_files, row.max_age), self._name, data, at)

    def fail(self, reason: str) -> None:
        """It cannot be written: tell it once, and go on without it."""
        if not self._has_failed:
            self._has_failed = True
            self._log.warn(
                "[{session}] the trace in {file} ends early: {reason}",
                session=self._session.peer.session,
                file=self._path,
                reason=reason,
            )
        self._stop()

    @property
    def _path(self) -> str:
        return os.path.join(self._row.directory, self._name) if self._row is not None else ""

    def _stop(self) -> None:
        self._is_over = True
        self._claim = None
        self._pending, self._pending_size = [], 0

    def _add(self, record: Mapping[str, Any], claim: str = "") -> None:
        """Note *record* and its time, in milliseconds from the beginning; the name in a USER is a *claim*, and waits."""
        if self._is_over:
            return
        milliseconds = round((self._traces.reactor.seconds() - self._session.opened) * 1000, 1)
        line = whole = _line({"ms": milliseconds, **record})
        if claim:
            whole = _line({"ms": milliseconds, "heard": f"{record['heard']} {claim}"})
            self._claim = _Claim(self._heard, len(self._pending), claim, whole)
        self._size += len(whole)
        if self._row is None and self._size > _MOST_BEFORE_LOGIN:
            self._choose_without_login()
        if self._row is not None and self._size > self._row.max_size:
            self._fill_up(milliseconds)
        elif not self._is_over:
            self._pending.append(line)
            self._pending_size += len(line)
            self._write_soon()

    def _fill_up(self, milliseconds: float) -> None:
        """It is as large as it may be."""
        self._claim = None
        self._pending.append(_line({"ms": milliseconds, "stopped": "max_size"}))
        self._traces.write([self])
        self._stop()

    def _write_soon(self) -> None:
        if self._row is None:
            return
        if self._pending_size < _BATCH_BYTES:
            self._traces.wake(self)
        else:
            self._claim = None  # whoever says so much behind USER does not mean to log in
            self._traces.write([self])

    def _transfer(self, event: TransferEnded) -> Mapping[str, Any]:
        return {
            "to": self._answered,
            "command": event.command,
            "direction": event.direction,
            "path": self._discretion.name(event.path),
            "bytes": event.moved,
            "seconds": round(event.seconds, 6),
            "outcome": event.outcome.value,
            "tls": self._session.protection.is_private,
        }


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":")).encode("ascii") + b"\n"


def _origin(session: Session) -> Mapping[str, Any]:
    peer = session.peer
    return {
        "trace": FORMAT,
        "server": f"ftpd {__version__}",
        "session": peer.session,
        "begun": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "listener": peer.listener,
        "client": {"address": peer.address, "port": peer.port},
        "local": {"address": peer.local_address, "port": peer.local_port},
        "implicit_tls": session.factory.is_implicit,
        "device": session.device.name,
    }
