"""What an `IFTPShell` raises, as errors of ours.

Apart from the adapter, because reading and writing files need it too.  Twisted's errors carry a reply code; it is their class, so that
errors of third parties, which inherit `FTPCmdError` and choose a code, are understood as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.protocols import ftp as stock

from ftpd import errors
from ftpd.paths import VirtualPath

__all__ = ["errors_about", "translated"]

_BY_CODE: Final[dict[str, type[errors.FileTransferError]]] = {
    stock.FILE_NOT_FOUND: errors.NotFound,
    stock.FILE_EXISTS: errors.AlreadyExists,
    stock.IS_A_DIR: errors.IsADirectory,
    stock.IS_NOT_A_DIR: errors.NotADirectory,
    stock.PERMISSION_DENIED: errors.NotPermitted,
    stock.ANON_USER_DENIED: errors.NotPermitted,
    stock.CMD_NOT_IMPLMNTD: errors.Unsupported,
    stock.CMD_NOT_IMPLMNTD_FOR_PARAM: errors.Unsupported,
    stock.REQ_ACTN_ABRTD_FILE_UNAVAIL: errors.Busy,
    stock.REQ_ACTN_ABRTD_INSUFF_STORAGE: errors.NoSpace,
    stock.EXCEEDED_STORAGE_ALLOC: errors.OverQuota,
    stock.FILENAME_NOT_ALLOWED: errors.BadName,
}


@contextmanager
def errors_about(path: VirtualPath) -> Iterator[None]:
    """Turn what the shell raises inside into the error of ours that it stands for; what nobody foresaw passes as it is."""
    try:
        yield
    except (stock.FTPCmdError, OSError) as error:
        raise translated(error, path) from error


def translated(error: BaseException, path: VirtualPath) -> BaseException:
    """Return the error of ours for *error*, or *error* itself, which is then a fault to be logged."""
    if isinstance(error, OSError):
        return errors.from_oserror(error, path)
    if isinstance(error, CancelledError):  # the shell gave up by itself; ours would mean that the client did
        return errors.Unavailable(path)
    if isinstance(error, stock.FTPCmdError):
        return _by_code(error, path)
    return error


def _by_code(error: stock.FTPCmdError, path: VirtualPath) -> errors.FileTransferError:
    """Go by the reply code; a code that tells nothing more than success or failure leaves the words to the error."""
    code = getattr(error, "errorCode", stock.REQ_ACTN_ABRTD_LOCAL_ERR)
    kind = _BY_CODE.get(code)
    if kind is not None:
        return kind(path)
    words = next((part for part in error.args if isinstance(part, str)), None)
    return (errors.Unsupported if code.startswith("5") else errors.Unavailable)(path, words)
