from __future__ import annotations

import inspect

import pytest

from ftpd import errors
from ftpd.ftp.errors_to_replies import CODES, reply_for
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import VirtualPath
from ftpd.testing.login_contract import recorded_log

PATH = VirtualPath.parse("/a")
FAMILIES = (errors.FileTransferError, errors.Misuse)
LEAVES = [
    kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, FAMILIES) and not kind.__subclasses__()
]


@pytest.mark.parametrize("kind", LEAVES)
def test_every_error_has_a_row(kind):
    assert kind in CODES


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (errors.NotFound(PATH), Reply(550, "/a: No such file or directory.")),
        (errors.NotFound(), Reply(550, "No such file or directory.")),
        (errors.Unavailable(PATH, "Try later"), Reply(451, "/a: Try later.")),
        (errors.BadArgument("Wrong"), Reply(501, "Wrong.")),
        (errors.BadArgument("Wrong."), Reply(501, "Wrong.")),
        (errors.TransferCut("Cut after 3 bytes", 3), Reply(426, "Cut after 3 bytes.")),
    ],
)
def test_reply_tells_the_error(error, reply):
    assert reply_for(error) == reply


def test_row_of_a_command_replaces_550_only():
    assert reply_for(errors.NotFound(PATH), 553).code == 553
    assert reply_for(errors.Busy(PATH), 553).code == 450


def test_codes_of_a_command_come_first():
    codes = {errors.NotPermitted: 552, errors.Busy: 451}
    kinds = (errors.NotPermitted, errors.Busy, errors.NotFound)
    assert [reply_for(kind(PATH), 553, codes).code for kind in kinds] == [552, 451, 553]


def test_subclass_has_the_code_of_its_parent():
    class Gone(errors.NotFound):
        """It was there."""

    assert reply_for(Gone(PATH)).code == 550


def test_what_no_row_covers_is_451_and_logged_once():
    with recorded_log() as log:
        assert reply_for(KeyError("internal")) == Reply(451, "Local error in processing; the operator's log tells more.")
    assert len(log) == 1
