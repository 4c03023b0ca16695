"""The service: one configuration becomes listening sockets, a portal, a store, pools and logs, and ends in order.

This is the one wiring diagram of the house: every part is made here and handed to those that need it.  Apart from the command line and
`twistd`, so that any Twisted program can run the same server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, ParamSpec, TypeVar

import attrs
from twisted.application.service import Service
from twisted.cred.credentials import IAnonymous
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, execute, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorFDSet
from twisted.logger import Logger

from ftpd.accounts.limits import Limits
from ftpd.accounts.realm import TransferRealm
from ftpd.accounts.settings import SettingsAccounts
from ftpd.config.kinds import login_kind, store_kind
from ftpd.config.rules import problems_of
from ftpd.config.tree import Config, ListenSettings
from ftpd.errors import FileTransferError
from ftpd.events import Events
from ftpd.extensions import gather
from ftpd.ftp.command import Command, CommandTable, table
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.dataport import DataPortFactory
from ftpd.ftp.factory import FTPFactory
from ftpd.interfaces import IEventObserver
from ftpd.listening import Listener
from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.chain import chained
from ftpd.logs.journal import Journal
from ftpd.logs.open import OpenLogs
from ftpd.schema import ConfigError, FilePath, Problem, nearest
from ftpd.spi import DataPorts, Observer, Store, StoreThreads, Threads
from ftpd.storage.readonly import ReadOnly
from ftpd.threads import Pool
from ftpd.values import Account

__all__ = ["Server", "login_pool", "make_service", "require_descriptors", "unusable_parts"]

P = ParamSpec("P")
T = TypeVar("T")

_STORAGE_THREADS = 16
_FIRST_SWEEP_SECONDS = 600.0  # not at once: a start is busy enough, and a server that restarts all day still gets to it
_SWEEP_SECONDS = 86_400.0


def make_service(config: Config, reactor: Any, *, checkers: Iterable[Any] = (), login_threads: Pool | None = None) -> Server:
    """Return the whole server as a service of *reactor*, not yet started.

    *checkers* are cred checkers asked before the configured login sources; *login_threads* the pool that they use, if any: it is closed with the
    service.  Raises `ConfigError` where the configuration contradicts itself, or something that it names cannot be used.
    """
    require_descriptors(reactor)
    if problems := list(problems_of(config)):
        raise ConfigError(problems)
    logs = OpenLogs(config.log)
    try:
        return _wired(config, reactor, logs, list(checkers), login_threads or login_pool(reactor))
    except BaseException:
        logs.close()
        raise


def _wired(config: Config, reactor: Any, logs: OpenLogs, checkers: list[Any], login_threads: Pool) -> Server:
    storage_threads = Pool(reactor, "ftpd-storage", _STORAGE_THREADS)
    store = _make_store(config, storage_threads)
    sources = [*checkers, *_make_checkers(config, login_threads)]
    if config.anonymous.enabled and not any(IAnonymous in source.credentialInterfaces for source in sources):
        sources.append(AnonymousLogin())
    portal = Portal(_make_realm(config, store), chained(sources))
    shared = _Shared(
        portal=portal,
        limits=Limits(config.limits, reactor),
        events=Events([Journal(least=logs.least), *logs.observers, *_find_observers(config)]),
        data_ports=_make_data_ports(config, reactor),
        commands=_make_commands(config),
    )
    return Server(
        [Listener(listen, _make_factory(config, listen, shared, reactor), reactor) for listen in config.listen],
        store,
        (storage_threads, login_threads),
        logs,
        reactor,
    )


async def unusable_parts(config: Config, reactor: Any) -> list[Problem]:
    """Return what is wrong with the store, the login sources and the extensions that *config* names; nothing is kept open.

    The reactor need not run: a store that is opened without waiting for the network is tried.
    """
    threads = _NoThreads(reactor)
    problems: list[Problem] = []
    try:
        problems += await _unusable_store(config, threads)
    except ConfigError as error:
        problems += error.problems
    for part in (lambda: _make_checkers(config, threads), lambda: _make_commands(config)):
        try:
            part()
        except ConfigError as error:
            problems += error.problems
    return problems


async def _unusable_store(config: Config, threads: StoreThreads) -> list[Problem]:
    store = _make_store(config, threads)
    try:
        files = await store.open(Account(name=""))
        await files.close()
    except FileTransferError as error:
        return [Problem("", f"storage.{config.storage.kind}", f"cannot be opened: {error}", "what it names has to be there")]
    finally:
        await store.close()
    return []


@attrs.frozen
class _NoThreads:
    """A `spi.StoreThreads` for a process that serves nobody: calls are made at once."""

    clock: Any

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
        return execute(function, *args, **kwargs)

    def separate(self, name: str) -> _NoThreads:
        return self


def login_pool(reactor: Any) -> Pool:
    """Return the pool for logins: as many threads as cores, since a password hash does nothing but compute."""
    return Pool(reactor, "ftpd-login", os.cpu_count() or 1)


def require_descriptors(reactor: Any) -> None:
    """Refuse a reactor that cannot watch plain descriptors: data connections are our own sockets.  Raises `ConfigError`."""
    if not IReactorFDSet.providedBy(reactor):
        found = f"{type(reactor).__name__} cannot watch file descriptors (no IReactorFDSet)"
        raise ConfigError([Problem("", "reactor", found, "use epoll, kqueue, poll or select")])


class Server(Service):
    """The running server; it is started and stopped once."""

    name = "ftpd"

    _log = Logger()

    def __init__(self, listeners: Sequence[Listener], store: Store, pools: Sequence[Pool], logs: OpenLogs, clock: Any) -> None:
        self.listeners = tuple(listeners)
        self._store = store
        self._pools = tuple(pools)
        self._logs = logs
        self._clock = clock
        self._next_sweep: IDelayedCall | None = None

    def reopen_logs(self) -> None:
        """Open the log files anew, after logrotate has moved them; to be called on the reactor thread."""
        self._logs.reopen()

    def privilegedStartService(self) -> None:
        """Bind while `twistd` still has the right to ports below 1024.  Raises `CannotListen`."""
        self._listen()

    def startService(self) -> None:
        """Bind what is not bound yet.  Raises `CannotListen`."""
        super().startService()  # type: ignore[no-untyped-call]  # Twisted's services have no annotations
        self._listen()
        self._next_sweep = self._clock.callLater(_FIRST_SWEEP_SECONDS, self._sweep)

    def stopService(self) -> Deferred[None]:
        """Stop accepting, end the sessions, then free what they used."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._next_sweep is not None and self._next_sweep.active():
            self._next_sweep.cancel()
        return Deferred.fromCoroutine(self._stop())

    def _listen(self) -> None:
        for listener in self.listeners:
            listener.listen()

    def _sweep(self) -> None:
        """Listings tidy what they list; this is for directories that nobody lists, such as an incoming one."""
        self._next_sweep = self._clock.callLater(_SWEEP_SECONDS, self._sweep)
        sweeping: Deferred[None] = Deferred.fromCoroutine(self._store.sweep())
        sweeping.addErrback(lambda failure: self._log.failure("removing outdated parts of uploads failed", failure=failure))

    async def _stop(self) -> None:
        try:
            for listener in self.listeners:
                listener.close()
            await gatherResults([listener.factory.close_sessions() for listener in self.listeners], consumeErrors=True)
        finally:
            for listener in self.listeners:
                listener.factory.data_ports.close()
            await self._store.close()
            for pool in self._pools:
                pool.close()
            self._logs.close()


