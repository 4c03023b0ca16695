"""Errors become the codes of ERROR packets here and nowhere else in TFTP: a table walked along the error's classes (RFC 1350 appendix)."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpd import errors
from ftpd.tftp.wire.packets import ErrorCode

__all__ = ["CODES", "answer_for"]

_log = Logger()

CODES: Final[dict[type[Exception], ErrorCode]] = {
    errors.NotFound: ErrorCode.NOT_FOUND,
    errors.AlreadyExists: ErrorCode.ALREADY_EXISTS,
    errors.NotPermitted: ErrorCode.ACCESS_VIOLATION,
    errors.NotADirectory: ErrorCode.NOT_FOUND,  # a part of the path is a file: below it there is nothing
    errors.IsADirectory: ErrorCode.ACCESS_VIOLATION,
    errors.NotEmpty: ErrorCode.ACCESS_VIOLATION,
    errors.Unsupported: ErrorCode.ACCESS_VIOLATION,  # a FIFO or a device: there, and not to be had
    errors.NoSpace: ErrorCode.DISK_FULL,
    errors.OverQuota: ErrorCode.DISK_FULL,
    errors.OverLimit: ErrorCode.UNDEFINED,
    errors.BadName: ErrorCode.ACCESS_VIOLATION,
    errors.BadOffset: ErrorCode.UNDEFINED,
    errors.Busy: ErrorCode.UNDEFINED,
    errors.Unavailable: ErrorCode.UNDEFINED,
    errors.IntegrityLost: ErrorCode.UNDEFINED,
    errors.TransferCut: ErrorCode.UNDEFINED,
    errors.TooManySessions: ErrorCode.UNDEFINED,
}


def answer_for(error: Exception) -> tuple[int, str]:
    """Return the code and the message of the ERROR packet that tells *error*.

    The message has no path: the client knows what it asked for, and where that led to, behind map file and roots, is none of its business.
    What no row covers is a fault of ours: 0, and its traceback in the log, once.
    """
    for kind in type(error).__mro__:
        code = CODES.get(kind)
        if code is not None:
            return code, str(error)
    _log.failure("a request failed in an unforeseen way", failure=Failure(error))  # type: ignore[no-untyped-call]
    return ErrorCode.UNDEFINED, "Internal error; the operator's log tells more"
