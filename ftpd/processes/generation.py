"""Generation: the workers that serve one configuration, each in its place; one that dies has a successor.

Apart from the fleet, which has two generations while a reload is under way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from ftpd.config.source import Source
from ftpd.config.tree import Config
from ftpd.processes.balance import Balance, make_memory
from ftpd.processes.order import Order
from ftpd.processes.ports import Opened
from ftpd.processes.process import WorkerProcess
from ftpd.processes.settings import available_processors
from ftpd.processes.status import WorkerStatus
from ftpd.schema import ConfigError, Problem
from ftpd.spi import DelayedCall

__all__ = ["PATIENCE", "CannotServe", "Generation", "Home"]

PATIENCE: Final = 10  # deaths of workers at their start, in a row, until nobody serves any more
_FIRST_PAUSE_SECONDS: Final = 0.1  # before a successor is started; doubled with each death that follows soon
_LONGEST_PAUSE_SECONDS: Final = 30.0
_SOON_SECONDS: Final = 10.0  # a worker that has lived longer did not die of what its successor would die of
# Workers that are starting at a time: a start is 0.35 s of a processor and hardly any wait, so that more would only make each take longer, and
# those that serve, too.  A few more than processors, for one that waits for a disk.
_LEAST_AT_ONCE: Final = 4
_LOOK_SECONDS: Final = 5.0  # between two looks for workers that say nothing any more
_MOST_SILENT: Final = 12  # looks in a row; then it is killed: its reactor has stood still for a minute


class CannotServe(Exception):
    """No worker stays alive; the message is one sentence for the operator."""


class Home(Protocol):
    """What a generation needs of the fleet."""

    def make_order(self, generation: Generation, slot: int, *, succeeds: bool) -> Order:
        """Return the order for the worker in place *slot* of *generation*."""

    def serving(self, generation: Generation) -> None:
        """One more worker of *generation* serves."""

    def drains(self, worker: WorkerProcess) -> None:
        """*worker* lets nobody in any more."""

    def looked(self, worker: WorkerProcess, question: int, sessions: int) -> None:
        """*worker* has seen what it was asked; see `process.Owner`."""

    def met(self, sessions: int) -> None:
        """A worker ends that has done to *sessions* what it was not asked about; see `process.Owner`."""

    def told(self, worker: WorkerProcess, level: str, text: str) -> None:
        """*worker* has said something for the log."""

    def ended(self, worker: WorkerProcess) -> None:
        """*worker* is gone: what it held in the state is free."""

    def lost(self, error: CannotServe) -> None:
        """Workers that served die at their start, again and again: nobody serves any more."""


class Generation:
    """The workers of *source*, which says *config*, in *count* places, on the sockets *opened*.

    `ready` fires when all serve, or fails with `ConfigError` or, after *patience* deaths at start in a row, with `CannotServe`: then `give_up`
    or `end` has to follow.  Once all have served, patience is `PATIENCE`.  `gone` fires when the last worker is gone after `end`.
    """

    _log = Logger()

    def __init__(
        self,
        home: Home,
        reactor: Any,
        number: int,
        source: Source,
        config: Config,
        count: int,
        opened: Opened,
        patience: int,
    ) -> None:
        self.number = number
        self.source = source
        self.config = config
        self.opened = opened
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()
        self.workers: dict[int, WorkerProcess] = {}  # by place
        self.restarts = dict.fromkeys(range(count), 0)
        self.is_ending = False
        self._home = home
        self._reactor = reactor
        self._patience = patience
        self._is_tried = False  # has served once
        self._stillborn = 0  # deaths at start, in a row
        self._soon = dict.fromkeys(self.restarts, 0)  # deaths that followed a start soon, in a row, in each place
        self._silent: dict[WorkerProcess, int] = {}
        self._memory = make_memory(count)
        self._balance = Balance(self._memory.fileno(), count)
        self._starts: dict[int, DelayedCall] = {}
        self._waiting: deque[tuple[int, bool]] = deque()  # places whose turn to start comes, and whether somebody has died there
        self._at_once = max(_LEAST_AT_ONCE, 2 * available_processors())
        self._next_look: DelayedCall | None = None

    def start(self) -> None:
        """Start a worker in each place, a few at a time."""
        self._waiting.extend((slot, False) for slot in self.restarts)
        self._start_next()
        self._next_look = self._reactor.callLater(_LOOK_SECONDS, self._look)

    def tell(self, deed: str, **more: Any) -> None:
        """Have every worker do *deed*."""
        for worker in self.workers.values():
            worker.tell(deed, **more)

    def end(self, deed: str, **more: Any) -> None:
        """Have every worker end, by "drain", "stop" or "quit"; may be called again, to hurry.  Who does not serve yet hears nothing, and is killed."""
        self.is_ending = True
        for start in self._starts.values():
            start.cancel()
        self._starts.clear()
        self._waiting.clear()
        self.tell(deed, **more)
        for worker in self.workers.values():
            if not worker.serves:
                worker.kill()
        self._see_whether_gone()

    def give_up(self, **more: Any) -> None:
        """End a trial that has failed: whoever serves drains, since somebody may have come in; the others let go of the sockets at once."""
        self.end("drain", **more)

    def kill(self) -> None:
        """End every worker whatever it does; its sessions are lost."""
        for worker in self.workers.values():
            worker.kill()

    def status(self) -> Iterator[WorkerStatus]:
        """Say of each worker what it is doing."""
        for slot, worker in sorted(self.workers.items()):
            yield WorkerStatus(
                slot=slot,
                pid=worker.pid,
                state="draining" if worker.is_ending else "ready" if worker.serves else "starting",
                generation=self.number,
                since=worker.since,
                sessions=worker.sessions,
                transfers=worker.transfers,
                restarts=self.restarts[slot],
            )

    # process.Owner.

    def serves(self, worker: WorkerProcess) -> None:
        self._stillborn = 0
        self._log.info("worker {worker} (process {pid}) serves", event="worker-started", worker=worker.order.slot, pid=worker.pid)
        self._home.serving(self)
        self._start_next()
        if not self.ready.called and all(self._serves(slot) for slot in self.restarts):
            self._is_tried = True
            self._patience = PATIENCE
            self.ready.callback(None)

    def failed(self, worker: WorkerProcess, problems: Sequence[str]) -> None:
        worker.is_ending = True
        if self.ready.called:  # else whoever waits for `ready` tells it
            for problem in problems:
                self._log.error("worker {worker} cannot serve: {reason}", worker=worker.order.slot, reason=problem)
        self._fail(ConfigError([Problem("", "", problem, "") for problem in problems]))

    def drains(self, worker: WorkerProcess) -> None:
        self._home.drains(worker)

    def looked(self, worker: WorkerProcess, question: int, sessions: int) -> None:
        self._home.looked(worker, question, sessions)

    def met(self, worker: WorkerProcess, sessions: int) -> None:
        self._home.met(sessions)

    def told(self, worker: WorkerProcess, level: str, text: str) -> None:
        self._home.told(worker, level, text)

    def ended(self, worker: WorkerProcess, how: str) -> None:
        slot = worker.order.slot
        del self.workers[slot], self._silent[worker]
        self._balance.leave(slot)
        self._home.ended(worker)
        fields = {"worker": slot, "pid": worker.pid, "reason": how}
        if worker.is_ending and not (
            worker.was_killed and worker.serves
        ):  # who does not serve yet is killed to end, and loses nothing
            self._log.info("worker {worker} (process {pid}) has ended: {reason}", event="worker-ended", **fields)
        else:
            self._log.error("worker {worker} (process {pid}) died: {reason}", event="worker-died", **fields)
        if self.is_ending:
            self._see_whether_gone()
        else:
            self._stillborn += not worker.serves
            has_died_soon = self._reactor.seconds() - worker.started < _SOON_SECONDS
            self._soon[slot] = self._soon[slot] + 1 if has_died_soon else 0
            self._replace(slot)
            self._start_next()

    def _wait_in_turn(self, slot: int) -> None:
        """Have the successor in place *slot* started when it is its turn."""
        self._starts.pop(slot, None)
        self._waiting.append((slot, True))
        self._start_next()

    def _start_next(self) -> None:
        """Start whoever waits, as many as may be starting at a time."""
        while self._waiting and sum(not worker.serves for worker in self.workers.values()) < self._at_once:
            slot, succeeds = self._waiting.popleft()
            self._start_worker(slot, succeeds=succeeds)

    def _start_worker(self, slot: int, *, succeeds: bool) -> None:
        try:
            worker = WorkerProcess(
                self._reactor, self._home.make_order(self, slot, succeeds=succeeds), self._memory, self.opened.of(slot), self
            )
        except OSError as error:
            reason = f"{error.strerror}: {error.filename}" if error.filename else error.strerror
            self._log.error("worker {worker} cannot be started: {reason}", worker=slot, reason=reason)
            self._stillborn += 1
            self._soon[slot] += 1
            self._replace(slot)
            return
        self.workers[slot] = worker
        self._silent[worker] = 0

    def _replace(self, slot: int) -> None:
        if self._stillborn >= self._patience:
            times = "once" if self._stillborn == 1 else f"{self._stillborn} times in a row"
            self._waiting.clear()
            self._fail(CannotServe(f"Workers died at their start, {times}; the log says of what."))
            return
        self.restarts[slot] += 1
        soon = self._soon[slot]
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2 ** min(soon, 20)) if soon else 0
        self._starts[slot] = self._reactor.callLater(pause, self._wait_in_turn, slot)

    def _fail(self, error: ConfigError | CannotServe) -> None:
        if not self.ready.called:
            self.ready.errback(error)
        elif self._is_tried and isinstance(error, CannotServe):
            self._home.lost(error)

    def _serves(self, slot: int) -> bool:
        return slot in self.workers and self.workers[slot].serves

    def _look(self) -> None:
        """Kill a worker whose reactor stands still: its clients wait for nothing.  Looks are counted, since a machine may sleep."""
        self._next_look = self._reactor.callLater(_LOOK_SECONDS, self._look)
        for worker in list(self._silent):
            self._silent[worker] = 0 if worker.is_heard else self._silent[worker] + 1
            worker.is_heard = False
            if self._silent[worker] >= _MOST_SILENT:
                self._log.error(
                    "worker {worker} (process {pid}) does not answer, and is killed", worker=worker.order.slot, pid=worker.pid
                )
                worker.kill()

    def _see_whether_gone(self) -> None:
        if not self.workers and not self.gone.called:
            if self._next_look is not None:
                self._next_look.cancel()
            self._balance.close()
            self._memory.close()
            self.gone.callback(None)
