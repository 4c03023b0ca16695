"""Carried: a course whose steps run on the reactor thread or in a crew's, whichever suits its speed and its disk.

Apart from the pumps, which say only what one step is.  The reactor waits for sockets, a thread moves what flows:

- a step on the reactor thread is small, and reads nothing that is not in memory;
- a transfer that fills such a step outruns it, and goes to a thread, which stays with it as long as the bytes flow;
- one whose peer is slower than that comes back, since waiting in the reactor costs nothing.
"""

from __future__ import annotations

import select
import time
from abc import abstractmethod
from collections.abc import Callable
from typing import Final, Generic, Protocol, TypeVar, TypeVarTuple

from twisted.internet.defer import Deferred

from ftpd.disks import Disk, disk_of
from ftpd.errors import Unavailable
from ftpd.spi import DelayedCall, Pace, Wanted
from ftpd.transfer.crew import Crew, Crews
from ftpd.transfer.pump import Course
from ftpd.values import Outcome

__all__ = ["AGAIN", "DONE", "INLINE_BYTES", "READABLE", "SLICE_BYTES", "WRITABLE", "C", "Carried", "Ended"]

# What a step says is needed for the next one.
DONE: Final = 0
READABLE: Final = select.POLLIN
WRITABLE: Final = select.POLLOUT
AGAIN: Final = 1 << 16  # it could go on at once

INLINE_BYTES: Final = 256 * 1024  # a step on the reactor thread: 60 us of sendfile, 150 us of recv and write
SLICE_BYTES: Final = 1024 * 1024  # a step in a thread, and what a cancel may have to wait for
_TURN_BYTES: Final = 4 * 1024 * 1024  # what a thread moves of one transfer while others wait, or less where that takes so long:
_TURN_SECONDS: Final = 0.05
_PATIENCE_MS: Final = (
    5  # for a socket that ran dry, asked a few times before the reactor waits for it: a hop costs as much as 100 KiB
)
_ASKED: Final = 4


class Ended(Exception):
    """A step ends the transfer in another way than by being done."""

    def __init__(self, outcome: Outcome, error: Exception | None) -> None:
        super().__init__(outcome, error)
        self.outcome = outcome
        self.error = error


class Watched(Protocol):
    """What it needs of a connection, whatever it carries."""

    def fileno(self) -> int: ...
    def watch_reading(self, callback: Callable[[], None]) -> None: ...
    def ignore_reading(self) -> None: ...
    def watch_writing(self, callback: Callable[[], None]) -> None: ...
    def ignore_writing(self) -> None: ...
    def set_low_water(self, count: int) -> None: ...
    def finish(self) -> Deferred[None]: ...
    def unacknowledged(self) -> int: ...


