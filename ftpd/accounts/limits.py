"""Who may come in now: sessions in all, per address and per account; failed logins, their delay and bans.

Apart from the login sources, because it is asked before any of them: a banned address costs no hash and learns nothing.  The door counts
the connections of this process and waits for nobody; a login counts in the state that it shares with other processes, where there are any.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

import attrs
from twisted.logger import Logger

from ftpd.accounts.peer import new_session_id
from ftpd.errors import TooManySessions, Unavailable
from ftpd.schema import Network, Seconds, setting
from ftpd.spi import Clock, State
from ftpd.state.memory import MemoryState
from ftpd.values import Account, Failures, Peer, Place

__all__ = ["LimitSettings", "Limits", "Visit"]

_MOST_DOUBLINGS: Final = 4  # of the delay: with 1 s the fifth failure waits 16 s, and so does every further one
_LATER: Final = "try again later."
# What a key of a place begins with, up to the first slash -> what a client hears for whom that place is full.
_FULL: Final[Mapping[str, str]] = {
    "all": "Too many connections",
    "address": "Too many connections from your address",
    "account": "Too many sessions of this account",
    "anonymous": "Too many sessions of this account",
}


@attrs.frozen
class LimitSettings:
    """The `[limits]` table."""

    sessions: int = setting(2000, help="Sessions at a time; 0: any number.", unit="sessions", minimum=0)
    sessions_per_address: int = setting(
        50, help="Sessions at a time of one IPv4 address or IPv6 /64 network; 0: any number.", unit="sessions", minimum=0
    )
    login_failures_per_session: int = setting(3, help="Failed logins after which a session is ended with 421.", minimum=1)
    failure_delay: Seconds = setting(
        Seconds(1),
        help="A failed login is answered so long after it was tried; doubled with each, up to 16 times.",
        unit="s",
        minimum=0,
    )
    failures_per_address: int = setting(
        20, help="Failed logins of one IPv4 address or IPv6 /64 network within failure_window that ban it; 0: never.", minimum=0
    )
    failure_window: Seconds = setting(Seconds(600), help="Time over which failed logins are counted.", unit="s", minimum=1)
    ban_time: Seconds = setting(Seconds(600), help="How long a banned address is refused, with 421.", unit="s", minimum=1)
    exempt: tuple[Network, ...] = setting(
        (), help="Networks whose addresses are neither counted nor banned; sessions in all and per account still are."
    )


class Limits:
    """The counts behind all visits of one server.

    *state* is what this process has in common with others; None: there are no others.  While it cannot be asked, logins go on by what this
    process knows alone, and the log says so once.
    """

    _log = Logger()

    def __init__(self, settings: LimitSettings, clock: Clock, state: State | None = None) -> None:
        self.settings = settings
        self._clock = clock
        self._own = MemoryState(clock)
        self._shared = state
        self._is_alone = False  # since the shared state did not answer
        self._of_all = Place("all", settings.sessions or None)
        self._sessions = 0
        self._by_address: dict[str, int] = {}

    def open(self, peer: Peer) -> Visit:
        """Count a new session of *peer*; raises `TooManySessions`, with words for the client, where there is no room for it or a ban."""
        settings = self.settings
        address = self._counted_address(peer)
        self.refuse_banned(address)
        if settings.sessions and self._sessions >= settings.sessions:
            raise _full("all")
        if address is not None:
            here = self._by_address.get(address, 0)
            if settings.sessions_per_address and here >= settings.sessions_per_address:
                raise _full("address")
            self._by_address[address] = here + 1
        self._sessions += 1
        return Visit(self, peer.session or new_session_id(), address)

    @property
    def inside(self) -> int:
        """How many sessions are open in this process."""
        return self._sessions

    def allow(self, sessions: int) -> None:
        """Let in *sessions* at a time from now on, 0: any number; those inside stay."""
        self.settings = attrs.evolve(self.settings, sessions=sessions)
        self._of_all = Place("all", sessions or None)

    def now(self) -> float:
        return self._clock.seconds()

    def leave(self, address: str | None) -> None:
        """Take back what `open` counted."""
        self._sessions -= 1
        if address is not None:
            if self._by_address[address] == 1:
                del self._by_address[address]
            else:
                self._by_address[address] -= 1

    async def enter(self, session: str, address: str | None, account: Account) -> None:
        """Count the login of *session*, and no earlier one of it; raises `TooManySessions` where there is no room for it.

        Whoever does not see the end of this, or sees it fail, calls `give_back`.
        """
        of_account = _place_of(account.is_anonymous, account.host, account.name, account.max_sessions)
        full = await self._own.take(session, (of_account,))
        if full is None and self._shared is not None:
            full = await self._take_shared(self._shared, session, address, of_account)
        if full is not None:
            raise _full(full.key)

    def give_back(self, session: str) -> None:
        """Take back what `enter` counted, or is counting yet."""
        self._own.give_back(session)
        if self._shared is not None:
            self._shared.give_back(session)

    def refuse_banned(self, address: str | None) -> None:
        """Raise `TooManySessions` while *address* is banned."""
        if address is None:
            return
        until = self._own.banned_until(address)
        if self._shared is not None:
            until = max(until, self._shared.banned_until(address))
        if until and self.now() < until:
            raise TooManySessions(f"Too many failed logins from your address; {_LATER}")

    def refuse_banned_peer(self, peer: Peer) -> None:
        """Raise `TooManySessions` while *peer*'s address is banned: of IPv6 its /64, and of an exempt one nothing is counted."""
        self.refuse_banned(self._counted_address(peer))

    async def count_failure(self, address: str | None) -> int:
        """Count a failed login and return how many the address has in the window; the one too many bans it."""
        if address is None:
            return 0
        failures = await self._fail(address)
        if failures.banned_until:
            self._log.warn(
                "address {address} banned for {seconds:g} s after {count} failed logins",
                address=address,
                seconds=self.settings.ban_time,
                count=failures.count,
            )
        return failures.count

    async def _take_shared(self, state: State, session: str, address: str | None, of_account: Place) -> Place | None:
        places = [self._of_all, of_account]
        if address is not None:
            places.insert(1, Place(f"address/{address}", self.settings.sessions_per_address or None))
        try:
            full = await state.take(session, places)
        except Unavailable as error:
            self._go_on_alone(error)
            return None
        self._go_on_together()
        return full

    async def _fail(self, address: str) -> Failures:
        settings = self.settings
        window, most, ban = settings.failure_window, settings.failures_per_address, settings.ban_time
        if self._shared is not None:
            try:
                failures = await self._shared.fail(address, window=window, most=most, ban=ban)
            except Unavailable as error:
                self._go_on_alone(error)
            else:
                self._go_on_together()
                return failures
        return await self._own.fail(address, window=window, most=most, ban=ban)

    def _go_on_alone(self, error: Unavailable) -> None:
        if not self._is_alone:
            self._is_alone = True
            self._log.error("limits count the sessions of this process alone now: {error}", error=error)

    def _go_on_together(self) -> None:
        if self._is_alone:
            self._is_alone = False
            self._log.info("limits count the sessions of all processes again")

    def _counted_address(self, peer: Peer) -> str | None:
        """What sessions and failures are counted under: an IPv4 address or an IPv6 /64, what one customer is given; None: not at all."""
        if not peer.address:
            return None  # a Unix socket: whoever stands before it is known by its file mode, not by an address
        if self.settings.exempt:
            parsed = ipaddress.ip_address(peer.address)
            if any(parsed in network for network in self.settings.exempt):
                return None
        return peer.address if ":" not in peer.address else _network(peer.address)


