"""Logins through portals that were written for `twisted.protocols.ftp`: whether a name and a password are bytes or text.

Apart from the login commands, because it is one rule with its reasons.  cred's credentials are bytes, and Conch, mail and our own checkers take
them so; Twisted's FTP alone decodes the line first and gives its portal text (26.10, `FTP.ftp_PASS`).  A dict of text names finds no
bytes, so whoever could log in there could not log in here.  The type is settled before the portal is asked, from the portal alone, and each
login is tried once: trying both would count a failure twice where a checker locks accounts, and tell by its time which names exist.
"""

from __future__ import annotations

import copy
import hmac
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnhandledCredentials
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import implementer

from ftpd.accounts.realm import TransferRealm
from ftpd.interfaces import IAvatar
from ftpd.login.credentials import PasswordCredentials
from ftpd.paths import decode_name, encode_name
from ftpd.values import Peer

__all__ = ["TextCredentials", "granted", "interfaces_for", "password_credentials", "suited", "takes_text"]


def interfaces_for(portal: Portal) -> tuple[Any, ...]:
    """Return what to ask *portal* for: `IAvatar`, and where the realm is not ours `IFTPShell` as well."""
    return (IAvatar,) if _is_ours(portal) else (IAvatar, _twisted_ftp().IFTPShell)


def password_credentials(
    portal: Portal, name: bytes, password: bytes, peer: Peer, as_text: bool | None = None
) -> PasswordCredentials | TextCredentials:
    """Return the credentials that *portal* shall be shown; *as_text* says of which type, None leaves it to `takes_text`."""
    if takes_text(portal) if as_text is None else as_text:
        return TextCredentials(decode_name(name), decode_name(password), peer)
    return PasswordCredentials(name, password, peer)


def takes_text(portal: Portal) -> bool:
    """Whether the checkers of *portal* want names and passwords as text.

    Twisted's in-memory checker where its users are text; any foreign one under a realm of Twisted's FTP, which it was then written for.
    Everything else takes bytes, and `FTPFactory(text_credentials=True)` is for what this cannot see.
    """
    checker = portal.checkers.get(IUsernamePassword)
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        users: dict[Any, Any] = checker.users  # bytes, says its annotation; what `addUser` was given, says its code
        return any(isinstance(name, str) for name in users)
    return _has_stock_realm(portal) and not _takes_bytes(checker)


def _takes_bytes(checker: object) -> bool:
    # Imported for portals that are not ours only: they and the Twisted plugins behind them would slow every start.
    from ftpd.login.chain import Chain
    from ftpd.login.memory import MemoryPasswords
    from ftpd.login.password_file import PasswordFile
    from ftpd.login.twisted_plugins import ForeignChecker

    return isinstance(checker, Chain | ForeignChecker | MemoryPasswords | PasswordFile | FilePasswordDB)


async def granted(portal: Portal, credentials: Any, peer: Peer) -> tuple[Any, Any, Callable[[], object]]:
    """Return what `portal.login` gives: interface, avatar, logout.  Fails as that does.

    Where portal and realm are ours the two steps of `Portal.login` are gone here, without a Deferred for what need not wait: it is a
    sixth of the login's own time (tests/bench: login).
    """
    if not (_is_ours(portal) and type(portal) is Portal):
        return await suited(portal).login(credentials, peer, *interfaces_for(portal))
    for interface, checker in portal.checkers.items():
        if interface.providedBy(credentials):
            avatar_id: Any = checker.requestAvatarId(credentials)
            if isinstance(avatar_id, Deferred):
                avatar_id = await avatar_id
            result: Any = portal.realm.requestAvatar(avatar_id, peer, IAvatar)
            interface, avatar, logout = await result if isinstance(result, Deferred) else result
            return interface, avatar, logout
    raise UnhandledCredentials("no checker for these credentials")


def suited(portal: Portal) -> Portal:
    """Return *portal* itself where the realm is ours, else one whose realm is asked in a way that it understands.

    `FTPRealm` and `SystemFTPRealm` build the home from a text avatar id, and the second can do no other; a realm with a
    `getHomeDirectory` of its own is given what the checker answered, whatever that is.
    """
    if _is_ours(portal):
        return portal
    lent = copy.copy(portal)  # not a new one: `login` may be a subclass's own
    lent.realm = _ForeignRealm(portal.realm, _has_stock_home(portal))
    return lent


def _is_ours(portal: Portal) -> bool:
    return isinstance(portal.realm, TransferRealm)


def _has_stock_realm(portal: Portal) -> bool:
    return not _is_ours(portal) and isinstance(portal.realm, _twisted_ftp().BaseFTPRealm)


def _has_stock_home(portal: Portal) -> bool:
    if not _has_stock_realm(portal):
        return False
    ftp = _twisted_ftp()
    home: Any = type(portal.realm).getHomeDirectory  # type: ignore[attr-defined]  # IRealm does not have it, BaseFTPRealm has
    return home in (ftp.FTPRealm.getHomeDirectory, ftp.SystemFTPRealm.getHomeDirectory)


def _twisted_ftp() -> Any:
    """Return Twisted's FTP module.

    Not imported at the top, and not at all for portals of ours: it takes 27 ms and installs the default reactor, while a program
    that imports `FTPFactory` may still have to choose one.
    """
    from twisted.protocols import ftp

    return ftp


@implementer(IUsernamePassword)
class TextCredentials:
    """As `PasswordCredentials`, in text: UTF-8, and bytes that are not UTF-8 as lone surrogates (PEP 383)."""

    __slots__ = ("password", "peer", "username")

    def __init__(self, username: str, password: str, peer: Peer | None = None) -> None:
        self.username = username
        self.password = password
        self.peer = peer

    def checkPassword(self, password: str | bytes) -> bool:
        """Whether *password* is the one given; in a time that does not tell how much of it is right."""
        return hmac.compare_digest(encode_name(self.password), password if isinstance(password, bytes) else encode_name(password))

    def __repr__(self) -> str:
        return f"TextCredentials({self.username!r}, ..., {self.peer!r})"


@implementer(IRealm)
class _ForeignRealm:
    """Somebody else's realm, told avatar ids as text if *takes_text_ids* (cred's ANONYMOUS stays what it is).

    It is asked for `IAvatar` or `IFTPShell`, and once more for the latter alone if it refuses: realms written for one protocol look at the
    first interface only (swftp's, for one).  The checker is not asked again.
    """

    def __init__(self, realm: Any, takes_text_ids: bool) -> None:
        self._realm = realm
        self._takes_text_ids = takes_text_ids

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> Any:
        if self._takes_text_ids and isinstance(avatarId, bytes):
            avatarId = decode_name(avatarId)
        try:
            return self._realm.requestAvatar(avatarId, mind, *interfaces)
        except NotImplementedError:
            return self._realm.requestAvatar(avatarId, mind, interfaces[-1])
