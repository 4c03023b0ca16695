"""What a protocol and a checker say to each other: the credentials that go to `portal.login`, and the refusal that may come back.

Apart from the checkers, so that a protocol needs none of them.  Credentials carry bytes, as cred has it, and the peer, for checkers that
judge by address.
"""

from __future__ import annotations

import hmac

from twisted.cred.credentials import IAnonymous, ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from zope.interface import Attribute, implementer

from ftpd.values import Peer

__all__ = ["AnonymousCredentials", "IVouched", "PasswordCredentials", "VouchedCredentials", "WrongPassword"]


@implementer(IUsernamePassword)
class PasswordCredentials:
    """A name and a password as they came over the wire, and from whom.  Neither `repr` nor a log line shows the password."""

    __slots__ = ("password", "peer", "username")

    def __init__(self, username: bytes, password: bytes, peer: Peer | None = None) -> None:
        self.username = username
        self.password = password
        self.peer = peer

    def checkPassword(self, password: bytes) -> bool:
        """Whether *password* is the one given; in a time that does not tell how much of it is right."""
        return hmac.compare_digest(self.password, password)

    def __repr__(self) -> str:
        return f"PasswordCredentials({self.username!r}, ..., {self.peer!r})"


@implementer(IAnonymous)
class AnonymousCredentials:
    """Nobody in particular; `email` is what was typed as the password (RFC 1635), proof of nothing."""

    __slots__ = ("email", "peer")

    def __init__(self, email: bytes = b"", peer: Peer | None = None) -> None:
        self.email = email
        self.peer = peer

    def __repr__(self) -> str:
        # Somebody who took "anonymous" for a real account may have typed a real password.
        return f"AnonymousCredentials(..., {self.peer!r})"


class IVouched(ICredentials):
    """A name that nobody proves: the operator has given it to whoever comes in at one place, by a protocol without passwords."""

    username = Attribute("The account's name, bytes.")


@implementer(IVouched)
class VouchedCredentials:
    """The account that a listener names for all its clients, and who this one is.

    Whoever makes them has the name from the configuration, never from the wire.
    """

    __slots__ = ("peer", "username")

    def __init__(self, username: bytes, peer: Peer | None = None) -> None:
        self.username = username
        self.peer = peer

    def __repr__(self) -> str:
        return f"VouchedCredentials({self.username!r}, {self.peer!r})"


class WrongPassword(UnauthorizedLogin):
    """The name exists, the password is not its own.

    For the log only, which may then tell the name: an unknown one may be a password typed too early.  To the client it is no different
    from any other `UnauthorizedLogin`.
    """
