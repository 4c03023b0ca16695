"""What can go wrong with a file, and how a caller can misuse a protocol.

Two closed families, apart from every protocol: a store raises the first, a protocol the second, and each protocol has one
table that turns both into its own codes (`ftp/errors_to_replies.py`).  :func:`from_oserror` is the only errno switch.
"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftpd.paths import VirtualPath

__all__ = [
    "AlreadyExists",
    "BadArgument",
    "BadName",
    "BadOffset",
    "BadParameter",
    "BadSyntax",
    "Busy",
    "DataConnectionFailed",
    "DataNotProtected",
    "FileTransferError",
    "IntegrityLost",
    "IsADirectory",
    "Misuse",
    "NeedsProtection",
    "NeedsTLS",
    "NoFreePort",
    "NoSpace",
    "NotADirectory",
    "NotEmpty",
    "NotFound",
    "NotLoggedIn",
    "NotOffered",
    "NotPermitted",
    "OutOfOrder",
    "OverLimit",
    "OverQuota",
    "TooManySessions",
    "TransferCut",
    "Unavailable",
    "UnknownCommand",
    "Unsupported",
    "from_oserror",
]


class FileTransferError(Exception):
    """A file operation failed.

    `path` is the virtual path (never a path of the machine), `cause` the words for the user, `None` where the class says it all.
    """

    summary = "Failed"

    def __init__(self, path: VirtualPath | None = None, cause: str | None = None) -> None:
        super().__init__(path, cause)
        self.path = path
        self.cause = cause

    def __str__(self) -> str:
        return self.cause or self.summary


class NotFound(FileTransferError):
    """There is no such file or directory."""

    summary = "No such file or directory"


class AlreadyExists(FileTransferError):
    """The name is taken."""

    summary = "Already exists"


class NotPermitted(FileTransferError):
    """The account, or the disk, does not allow it."""

    summary = "Permission denied"


class NotADirectory(FileTransferError):
    """A directory was needed and the name is something else."""

    summary = "Not a directory"


class IsADirectory(FileTransferError):
    """A file was needed and the name is a directory."""

    summary = "Is a directory"


class NotEmpty(FileTransferError):
    """The directory still holds something."""

    summary = "Directory not empty"


class NoSpace(FileTransferError):
    """The disk is full."""

    summary = "No space left"


class OverQuota(FileTransferError):
    """The account's allocation, or the largest allowed file, is exceeded."""

    summary = "Storage allocation exceeded"


class OverLimit(FileTransferError):
    """It is more work than the operator lets one request be; asking again does not help."""

    summary = "More work than this server allows"


class BadName(FileTransferError):
    """The name cannot exist in this store."""

    summary = "Name not allowed"


class Unsupported(FileTransferError):
    """The store, or the kind of file, cannot do this."""

    summary = "Not supported here"


class BadOffset(FileTransferError):
    """The offset to resume at lies beyond what is there."""

    summary = "Offset beyond the end of the file"


class Busy(FileTransferError):
    """Somebody else is using it; trying again later may work."""

    summary = "In use; try again later"


class Unavailable(FileTransferError):
    """The store did not answer, or the machine lacks a resource; trying again later may work."""

    summary = "Temporarily unavailable; try again later"


class IntegrityLost(FileTransferError):
    """The bytes are not what they should be: the file changed under the transfer, or the disk failed."""

    summary = "Content damaged or changed during the transfer"


class Misuse(Exception):
    """The client used the protocol wrongly; the message is fit for the client."""


class UnknownCommand(Misuse):
    """The command is not one this server knows."""


class NotOffered(Misuse):
    """The command is known and not served here."""


class BadSyntax(Misuse):
    """The line cannot be parsed."""


class BadArgument(Misuse):
    """The argument is not one this command can take."""


class BadParameter(Misuse):
    """The command is served, but not for this parameter."""


class OutOfOrder(Misuse):
    """Another command has to come first."""


class NotLoggedIn(Misuse):
    """The command needs a login."""


class NeedsTLS(Misuse):
    """The command needs a protected connection."""


class NeedsProtection(Misuse):
    """The transfer needs a protected data connection."""


class DataNotProtected(Misuse):
    """The data connection could not be protected, or its peer is not proven to be the client."""


class TooManySessions(Misuse):
    """A limit on sessions or attempts is reached."""


class DataConnectionFailed(Misuse):
    """The data connection could not be opened."""


class NoFreePort(DataConnectionFailed):
    """Every port for data connections is taken at the moment."""


class TransferCut(Exception):
    """The data connection broke before the end; the bytes moved so far are in `moved`."""

    def __init__(self, message: str, moved: int = 0) -> None:
        super().__init__(message)
        self.moved = moved


_BY_ERRNO: dict[int, tuple[type[FileTransferError], str | None]] = {
    errno.ENOENT: (NotFound, None),
    errno.EEXIST: (AlreadyExists, None),
    errno.EACCES: (NotPermitted, "Permission denied by the file system of the server"),
    errno.EPERM: (NotPermitted, "Permission denied by the file system of the server"),
    errno.EROFS: (NotPermitted, "Read-only file system"),
    errno.ENOTDIR: (NotADirectory, None),
    errno.EISDIR: (IsADirectory, None),
    errno.ENOTEMPTY: (NotEmpty, None),
    errno.ENOSPC: (NoSpace, None),
    errno.EDQUOT: (OverQuota, "The quota of the file system is used up"),
    errno.EFBIG: (OverQuota, "File too large"),
    errno.ENAMETOOLONG: (BadName, "Name too long"),
    errno.EILSEQ: (BadName, None),
    errno.EINVAL: (BadName, "Not a valid name or operation here"),
    errno.ELOOP: (NotFound, "Too many levels of symbolic links"),
    errno.EXDEV: (Unsupported, "Not possible across file systems"),
    errno.EOPNOTSUPP: (Unsupported, None),
    errno.ENOSYS: (Unsupported, None),
    errno.ENXIO: (Unsupported, "Not a regular file"),
    errno.ENODEV: (Unsupported, "Not a regular file"),
    errno.EMLINK: (Unsupported, "Too many links"),
    errno.EBUSY: (Busy, None),
    errno.ETXTBSY: (Busy, None),
    errno.EMFILE: (Unavailable, "Too many open files"),
    errno.ENFILE: (Unavailable, "Too many open files"),
    errno.ENOMEM: (Unavailable, "Out of memory"),
    errno.EAGAIN: (Unavailable, None),
    errno.ETIMEDOUT: (Unavailable, None),
    errno.ESTALE: (Unavailable, "Stale file handle"),
    errno.EIO: (IntegrityLost, "Input/output error on the disk"),
}


def from_oserror(error: OSError, path: VirtualPath | None = None) -> FileTransferError:
    """Translate *error* about *path*; an errno without a row is :class:`Unavailable`, with the number in its cause."""
    kind, cause = _BY_ERRNO.get(
        error.errno or 0, (Unavailable, f"Storage error {errno.errorcode.get(error.errno or 0, error.errno)}")
    )
    return kind(path, cause)
