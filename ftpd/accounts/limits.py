"""Who may come in now: sessions in all, per address and per account; failed logins, their delay and bans.

Apart from the login sources, because it is asked before any of them: a banned address costs no hash and learns nothing.  In memory, for one
process; what logins await is `async`, so that counts shared by several processes can stand behind the same calls.
"""

from __future__ import annotations

import ipaddress
import socket
from typing import Final, TypeVar

import attrs
from twisted.logger import Logger

from ftpd.errors import TooManySessions
from ftpd.schema import Network, Seconds, setting
from ftpd.spi import Clock
from ftpd.values import Account, Peer

__all__ = ["LimitSettings", "Limits", "Visit"]

Key = TypeVar("Key")

_MOST_ADDRESSES: Final = 65_536  # of failed logins remembered, about 20 MB; the one that failed longest ago is forgotten first
_MOST_DOUBLINGS: Final = 4  # of the delay: with 1 s the fifth failure waits 16 s, and so does every further one
_LATER: Final = "try again later."


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


class _Failures:
    """Failed logins of one address since `since`; banned until `until`."""

    __slots__ = ("count", "since", "until")

    def __init__(self, since: float) -> None:
        self.count = 0
        self.since = since
        self.until = 0.0


class Limits:
    """The counts behind all visits of one server."""

    _log = Logger()

    def __init__(self, settings: LimitSettings, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self._sessions = 0
        self._by_address: dict[bytes | str, int] = {}
        self._by_account: dict[tuple[str, str, bool], int] = {}
        self._failures: dict[bytes | str, _Failures] = {}

    def open(self, peer: Peer) -> Visit:
        """Count a new session of *peer*; raises `TooManySessions`, with words for the client, where there is no room for it or a ban."""
        settings = self.settings
        address = self._counted_address(peer)
        self.refuse_banned(address)
        if settings.sessions and self._sessions >= settings.sessions:
            raise TooManySessions(f"Too many connections; {_LATER}")
        if address is not None:
            here = self._by_address.get(address, 0)
            if settings.sessions_per_address and here >= settings.sessions_per_address:
                raise TooManySessions(f"Too many connections from your address; {_LATER}")
            self._by_address[address] = here + 1
        self._sessions += 1
        return Visit(self, address)

    def now(self) -> float:
        return self._clock.seconds()

    def leave(self, address: bytes | str | None) -> None:
        """Take back what `open` counted."""
        self._sessions -= 1
        if address is not None:
            _take(self._by_address, address)

    def enter_account(self, account: Account) -> None:
        """Count a login; raises `TooManySessions` where the account has no room."""
        key = _key(account)
        count = self._by_account.get(key, 0)
        if account.max_sessions is not None and count >= account.max_sessions:
            raise TooManySessions(f"Too many sessions of this account; {_LATER}")
        self._by_account[key] = count + 1

    def leave_account(self, account: Account) -> None:
        """Take back what `enter_account` counted."""
        _take(self._by_account, _key(account))

    def refuse_banned(self, address: bytes | str | None) -> None:
        """Raise `TooManySessions` while *address* is banned."""
        failures = None if address is None else self._failures.get(address)
        if failures is not None and self.now() < failures.until:
            raise TooManySessions(f"Too many failed logins from your address; {_LATER}")

    def count_failure(self, address: bytes | str | None) -> int:
        """Count a failed login and return how many the address has in the window; the one too many bans it."""
        if address is None:
            return 0
        failures = self._recent(address)
        failures.count += 1
        if self.settings.failures_per_address and failures.count >= self.settings.failures_per_address:
            failures.until = self.now() + self.settings.ban_time
            self._log.warn(
                "address {address} banned for {seconds:g} s after {count} failed logins",
                address=_readable(address),
                seconds=self.settings.ban_time,
                count=failures.count,
            )
        return failures.count

    def _recent(self, address: bytes | str) -> _Failures:
        failures = self._failures.pop(address, None)
        if failures is None or self.now() - failures.since >= self.settings.failure_window:
            failures = _Failures(self.now())
        while len(self._failures) >= _MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]
        self._failures[address] = failures  # last, so that the dict stays in the order of the last failure
        return failures

    def _counted_address(self, peer: Peer) -> bytes | str | None:
        """What sessions and failures are counted under: an IPv4 address or an IPv6 /64, what one customer is given; None: not at all."""
        if not peer.address:
            return None  # a Unix socket: whoever stands before it is known by its file mode, not by an address
        if self.settings.exempt:
            parsed = ipaddress.ip_address(peer.address)
            if any(parsed in network for network in self.settings.exempt):
                return None
        return peer.address if ":" not in peer.address else socket.inet_pton(socket.AF_INET6, peer.address)[:8]


class Visit:
    """One session, from connection to close, as the limits see it."""

    __slots__ = ("_account", "_address", "_admitted_at", "_failures", "_is_open", "_limits")

    def __init__(self, limits: Limits, address: bytes | str | None) -> None:
        self._limits = limits
        self._address = address
        self._account: Account | None = None
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
        of_address = self._limits.count_failure(self._address)
        doublings = min(max(self._failures, of_address) - 1, _MOST_DOUBLINGS)
        delay: float = self._limits.settings.failure_delay * (1 << doublings)
        return min(delay, max(0.0, self._admitted_at + delay - self._limits.now()))

    @property
    def is_exhausted(self) -> bool:
        """Whether so many logins failed that the session shall end with 421."""
        return self._failures >= self._limits.settings.login_failures_per_session

    async def succeeded(self, account: Account) -> None:
        """Count the session to *account*; raises `TooManySessions` where that has too many, and is then logged out."""
        self.logged_out()
        self._limits.enter_account(account)
        self._account = account

    def logged_out(self) -> None:
        """The session goes on without an account (REIN, or a new USER); may be called twice."""
        if self._account is not None:
            self._limits.leave_account(self._account)
            self._account = None

    def close(self) -> None:
        """The session ended; may be called twice."""
        if self._is_open:
            self._is_open = False
            self.logged_out()
            self._limits.leave(self._address)


def _key(account: Account) -> tuple[str, str, bool]:
    return account.host, account.name, account.is_anonymous


def _take(counts: dict[Key, int], key: Key) -> None:
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def _readable(address: bytes | str) -> str:
    return address if isinstance(address, str) else f"{ipaddress.IPv6Address(address + bytes(8))}/64"
