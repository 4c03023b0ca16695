from __future__ import annotations

import errno

import pytest
from twisted.internet.defer import CancelledError
from twisted.protocols import ftp as stock

from ftpd import errors
from ftpd.ftp.shell.errors import errors_about, translated
from ftpd.paths import VirtualPath

PATH = VirtualPath.parse("/a")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (stock.FileNotFoundError("a"), errors.NotFound),
        (stock.FileExistsError("a"), errors.AlreadyExists),
        (stock.IsADirectoryError("a"), errors.IsADirectory),
        (stock.IsNotADirectoryError("a"), errors.NotADirectory),
        (stock.PermissionDeniedError("a"), errors.NotPermitted),
        (stock.AnonUserDeniedError(), errors.NotPermitted),
        (stock.CmdNotImplementedError("MKD"), errors.Unsupported),
        (stock.CmdNotImplementedForArgError("MKD"), errors.Unsupported),
        (OSError(errno.ENOSPC, "full"), errors.NoSpace),
        (FileNotFoundError(errno.ENOENT, "gone"), errors.NotFound),
        (CancelledError(), errors.Unavailable),
    ],
)
def test_each_error_of_a_shell_has_its_class(theirs, ours):
    error = translated(theirs, PATH)
    assert type(error) is ours
    assert error.path == PATH
    assert error.cause is None


@pytest.mark.parametrize(
    ("code", "ours", "words"),
    [
        (stock.EXCEEDED_STORAGE_ALLOC, errors.OverQuota, "Storage allocation exceeded"),
        (stock.FILENAME_NOT_ALLOWED, errors.BadName, "Name not allowed"),
        (stock.REQ_ACTN_ABRTD_FILE_UNAVAIL, errors.Busy, "In use; try again later"),
        (stock.REQ_ACTN_ABRTD_INSUFF_STORAGE, errors.NoSpace, "No space left"),
        (stock.REQ_ACTN_NOT_TAKEN, errors.Unsupported, "the moon is full"),
        ("551", errors.Unsupported, "the moon is full"),
        (stock.REQ_ACTN_ABRTD_LOCAL_ERR, errors.Unavailable, "the moon is full"),
    ],
)
def test_errors_of_third_parties_go_by_their_code(code, ours, words):
    class TheirError(stock.FTPCmdError):
        errorCode = code

    error = translated(TheirError("the moon is full"), PATH)
    assert type(error) is ours
    assert str(error) == words


def test_a_bare_command_error_is_temporary():
    assert type(translated(stock.FTPCmdError("why"), PATH)) is errors.Unavailable


def test_an_unforeseen_error_stays_as_it_is_for_the_log():
    error = ZeroDivisionError()
    assert translated(error, PATH) is error
    with pytest.raises(ZeroDivisionError), errors_about(PATH):
        raise error


def test_a_cancel_of_ours_passes():
    with pytest.raises(CancelledError), errors_about(PATH):
        raise CancelledError
