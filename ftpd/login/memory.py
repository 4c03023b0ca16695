"""Passwords held in memory: the generated account of `ftpd serve DIR`, tests and benches.

Apart from the password file, because a generated password needs no slow hash: it has 80 bits of its own, and nothing is stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from zope.interface import implementer

from ftpd.interfaces import ILoginKind
from ftpd.login.credentials import WrongPassword
from ftpd.paths import encode_name
from ftpd.schema import setting
from ftpd.spi import Threads

__all__ = ["MEMORY", "MemoryPasswords", "MemorySettings"]


@attrs.frozen
class MemorySettings:
    """A `[[login]]` table with `kind = "memory"`."""

    passwords: Mapping[str, str] = setting(
        factory=dict, help="Names and passwords in clear, for trials; a server that matters uses a password file.", is_secret=True
    )


@implementer(ICredentialsChecker)
class MemoryPasswords:
    """Checks against a fixed set of names and passwords.

    Only digests under a key of this process are kept, so no dump, `repr` or traceback shows a password, and a comparison takes as long for
    an unknown name as for a known one.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, passwords: Mapping[bytes, bytes]) -> None:
        self._key = secrets.token_bytes(32)
        self._nobody = secrets.token_bytes(32)
        self._digests = {name: self._digest(password) for name, password in passwords.items()}

    def requestAvatarId(self, credentials: IUsernamePassword) -> bytes:  # type: ignore[override]  # cred allows the bare answer
        """Return the name; raises `UnauthorizedLogin`, which for a known name is `WrongPassword`."""
        name: bytes = credentials.username
        if hmac.compare_digest(self._digest(credentials.password), self._digests.get(name, self._nobody)):
            return name
        raise WrongPassword if name in self._digests else UnauthorizedLogin

    def _digest(self, password: bytes) -> bytes:
        return hashlib.blake2b(password, digest_size=32, key=self._key).digest()


@implementer(ILoginKind)
class _MemoryKind:
    name = "memory"
    settings = MemorySettings

    def make(self, settings: MemorySettings, threads: Threads) -> MemoryPasswords:
        passwords = settings.passwords.items()
        return MemoryPasswords({encode_name(name): encode_name(password) for name, password in passwords})


MEMORY = _MemoryKind()
