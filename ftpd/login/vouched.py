"""Logins that a listener vouches for: nothing is proven, the name is the operator's.

Apart from the anonymous ones, because the account is one of the configuration, with all that it may do; and no kind of `[[login]]`: it is
registered only with the portal of protocols that have no passwords (`sites.Sites.passwordless_portal`), where nobody else can present it.
"""

from __future__ import annotations

from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from zope.interface import implementer

from ftpd.login.credentials import IVouched

__all__ = ["VouchedLogin"]


@implementer(ICredentialsChecker)
class VouchedLogin:
    """Lets in whom a listener vouches for."""

    credentialInterfaces = (IVouched,)

    def requestAvatarId(self, credentials: Any) -> bytes:  # type: ignore[override]  # cred allows the bare answer
        """Return the name."""
        name: bytes = credentials.username
        return name
