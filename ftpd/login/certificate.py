"""Logins by the client's certificate: alone, or beside the password.

Apart from TLS, which has verified the certificate when these are asked (`ftpd.tls`): what is judged here is whether it is this account's, the same way for
every protocol.  Which accounts a certificate stands for is told by the callable that both are given.
"""

from __future__ import annotations

import copy
import secrets
from collections.abc import Callable, Iterable
from typing import Any, NoReturn, TypeAlias

from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IAnonymous, ICredentials, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import Attribute, implementer

from ftpd.login.credentials import WrongPassword
from ftpd.paths import encode_name
from ftpd.values import ClientCertificate, Peer

__all__ = [
    "AccountsOf",
    "CertificateCredentials",
    "CertificateLogin",
    "ICertificate",
    "MissingCertificate",
    "SecondFactor",
    "proved",
]

AccountsOf: TypeAlias = Callable[[ClientCertificate], tuple[str, ...]]  # such as `ftpd.tls.clients.ClientVerification.account_of`


class ICertificate(ICredentials):
    """A name, and the certificate that TLS has verified."""

    username = Attribute("The account's name, bytes.")
    certificate = Attribute("The `values.ClientCertificate`.")


@implementer(ICertificate)
class CertificateCredentials:
    """A name as it came over the wire, the certificate of the connection that it came over, and from whom.

    Whoever makes them vouches for the certificate: it is that of the same connection, and TLS has verified it.
    """

    __slots__ = ("certificate", "peer", "username")

    def __init__(self, username: bytes, certificate: ClientCertificate, peer: Peer | None = None) -> None:
        self.username = username
        self.certificate = certificate
        self.peer = peer

    def __repr__(self) -> str:
        return f"CertificateCredentials({self.username!r}, {self.certificate.subject!r}, {self.peer!r})"


@implementer(ICredentialsChecker)
class CertificateLogin:
    """Lets in whom the certificate names."""

    credentialInterfaces = (ICertificate,)

    def __init__(self, accounts_of: AccountsOf) -> None:
        self._accounts_of = accounts_of

    def requestAvatarId(self, credentials: Any) -> bytes:  # type: ignore[override]  # cred allows the bare answer
        """Return the name; raises `UnauthorizedLogin`."""
        if _is_named(credentials.username, credentials.certificate, self._accounts_of):
            name: bytes = credentials.username
            return name
        raise UnauthorizedLogin(f"the certificate {credentials.certificate.subject} is not of this account")


class MissingCertificate(WrongPassword):
    """The connection has no certificate of the account, which exists; whether the password was right nobody knows.

    As with any `WrongPassword`, only the log is told.
    """


@implementer(ICredentialsChecker)
class SecondFactor:
    """Lets in whom *checker* lets in, if the connection has a certificate of the same account.

    Without the certificate the password is not tried: the checker is shown another one, so that the refusal is that of a wrong password, takes as
    long, and counts as such, and whoever has stolen a password cannot find out even whether it is one.

    Anonymous logins prove nothing, and are not asked for more of it.  Credentials that do not say from whom they are, such as those of
    another program, are refused.
    """

    def __init__(self, checker: Any, accounts_of: AccountsOf) -> None:
        self.credentialInterfaces = tuple(checker.credentialInterfaces)
        self._checker = checker
        self._accounts_of = accounts_of

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """Return what the checker answers; fails as it fails, or with `MissingCertificate`."""
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: Any) -> bytes | tuple[()]:
        if IAnonymous.providedBy(credentials):
            return await self._checked(credentials)
        certificate = _certificate_of(credentials)
        if certificate is None:
            return await self._refused(credentials, "the connection has no client certificate")
        if not _is_named(credentials.username, certificate, self._accounts_of):
            return await self._refused(credentials, f"the client certificate {certificate.subject} is not of this account")
        avatar_id = await self._checked(credentials)
        if avatar_id == ANONYMOUS or _is_named(avatar_id, certificate, self._accounts_of):
            return avatar_id
        raise MissingCertificate(f"the client certificate {certificate.subject} is not of the account that the name stands for")

    async def _refused(self, credentials: Any, reason: str) -> NoReturn:
        if IUsernamePassword.providedBy(credentials):
            try:
                await self._checked(_with_another_password(credentials))
            except WrongPassword:
                raise MissingCertificate(reason) from None
            except UnauthorizedLogin:
                pass  # the name is unknown, or the checker does not say
        raise UnauthorizedLogin(reason)

    async def _checked(self, credentials: Any) -> bytes | tuple[()]:
        avatar_id: bytes | tuple[()] = await maybeDeferred(self._checker.requestAvatarId, credentials)
        return avatar_id


def proved(checkers: Iterable[Any], accounts_of: AccountsOf, *, is_enough: bool) -> list[Any]:
    """Return *checkers* with what a certificate proves put around them: it logs in by itself if it *is_enough*, else beside the password."""
    if is_enough:
        return [*checkers, CertificateLogin(accounts_of)]
    return [SecondFactor(checker, accounts_of) for checker in checkers]


def _with_another_password(credentials: Any) -> Any:
    other, password = copy.copy(credentials), secrets.token_hex()
    other.password = password if isinstance(credentials.password, str) else password.encode("ascii")
    return other


def _certificate_of(credentials: Any) -> ClientCertificate | None:
    tls = getattr(getattr(credentials, "peer", None), "tls", None)
    return getattr(tls, "client", None)


def _is_named(name: object, certificate: ClientCertificate, accounts_of: AccountsOf) -> bool:
    """Whether *certificate* stands for the account *name*; text is of checkers that want it so (`ftp.shell.logins`)."""
    raw = encode_name(name) if isinstance(name, str) else name
    return any(raw == encode_name(account) for account in accounts_of(certificate))
