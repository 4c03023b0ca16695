"""Anonymous logins: nothing is proven, the avatar id is cred's ANONYMOUS.

Apart from the password sources, because whether it is registered with the portal is the whole of its policy; what an anonymous client
sees and may do is `accounts.settings.AnonymousSettings`.
"""

from __future__ import annotations

import attrs
from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from zope.interface import implementer

from ftpd.interfaces import ILoginKind
from ftpd.spi import Threads

__all__ = ["ANONYMOUS_LOGIN", "AnonymousLogin", "AnonymousLoginSettings"]


@attrs.frozen
class AnonymousLoginSettings:
    """A `[[login]]` table with `kind = "anonymous"`: there is nothing to set."""


@implementer(ICredentialsChecker)
class AnonymousLogin:
    """Lets everybody in who asks for no account."""

    credentialInterfaces = (IAnonymous,)

    def requestAvatarId(self, credentials: IAnonymous) -> tuple[()]:  # type: ignore[override]  # cred allows the bare answer
        return ANONYMOUS


@implementer(ILoginKind)
class _AnonymousKind:
    name = "anonymous"
    settings = AnonymousLoginSettings

    def make(self, settings: AnonymousLoginSettings, threads: Threads) -> AnonymousLogin:
        return AnonymousLogin()


ANONYMOUS_LOGIN = _AnonymousKind()
