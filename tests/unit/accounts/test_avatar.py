from __future__ import annotations

from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from ftpd.accounts.avatar import Avatar
from ftpd.accounts.guard import Guard
from ftpd.interfaces import IAvatar
from ftpd.testing.login_contract import recorded_log
from ftpd.values import Account

ANN = Account("ann")


def test_an_avatar_is_an_account_and_its_files(recorded_files):
    guard = Guard(recorded_files(), ANN)
    avatar = Avatar(ANN, guard)
    assert verifyObject(IAvatar, avatar)
    assert (avatar.account, avatar.files) == (ANN, guard)


def test_logout_closes_the_files_once(recorded_files):
    files = recorded_files()
    avatar = Avatar(ANN, Guard(files, ANN))
    avatar.logout()
    avatar.logout()
    assert files.calls == ["close"]


def test_logout_does_not_wait_for_files_that_take_long():
    never = Deferred()

    class Hung:
        async def close(self):
            await never

    Avatar(ANN, Guard(Hung(), ANN)).logout()


def test_files_that_fail_to_close_are_told_in_the_log():
    class Broken:
        async def close(self):
            raise OSError("gone")

    with recorded_log() as lines:
        Avatar(ANN, Guard(Broken(), ANN)).logout()
    assert len(lines) == 1
    assert lines[0].startswith("closing the files of ann failed")
