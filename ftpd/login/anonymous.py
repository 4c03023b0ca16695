"""Anonymous logins: nothing is proven, the avatar id is cred's ANONYMOUS.

Apart from the password sources, and no kind of `[[login]]`: whether it is registered with the portal is the whole of its policy, which the
`[anonymous]` table decides, as it does what an anonymous client sees and may do (`accounts.settings.AnonymousSettings`).
"""

from __future__ import annotations

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IAnonymous
from zope.interface import implementer

__all__ = ["AnonymousLogin"]


@implementer(ICredentialsChecker)
class AnonymousLogin:
    """Lets everybody in who asks for no account."""

    credentialInterfaces = (IAnonymous,)

    def requestAvatarId(self, credentials: IAnonymous) -> tuple[()]:  # type: ignore[override]  # cred allows the bare answer
        return ANONYMOUS
