"""Login sources named as `twistd --auth` names them: every cred plugin that is installed.

Apart from our own sources, because Twisted's were written for other callers: `memory` holds text where cred has bytes, `unix` answers with
text, and `file` and `unix` block the reactor.  Here each is made to log people in, and none can hurt the server.
"""

from __future__ import annotations

import importlib.util
import os
from typing import Any, Final

from twisted.cred.checkers import FilePasswordDB, ICredentialsChecker, InMemoryUsernamePasswordDatabaseDontUse
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.strcred import InvalidAuthType, StrcredException, makeChecker
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.plugins.cred_unix import UNIXChecker
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.login.memory import MemoryPasswords
from ftpd.login.turn import in_turn
from ftpd.paths import encode_name
from ftpd.regular import open_regular
from ftpd.schema import ConfigError, Problem
from ftpd.spi import Threads

__all__ = ["SERVED", "ForeignChecker", "foreign_checker"]

SERVED: Final = (IUsernamePassword, IAnonymous)  # the credentials that our protocols make

# Known to block, and to answer before they return: these run in the login pool.  Any other checker may use the reactor, so it runs on the
# reactor's thread unless it says `is_blocking = True`.
_BLOCKING: Final = (FilePasswordDB, UNIXChecker)


def foreign_checker(spec: str, threads: Threads) -> Any:
    """Return an `ICredentialsChecker` for *spec*, such as `file:/etc/ftpd.passwd`; *threads* is the login pool.

    Raises `ConfigError` where the plugin is unknown, its argument is wrong, or it could never let anybody in.
    """
    try:
        checker: Any = makeChecker(spec)  # type: ignore[no-untyped-call]
    except InvalidAuthType:
        raise _refusal(spec, "no such login plugin is installed", "see --help-auth") from None
    except (StrcredException, ValueError, OSError) as error:
        raise _refusal(spec, str(error), "") from error
    if not any(interface in SERVED for interface in checker.credentialInterfaces):
        raise _refusal(
            spec, "no protocol served here makes the credentials it checks", "a plugin for passwords or anonymous logins"
        )
    if isinstance(checker, InMemoryUsernamePasswordDatabaseDontUse):
        users: dict[Any, Any] = checker.users  # text from the command line, whatever the annotation says
        return MemoryPasswords({_as_bytes(name): _as_bytes(password) for name, password in users.items()})
    _check_usable(spec, checker)
    return ForeignChecker(checker, threads)


def _refusal(spec: str, found: str, allowed: str) -> ConfigError:
    kind = spec.partition(":")[0]  # what follows may be passwords
    return ConfigError([Problem("", f"--auth {kind}", found, allowed)])


def _check_usable(spec: str, checker: Any) -> None:
    if isinstance(checker, FilePasswordDB):
        try:
            with open_regular(checker.filename) as file:
                file.read(1)
        except OSError as error:
            raise _refusal(spec, f"cannot read {checker.filename}: {error.strerror}", "a file of name:password lines") from error
    if isinstance(checker, UNIXChecker):
        _check_unix(spec)


def _check_unix(spec: str) -> None:
    for module in ("crypt", "spwd"):
        if importlib.util.find_spec(module) is None:
            found = f"this Python has no {module} module (removed in Python 3.13), so no system password can be checked"
            raise _refusal(spec, found, "a password file, or Python 3.11 or 3.12")
    if not os.access("/etc/shadow", os.R_OK, effective_ids=True):
        raise _refusal(spec, "/etc/shadow cannot be read, so no system password can be checked", "a server started as root")


@implementer(ICredentialsChecker)
class ForeignChecker:
    """A checker of somebody else, held to the contract: bytes in, bytes or ANONYMOUS out, and no failure but a `LoginFailed`.

    One that blocks is called in *threads*; its answer must be there when it returns.
    """

    _log = Logger()

    def __init__(self, checker: Any, threads: Threads) -> None:
        self.credentialInterfaces = tuple(interface for interface in checker.credentialInterfaces if interface in SERVED)
        self._checker = checker
        self._threads = threads
        self._is_blocking = isinstance(checker, _BLOCKING) or getattr(checker, "is_blocking", False)
        self._takes_text_only = isinstance(checker, UNIXChecker)

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """Return the avatar id; a checker that breaks is a traceback in the log and `UnauthorizedLogin`."""
        return Deferred.fromCoroutine(self._ask(credentials))

    async def _ask(self, credentials: Any) -> bytes | tuple[()]:
        if self._takes_text_only and not _is_plain_text(credentials):
            raise UnauthorizedLogin
        try:
            if self._is_blocking:
                avatar_id = await in_turn(self._threads, _ask_at_once, self._checker, credentials)
            else:
                avatar_id = await maybeDeferred(self._checker.requestAvatarId, credentials)
            return _as_avatar_id(avatar_id)
        except (LoginFailed, CancelledError):
            raise
        except Exception:
            self._log.failure("login source {checker} failed", checker=type(self._checker).__qualname__)
            raise UnauthorizedLogin from None


def _ask_at_once(checker: Any, credentials: Any) -> Any:
    answer = checker.requestAvatarId(credentials)
    if not isinstance(answer, Deferred):
        return answer
    results: list[Any] = []
    answer.addBoth(results.append)
    if not results:
        raise TypeError("a checker that runs in a thread returned a Deferred without a result")
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def _is_plain_text(credentials: Any) -> bool:
    # getpwnam and crypt take text without NUL: anything else is nobody's name or password, not a fault worth a traceback.
    try:
        text = (credentials.username + credentials.password).decode("utf-8")
    except UnicodeDecodeError:
        return False
    return "\0" not in text


def _as_bytes(value: str | bytes) -> bytes:
    return value if isinstance(value, bytes) else encode_name(value)


def _as_avatar_id(value: object) -> bytes | tuple[()]:
    if value == ():
        return ()
    if not isinstance(value, str | bytes) or not value:
        raise TypeError(f"a checker returned {type(value).__name__} for an avatar id, not bytes")
    return _as_bytes(value)
