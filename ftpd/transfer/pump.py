"""What all pumps share: the clock, the stall watch, and exactly one judged end."""

from __future__ import annotations

import errno

from twisted.internet.defer import Deferred

from ftpd.errors import from_oserror
from ftpd.spi import Reactor
from ftpd.values import Outcome, TransferResult

__all__ = ["Course", "Stalled"]


class Stalled(TimeoutError):
    """The peer moved no byte for longer than the stall timeout."""

    def __init__(self) -> None:
        super().__init__(errno.ETIMEDOUT, "the other side stopped moving data")


class Course:
    """One transfer from start to end.  A pump inherits it, moves bytes, and calls one of the `end_*` methods.

    `moved` grows as payload moves.  A subclass overrides `stop`, which takes it out of the reactor and may be called at any moment,
    and `progress` where `moved` is not what the peer has seen.
    """

    def __init__(self, reactor: Reactor, stall_seconds: float) -> None:
        self.moved = 0
        self._reactor = reactor
        self._stall_seconds = stall_seconds
        self._started = reactor.seconds()
        self._done: Deferred[TransferResult] | None = Deferred(lambda _: self._cancel())
        self._seen = -1
        self._stall_timer = reactor.callLater(stall_seconds, self._check_stall) if stall_seconds else None

    def stop(self) -> None:
        """Take it out of the reactor."""

    def progress(self) -> int:
        """Bytes that the peer has given or taken, for the stall watch."""
        return self.moved

    def end_finished(self) -> None:
        self._end(Outcome.FINISHED, None)

    def end_peer_fault(self, error: Exception) -> None:
        self._end(Outcome.PEER_FAULT, error)

    def end_local_fault(self, error: Exception) -> None:
        """End with a fault of ours; an `OSError` of the disk becomes the `FileTransferError` it stands for."""
        self._end(Outcome.LOCAL_FAULT, from_oserror(error) if isinstance(error, OSError) else error)

    def end_by(self, error: Exception) -> None:
        """End with the fault that *error* tells: a socket's `OSError` is the peer's, everything else is ours."""
        if isinstance(error, OSError):
            self.end_peer_fault(error)
        else:
            self.end_local_fault(error)

    @property
    def is_running(self) -> bool:
        return self._done is not None

    def _check_stall(self) -> None:
        now = self.progress()
        if now == self._seen:
            self._stall_timer = None
            self.end_peer_fault(Stalled())
        else:
            self._seen = now
            self._stall_timer = self._reactor.callLater(self._stall_seconds, self._check_stall)

    def _cancel(self) -> None:
        self._end(Outcome.CANCELLED, None)

    def _end(self, outcome: Outcome, error: Exception | None) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        self.stop()
        done.callback(TransferResult(self.moved, self._reactor.seconds() - self._started, outcome, error))
