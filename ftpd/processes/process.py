"""WorkerProcess: one worker as the parent sees it, from its start to its end.

Apart from the generation, which decides how many there are and what happens when one dies.
"""

from __future__ import annotations

import socket as sockets
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Final, Protocol

from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from ftpd.processes.channel import Message, connect
from ftpd.processes.order import BALANCE, CHANNEL, FIRST_LISTENER, Order
from ftpd.processes.program import ending, started

__all__ = ["Owner", "WorkerProcess"]

_LEVELS: Final = frozenset(level.name for level in LogLevel.iterconstants())


class Owner(Protocol):
    """Who has started a worker, and is told what becomes of it."""

    def serves(self, worker: WorkerProcess) -> None:
        """It serves."""

    def failed(self, worker: WorkerProcess, problems: Sequence[str]) -> None:
        """It cannot serve as it was ordered, and ends."""

    def drains(self, worker: WorkerProcess) -> None:
        """It lets nobody in any more."""

    def looked(self, worker: WorkerProcess, question: int, sessions: int) -> None:
        """It has seen what it was asked with *question*, and done it to so many *sessions*."""

    def met(self, worker: WorkerProcess, sessions: int) -> None:
        """It ends, and has done to so many *sessions* what it had found before it was told to look."""

    def told(self, worker: WorkerProcess, level: str, text: str) -> None:
        """It has said something that belongs in the parent's log."""

    def ended(self, worker: WorkerProcess, how: str) -> None:
        """The process is gone; *how* is for the log."""


class WorkerProcess(ProcessProtocol):
    """Start a process with *order*, the *memory* of its generation, and the *listening* sockets of its configuration.  Raises `OSError` where there can be none.

    `since` is when it was started, in seconds since the epoch, and `started` in the reactor's.  `serves` says whether it has begun to; `sessions` and `transfers` are as it last said; `is_heard` is set by each word of it.  `was_killed`: a
    signal has ended it, so that it could not put in order what it was doing.
    """

    _log = Logger()

    def __init__(self, reactor: Any, order: Order, memory: IO[bytes], listening: Sequence[sockets.socket], owner: Owner) -> None:
        self.order = order
        self.since = time.time()
        self.started: float = reactor.seconds()
        self.serves = False
        self.is_heard = True
        self.is_ending = False
        self.was_killed = False
        self._has_ended = False  # and its number may be another's
        self.sessions = 0
        self.transfers = 0
        self._owner = owner
        self._words: dict[str, tuple[Callable[..., None], Mapping[str, type]]] = {
            "ready": (self._begin, {}),
            "alive": (self._count, {"sessions": int, "transfers": int}),
            "drains": (self._drains, {}),
            "looked": (self._looked, {"question": int, "sessions": int}),
            "met": (self._met, {"sessions": int}),
            "failed": (self._failed, {"problems": list}),
            "log": (self._tell, {"level": str, "text": str}),
        }
        ours, theirs = sockets.socketpair()
        with theirs:
            files: dict[int, int | str] = {0: 0, 1: 1, 2: 2, CHANNEL: theirs.fileno(), BALANCE: memory.fileno()}
            files |= {number: socket.fileno() for number, socket in enumerate(listening, FIRST_LISTENER)}
            try:
                self._process = started(reactor, self, files, "ftpd.processes.worker", str(order.slot))
            except BaseException:
                ours.close()
                raise
        self.pid: int = self._process.pid
        self._channel = connect(reactor, ours, self._heard, lambda: None)
        self._channel.send(order.as_message())

    def tell(self, deed: str, **more: Any) -> None:
        """Have it do *deed*."""
        self.is_ending = self.is_ending or deed in ("drain", "stop", "quit")
        self._channel.send({"do": deed, **more})

    def kill(self) -> None:
        """End it whatever it does; its sessions are lost."""
        if not self._has_ended:
            self._process.signalProcess("KILL")

    def processEnded(self, reason: Failure) -> None:
        self._has_ended = True
        self._channel.finish()  # its last words may have come together with its end
        self.was_killed = getattr(reason.value, "signal", None) is not None
        self._owner.ended(self, ending(reason.value))

    def _heard(self, message: Message) -> None:
        """Do what the worker's *message* means.  It speaks to clients, and we do not: what makes no sense is not a reason to fail with it."""
        self.is_heard = True
        said = message.pop("said", None)
        act, fields = self._words.get(said, (None, {})) if isinstance(said, str) else (None, {})
        if act is None or message.keys() != fields.keys() or any(type(message[name]) is not kind for name, kind in fields.items()):
            self._log.error("worker {worker} (process {pid}) talks nonsense, and is killed", worker=self.order.slot, pid=self.pid)
            self._channel.close()
            self.kill()
        else:
            act(**message)

    def _begin(self) -> None:
        if not self.serves:
            self.serves = True
            self._owner.serves(self)

    def _count(self, sessions: int, transfers: int) -> None:
        self.sessions, self.transfers = sessions, transfers

    def _drains(self) -> None:
        self._owner.drains(self)

    def _looked(self, question: int, sessions: int) -> None:
        self._owner.looked(self, question, sessions)

    def _met(self, sessions: int) -> None:
        self._owner.met(self, sessions)

    def _failed(self, problems: list[object]) -> None:
        self._owner.failed(self, [str(problem) for problem in problems])

    def _tell(self, level: str, text: str) -> None:
        self._owner.told(self, level if level in _LEVELS else "error", text)
