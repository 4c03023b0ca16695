"""Logins: what the portal has granted to the clients of one listener, handed on from a request to the client's next one.

Apart from `opening`, which wants one for each request: a machine that boots asks for a dozen files within a second, and a login by way of cred
costs as much as to open a file (tests/bench: tftp-tiny).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from twisted.cred.portal import Portal
from twisted.logger import Logger

from ftpd.interfaces import IAvatar
from ftpd.login.credentials import AnonymousCredentials, VouchedCredentials
from ftpd.spi import Clock, DelayedCall
from ftpd.values import Account, Peer

__all__ = ["LIFETIME_SECONDS", "Login", "Logins"]

LIFETIME_SECONDS: Final = 1.0
"""For so long from its beginning a login is handed on: what is changed about an account holds for requests that come later."""

_MOST_CLIENTS: Final = 1024  # for which logins are kept that nobody uses
_MOST_EACH: Final = 8  # of a client, or of those that come from one address

_Client: TypeAlias = tuple[str, str]  # its address, and that of ours that it asks


class Login:
    """One login, of one request at a time."""

    __slots__ = ("_logout", "account", "began", "client", "files")

    _log = Logger()

    def __init__(self, client: _Client, avatar: Any, logout: Callable[[], object], began: float) -> None:
        assert IAvatar.providedBy(avatar)
        self.client = client
        self.account: Account = avatar.account
        self.files: Any = avatar.files
        self.began = began
        self._logout = logout

    def end(self) -> None:
        """Log out; to be called once.  A portal's fault is logged and stops nobody."""
        try:
            self._logout()
        except Exception:  # cancel-safe: nobody waits here
            self._log.failure("logging {account} out failed", account=self.account.name)


class Logins:
    """Logs clients in to *account*, or anonymously where that is empty, by way of *portal*."""

    def __init__(self, portal: Portal, account: bytes, clock: Clock) -> None:
        self._portal = portal
        self._account = account
        self._clock = clock
        self._kept: dict[_Client, list[Login]] = {}
        self._ending: DelayedCall | None = None
        self._is_closed = False

    async def enter(self, peer: Peer) -> Login:
        """Return a login of *peer*'s client that nobody else uses; to be followed by `Login.end` or `hand_on`.  Raises what the portal fails with."""
        client = (peer.address, peer.local_address)
        now = self._clock.seconds()
        kept = self._kept.get(client)
        while kept:
            login = kept.pop()
            if now < login.began + LIFETIME_SECONDS:
                return login
            login.end()
        credentials: Any = VouchedCredentials(self._account, peer) if self._account else AnonymousCredentials(peer=peer)
        _, avatar, logout = await self._portal.login(credentials, peer, IAvatar)
        return Login(client, avatar, logout, now)

    def hand_on(self, login: Login) -> None:
        """Keep *login*, whose request is over and has left nothing behind, for the client's next one, as long as it may live."""
        kept = self._kept.get(login.client)
        if kept is None and len(self._kept) < _MOST_CLIENTS and not self._is_closed:
            kept = self._kept[login.client] = []
            if self._ending is None:
                self._ending = self._clock.callLater(LIFETIME_SECONDS, self._end_old)
        if kept is None or len(kept) >= _MOST_EACH or self._clock.seconds() >= login.began + LIFETIME_SECONDS:
            login.end()
        else:
            kept.append(login)

    def close(self) -> None:
        """End those that nobody uses, and keep none from now on; may be called twice."""
        self._is_closed = True
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._end(lambda login: True)

    def _end_old(self) -> None:
        self._ending = None
        oldest = self._clock.seconds() - LIFETIME_SECONDS
        self._end(lambda login: login.began <= oldest)
        if self._kept:
            self._ending = self._clock.callLater(LIFETIME_SECONDS, self._end_old)

    def _end(self, is_meant: Callable[[Login], bool]) -> None:
        every, self._kept = self._kept, {}
        for client, kept in every.items():
            staying = [login for login in kept if not is_meant(login)]
            if staying:
                self._kept[client] = staying
            for login in kept:
                if is_meant(login):
                    login.end()