C = TypeVar("C", bound=Watched)
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Carried(Course, Generic[C]):
    """Move bytes between *connection* and the open file *descriptor* in steps; its *disk* is looked for where nobody tells it.

    A pump defines `step`, `complete` and `watch`, and may define `enter` and `leave`.  Neither the connection nor the file may be closed
    before the end is told: while a thread works on them, a cancel has to wait for the end of its step.  One that waits for a thread waits no more.
    """

    def __init__(self, crews: Crews, connection: C, descriptor: int, wanted: Wanted, disk: Disk | None = None) -> None:
        super().__init__(crews.reactor, wanted)
        self._crews = crews
        self._connection = connection
        self._file = descriptor
        self._disk = disk or disk_of(descriptor)
        self._offset: int = wanted.start
        self._budget = 0  # bytes that may move before anybody is asked again
        self._granted_by: Pace | None = None
        self._is_watching = False  # the reactor has it
        self._is_away = False  # a thread has it
        self._is_done = False
        self._need = DONE
        self._fault: Ended | None = None  # what a thread met
        self._verdict: Ended | None = None  # what was decided here meanwhile
        self._timer: DelayedCall | None = None

    @abstractmethod
    def step(self, most: int) -> int:
        """Move up to *most* bytes by a call or two and return what the next step needs; any other end than DONE is raised as `Ended`.

        On the reactor thread, where `is_away` is False, AGAIN asks for a thread, also where the disk would have to be waited for.
        """

    @abstractmethod
    def complete(self) -> None:
        """On the reactor thread: every step is done."""

    @abstractmethod
    def watch(self, need: int) -> None:
        """Have the reactor call `go_on` once the socket is as the next step needs it."""

    @property
    def wanted(self) -> int:
        """How many bytes to ask the pace for, at least 1."""
        return _TURN_BYTES

    def enter(self) -> None:
        """In a thread, before its steps."""

    def leave(self) -> None:
        """In a thread, after its steps."""

    @property
    def is_held(self) -> bool:
        return self._timer is not None

    @property
    def is_away(self) -> bool:
        """Whether steps are made by a thread now."""
        return self._is_away

    def begin(self) -> None:
        self.go_on()

    def stop(self) -> None:
        self.ignore()
        if self._timer is not None:
            self._timer.cancel()
        if self._granted_by is not None:
            self._return_budget()

    def ignore(self) -> None:
        """Have the reactor call nobody."""
        if self._is_watching:
            self._is_watching = False
            self._connection.ignore_writing()
            self._connection.ignore_reading()

    def spend(self, count: int) -> None:
        """*count* bytes of what was granted are under way."""
        self._budget -= count

    def count(self, moved: int) -> None:
        """*moved* bytes have moved."""
        self._offset += moved
        self.moved += moved

    def ask_disk(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        """Call what may wait for the disk; on the reactor thread, or while the disk is slow, its time is taken."""
        if self._is_away and not self._disk.is_slow:
            return function(*args)
        return self._disk.timed(function, *args)

    def go_on(self) -> None:
        """Make a step on the reactor thread, and see to the next."""
        # A connection that is closed calls whoever watched it, for reading and for writing: the first call may have been the last step.
        if not self._is_running or self._is_away or self._timer is not None or self._is_done:
            return
        try:
            if self._disk.is_slow:
                self.hand_over()
            elif self._may_move():
                self._act(self.step(min(INLINE_BYTES, self._budget)))
        except Ended as end:
            self.end_as(end)
        except Exception as error:
            self.end_local_fault(error)

    def judged(self, function: Callable[[], None]) -> None:
        """Call *function*; whatever it raises is the transfer's end."""
        try:
            function()
        except Ended as end:
            self.end_as(end)
        except Exception as error:
            self.end_local_fault(error)

    def end_stalled(self) -> None:
        if self._is_away:  # a thread waits some milliseconds for a peer: what holds it is the disk
            self.end_local_fault(Unavailable(None, "The storage did not answer in time"))
        else:
            super().end_stalled()

    def hand_over(self) -> None:
        """Have a thread go on, once its pace allows it."""
        if not self._may_move():
            return
        self.ignore()
        self._is_away = True
        try:
            self._crews.of(self._disk).take(self)
        except BaseException:
            self._is_away = False
            raise

    # crew.Load.

    def carry(self, crew: Crew) -> None:
        try:
            self.enter()
            try:
                self._need = self._flow(crew)
            finally:
                self.leave()
        except Ended as end:
            self._fault = end
        except Exception as error:  # whatever it is, it is the transfer's end, and not the thread's
            self._fault = Ended(Outcome.LOCAL_FAULT, error)

    def carried(self) -> None:
        self._is_away = False
        end = self._verdict or self._fault
        if end is not None:
            self.end_as(end)
        else:
            self.judged(lambda: self._act(self._need))

    def end_as(self, end: Ended) -> None:
        """End it as a step has said."""
        if end.outcome is Outcome.LOCAL_FAULT and end.error is not None:
            self.end_local_fault(end.error)
        else:
            self._end(end.outcome, end.error)

    def _flow(self, crew: Crew) -> int:
        """Make steps while bytes flow; return what the next one needs."""
        asked, ends_at = 0, time.monotonic() + _TURN_SECONDS
        while self._verdict is None:
            if crew.is_awaited and (self._budget <= 0 or time.monotonic() >= ends_at):
                return AGAIN
            if self._budget <= 0:
                if self._pace is not None:
                    return AGAIN
                self._budget = _TURN_BYTES
            need = self.step(min(SLICE_BYTES, self._budget))
            if need == AGAIN:
                asked = 0
            elif need == DONE or asked == _ASKED or crew.is_awaited:
                return need
            else:
                asked = 0 if self._is_ready(need) else asked + 1
        return AGAIN

    def _is_ready(self, need: int) -> bool:
        poll = select.poll()
        poll.register(self._connection.fileno(), need)
        return bool(poll.poll(_PATIENCE_MS))

    def _act(self, need: int) -> None:
        if need == DONE:
            self._is_done = True
            self.complete()
        elif need == AGAIN:
            self.hand_over()
        else:
            self._return_budget()
            self._is_watching = True
            self.watch(need)

    def _return_budget(self) -> None:
        if self._granted_by is not None and self._budget > 0:
            self._granted_by.give_back(self._budget)
        self._budget = 0

    def _may_move(self) -> bool:
        """Whether bytes may move now; else a timer goes on when they may."""
        if self._budget <= 0:
            self._granted_by = self._pace
            self._budget = _TURN_BYTES if self._pace is None else self._pace.take(self.wanted)
        if self._budget > 0:
            return True
        assert self._pace is not None
        self.ignore()
        self._timer = self._reactor.callLater(self._pace.pause(), self._resume)
        return False

    def _resume(self) -> None:
        self._timer = None
        self.go_on()

    def _end(self, outcome: Outcome, error: Exception | None) -> None:
        # Where it still stands in line it is nobody's: the disk may hang, and its threads never come back.
        if self._is_away and self._crews.of(self._disk).withdraw(self):
            self._is_away = False
        if not self._is_away:
            super()._end(outcome, error)
        elif self._verdict is None:
            self._verdict = Ended(outcome, error)
