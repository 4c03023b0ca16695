"""What all pumps share: the stall watch, and exactly one judged end."""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from typing import Final

from twisted.internet.defer import Deferred

from ftpd.errors import from_oserror
from ftpd.spi import DelayedCall, Pace, Reactor, Wanted
from ftpd.transfer.done import Done
from ftpd.values import Outcome, TransferResult

__all__ = ["Course", "Stalled"]

_CHECKS_PER_STALL: Final = 4  # a stall is seen after one to one and a quarter of the time set for it


class Stalled(TimeoutError):
    """The peer moved no byte for longer than the stall timeout."""

    def __init__(self) -> None:
        super().__init__(errno.ETIMEDOUT, "the other side stopped moving data")


class Course(ABC):
    """One transfer from start to end.  A pump inherits it, moves bytes, and calls one of the `end_*` methods; the first call counts.

    `moved` grows as payload moves.  A subclass defines `begin` and `stop`, which takes it out of the reactor whatever it is doing,
    and `progress` where `moved` is not what the peer has seen.  `wanted.stall_seconds` of 0 waits for ever.
    """

    def __init__(self, reactor: Reactor, wanted: Wanted) -> None:
        self.moved = 0
        self._reactor = reactor
        self._stall_seconds = wanted.stall_seconds
        self._pace = wanted.pace
        self._started_at: float | None = None
        self._is_running = False
        self._result: TransferResult | None = None
        self._done: Deferred[TransferResult] | None = None
        self._stall_timer: DelayedCall | None = None
        self._last_progress = 0
        self._quiet_checks = 0

    def start(self) -> TransferResult | Deferred[TransferResult]:
        """See `spi.Pump`.  No Deferred for what is over at once, as most small files are (tests/bench: retr)."""
        assert self._started_at is None, "a pump starts once"
        self._started_at = self._reactor.seconds()
        self._is_running = True
        self.begin()
        if self._result is not None:
            return self._result
        self._done = Done(self.end_cancelled)
        if self._stall_seconds:
            self._watch_for_stall()
        return self._done

    def hold_to(self, pace: Pace) -> None:
        if self._pace is None:
            self._pace = pace

    @abstractmethod
    def begin(self) -> None:
        """Move what can be moved at once, and ask the reactor for the rest."""

    @abstractmethod
    def stop(self) -> None:
        """Take it out of the reactor; called once, after `begin`, or within it."""

    def progress(self) -> int:
        """A number that changes as the peer gives or takes bytes, for the stall watch."""
        return self.moved

    def end_finished(self) -> None:
        self._end(Outcome.FINISHED, None)

    def end_cancelled(self) -> None:
        self._end(Outcome.CANCELLED, None)

    def end_peer_fault(self, error: Exception) -> None:
        self._end(Outcome.PEER_FAULT, error)

    def end_local_fault(self, error: Exception) -> None:
        """End with a fault of ours; an `OSError` of the disk becomes the `FileTransferError` it stands for."""
        self._end(Outcome.LOCAL_FAULT, from_oserror(error) if isinstance(error, OSError) else error)

    def end_stalled(self) -> None:
        """Nothing moved for too long: the peer's fault, unless a subclass knows better."""
        self.end_peer_fault(Stalled())

    @property
    def is_held(self) -> bool:
        """Whether its pace holds it, so that nothing moves and nobody is at fault."""
        return False

    @property
    def is_running(self) -> bool:
        return self._is_running

    def _watch_for_stall(self) -> None:
        self._stall_timer = self._reactor.callLater(self._stall_seconds / _CHECKS_PER_STALL, self._check_stall)

    def _check_stall(self) -> None:
        self._stall_timer = None
        progress = self.progress()
        is_quiet = progress == self._last_progress and not self.is_held
        self._quiet_checks = self._quiet_checks + 1 if is_quiet else 0
        self._last_progress = progress
        if self._quiet_checks >= _CHECKS_PER_STALL:
            self.end_stalled()
        else:
            self._watch_for_stall()

    def _end(self, outcome: Outcome, error: Exception | None) -> None:
        if not self._is_running:
            return
        self._is_running = False
        timer, self._stall_timer = self._stall_timer, None
        if timer is not None:
            timer.cancel()
        self.stop()
        seconds = self._reactor.seconds() - (self._started_at or 0.0)
        self._result = TransferResult(self.moved, seconds, outcome, error)
        done, self._done = self._done, None
        if done is not None:
            done.callback(self._result)
