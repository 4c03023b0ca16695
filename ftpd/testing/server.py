"""Server: what the sessions of a `Dialogue` share, in memory: store, accounts, limits, clock, data ports and factory.

Apart from the dialogue, so that several clients can meet on one server.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, Final, cast

from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import maybeDeferred
from twisted.internet.task import Clock
from zope.interface import implementer

from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.accounts.rates import Rates, RateSettings
from ftpd.accounts.realm import TransferRealm
from ftpd.errors import AlreadyExists
from ftpd.events import Event, Events
from ftpd.ftp.command import Command
from ftpd.ftp.factory import FTPFactory
from ftpd.ftp.hosts import Host
from ftpd.ftp.protection import SessionContexts
from ftpd.ftp.settings import FTPSettings
from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.memory import MemoryPasswords
from ftpd.paths import ROOT, VirtualPath, decode_name, encode_name
from ftpd.spi import Filesystem, Reactor, State, Store
from ftpd.storage.memory import MemoryStore
from ftpd.testing.dataports import MemoryDataPorts
from ftpd.testing.fakes import InlineCrews, finish
from ftpd.values import Account, FileKind, Permission, Rule, WriteMode

__all__ = ["PASSWORD", "Server"]

PASSWORD: Final = "secret"  # of every account, unless `Server` is given others
_EVERYTHING: Final = (Rule(ROOT, Permission.ALL),)
_MOST_TURNS: Final = 100_000  # of one settling: a session that never comes to rest is a bug, not a slow test


class Server:
    """What the sessions of one server share: store, accounts, limits, clock, factory.  One `Dialogue` makes its own unless given one.

    *files* fills the store: paths and their bytes, None for a directory.  *accounts* are Ann, who may do everything, and `anonymous`, who may
    look; *portal* replaces accounts and store by somebody else's.  `logins` and `logouts` count what the portal granted and got back;
    `events` has every event published.  *contexts*, such as `ftpd.testing.tls_client.MemoryContexts`, make TLS possible, with *is_implicit*
    from the start; *hosts* are virtual hosts by their names.  *state* is what this server has in common with others.
    """

    def __init__(
        self,
        *,
        files: Mapping[str, bytes | None] | None = None,
        accounts: Iterable[Account] = (),
        passwords: Mapping[str, str] | None = None,
        store: Store | None = None,
        portal: Portal | None = None,
        settings: FTPSettings | None = None,
        limits: LimitSettings | None = None,
        state: State | None = None,
        rates: RateSettings | None = None,
        commands: Mapping[bytes, Command[Any]] | None = None,
        checkers: Iterable[Any] = (),
        logs_commands: bool = False,
        contexts: SessionContexts | None = None,
        is_implicit: bool = False,
        hosts: Iterable[tuple[str, Host]] = (),
    ) -> None:
        self.clock = Clock()
        self.ports = MemoryDataPorts()
        self.events: list[Event] = []
        self.logins = 0
        self.logouts = 0
        self.store: Store = store if store is not None else MemoryStore()
        self._accounts = {account.name: account for account in (*_usual_accounts(), *accounts)}
        if files:
            self.fill(files)
        self.factory = FTPFactory(
            portal or self._portal(passwords, checkers),
            settings=settings,
            limits=Limits(limits or LimitSettings(), self.clock, state),
            rates=Rates(rates or RateSettings(), self.clock),
            events=Events([self._observe]),
            data_ports=self.ports,
            commands=commands,
            logs_commands=logs_commands,
            contexts=contexts,
            is_implicit=is_implicit,
            hosts=hosts,
            crews=InlineCrews(cast(Reactor, self.clock)),
            reactor=cast(Reactor, self.clock),  # no descriptor is ever watched here
        )

    def fill(self, files: Mapping[str, bytes | None]) -> None:
        """Put *files* into the store, directories above them included."""
        for name, content in files.items():
            finish(_put(self.everything(), VirtualPath.parse(name), content))

    def everything(self) -> Filesystem:
        """The whole store, seen by nobody in particular."""
        return finish(_opened(self.store, Account("", rules=_EVERYTHING)))

    def file(self, name: str) -> bytes | None:
        """Return what is published under *name*; None where nothing is."""
        return self.tree().get(name)

    def tree(self) -> dict[str, bytes | None]:
        """Return everything published, by path: the bytes of files, None for directories."""
        return finish(_tree(self.everything(), ROOT))

    def settle(self) -> None:
        """Run what is due now, and what that makes due."""
        for _ in range(_MOST_TURNS):
            if not any(call.getTime() <= self.clock.seconds() for call in self.clock.getDelayedCalls()):
                return
            self.clock.advance(0)
        raise AssertionError("the session never comes to rest")

    def _observe(self, event: Any) -> None:
        self.events.append(event)

    def _portal(self, passwords: Mapping[str, str] | None, checkers: Iterable[Any]) -> Portal:
        known = passwords if passwords is not None else dict.fromkeys(self._accounts, PASSWORD)
        given = list(checkers) or [
            MemoryPasswords({encode_name(name): encode_name(word) for name, word in known.items()}),
            AnonymousLogin(),
        ]
        return Portal(cast(IRealm, _CountingRealm(self, TransferRealm(_Given(self._accounts), self.store))), given)


@implementer(IRealm)
class _CountingRealm:
    """Counts logins and logouts of another realm."""

    def __init__(self, server: Server, realm: TransferRealm) -> None:
        self._server = server
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> Any:
        return maybeDeferred(self._realm.requestAvatar, avatarId, mind, *interfaces).addCallback(self._counted)

    def _counted(self, login: Any) -> Any:
        interface, avatar, logout = login
        self._server.logins += 1

        def counted_logout() -> None:
            self._server.logouts += 1
            logout()

        return interface, avatar, counted_logout


class _Given:
    """A `spi.Accounts` over a fixed table."""

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts

    async def account(self, avatar_id: bytes | tuple[()]) -> Account:
        return self._accounts["anonymous" if isinstance(avatar_id, tuple) else decode_name(avatar_id)]


def _usual_accounts() -> tuple[Account, Account]:
    return Account("ann", rules=_EVERYTHING), Account("anonymous", is_anonymous=True)


async def _opened(store: Store, account: Account) -> Filesystem:
    return await store.open(account)


async def _put(files: Filesystem, path: VirtualPath, content: bytes | None) -> None:
    for depth in range(1, len(path.parts) + (content is None)):
        with suppress(AlreadyExists):
            await files.make_directory(VirtualPath(path.parts[:depth]))
    if content is not None:
        file = await files.open_write(path, mode=WriteMode.REPLACE)
        await file.write_at(0, content)
        await file.commit()


async def _tree(files: Filesystem, path: VirtualPath) -> dict[str, bytes | None]:
    found: dict[str, bytes | None] = {}
    async with await files.open_directory(path) as directory:
        while batch := await directory.next_batch():
            for info in batch:
                below = path.child(info.name)
                if info.kind is FileKind.DIRECTORY:
                    found |= {str(below): None, **await _tree(files, below)}
                else:
                    async with await files.open_read(below) as file:
                        found[str(below)] = await file.read_at(0, info.size)
    return found
