"""How fast: the rates of the server, of accounts, sessions and transfers, each way, and the buckets that hold transfers to them.

Apart from `limits`, which lets in and counts, and asks nothing while bytes move; and from `transfer.pace`, which knows no account.
Where nothing is limited there is no bucket, and transfers are not asked anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, Literal, TypeAlias
from weakref import WeakKeyDictionary, WeakMethod, WeakSet, WeakValueDictionary

import attrs

from ftpd.accounts.portion import Portion
from ftpd.accounts.shares import Movers, Shares
from ftpd.schema import Size, setting
from ftpd.spi import Clock, Pace, State
from ftpd.transfer.pace import Bucket, TransferPace
from ftpd.values import Account, AccountRates

__all__ = ["RateSettings", "Rates", "SessionRates", "Way"]

Way: TypeAlias = Literal["download", "upload"]
_Scope: TypeAlias = Literal["account", "session", "transfer"]
_Key: TypeAlias = tuple[str, str, bool]

_WAYS: Final[tuple[Way, ...]] = ("download", "upload")
_NONE: Final = AccountRates()


@attrs.frozen
class RateSettings:
    """The `[rates]` table.  Listings are downloads; an account's own table can have other rates for it than these."""

    server_download: Size = setting(Size(0), help="All downloads together; 0: no limit.", unit="bytes/s", minimum=0)
    server_upload: Size = setting(Size(0), help="All uploads together; 0: no limit.", unit="bytes/s", minimum=0)
    account_download: Size = setting(Size(0), help="The downloads of one account together; 0: no limit.", unit="bytes/s", minimum=0)
    account_upload: Size = setting(Size(0), help="The uploads of one account together; 0: no limit.", unit="bytes/s", minimum=0)
    session_download: Size = setting(Size(0), help="The downloads of one session; 0: no limit.", unit="bytes/s", minimum=0)
    session_upload: Size = setting(Size(0), help="The uploads of one session; 0: no limit.", unit="bytes/s", minimum=0)
    transfer_download: Size = setting(Size(0), help="One download; 0: no limit.", unit="bytes/s", minimum=0)
    transfer_upload: Size = setting(Size(0), help="One upload; 0: no limit.", unit="bytes/s", minimum=0)


class Rates:
    """The rates of one server.  Its factories share it, and may be told of changes at any time, on the reactor's thread.

    A change holds at once, also for transfers under way.  Where *processes* serve together, those of the server and of accounts hold for all of
    them together, by way of *state*.
    """

    def __init__(self, settings: RateSettings, clock: Clock, state: State | None = None, processes: int = 1) -> None:
        self.clock = clock
        self.processes = max(1, processes) if state is not None else 1
        self._shares = Shares(state, clock, self._movers) if state is not None else None
        self._settings = settings
        self._of_accounts: dict[_Key, AccountRates] = {}
        # Transfers, and accounts that others were told of, where there are others.
        self._moving: dict[Way, WeakKeyDictionary[Bucket, _AccountBuckets]] = {way: WeakKeyDictionary() for way in _WAYS}
        self._told: dict[Way, WeakSet[_AccountBuckets]] = {way: WeakSet() for way in _WAYS}
        self._server: dict[Way, Bucket] = {way: Bucket(clock) for way in _WAYS}
        self._portions = {way: Portion(bucket, clock, way, self.processes) for way, bucket in self._server.items()}
        self._accounts: WeakValueDictionary[_Key, _AccountBuckets] = WeakValueDictionary()
        self._sessions: WeakSet[SessionRates] = WeakSet()
        self._observers: list[WeakMethod[Callable[[], None]]] = []
        self._apply()

    def observe(self, observer: Callable[[], None]) -> None:
        """Have *observer*, a method, called after each change as long as its object lives.

        Transfers that nothing limited so far are its business.
        """
        self._observers.append(WeakMethod(observer))

    @property
    def settings(self) -> RateSettings:
        """The `[rates]` table; assign another to change them."""
        return self._settings

    @settings.setter
    def settings(self, settings: RateSettings) -> None:
        self._settings = settings
        self._apply()

    def set_account(self, name: str, rates: AccountRates | None, *, host: str = "", is_anonymous: bool = False) -> None:
        """Give the account *name* of the virtual *host* these rates in the place of its own; None: its own again."""
        key = (host, name, is_anonymous)
        if rates is None:
            self._of_accounts.pop(key, None)
        else:
            self._of_accounts[key] = rates
        self._apply()

    def concern(self, account: Account) -> bool:
        """Whether there may be a rate for transfers of *account*."""
        return self._are_set or account.rates is not None

    def enter(self, account: Account) -> SessionRates:
        """Return the rates of a login to *account*; its buckets are there as long as one of its logins keeps what this returns."""
        key = _key(account)
        shared = self._accounts.get(key)
        if shared is None:
            shared = self._accounts[key] = _AccountBuckets(self, self._server, key)
        shared.take_up(account)
        session = SessionRates(self, shared)
        self._sessions.add(session)
        return session

    def rate(self, account: Account, scope: _Scope, way: Way) -> int:
        """Return bytes a second, 0 for no limit."""
        name = f"{scope}_{way}"
        own = self._of_accounts.get(_key(account), account.rates or _NONE)
        rate: int = getattr(own, name) or getattr(self._settings, name)
        return rate

    def ceiling(self, account: Account, way: Way) -> int:
        """Return what one transfer of *account* alone can reach, bytes a second; 0 where only the server's own rate holds it."""
        scopes: tuple[_Scope, ...] = ("account", "session", "transfer")
        return min(filter(None, (self.rate(account, scope, way) for scope in scopes)), default=0)

    def begin(self, own: Bucket, account: _AccountBuckets, way: Way) -> None:
        """A transfer begins, with a bucket of its *own*, that something limits."""
        if self._shares is not None:
            self._moving[way][own] = account
            self._shares.wake((self._portions[way], account.portions[way]))

    def _all_portions(self) -> Iterator[dict[Way, Portion]]:
        yield self._portions
        for account in self._accounts.values():
            yield account.portions

    def _movers(self) -> Iterator[Movers]:
        for way in _WAYS:
            sessions: dict[_AccountBuckets, set[Bucket | None]] = {account: set() for account in self._told[way]}
            for own, account in self._moving[way].items():
                sessions.setdefault(account, set()).add(own.parent)
            yield Movers(self._portions[way], [(account.portions[way], len(moving)) for account, moving in sessions.items()])
            self._told[way] = WeakSet(account for account, moving in sessions.items() if moving or account.portions[way].is_told)

    def _apply(self) -> None:
        self._are_set = bool(self._of_accounts) or any(attrs.astuple(self._settings))
        for way, portion in self._portions.items():
            portion.rate = getattr(self._settings, f"server_{way}")
        holders: Iterable[_AccountBuckets | SessionRates] = (*self._accounts.values(), *self._sessions)
        for holder in holders:
            holder.apply()
        if self._shares is not None and any(map(len, self._moving.values())):
            self._shares.wake(portion for portions in self._all_portions() for portion in portions.values())
        self._observers = [reference for reference in self._observers if reference() is not None]
        for reference in self._observers:
            if (observer := reference()) is not None:
                observer()


