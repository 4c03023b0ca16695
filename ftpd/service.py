"""The service: one configuration becomes listening sockets, a portal, a store, pools and logs.

This is the one wiring diagram of the house: every part is made here and handed to those that need it.  Apart from the command line and
`twistd`, so that any Twisted program can run the same server.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import zip_longest
from socket import socket
from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.interfaces import IReactorFDSet

from ftpd.accounts.limits import Limits
from ftpd.accounts.rates import Rates
from ftpd.config.rules import problems_of
from ftpd.config.tree import Config, ListenSettings
from ftpd.events import Events
from ftpd.extensions import gather
from ftpd.ftp.command import Command, CommandTable, table
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.data.faults import DataFaults
from ftpd.ftp.data.ports import DataPortFactory
from ftpd.ftp.factory import FTPFactory
from ftpd.ftp.hashes.digests import Digests
from ftpd.ftp.protection import SessionContexts
from ftpd.ftp.settings import FTPSettings
from ftpd.interfaces import IEventObserver
from ftpd.listening import Listener
from ftpd.logs.journal import Journal
from ftpd.logs.open import OpenLogs
from ftpd.schema import ConfigError, Problem, nearest
from ftpd.server import Server
from ftpd.sites import Sites, make_checkers
from ftpd.spi import DataPorts, Observer, Served, State
from ftpd.threads import Pool
from ftpd.transfer import Crews
from ftpd.trial import WithoutThreads, demand_startable, missing_roots, unreadable_directories, unusable_stores
from ftpd.values import SessionRow

if TYPE_CHECKING:
    from ftpd.certificates import Certificates
    from ftpd.datagrams import DatagramListener
    from ftpd.tls.contexts import Contexts

__all__ = ["Server", "login_pool", "make_service", "require_descriptors", "unusable_parts"]


_STORAGE_THREADS = 16


def make_service(
    config: Config,
    reactor: Any,
    *,
    checkers: Iterable[Any] = (),
    login_threads: Pool | None = None,
    has_late_tls: bool = False,
    sockets: Sequence[socket] = (),
    datagram_sockets: Sequence[socket] = (),
    state: State | None = None,
    is_tried: bool = False,
) -> Server:
    """Return the whole server as a service of *reactor*, not yet started.

    *checkers* are cred checkers asked before the configured login sources; *login_threads* the pool that they use, if any: it is closed with the
    service.  *has_late_tls*: certificates, known to be good, are read by the first session that wants one, and not again,
    unless clients are asked for one too.  *sockets*, bound and listening, belong to `config.listen` one by one, *datagram_sockets*, bound, to
    `config.tftp.listeners`, and *state* is what this process has in common with others; without them it binds its own, and is alone.  *is_tried*: another process has found the stores
    good.  Raises `ConfigError` where the configuration contradicts itself, or something that it names cannot be used.
    """
    require_descriptors(reactor)
    if problems := list(problems_of(config)):
        raise ConfigError(problems)
    logs = OpenLogs(config.log)
    try:
        given = _Given(list(checkers), login_threads or login_pool(reactor), has_late_tls, sockets, datagram_sockets, state)
        server = _wired(config, reactor, logs, given)
        if not is_tried:
            demand_startable(config, reactor)
        return server
    except BaseException:
        logs.close()
        raise


@attrs.frozen
class _Given:
    """What `make_service` was given beside the configuration."""

    checkers: list[Any]
    login_threads: Pool
    has_late_tls: bool
    sockets: Sequence[socket]
    datagram_sockets: Sequence[socket]
    state: State | None


def _wired(config: Config, reactor: Any, logs: OpenLogs, given: _Given) -> Server:
    asks_clients = config.tls.clients.certificates != "off"  # then who may log in depends on the files: they are read now
    certificates = None if given.has_late_tls and not asks_clients else _certificates(config)
    storage_threads = Pool(reactor, "ftpd-storage", _STORAGE_THREADS)
    proved: Callable[[list[Any]], list[Any]] = certificates.proved if certificates is not None else list
    sites = Sites(config, storage_threads, given.login_threads, given.checkers, proved)
    events = Events([Journal(least=logs.least), *logs.observers, *_find_observers(config)])
    faults = DataFaults(events, reactor.seconds)
    crews = Crews(reactor)
    shared = _Shared(
        sites=sites,
        limits=Limits(config.limits, reactor, given.state),
        rates=Rates(config.rates, reactor, given.state, config.process.count),
        events=events,
        faults=faults,
        data_ports=_make_data_ports(config, reactor, faults, has_told=bool(given.sockets)),
        commands=_make_commands(config),
        crews=crews,
        digests=Digests(crews, config.ftp.hashes),
        contexts=certificates.contexts if certificates is not None else _late_contexts(config),
    )
    listeners = [
        Listener(listen, _make_factory(config, listen, shared, reactor), reactor, socket)
        for listen, socket in zip_longest(config.listen, given.sockets)
    ]
    pools = (storage_threads, given.login_threads)
    datagrams = _make_datagrams(config, shared, given.datagram_sockets, reactor)
    server = Server(listeners, sites.stores, pools, logs, reactor, certificates, shared.rates, config.process.stop, datagrams)
    for listener in listeners:
        listener.factory.neighbours = partial(_all_rows, server.served, given.state)
    return server


async def _all_rows(served: Iterable[Served], state: State | None) -> Iterable[SessionRow]:
    """Return the sessions of all processes; of this one as they are now, of others as they told last."""
    others = () if state is None else await state.sessions()
    rows = {row.session: row for row in others} | {row.session: row for part in served for row in part.rows()}
    return rows.values()


def _make_datagrams(config: Config, shared: _Shared, sockets: Sequence[socket], reactor: Any) -> Sequence[DatagramListener]:
    if not config.tftp.listeners:
        return ()
    from ftpd.datagrams import make_listeners  # with TFTP: not for a server without it

    return tuple(
        make_listeners(config, shared.sites.passwordless_portal, shared.limits, shared.rates, shared.events, sockets, reactor)
    )


def _certificates(config: Config) -> Certificates | None:
    if not config.offers_tls:
        return None
    from ftpd.certificates import Certificates  # with cryptography: not for a server without TLS

    return Certificates(config)


def _late_contexts(config: Config) -> Callable[[ListenSettings], SessionContexts | None]:
    """Return what gives listeners contexts that are made when they are wanted, or none where there is no certificate."""
    if not config.offers_tls:
        return lambda listen: None
    from ftpd.tls.late import LateContexts

    def read(listen: ListenSettings) -> Contexts:
        from ftpd.certificates import Certificates

        return Certificates(config).contexts(listen)

    return lambda listen: LateContexts(partial(read, listen))


async def unusable_parts(config: Config, reactor: Any) -> list[Problem]:
    """Return what is wrong with the store, the login sources and the extensions that *config* names; nothing is kept open.

    The reactor need not run: a store that is opened without waiting for the network is tried.
    """
    threads = WithoutThreads(reactor)
    problems = list(unreadable_directories(config))
    problems += await unusable_stores(config, threads) or await missing_roots(config, threads)
    logins = {"login": config.login, **{f"hosts[{index}].login": host.login for index, host in enumerate(config.hosts)}}
    parts: list[Callable[[], object]] = [
        *(partial(make_checkers, tables or (), config, threads, path) for path, tables in logins.items()),
        partial(_make_commands, config),
        partial(_demand_datagrams, config),
    ]
    for part in parts:
        try:
            part()
        except ConfigError as error:
            problems += error.problems
    return problems


def _demand_datagrams(config: Config) -> None:
    """Raise `ConfigError` for what TFTP's listeners name and cannot use."""
    if config.tftp.listeners:
        from ftpd.datagrams import demand_maps

        demand_maps(config)


