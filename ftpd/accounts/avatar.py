"""The avatar: what cred hands to a protocol for one login.

Apart from the realm that makes it, because protocols hold it and know nothing of realms.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.accounts.guard import Guard
from ftpd.interfaces import IAvatar
from ftpd.stepping import stepped
from ftpd.values import Account

__all__ = ["Avatar"]


@implementer(IAvatar)
class Avatar:
    """One logged-in account: who it is, and its files as far as it may touch them."""

    __slots__ = ("_is_logged_out", "account", "files")

    _log = Logger()

    def __init__(self, account: Account, files: Guard) -> None:
        self.account = account
        self.files = files
        self._is_logged_out = False

    def logout(self) -> None:
        """Close the files without waiting for it; the portal hands this out.  May be called twice."""
        if self._is_logged_out:
            return
        self._is_logged_out = True
        try:
            closing = stepped(self.files.close())
        except Exception as error:  # cancel-safe: it has not waited yet
            self._tell(Failure(error))  # type: ignore[no-untyped-call]
        else:
            if isinstance(closing, Deferred):
                closing.addErrback(self._tell)

    def _tell(self, failure: Failure) -> None:
        self._log.failure("closing the files of {account} failed", failure=failure, account=self.account.name)