class _AccountBuckets:
    """The buckets of one account, which its sessions keep alive."""

    __slots__ = ("__weakref__", "_rates", "account", "buckets", "portions")

    account: Account

    def __init__(self, rates: Rates, server: dict[Way, Bucket], key: _Key) -> None:
        host, name, is_anonymous = key
        self._rates = rates
        self.buckets: dict[Way, Bucket] = {way: Bucket(rates.clock, server[way]) for way in _WAYS}
        self.portions = {
            way: Portion(bucket, rates.clock, f"{way}/{host}/{'anonymous' if is_anonymous else 'named'}/{name}", rates.processes)
            for way, bucket in self.buckets.items()
        }

    def take_up(self, account: Account) -> None:
        """Go by *account*, what the latest login was given."""
        self.account = account
        self.apply()

    def apply(self) -> None:
        for way, portion in self.portions.items():
            portion.rate = self._rates.rate(self.account, "account", way)


class SessionRates:
    """The rates of one login."""

    __slots__ = ("__weakref__", "_account", "_buckets", "_rates", "_slowed_to", "_transfers")

    def __init__(self, rates: Rates, account: _AccountBuckets) -> None:
        self._rates = rates
        self._account = account
        self._slowed_to = 0
        self._buckets: dict[Way, Bucket] = {way: Bucket(rates.clock, account.buckets[way]) for way in _WAYS}
        self._transfers: dict[Way, WeakSet[Bucket]] = {way: WeakSet() for way in _WAYS}
        self.apply()

    def pace(self, way: Way) -> Pace | None:
        """Return the pace of a new transfer, None where nothing limits it."""
        own = Bucket(self._rates.clock, self._buckets[way], self._rates.rate(self._account.account, "transfer", way))
        pace = TransferPace(self._rates.clock, own)
        if not pace.is_limited:
            return None
        self._transfers[way].add(own)
        self._rates.begin(own, self._account, way)
        return pace

    def slow(self, rate: int) -> None:
        """Hold this login to *rate* bytes a second each way, transfers under way included, or to its own rate where that is less; 0: no more."""
        self._slowed_to = rate
        self.apply()

    def ceiling(self, way: Way) -> int:
        """Return what one transfer of this login alone can reach; see `Rates.ceiling`."""
        return min(filter(None, (self._rates.ceiling(self._account.account, way), self._slowed_to)), default=0)

    def apply(self) -> None:
        """Go by the rates as they are now."""
        account = self._account.account
        for way, bucket in self._buckets.items():
            rates = (self._rates.rate(account, "session", way), self._slowed_to)
            bucket.rate = min(filter(None, rates), default=0)
            for own in self._transfers[way]:
                own.rate = self._rates.rate(account, "transfer", way)


def _key(account: Account) -> _Key:
    return account.host, account.name, account.is_anonymous
