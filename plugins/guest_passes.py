"""A login source: `[[login]] kind = "guest_passes"`, accounts for guests that end by themselves.

    python plugins/guest_passes.py carol 7 >> /etc/ftpd/guests.toml    # seven days; prints the password, once

Apart from the password file, because a pass is generated, never chosen: 128 random bits need no slow hash, and no salt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import sys
import tomllib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ftpd.interfaces import ILoginKind
from ftpd.paths import decode_name
from ftpd.schema import ConfigError, FilePath, Problem, setting
from ftpd.spi import Threads


@attrs.frozen
class GuestPassSettings:
    """A `[[login]]` table with `kind = "guest_passes"`."""

    path: FilePath = setting(FilePath(""), help="TOML file with a table for each guest: digest, until; read at each login.")


@attrs.frozen
class Pass:
    """SHA-256 of the password, and when it ends."""

    digest: bytes
    until: datetime


_NOBODY = Pass(secrets.token_bytes(32), datetime.min.replace(tzinfo=UTC))


@implementer(ICredentialsChecker)
class GuestPasses:
    """Checks against the file as it is now; while it is broken, against what it was before."""

    credentialInterfaces = (IUsernamePassword,)
    _log = Logger()

    def __init__(self, os_path: str, threads: Threads, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        """Read the file.  Raises `OSError`, and `ValueError` where it is broken."""
        self._os_path = os_path
        self._threads = threads
        self._now = now
        self._passes = read_passes(os_path)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Return the name; fails with `UnauthorizedLogin`.  The file is read in a thread: its disk may hang."""
        return self._threads.run(self._check, credentials.username, credentials.password)

    def _check(self, name: bytes, password: bytes) -> bytes | tuple[()]:
        found = self._current().get(decode_name(name), _NOBODY)  # an unknown name takes as long as a known one
        if hmac.compare_digest(digest_of(password), found.digest) and self._now() < found.until:
            return name
        raise UnauthorizedLogin

    def _current(self) -> Mapping[str, Pass]:
        try:
            self._passes = read_passes(self._os_path)
        except (OSError, ValueError) as error:
            self._log.error("guest passes not read, the old ones stay: {error}", error=error)
        return self._passes


def digest_of(password: bytes) -> bytes:
    return hashlib.sha256(password).digest()


def read_passes(os_path: str) -> Mapping[str, Pass]:
    """Return the passes by name.  Raises `OSError`, and `ValueError` that names what is broken."""
    with open(os_path, "rb") as file:
        return {name: _read_pass(name, table) for name, table in tomllib.load(file).items()}


def _read_pass(name: str, table: Any) -> Pass:
    match table:
        case {"digest": str(digest), "until": datetime(tzinfo=zone) as until} if zone is not None and len(table) == 2:
            return Pass(bytes.fromhex(digest), until)
    raise ValueError(f"[{name}] needs a digest, and until: a date with time and zone")


def new_pass(name: str, days: float) -> tuple[str, str]:
    """Return a password, and the table to append to the file."""
    password = secrets.token_urlsafe(16)
    until = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    return password, f'[{json.dumps(name)}]\ndigest = "{digest_of(password.encode()).hex()}"\nuntil = {until}\n'


@implementer(ILoginKind)
class _GuestPassesKind:
    name = "guest_passes"
    settings = GuestPassSettings

    def make(self, settings: GuestPassSettings, threads: Threads) -> GuestPasses:
        try:
            return GuestPasses(settings.path, threads)
        except (OSError, ValueError) as error:
            raise ConfigError([Problem("", "path", f"cannot be used: {error}", "a file that this extension wrote")]) from error


GUEST_PASSES = _GuestPassesKind()

if __name__ == "__main__":
    made, entry = new_pass(sys.argv[1], float(sys.argv[2]))
    print(f"password: {made}", file=sys.stderr)
    print(entry)
