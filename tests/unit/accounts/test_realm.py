from __future__ import annotations

import pytest
from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.python.failure import Failure
from zope.interface import Interface
from zope.interface.verify import verifyObject

from ftpd.accounts.realm import TransferRealm
from ftpd.errors import NotADirectory, NotFound, NotPermitted, Unavailable
from ftpd.interfaces import IAvatar
from ftpd.login.credentials import PasswordCredentials, WrongPassword
from ftpd.login.memory import MemoryPasswords
from ftpd.paths import ROOT, VirtualPath
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.values import Account, Peer, Permission, Rule, TLSFacts

PEER = Peer("192.0.2.1", 40000, "192.0.2.9", 21)


class Accounts:
    async def account(self, avatar_id):
        if avatar_id not in (b"ann", ()):
            raise LookupError(avatar_id)
        return Account("ann", VirtualPath.parse("/home/ann"), rules=(Rule(ROOT, Permission.READ),))


class Store:
    def __init__(self, files, wait_for=None):
        self.files = files
        self.wait_for = wait_for
        self.opened = []

    async def open(self, account):
        self.opened.append(account)
        if isinstance(self.files, Exception):
            raise self.files
        if self.wait_for is not None:
            await self.wait_for
        return self.files


def request(store, avatar_id=b"ann", interfaces=(IAvatar,)):
    """Return what the realm answers, or None while it waits."""
    results = []
    maybeDeferred(TransferRealm(Accounts(), store).requestAvatar, avatar_id, PEER, *interfaces).addBoth(results.append)
    if results and isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0] if results else None


def test_it_is_a_realm_of_cred(recorded_files):
    assert verifyObject(IRealm, TransferRealm(Accounts(), Store(recorded_files())))


def test_a_login_opens_the_store_for_its_account_at_once(recorded_files):
    store = Store(recorded_files())
    interface, avatar, _ = request(store)
    assert interface is IAvatar
    assert avatar.account.name == "ann"
    assert store.opened == [avatar.account]


def test_the_files_are_guarded(recorded_files):
    files = recorded_files({"/f": 3})
    _, avatar, _ = request(Store(files))
    assert finish(avatar.files.stat(VirtualPath.parse("/f"))).size == 3
    with pytest.raises(NotPermitted):
        finish(avatar.files.remove_file(VirtualPath.parse("/f")))


def test_the_logout_closes_the_files(recorded_files):
    files = recorded_files()
    _, _, logout = request(Store(files))
    logout()
    assert files.calls == ["close"]


def test_an_anonymous_avatar_is_an_account_too(recorded_files):
    assert request(Store(recorded_files()), ())[1].account.name == "ann"


def test_a_store_that_waits_makes_the_login_wait(recorded_files):
    wait_for = Deferred()
    assert request(Store(recorded_files(), wait_for)) is None


def test_another_interface_is_not_implemented(recorded_files):
    class IMail(Interface):
        pass

    with pytest.raises(NotImplementedError):
        request(Store(recorded_files()), interfaces=(IMail,))
    assert request(Store(recorded_files()), interfaces=(IMail, IAvatar))[0] is IAvatar


def test_a_name_without_account_is_an_unauthorized_login(recorded_files):
    store = Store(recorded_files())
    with pytest.raises(UnauthorizedLogin):
        request(store, b"bob")
    assert store.opened == []


@pytest.mark.parametrize("error", [NotFound, NotADirectory, NotPermitted])
def test_a_missing_home_is_a_denied_login_and_named_in_the_log(error):
    with recorded_log() as lines, pytest.raises(LoginDenied):
        request(Store(error()))
    assert len(lines) == 1
    assert lines[0].startswith("home /home/ann of ann: ")


def test_a_store_that_cannot_answer_now_is_told_as_such():
    with pytest.raises(Unavailable):
        request(Store(Unavailable()))


def test_a_login_through_a_portal_gives_the_avatar_at_once(recorded_files):
    portal = Portal(TransferRealm(Accounts(), Store(recorded_files())), [MemoryPasswords({b"ann": b"secret"})])
    results = []
    portal.login(PasswordCredentials(b"ann", b"secret", PEER), PEER, IAvatar).addBoth(results.append)
    assert results[0][1].account.name == "ann"


class TLSAccounts:
    async def account(self, avatar_id):
        return Account("ann", needs_tls=True)


@pytest.mark.parametrize("mind", [PEER, None, object()])
def test_an_account_that_needs_tls_is_refused_without_like_a_wrong_password_and_nothing_is_opened(recorded_files, mind):
    store = Store(recorded_files())
    failures = []
    maybeDeferred(TransferRealm(TLSAccounts(), store).requestAvatar, b"ann", mind, IAvatar).addErrback(failures.append)
    assert isinstance(failures[0].value, WrongPassword)
    assert str(failures[0].value) == "the password was right, and sent in clear: the account needs TLS"
    assert store.opened == []


def test_an_account_that_needs_tls_logs_in_with_it(recorded_files):
    results = []
    peer = PEER._replace(tls=TLSFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384"))
    maybeDeferred(TransferRealm(TLSAccounts(), Store(recorded_files())).requestAvatar, b"ann", peer, IAvatar).addBoth(
        results.append
    )
    assert results[0][1].account.name == "ann"
