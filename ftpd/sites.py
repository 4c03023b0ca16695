"""Sites: what somebody finds who logs in, the portal and the store behind it, of the server itself and of each virtual host.

Apart from the service, which wires listeners, pools and logs around them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
from twisted.cred.credentials import IAnonymous
from twisted.cred.portal import Portal

from ftpd.accounts.realm import TransferRealm
from ftpd.accounts.settings import SettingsAccounts
from ftpd.config.kinds import login_kind, store_kind
from ftpd.config.tree import Config, HostSettings, LoginSettings, StorageSettings
from ftpd.ftp.hosts import Host
from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.chain import Chain, chained
from ftpd.login.vouched import VouchedLogin
from ftpd.schema import ConfigError, FilePath, Problem
from ftpd.spi import Store, StoreThreads, Threads
from ftpd.storage.readonly import ReadOnly

__all__ = ["Sites", "make_checkers", "make_store"]

CheckerWrap = Callable[[list[Any]], list[Any]]


class Sites:
    """The `portal` of the server, its virtual `hosts` by name, and all `stores`; a host shares what it has no table of its own for.

    *checkers* of the program are asked first, on every site; *proved* puts what a client certificate proves around each site's checkers.
    `passwordless_portal` is for protocols without passwords, over the accounts and the store of the server itself: it lets in whom a listener
    vouches for, and anonymous clients where those are let in at all.  Raises `ConfigError`.
    """

    def __init__(
        self,
        config: Config,
        storage_threads: StoreThreads,
        login_threads: Threads,
        checkers: Sequence[Any] = (),
        proved: CheckerWrap = lambda checkers: checkers,
    ) -> None:
        self._config = config
        self._storage_threads = storage_threads
        self._login_threads = login_threads
        self._checkers = list(checkers)
        self._proved = proved
        self._store = make_store(config.storage, config, storage_threads, "storage")
        self.stores = [self._store]
        own = HostSettings()
        realm, sources = self._make_realm(own, self._store), self._make_sources(own, "")
        self.portal = Portal(realm, chained(proved(sources)))
        self.passwordless_portal = Portal(realm, [VouchedLogin(), *_anonymous_only(sources)])
        self.hosts: list[tuple[str, Host]] = []
        for index, host in enumerate(config.hosts):
            self._add(host, f"hosts[{index}].")

    def _add(self, settings: HostSettings, path: str) -> None:
        store = self._store
        if settings.storage is not None:
            store = make_store(settings.storage, self._config, self._storage_threads, f"{path}storage")
            self.stores.append(store)
        anonymous = settings.anonymous or self._config.anonymous
        host = Host(
            name=settings.names[0],
            portal=Portal(self._make_realm(settings, store), chained(self._proved(self._make_sources(settings, path)))),
            greeting=settings.greeting or self._config.ftp.greeting,
            anonymous_names=anonymous.names if anonymous.enabled else (),
        )
        self.hosts += ((name, host) for name in settings.names)

    def _make_sources(self, host: HostSettings, path: str) -> list[Any]:
        config = self._config
        logins, where = (config.login, "login") if host.login is None else (host.login, f"{path}login")
        sources = [*self._checkers, *make_checkers(logins, config, self._login_threads, where)]
        if (host.anonymous or config.anonymous).enabled and not any(map(_takes_anonymous, sources)):
            sources.append(AnonymousLogin())
        return sources

    def _make_realm(self, host: HostSettings, store: Store) -> TransferRealm:
        account = host.account if host.account is not None else self._config.account
        accounts = host.accounts if host.accounts is not None else self._config.accounts
        own = (host.login, host.account, host.accounts, host.anonymous)
        name = host.names[0] if any(table is not None for table in own) else ""
        return TransferRealm(SettingsAccounts(account, accounts, host.anonymous or self._config.anonymous, name), store)


def _takes_anonymous(source: Any) -> bool:
    return IAnonymous in source.credentialInterfaces


def _anonymous_only(sources: Iterable[Any]) -> list[Any]:
    """Return what lets anonymous clients in, of *sources*, if anything; one that takes passwords as well is kept to this half."""
    taking = [source for source in sources if _takes_anonymous(source)]
    if not taking or taking == [source for source in taking if tuple(source.credentialInterfaces) == (IAnonymous,)][:1]:
        return taking  # asked as it is: no wait on the way of each request
    return [Chain(IAnonymous, taking)]


def make_store(storage: StorageSettings, config: Config, threads: StoreThreads, path: str) -> Store:
    """Return the store that the table at *path* wants.  Raises `ConfigError`."""
    kind = _kind(store_kind, storage.kind, config, f"{path}.kind")
    settings = storage.settings if storage.settings is not None else kind.settings()
    store: Store = _made(kind, settings, threads, f"{path}.{storage.kind}")
    return ReadOnly(store) if storage.read_only else store


def make_checkers(logins: Iterable[LoginSettings], config: Config, threads: Threads, path: str) -> list[Any]:
    """Return the checkers that the tables at *path* want.  Raises `ConfigError` with what is wrong with all of them."""
    checkers: list[Any] = []
    problems: list[Problem] = []
    for index, login in enumerate(logins):
        try:
            kind = _kind(login_kind, login.kind, config, f"{path}[{index}].kind")
            checkers.append(_made(kind, login.settings, threads, f"{path}[{index}]"))
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