@attrs.frozen
class _Shared:
    """What all listeners have in common."""

    portal: Portal
    limits: Limits
    events: Events
    data_ports: DataPorts
    commands: CommandTable


def _make_factory(config: Config, listen: ListenSettings, shared: _Shared, reactor: Any) -> FTPFactory:
    factory = FTPFactory(
        shared.portal,
        settings=config.ftp,
        limits=shared.limits,
        events=shared.events,
        data_ports=shared.data_ports,
        commands=shared.commands,
        anonymous_names=config.anonymous.names if config.anonymous.enabled else (),
        listener=listen.label,
        logs_commands=any(target.level == "debug" for target in config.log.targets),
        reactor=reactor,
    )
    factory.noisy = False  # the listener's own line says where
    return factory


def _make_commands(config: Config) -> CommandTable:
    """Return the standard commands and those of extensions; an extension may take the place of a standard one, as an embedder may."""
    added = gather(lambda found: isinstance(found, Command), None, config.extensions.directories)
    try:
        commands = {**standard_commands(), **table(added)}
    except ValueError as error:  # which of two extensions is served must not depend on the names of their files
        raise ConfigError([Problem("", "extensions.directories", str(error), "each command in one extension")]) from error
    problems = [*_unknown_commands(config, "allow_commands", commands), *_unknown_commands(config, "deny_commands", commands)]
    if problems:
        raise ConfigError(problems)
    return commands


