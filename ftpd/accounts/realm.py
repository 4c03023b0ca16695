"""The realm: from a proven name to an avatar.

Apart from the login sources: those say who it is, this says what that means here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.cred.portal import IRealm
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ftpd.accounts.avatar import Avatar
from ftpd.accounts.guard import Guard
from ftpd.errors import NotADirectory, NotFound, NotPermitted
from ftpd.interfaces import IAvatar
from ftpd.login.credentials import WrongPassword
from ftpd.spi import Accounts, Filesystem, Store
from ftpd.stepping import stepped
from ftpd.values import Account, Peer

__all__ = ["TransferRealm"]

_Login: TypeAlias = tuple[Any, Avatar, Callable[[], None]]


@implementer(IRealm)
class TransferRealm:
    """Gives every login, whatever the protocol, an avatar over the same accounts and the same store."""

    _log = Logger()

    def __init__(self, accounts: Accounts, store: Store) -> None:
        self._accounts = accounts
        self._store = store

    def requestAvatar(self, avatarId: bytes | tuple[()], mind: object, *interfaces: Any) -> _Login | Deferred[_Login]:  # type: ignore[override]  # narrower
        """Return `(IAvatar, avatar, logout)`; *mind* is the `values.Peer`, or None.

        A plain result where neither the accounts nor the store had to wait, else a Deferred.  Fails with `UnauthorizedLogin`
        where the name has no account or needs TLS and has none, with `LoginDenied` where its home is missing, and with a `FileTransferError` where the store
        cannot tell now.  Raises `NotImplementedError`, as cred has it, when `IAvatar` is not asked for.
        """
        if IAvatar not in interfaces:
            raise NotImplementedError(f"TransferRealm gives {IAvatar!r} only")
        return stepped(self._login(avatarId, mind))

    async def _login(self, avatar_id: bytes | tuple[()], mind: object) -> _Login:
        try:
            account = await self._accounts.account(avatar_id)
        except LookupError:
            raise UnauthorizedLogin from None
        if account.needs_tls and not (isinstance(mind, Peer) and mind.tls is not None):
            raise WrongPassword("the password was right, and sent in clear: the account needs TLS")
        avatar = Avatar(account, Guard(await self._open(account), account))
        return IAvatar, avatar, avatar.logout

    async def _open(self, account: Account) -> Filesystem:
        try:
            return await self._store.open(account)
        except (NotFound, NotADirectory, NotPermitted) as error:
            self._log.error("home {home} of {account}: {error}", home=str(account.home), account=account.name, error=str(error))
            raise LoginDenied("Home directory not available") from error
