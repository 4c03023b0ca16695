"""Logins from a password file, kept current while the server runs.

Apart from the format (`htpasswd`) and the hashing, because this is the part that decides: what counts when the file is broken, gone
or new.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import Future, wait
from queue import SimpleQueue
from typing import Final, TypeAlias

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from ftpd.interfaces import ILoginKind
from ftpd.login.credentials import WrongPassword
from ftpd.login.hashing import DEFAULT_COST, VerifiedLogins, cost_of, verify
from ftpd.login.htpasswd import BrokenLine, Signature, read
from ftpd.login.turn import in_turn
from ftpd.schema import ConfigError, FilePath, Problem, Seconds, setting
from ftpd.spi import Threads

__all__ = ["PASSWORD_FILE", "PasswordFile", "PasswordFileSettings"]

_Asked: TypeAlias = tuple[Callable[[], None], Future[None]]  # a look, and who waits for it

_PATIENCE_SECONDS: Final = 5.0  # with a look at the file, once; then nobody waits until that has ended


@attrs.frozen
class PasswordFileSettings:
    """A `[[login]]` table with `kind = "password_file"`."""

    path: FilePath = setting(FilePath(""), help="File of name:hash lines with bcrypt hashes, as ftpd passwd and htpasswd -B write.")
    cache_seconds: Seconds = setting(
        Seconds(0),
        help="A verified login is taken again for so long without hashing, for clients that log in many times at once; 0: never.",
        unit="s",
        minimum=0,
        maximum=3600,
    )


@attrs.frozen
class _Entries:
    """One content of the file.  `costs` has the cost of every entry, sorted: what the work for an unknown name is drawn from."""

    signature: Signature
    hashes: dict[bytes, bytes]
    costs: tuple[int, ...]


class _WatchedFile:
    """The entries of the file as last read whole, looked at again before every login; used by threads only.

    A thread of its own looks, once at a time: a disk that hangs keeps that one, and not those that all logins have in common.
    """

    _log = Logger()

    def __init__(self, os_path: str, changed: Callable[[], None]) -> None:
        """Read the file; raises `OSError` and `BrokenLine`.  *changed* is called when new entries take the place of old ones."""
        self._os_path = os_path
        self._changed = changed
        self._turn = threading.Lock()
        self._looks: SimpleQueue[_Asked | None] | None = None  # to the thread; None ends it
        self._look: Future[None] | None = None  # the last
        self._is_exposure_told = False
        self._complaint = ""
        self._broken: Signature | None = None
        self._entries = self._read()

    def current(self) -> _Entries:
        """Return the entries; while the file is missing or broken, or its disk hangs, those that stood before, and one line in the log says so."""
        with self._turn:
            if self._look is None or self._look.done():
                self._look = self._begin_look()
                wait([self._look], _PATIENCE_SECONDS)
            if self._look.done():
                self._end_look(self._look)
            else:
                self._complain(f"{self._os_path}: the disk has not answered for {_PATIENCE_SECONDS:g} s")
            return self._entries

    def _begin_look(self) -> Future[None]:
        if self._looks is None:
            self._looks = SimpleQueue()
            threading.Thread(target=_look_when_asked, args=(self._looks,), name="ftpd-passwords", daemon=True).start()
            weakref.finalize(self, self._looks.put, None)
        look: Future[None] = Future()
        self._looks.put((self._look_again, look))
        return look

    def _look_again(self) -> None:
        self._refresh(Signature.of(os.stat(self._os_path)))

    def _end_look(self, look: Future[None]) -> None:
        try:
            look.result()
        except (OSError, BrokenLine) as error:
            self._complain(str(error))

    def _refresh(self, signature: Signature) -> None:
        if signature == self._entries.signature:
            self._complaint = ""
        elif signature != self._broken:
            try:
                self._entries = self._read()
            except BrokenLine:
                self._broken = signature  # read again when it has changed, not for every login
                raise
            self._complaint = ""
            self._changed()
            self._log.info("password file {path} read again: {count} entries", path=self._os_path, count=len(self._entries.hashes))

    def _read(self) -> _Entries:
        signature, mode, hashes = read(self._os_path)
        self._tell_exposure(mode)
        return _Entries(signature, hashes, tuple(sorted(map(cost_of, hashes.values()))) or (DEFAULT_COST,))

    def _tell_exposure(self, mode: int) -> None:
        if mode & (stat.S_IRWXG | stat.S_IRWXO) and not self._is_exposure_told:
            self._is_exposure_told = True
            self._log.warn(
                "password file {path} is open to others than its owner (mode {mode}); 0600 is enough",
                path=self._os_path,
                mode=f"{stat.S_IMODE(mode):04o}",
            )

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:  # once, not once for each login
            self._complaint = complaint
            self._log.error("password file not read, the old entries stay: {complaint}", complaint=complaint)


def _look_when_asked(looks: SimpleQueue[_Asked | None]) -> None:
    """What the thread does.  It holds the file only while it looks, so that one which nobody uses any more ends it."""
    while (asked := looks.get()) is not None:
        look, waiting = asked
        try:
            look()
        except BaseException as error:
            waiting.set_exception(error)
        else:
            waiting.set_result(None)
        del asked, look, waiting


@implementer(ICredentialsChecker)
class PasswordFile:
    """Checks names and passwords against an htpasswd file with bcrypt hashes.

    Everything runs in *threads*, the look at the file included: a hung disk or a long hash never holds up the reactor.  A file that
    changed is read again before the next login is judged.  An unknown name costs the work of a known one.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, settings: PasswordFileSettings, threads: Threads, now: Callable[[], float] = time.monotonic) -> None:
        """Read the file, once, here; raises `ConfigError` where it is missing or broken.  *now* is a clock in seconds."""
        self._threads = threads
        self._verified = VerifiedLogins(settings.cache_seconds, now)
        try:
            self._file = _WatchedFile(settings.path, self._verified.clear)
        except OSError as error:
            found = f"cannot read {settings.path}: {error.strerror}" if settings.path else "no file is named"
            raise ConfigError([Problem("", "path", found, "a password file; ftpd passwd FILE USER makes one")]) from error
        except BrokenLine as error:
            raise ConfigError([Problem("", "path", str(error), "")]) from error

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[bytes | tuple[()]]:
        """Return the name; fails with `UnauthorizedLogin`, which for a known name is `WrongPassword`.

        A pool whose queue is full raises what it raises, such as `Unavailable`.
        """
        return in_turn(self._threads, self._check, credentials.username, credentials.password)

    def _check(self, name: bytes, password: bytes) -> bytes | tuple[()]:
        entries = self._file.current()
        password_hash = entries.hashes.get(name)
        if password_hash is not None and self._verified.has(password, password_hash):
            return name
        is_verified = verify(password, password_hash, _cost_for(name, entries.costs))
        if password_hash is None:
            raise UnauthorizedLogin
        if not is_verified:
            raise WrongPassword
        self._verified.remember(password, password_hash)
        return name


def _cost_for(name: bytes, costs: tuple[int, ...]) -> int:
    # The same name always takes as long, and unknown names are spread over the costs as known ones are: where a file holds hashes
    # of several costs, neither one answer's time nor many tell which names exist.
    return costs[int.from_bytes(hashlib.sha256(name).digest()[:8]) % len(costs)]


@implementer(ILoginKind)
class _PasswordFileKind:
    name = "password_file"
    settings = PasswordFileSettings

    def make(self, settings: PasswordFileSettings, threads: Threads) -> PasswordFile:
        return PasswordFile(settings, threads)


PASSWORD_FILE = _PasswordFileKind()