class Visit:
    """One session, from connection to close, as the limits see it."""

    __slots__ = ("_address", "_admitted_at", "_failures", "_has_places", "_is_open", "_limits", "_session")

    def __init__(self, limits: Limits, session: str, address: str | None) -> None:
        self._limits = limits
        self._session = session
        self._address = address
        self._has_places = False  # or may have, as long as a login is under way
        self._admitted_at = 0.0
        self._failures = 0
        self._is_open = True

    async def admit(self, name: bytes) -> None:
        """Let an attempt to log in as *name* begin; to be awaited before any checker runs.  Raises `TooManySessions` while banned.

        Names play no part in memory: delays or bans by name would let anybody lock out whose name he knows.
        """
        self._limits.refuse_banned(self._address)
        self._admitted_at = self._limits.now()

    async def failed(self, name: bytes) -> float:
        """Count the attempt as failed; return how many seconds the reply must wait.

        The wait is reckoned from `admit`, so that the time of the reply does not tell how long the checker took.
        """
        self._failures += 1
        of_address = await self._limits.count_failure(self._address)
        doublings = min(max(self._failures, of_address) - 1, _MOST_DOUBLINGS)
        delay: float = self._limits.settings.failure_delay * (1 << doublings)
        return min(delay, max(0.0, self._admitted_at + delay - self._limits.now()))

    @property
    def is_exhausted(self) -> bool:
        """Whether so many logins failed that the session shall end with 421."""
        return self._failures >= self._limits.settings.login_failures_per_session

    async def succeeded(self, account: Account) -> None:
        """Count the session to *account*; raises `TooManySessions` where there is no room for it, and is then logged out.

        Ended while it waits, by `close` or by a cancellation, it leaves nothing counted.
        """
        self._has_places = True
        try:
            await self._limits.enter(self._session, self._address, account)
        except BaseException:
            self.logged_out()
            raise

    def logged_out(self) -> None:
        """The session goes on without an account (REIN, or a new USER); may be called twice."""
        if self._has_places:
            self._has_places = False
            self._limits.give_back(self._session)

    def close(self) -> None:
        """The session ended; may be called twice."""
        if self._is_open:
            self._is_open = False
            self.logged_out()
            self._limits.leave(self._address)


@lru_cache(maxsize=1024)  # wanted at every login (tests/bench: login)
def _place_of(is_anonymous: bool, host: str, name: str, most: int | None) -> Place:
    """Name an account as no other is named: hosts have no slash in their names, and the account's comes last."""
    return Place(f"{'anonymous' if is_anonymous else 'account'}/{host}/{name}", most)


def _network(address: str) -> str:
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, address)[:8] + bytes(8)) + "/64"


def _full(key: str) -> TooManySessions:
    return TooManySessions(f"{_FULL[key.partition('/')[0]]}; {_LATER}")
