"""Errors become reply codes here and nowhere else in FTP: a table walked along the error's classes (RFC 959 4.2, 5.4)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpd import errors
from ftpd.ftp.wire.replies import Reply

__all__ = ["CODES", "REFUSED", "reply_for"]

_log = Logger()

_NONE: Final[Mapping[type[Exception], int]] = MappingProxyType({})

REFUSED: Final = 550  # a command's row may put another code in its place: RFC 959 gives STOR 553, for one

CODES: Final[dict[type[Exception], int]] = {
    errors.NotFound: REFUSED,
    errors.AlreadyExists: REFUSED,
    errors.NotPermitted: REFUSED,
    errors.NotADirectory: REFUSED,
    errors.IsADirectory: REFUSED,
    errors.NotEmpty: REFUSED,
    errors.Unsupported: REFUSED,
    errors.NoSpace: 452,
    errors.OverQuota: 552,
    errors.OverLimit: REFUSED,
    errors.BadName: REFUSED,
    errors.BadOffset: 554,
    errors.Busy: 450,
    errors.Unavailable: 451,
    errors.IntegrityLost: 451,
    errors.UnknownCommand: 500,
    errors.NotOffered: 502,
    errors.BadSyntax: 501,
    errors.BadArgument: 501,
    errors.OutOfOrder: 503,
    errors.BadParameter: 504,
    errors.NotLoggedIn: 530,
    errors.NeedsTLS: 534,
    errors.NeedsProtection: 521,
    errors.DataNotProtected: 522,
    errors.TooManySessions: 421,
    errors.DataConnectionFailed: 425,
    errors.NoFreePort: 425,
    errors.TransferCut: 426,
}


def reply_for(error: Exception, refusal: int = REFUSED, codes: Mapping[type[Exception], int] = _NONE) -> Reply:
    """Return the reply that tells *error*; one that no row covers is a fault of ours: 451, and its traceback in the log, once.

    *codes* are a command's own, and come first.
    """
    for kind in type(error).__mro__:
        code = codes.get(kind) or CODES.get(kind)
        if code is not None:
            return Reply(refusal if code == REFUSED else code, _words(error))
    _log.failure("a command failed in an unforeseen way", failure=Failure(error))  # type: ignore[no-untyped-call]
    return Reply(451, "Local error in processing; the operator's log tells more.")


def _words(error: Exception) -> str:
    if isinstance(error, errors.FileTransferError) and error.path is not None:
        return f"{error.path}: {error}."
    message = str(error) or (type(error).__doc__ or "Failed").partition("\n")[0]
    return message if message.endswith(".") else message + "."