def _unknown_commands(config: Config, field: str, commands: CommandTable) -> Iterator[Problem]:
    """Yield what an operator allows or denies and nobody serves: a slip there would leave open what was to be shut."""
    names = {verb.decode("ascii") for verb in commands} | {"SITE"}
    for name in getattr(config.ftp, field):
        if name.upper() not in names:
            yield Problem("", f"ftp.{field}", f"there is no command {name!r}", nearest(name.upper(), names))


def _find_observers(config: Config) -> Iterable[Observer]:
    """Yield the event observers of extensions, told after our own: the log then has the event on which one of them failed."""
    return gather(IEventObserver.providedBy, None, config.extensions.directories)


def _make_data_ports(config: Config, reactor: Any) -> DataPortFactory:
    """Make the one owner of the passive ports: two would fight for them."""
    passive, timeouts = config.ftp.passive, config.ftp.timeouts
    return DataPortFactory(reactor, passive.ports, timeouts.data_connect, config.ftp.active.source_port)


def _make_store(config: Config, threads: StoreThreads) -> Store:
    storage = config.storage
    kind = _kind(store_kind, storage.kind, config, "storage.kind")
    settings = storage.settings if storage.settings is not None else kind.settings()
    store: Store = _made(kind, settings, threads, f"storage.{storage.kind}")
    return ReadOnly(store) if storage.read_only else store


def _make_checkers(config: Config, threads: Threads) -> list[Any]:
    checkers: list[Any] = []
    problems: list[Problem] = []
    for index, login in enumerate(config.login):
        try:
            kind = _kind(login_kind, login.kind, config, f"login[{index}].kind")
            checkers.append(_made(kind, login.settings, threads, f"login[{index}]"))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(problems)
    return checkers


def _kind(find: Callable[[str, tuple[FilePath, ...]], Any], name: str, config: Config, path: str) -> Any:
    """Find a kind by *name*: a tree that a program built may name one that there is not."""
    try:
        return find(name, config.extensions.directories)
    except KeyError:
        raise ConfigError([Problem("", path, f"there is no kind {name!r}", "")]) from None


def _made(kind: Any, settings: Any, threads: Threads, path: str) -> Any:
    """Make what *kind* makes; what it complains of is found at *path*."""
    try:
        return kind.make(settings, threads)
    except ConfigError as error:
        raise ConfigError(attrs.evolve(problem, path=f"{path}.{problem.path}".rstrip(".")) for problem in error.problems) from error


def _make_realm(config: Config, store: Store) -> TransferRealm:
    return TransferRealm(SettingsAccounts(config.account, config.accounts, config.anonymous), store)