def login_pool(reactor: Any) -> Pool:
    """Return the pool for logins: as many threads as cores, since a password hash does nothing but compute."""
    return Pool(reactor, "ftpd-login", os.cpu_count() or 1)


def require_descriptors(reactor: Any) -> None:
    """Refuse a reactor that cannot watch plain descriptors: data connections are our own sockets.  Raises `ConfigError`."""
    if not IReactorFDSet.providedBy(reactor):
        found = f"{type(reactor).__name__} cannot watch file descriptors (no IReactorFDSet)"
        raise ConfigError([Problem("", "reactor", found, "use epoll, kqueue, poll or select")])


@attrs.frozen
class _Shared:
    """What all listeners have in common."""

    sites: Sites
    limits: Limits
    rates: Rates
    events: Events
    faults: DataFaults
    data_ports: DataPorts
    commands: CommandTable
    crews: Crews
    digests: Digests
    contexts: Callable[[ListenSettings], SessionContexts | None]


def _make_factory(config: Config, listen: ListenSettings, shared: _Shared, reactor: Any) -> FTPFactory:
    factory = FTPFactory(
        shared.sites.portal,
        settings=_settings_for(config, listen),
        limits=shared.limits,
        rates=shared.rates,
        events=shared.events,
        data_faults=shared.faults,
        data_ports=shared.data_ports,
        commands=shared.commands,
        anonymous_names=config.anonymous.names if config.anonymous.enabled else (),
        listener=listen.label,
        logs_commands=any(target.level == "debug" for target in config.log.targets),
        contexts=shared.contexts(listen),
        is_implicit=listen.implicit_tls,
        hosts=shared.sites.hosts,
        crews=shared.crews,
        digests=shared.digests,
        reactor=reactor,
    )
    factory.noisy = False  # the listener's own line says where
    return factory


