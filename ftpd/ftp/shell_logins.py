"""Logins through portals that were written for `twisted.protocols.ftp`: whether a name and a password are bytes or text.

Apart from the login commands, because it is one rule with its reasons.  cred's credentials are bytes, and Conch, mail and our own checkers take
them so; Twisted's FTP alone decodes the line first and gives its portal text (26.10, `FTP.ftp_PASS`).  A dict of text names finds no
bytes, so whoever could log in there could not log in here.  The type is settled before the portal is asked, from the portal alone, and each
login is tried once: trying both would count a failure twice where a checker locks accounts, and tell by its time which names exist.
"""

from __future__ import annotations

import copy
import hmac
from typing import Any, Final

from twisted.cred.checkers import FilePasswordDB, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.portal import IRealm, Portal
from twisted.protocols import ftp as stock
from zope.interface import implementer

from ftpd.login.chain import Chain
from ftpd.login.credentials import PasswordCredentials
from ftpd.login.memory import MemoryPasswords
from ftpd.login.password_file import PasswordFile
from ftpd.login.twisted_plugins import ForeignChecker
from ftpd.paths import decode_name, encode_name
from ftpd.values import Peer

__all__ = ["TextCredentials", "password_credentials", "suited", "takes_text"]

_TAKE_BYTES: Final = (Chain, ForeignChecker, MemoryPasswords, PasswordFile, FilePasswordDB)
_STOCK_HOMES: Final = (stock.FTPRealm.getHomeDirectory, stock.SystemFTPRealm.getHomeDirectory)


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
    checker = getattr(portal, "checkers", {}).get(IUsernamePassword)
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        users: dict[Any, Any] = checker.users  # bytes, says its annotation; what `addUser` was given, says its code
        return any(isinstance(name, str) for name in users)
    return isinstance(portal.realm, stock.BaseFTPRealm) and not isinstance(checker, _TAKE_BYTES)


def suited(portal: Portal) -> Portal:
    """Return *portal*, with text avatar ids where its realm is Twisted's and builds the home from one: `SystemFTPRealm` can do no other.

    A realm with a `getHomeDirectory` of its own is given what the checker answered, whatever that is.
    """
    realm = getattr(portal, "realm", None)
    if isinstance(realm, stock.BaseFTPRealm) and type(realm).getHomeDirectory in _STOCK_HOMES:
        portal = copy.copy(portal)  # not a new one: `login` may be a subclass's own
        portal.realm = _TextIds(realm)
    return portal


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
class _TextIds:
    """A realm that is told avatar ids as text, cred's ANONYMOUS excepted."""

    def __init__(self, realm: Any) -> None:
        self._realm = realm

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: Any) -> Any:
        name = decode_name(avatarId) if isinstance(avatarId, bytes) else avatarId
        return self._realm.requestAvatar(name, mind, *interfaces)
