"""Fleet: the parent, which owns the listening sockets and the privileges of the start, and has workers serve.

Apart from the service, which each worker runs.  It speaks no protocol but that of the control socket, and holds nothing that a client could reach.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredLock, gatherResults
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import LoopingCall
from twisted.logger import Logger, LogLevel

from ftpd import __version__
from ftpd.config.source import Source
from ftpd.config.tree import Config
from ftpd.errors import Unavailable
from ftpd.listening import CannotListen, tell_source_port
from ftpd.logs.open import OpenLogs
from ftpd.processes.control import ControlSocket
from ftpd.processes.count import worker_count
from ftpd.processes.directory import RuntimeDirectory
from ftpd.processes.examination import Finding, examined
from ftpd.processes.generation import PATIENCE, CannotServe, Generation
from ftpd.processes.identity import identity
from ftpd.processes.notify import Notify
from ftpd.processes.operator import Refused
from ftpd.processes.order import Order
from ftpd.processes.ports import Opened, Ports, tell_opened
from ftpd.processes.privileges import drop, loss
from ftpd.processes.process import WorkerProcess
from ftpd.processes.questions import Questions
from ftpd.processes.sockets import inherited
from ftpd.processes.status import ListenerStatus, Status
from ftpd.processes.tally import Tally
from ftpd.schema import ConfigError, Problem
from ftpd.state.sqlite import SQLiteState, prepare
from ftpd.threads import Pool
from ftpd.values import Request, SessionRow

__all__ = ["Fleet"]

_PATIENCE_OF_RELOAD: Final = 1  # deaths of workers at their start: there are others that serve
_GRACE_SECONDS: Final = 15.0  # for a worker to end once its sessions had to, before it is killed
_QUIT_SECONDS: Final = 5.0
_STATUS_SECONDS: Final = 5.0
_LOG_THREADS: Final = 16  # files that are opened anew at a time: one whose disk hangs keeps a thread
_LOCKED: Final = "The server is closed for maintenance; please come back later."
_FIXED: Final = ("user", "group", "directory")  # settings of a process that has begun


class Fleet(Service):
    """The workers of *source*, whose *config* is known to be good, as a service of *reactor*; it implements `operator.Operator`.

    *lost* is called, on the reactor thread, with the error when nobody can serve any more.  With *forwards_logs* the lines of workers become this
    process's own, for a program that keeps the log.
    """

    name = "ftpd"

    _log = Logger()

    def __init__(
        self, source: Source, config: Config, reactor: Any, lost: Callable[[Exception], None], *, forwards_logs: bool = False
    ) -> None:
        self._source = source
        self._config = config
        self._reactor = reactor
        self._lost = lost
        self._forwards_logs = forwards_logs
        self._since = time.time()
        self._ahead = self._since - time.monotonic()
        self._generations: list[Generation] = []
        self._current: Generation | None = None
        self._count = itertools.count(1)  # of processes
        self._numbers = itertools.count(1)  # of generations
        self._locked: str | None = None
        self._handing_over: Tally | None = None
        self._reloads = DeferredLock()
        self._claimed: Opened | None = None  # by who had the right to
        self._opened = Opened()
        self._is_stopping = False
        self._examining: Deferred[Finding] | None = None
        self._loops: list[LoopingCall] = []

    # Service.

    def privilegedStartService(self) -> None:
        """Open the ports and make the runtime directory, while there is the right to.  Raises `CannotListen` and `ConfigError`."""
        settings = self._config.process
        self._notify = Notify(os.environ, os.getpid())  # here, since twistd forks before
        self._ports = Ports(inherited(os.environ, os.getpid()))
        self._identity = identity(settings.user, settings.group)
        self._directory = RuntimeDirectory(settings.directory, self._identity)
        self._directory.open()
        try:
            self._claimed = self._ports.claim(self._config, worker_count(self._config))
        except CannotListen:
            self._ports.close()
            raise

    def startService(self) -> None:
        """Give up privileges, then start the workers.  Raises `CannotListen`, `CannotServe` and `ConfigError`."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's services have no annotations
        if self._claimed is None:
            self.privilegedStartService()
        assert self._claimed is not None
        drop(self._identity, keeps_low_ports=0 < self._config.ftp.active.source_port < 1024)
        self._logs = OpenLogs(self._config.log)
        self._log_threads = Pool(self._reactor, "ftpd-logs", _LOG_THREADS)
        self._ports.keep(self._claimed)  # not before there is a log: it may have something to say
        tell_opened(self._log, self._config, self._claimed, self._opened)
        tell_source_port(self._log, self._config.ftp.active.source_port)
        if os.geteuid() == 0:
            self._log.warn("root serves: name in process.user who the server becomes once its ports are open")
        elif told := loss(self._source.file):
            self._log.warn("{told}", told=told)
        self._opened = self._claimed
        try:
            prepare(self._directory.state)
        except Unavailable as error:
            raise CannotServe(f"{error}.") from error
        self._state = SQLiteState(
            self._directory.state, "", self._reactor, ahead=self._ahead + time.monotonic() - self._reactor.seconds()
        )
        self._questions = Questions(self._reactor, self._state, self._workers)
        self._control = ControlSocket(self._reactor, self._directory.control, self, self._identity.group)
        self._control.open()
        generation = self._start_generation(self._source, self._config, worker_count(self._config), self._opened, PATIENCE)
        self._current = generation
        generation.ready.addCallbacks(self._serving, lambda failure: self._lost(failure.value))

    def stopService(self) -> Deferred[None]:
        """Stop accepting, let transfers finish for a while, end the workers."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._is_stopping = True
        return Deferred.fromCoroutine(self._stop())

    def quit(self) -> None:
        """End the workers now; to be followed, or preceded, by `stopService`."""
        for generation in tuple(self._generations):
            generation.end("quit")
        self._reactor.callLater(_QUIT_SECONDS, self._kill)

    def reopen_logs(self) -> None:
        """Open the log files anew in every process, after logrotate has moved them."""
        reopening: Deferred[None] = Deferred.fromCoroutine(self._logs.reopen(self._log_threads))
        reopening.addErrback(lambda failure: self._log.failure("opening the log files anew failed", failure=failure))
        for generation in self._generations:
            generation.tell("reopen")

    def hang_up(self) -> None:
        """What SIGHUP asks for: `reload`, whose failure is in the log."""

        async def reload() -> None:
            with suppress(ConfigError, CannotListen, CannotServe, Refused):
                await self.reload()

        if not self._reloads.waiting:  # else one that has not read the file yet will do
            reloaded: Deferred[None] = Deferred.fromCoroutine(reload())
            reloaded.addErrback(lambda failure: self._log.failure("reloading failed", failure=failure))

    # operator.Operator.

    async def who(self) -> Sequence[SessionRow]:
        return await self._state.sessions()

    async def kick(self, field: str, value: str) -> int:
        return await self._questions.ask(Request("kick", field, value))

    async def slow(self, field: str, value: str, rate: int) -> int:
        return await self._questions.ask(Request("slow", field, value, rate))

    def lock(self, message: str) -> None:
        self._locked = message or _LOCKED
        self._log.warn("locked: new sessions are refused")
        self._tell_lock()

    def unlock(self) -> None:
        self._locked = None
        self._log.warn("unlocked")
        self._tell_lock()

    async def reload(self) -> None:
        """Serve what the configuration file says now; done when the new workers serve.

        Raises `ConfigError`, `CannotListen`, `CannotServe` and `Refused`; everything is then as it was, and the log says why.
        """
        await self._reloads.acquire()
        try:
            if self._is_stopping or self._current is None or not self._current.ready.called:
                raise Refused("The server is starting or stopping; there is nothing to reload.")
            self._notify.reloading()
            try:
                await self._reload(self._current)
            finally:
                if not self._is_stopping:
                    self._notify.ready()
            self._log.info("configuration reloaded")
        except (ConfigError, CannotListen, CannotServe, Refused) as error:
            for line in str(error).splitlines():
                self._log.error("configuration not reloaded, the old one stays in use: {reason}", reason=line)
            raise
        finally:
            self._reloads.release()

    def stop(self, now: bool) -> float:
        self._reactor.callLater(0, self._begin_to_stop, now)
        return _QUIT_SECONDS if now else self._config.process.stop + _GRACE_SECONDS

    def status(self) -> Status:
        workers = [status for generation in self._generations for status in generation.status()]
        listeners = tuple(_listener_statuses(self._config, self._opened))
        return Status(__version__, os.getpid(), self._since, self._source.file, self._locked, listeners, tuple(workers))

    # generation.Home.

    def make_order(self, generation: Generation, slot: int, *, succeeds: bool) -> Order:
        return Order(
            source=generation.source,
            name=self._new_name(slot),
            slot=slot,
            places=len(generation.restarts),
            state=self._directory.state,
            ahead=self._ahead,
            locked=self._locked,
            forwards_logs=self._forwards_logs and not generation.config.log.targets,
            succeeds=succeeds,
            is_tried=succeeds or slot > 0 or self._current not in (None, generation),  # a reload's by the examiner
            waits=self._current not in (None, generation),
        )

    def serving(self, generation: Generation) -> None:
        if not (self._is_stopping or generation.ready.called):
            count = sum(worker.serves for worker in generation.workers.values())
            self._notify.starting(f"starting: {count} of {len(generation.restarts)} workers serve")

    def drains(self, worker: WorkerProcess) -> None:
        if self._handing_over is not None:
            self._handing_over.add(worker, 0)

    def looked(self, worker: WorkerProcess, question: int, sessions: int) -> None:
        self._questions.looked(worker, question, sessions)

    def met(self, sessions: int) -> None:
        self._questions.met(sessions)

    def told(self, worker: WorkerProcess, level: str, text: str) -> None:
        self._log.emit(LogLevel.levelWithName(level), "[worker {worker}] {text}", worker=worker.order.slot, text=text)

    def ended(self, worker: WorkerProcess) -> None:
        self._questions.ended(worker)
        if self._handing_over is not None:
            self._handing_over.add(worker, 0)
        forgetting: Deferred[None] = Deferred.fromCoroutine(self._state.forget(worker.order.name))
        forgetting.addErrback(
            lambda failure: self._log.error("sessions of a dead worker are still counted: {error}", error=failure.value)
        )
        if worker.was_killed and worker.is_ending:  # else its successor clears away what it left
            stay = (other for other in self._workers() if other.serves and not other.is_ending)
            for other in itertools.islice(stay, 1):
                other.tell("sweep")

    def lost(self, error: CannotServe) -> None:
        self._lost(error)

    # Starting.

    def _new_name(self, place: object) -> str:
        """Return a name for a process that no other has had, nor one of a parent before us."""
        return f"{os.getpid()}.{place}.{next(self._count)}"

    def _start_generation(self, source: Source, config: Config, count: int, opened: Opened, patience: int) -> Generation:
        number = next(self._numbers)
        generation = Generation(self, self._reactor, number, source, config, count, opened, patience)
        self._generations.append(generation)
        generation.gone.addCallback(lambda _: self._generations.remove(generation))
        generation.start()
        return generation

    def _serving(self, _: object) -> None:
        if self._is_stopping:
            return
        self._notify.ready()
        self._repeat(_STATUS_SECONDS, self._tell_status)
        if self._notify.watchdog_seconds:
            self._repeat(self._notify.watchdog_seconds / 2, self._notify.watchdog)

    def _repeat(self, seconds: float, function: Callable[[], object]) -> None:
        loop = LoopingCall(function)
        loop.clock = self._reactor
        loop.start(seconds)
        self._loops.append(loop)

    def _tell_status(self) -> None:
        workers = list(self._workers())
        sessions, transfers = sum(worker.sessions for worker in workers), sum(worker.transfers for worker in workers)
        locked = ", locked" if self._locked is not None else ""
        self._notify.status(f"{sessions} sessions, {transfers} transfers, {len(workers)} workers{locked}")

    def _tell_lock(self) -> None:
        for worker in self._workers():
            worker.tell("lock", message=self._locked)

    def _workers(self) -> Iterator[WorkerProcess]:
        for generation in self._generations:
            yield from generation.workers.values()

    # Reloading.

    async def _reload(self, old: Generation) -> None:
        finding = await self._examined()
        source, config = finding.source, finding.source.common()  # what of it is extensions' was read with their new code
        self._demand_fitting(config, finding.workers)
        try:
            opened = self._ports.claim(config, finding.workers)
            new = await self._started(source, config, finding.workers, opened)
        except BaseException:
            self._ports.keep(self._opened)
            raise
        tell_opened(self._log, config, opened, self._opened)
        if config.ftp.active.source_port != self._config.ftp.active.source_port:
            tell_source_port(self._log, config.ftp.active.source_port)
        self._ports.keep(opened)
        self._source, self._config, self._opened, self._current = source, config, opened, new
        await self._hand_over(old, new)

    async def _hand_over(self, old: Generation, new: Generation) -> None:
        """Have *old* let nobody in any more; done when it does not: who connects after a reload shall not meet the old settings."""
        settings = self._config.process
        tally = self._handing_over = Tally(self._reactor)
        tally.wait_for(old.workers.values())
        old.end("drain", idle=settings.drain_idle, most=settings.drain)
        new.tell("answer")
        await tally.total
        self._handing_over = None
        for worker in tally.awaited:
            self._log.warn(
                "worker {worker} (process {pid}) of the old configuration does not answer, and may let somebody in yet",
                worker=worker.order.slot,
                pid=worker.pid,
            )

    async def _started(self, source: Source, config: Config, count: int, opened: Opened) -> Generation:
        new = self._start_generation(source, config, count, opened, _PATIENCE_OF_RELOAD)
        try:
            await new.ready
            if self._is_stopping:
                raise Refused("The server is stopping; nothing has changed.")
            logs = OpenLogs(config.log)  # not before: two would write each line twice
        except BaseException:
            new.give_up(idle=config.process.drain_idle, most=config.process.drain)
            raise
        self._logs.close()
        self._logs = logs
        return new

    async def _examined(self) -> Finding:
        """Have what the configuration file says now tried, and return it."""
        self._examining = Deferred.fromCoroutine(examined(self._reactor, self._source.file, self._source.overrides))
        try:
            finding = await self._examining
        except CancelledError:
            raise Refused("The server is stopping; there is nothing to reload.") from None
        finally:
            self._examining = None
        for warning in finding.warnings:
            self._log.warn("{warning}", warning=warning)
        return finding

    def _demand_fitting(self, config: Config, workers: int) -> None:
        """Raise `ConfigError` with everything that keeps *config*, which so many *workers* serve, from taking the place of the one in use."""
        problems = []
        for field in _FIXED:
            old, new = getattr(self._config.process, field), getattr(config.process, field)
            if new != old:
                problems.append(
                    Problem(self._source.file, f"process.{field}", f"changed from {old!r} to {new!r}", "this needs a restart")
                )
        if not problems and not workers:
            problems.append(Problem(self._source.file, "process.workers", "changed to none", "this needs a restart"))
        if problems:
            raise ConfigError(problems)

    # Stopping.

    def _begin_to_stop(self, now: bool) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()
        if now:
            self.quit()

    async def _stop(self) -> None:
        self._notify.stopping()
        self._ports.close()
        if self._examining is not None:
            self._examining.cancel()
        for loop in self._loops:
            loop.stop()
        for generation in tuple(self._generations):
            generation.end("stop", most=self._config.process.stop)
        killing = self._reactor.callLater(self._config.process.stop + _GRACE_SECONDS, self._kill)
        await gatherResults([generation.gone for generation in self._generations])
        if killing.active():
            killing.cancel()
        self._control.close()
        await self._state.close()
        self._directory.close()
        self._log_threads.close()
        self._logs.close()

    def _kill(self) -> None:
        for generation in self._generations:
            generation.kill()


def _listener_statuses(config: Config, opened: Opened) -> Iterator[ListenerStatus]:
    for settings, stream in zip(config.listen, opened.streams, strict=True):
        address, port = stream.getsockname()[:2]
        yield ListenerStatus(address, port, settings.implicit_tls)
    for places in opened.datagrams:
        address, port = places[0].getsockname()[:2]
        yield ListenerStatus(address, port, protocol="tftp")