def _settings_for(config: Config, listen: ListenSettings) -> FTPSettings:
    """Return the settings of FTP, with what the listener has instead."""
    rules = attrs.evolve(
        config.ftp.tls, login=listen.tls_login or config.ftp.tls.login, data=listen.tls_data or config.ftp.tls.data
    )
    external = listen.external_address or config.ftp.passive.external_address
    return attrs.evolve(config.ftp, tls=rules, passive=attrs.evolve(config.ftp.passive, external_address=external))


def _make_commands(config: Config) -> CommandTable:
    """Return the standard commands and those of extensions; an extension may take the place of a standard one, as an embedder may."""
    added = gather(lambda found: isinstance(found, Command), None, config.extensions.directories)
    try:
        commands = {**standard_commands(), **table(added)}
    except ValueError as error:  # which of two extensions is served must not depend on the names of their files
        raise ConfigError([Problem("", "extensions.directories", str(error), "each command in one extension")]) from error
    lists = {"allow_commands": config.ftp.allow_commands, "deny_commands": config.ftp.deny_commands}
    lists |= {f"devices[{index}].withhold": entry.withhold for index, entry in enumerate(config.ftp.devices)}
    problems = [problem for field, names in lists.items() for problem in _unknown_commands(field, names, commands)]
    if problems:
        raise ConfigError(problems)
    return commands


def _unknown_commands(field: str, listed: Iterable[str], commands: CommandTable) -> Iterator[Problem]:
    """Yield what an operator allows or denies and nobody serves: a slip there would leave open what was to be shut."""
    names = {verb.decode("ascii") for verb in commands} | {"SITE"}
    for name in listed:
        if name.upper() not in names:
            yield Problem("", f"ftp.{field}", f"there is no command {name!r}", nearest(name.upper(), names))


def _find_observers(config: Config) -> Iterable[Observer]:
    """Yield the event observers of extensions, told after our own: the log then has the event on which one of them failed."""
    return gather(IEventObserver.providedBy, None, config.extensions.directories)


def _make_data_ports(config: Config, reactor: Any, faults: DataFaults, *, has_told: bool) -> DataPortFactory:
    """Make the one owner of the passive ports: two would fight for them."""
    passive, timeouts = config.ftp.passive, config.ftp.timeouts
    return DataPortFactory(
        reactor, passive.ports, timeouts.data_connect, config.ftp.active.source_port, has_told=has_told, faults=faults
    )
