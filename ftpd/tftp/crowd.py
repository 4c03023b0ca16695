"""Crowd: the lines of thousands of clients, read a row of them at a time.

Apart from the reactor, which would serve each of them once before any of them again: by then the processor's cache has lost what it had of the
first, sockets and objects, and in lock-step that is a tenth of a block's cost (tests/bench: tftp-storm of 2,000).  So a row of lines is served
again and again, for its share of a third of a second, unless no client of it has answered; and then the next row.  What else the
reactor has to do comes each time that a row was served once.
"""

from __future__ import annotations

import select
from time import monotonic
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.spi import Reactor

__all__ = ["Crowd", "crowd_of"]

_FEW: Final = 256  # lines that the reactor reads by itself: as many fit the cache, and in rows they would need a second question to the kernel
_ROW: Final = 128  # lines; with 64 and 256 a block costs the same, and between two turns of a row others wait
_ROUND_SECONDS: Final = 0.32  # until it is the first row's turn again: less than any silence after which a client asks again


class Member(Protocol):
    """What a crowd reads: a connected line, as the reactor sees it."""

    def fileno(self) -> int: ...
    def doRead(self) -> None: ...
    def connectionLost(self, reason: Failure) -> None: ...


class _Row:
    """Lines that are served together, by descriptor; `poll` tells which of them are to be read."""

    __slots__ = ("_poller", "descriptor", "members", "poll")

    def __init__(self) -> None:
        self._poller = select.epoll()
        self.descriptor = self._poller.fileno()
        self.poll = self._poller.poll
        self.members: dict[int, Member] = {}

    def enter(self, descriptor: int, member: Member) -> None:
        self._poller.register(descriptor, select.EPOLLIN)
        self.members[descriptor] = member

    def leave(self, descriptor: int) -> None:
        self._poller.unregister(descriptor)
        del self.members[descriptor]

    def close(self) -> None:
        self._poller.close()


@implementer(IReadDescriptor)
class Crowd:
    """All lines of one reactor, which is handed in and not kept: `crowd_of` lives as long as that does."""

    _log = Logger()

    def __init__(self) -> None:
        self._few: dict[int, Member] = {}  # whom the reactor reads, by descriptor
        self._rows: dict[int, _Row] = {}  # by the row's descriptor
        self._places: dict[int, _Row] = {}  # by the line's
        self._poller: select.epoll | None = None  # tells which rows have something to read
        self._served: _Row | None = None
        self._until = 0.0  # when its turn ends

    def enter(self, reactor: Reactor, member: Member) -> None:
        """Have *member* read when something comes, or an error.  Raises `OSError`."""
        is_crowded = bool(self._rows) or len(self._few) >= _FEW
        if not is_crowded or not self._seat(reactor, member):
            reactor.addReader(member)
            self._few[member.fileno()] = member
            return
        for descriptor, other in list(self._few.items()):  # or these would be served each time, and rows in turn
            if not self._seat(reactor, other):
                break
            reactor.removeReader(other)
            del self._few[descriptor]

    def leave(self, reactor: Reactor, member: Member) -> None:
        """Read *member*, which has entered and is not closed yet, no more."""
        descriptor = member.fileno()
        row = self._places.pop(descriptor, None)
        if row is None:
            self._few.pop(descriptor, None)
            reactor.removeReader(member)
            return
        row.leave(descriptor)
        if not row.members:
            self._close_row(reactor, row)

    def _seat(self, reactor: Reactor, member: Member) -> bool:
        """Give *member* a place in a row; False: the reactor has to read it."""
        row = self._row_with_room(reactor)
        if row is None:
            return False
        descriptor = member.fileno()
        row.enter(descriptor, member)
        self._places[descriptor] = row
        return True

    def _row_with_room(self, reactor: Reactor) -> _Row | None:
        """Return a row for one more; None: there is no epoll, or no descriptor left."""
        for row in self._rows.values():
            if len(row.members) < _ROW:
                return row
        if not hasattr(select, "epoll"):
            return None
        try:
            row = _Row()
            if self._poller is None:
                self._poller = select.epoll()
                reactor.addReader(self)
        except OSError:
            return None
        self._poller.register(row.descriptor, select.EPOLLIN)
        self._rows[row.descriptor] = row
        return row

    def _close_row(self, reactor: Reactor, row: _Row) -> None:
        del self._rows[row.descriptor]
        if self._served is row:
            self._served = None
        row.close()
        if not self._rows and self._poller is not None:
            reactor.removeReader(self)
            self._poller.close()
            self._poller = None

    # IReadDescriptor: what the reactor calls.

    def fileno(self) -> int:
        return -1 if self._poller is None else self._poller.fileno()

    def logPrefix(self) -> str:
        return "tftp"

    def doRead(self) -> None:
        """Serve each line of one row that has something to read."""
        row = self._served
        ready = row.poll(0, _ROW) if row is not None and monotonic() < self._until else []
        if not ready:
            row = self._next_row()
            if row is None:
                return
            ready = row.poll(0, _ROW)
        assert row is not None
        member_at = row.members.get
        for descriptor, _ in ready:  # an error is met by reading, too
            member = member_at(descriptor)
            if member is None:  # an earlier one of this round may have closed it
                continue
            try:
                member.doRead()
            except Exception:
                self._failed(member)

    def _next_row(self) -> _Row | None:
        """Begin the turn of another row that has something to read: the kernel names the one whose turn is longest ago."""
        if self._poller is None:
            return None
        for descriptor, _ in self._poller.poll(0, 1):
            self._served = self._rows[descriptor]
            self._until = monotonic() + _ROUND_SECONDS / len(self._rows)
        return self._served

    def _failed(self, member: Member) -> None:
        """A fault over what one client sent is the end of its transfer, and of no other's."""
        failure = Failure()  # type: ignore[no-untyped-call]
        self._log.failure("what a client of a crowd sent was not dealt with", failure)
        member.connectionLost(failure)

    def connectionLost(self, reason: Failure) -> None:
        """The reactor is at its end."""
        for row in list(self._rows.values()):
            for member in list(row.members.values()):
                member.connectionLost(reason)


_CROWDS: WeakKeyDictionary[Reactor, Crowd] = WeakKeyDictionary()


def crowd_of(reactor: Reactor) -> Crowd:
    """Return the crowd of *reactor*'s lines."""
    crowd = _CROWDS.get(reactor)
    if crowd is None:
        crowd = _CROWDS[reactor] = Crowd()
    return crowd
