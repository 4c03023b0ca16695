"""Several login sources asked in turn.

Apart from the sources, because a cred portal keeps one checker for each kind of credentials: of two password sources the second would
silently replace the first.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, maybeDeferred
from zope.interface import implementer

from ftpd.login.credentials import WrongPassword

__all__ = ["Chain", "chained"]


@implementer(ICredentialsChecker)
class Chain:
    """Lets in whom any of its checkers lets in; the first to do so names the avatar.

    Only a refusal (`UnauthorizedLogin`) leads on to the next: a source that is broken or overloaded is told as such, since a later one
    might know the name with another meaning.
    """

    def __init__(self, interface: Any, checkers: Sequence[Any]) -> None:
        self.credentialInterfaces = (interface,)
        self._checkers = tuple(checkers)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: Any) -> bytes | tuple[()]:
        refusals: list[UnauthorizedLogin] = []
        for checker in self._checkers:
            try:
                avatar_id: bytes | tuple[()] = await maybeDeferred(checker.requestAvatarId, credentials)
            except UnauthorizedLogin as refusal:
                refusals.append(refusal)
            else:
                return avatar_id
        raise next((refusal for refusal in refusals if isinstance(refusal, WrongPassword)), UnauthorizedLogin())


def chained(checkers: Iterable[Any]) -> list[Any]:
    """Return what to give a portal for *checkers*: one checker for each kind of credentials, sources asked in the order given."""
    checkers = list(checkers)
    by_interface: dict[Any, list[Any]] = {}
    for checker in checkers:
        for interface in checker.credentialInterfaces:
            by_interface.setdefault(interface, []).append(checker)
    if all(len(several) == 1 for several in by_interface.values()):
        return checkers
    return [Chain(interface, several) for interface, several in by_interface.items()]
