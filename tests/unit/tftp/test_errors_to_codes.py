from __future__ import annotations

import inspect

import pytest

from ftpd import errors
from ftpd.paths import VirtualPath
from ftpd.testing.login_contract import recorded_log
from ftpd.tftp.errors_to_codes import CODES, answer_for

PATH = VirtualPath.parse("/srv/a")
LEAVES = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, errors.FileTransferError) and not kind.__subclasses__()
]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_of_a_file_has_a_row(kind: type[Exception]) -> None:
    assert kind in CODES


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        (errors.NotFound(PATH), (1, "No such file or directory")),
        (errors.NotADirectory(PATH), (1, "Not a directory")),
        (errors.NotPermitted(PATH, "Read-only file system"), (2, "Read-only file system")),
        (errors.IsADirectory(PATH), (2, "Is a directory")),
        (errors.Unsupported(PATH, "Not a regular file"), (2, "Not a regular file")),
        (errors.BadName(PATH), (2, "Name not allowed")),
        (errors.NoSpace(PATH), (3, "No space left")),
        (errors.OverQuota(PATH), (3, "Storage allocation exceeded")),
        (errors.AlreadyExists(PATH), (6, "Already exists")),
        (errors.Busy(PATH), (0, "In use; try again later")),
        (errors.Unavailable(PATH, "Try later"), (0, "Try later")),
        (errors.IntegrityLost(PATH), (0, "Content damaged or changed during the transfer")),
        (errors.TooManySessions("Too many transfers"), (0, "Too many transfers")),
    ],
)
def test_answer_tells_the_error_and_no_path(error: Exception, answer: tuple[int, str]) -> None:
    assert answer_for(error) == answer


def test_subclass_has_the_code_of_its_parent() -> None:
    class Gone(errors.NotFound):
        """It was there."""

    assert answer_for(Gone(PATH)) == (1, "No such file or directory")


def test_what_no_row_covers_is_0_and_logged_once() -> None:
    with recorded_log() as log:
        assert answer_for(KeyError("internal")) == (0, "Internal error; the operator's log tells more")
    assert len(log) == 1
