from __future__ import annotations

import pytest
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail

from ftpd.errors import Unavailable
from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.chain import chained
from ftpd.login.credentials import AnonymousCredentials, PasswordCredentials, WrongPassword
from ftpd.login.memory import MemoryPasswords
from ftpd.testing.login_contract import answer

FIRST = MemoryPasswords({b"ann": b"first"})
SECOND = MemoryPasswords({b"ann": b"second", b"bob": b"bobs"})


class Broken:
    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials):
        return fail(Unavailable(None, "Too busy"))


def test_one_source_for_each_kind_of_credentials_needs_no_chain():
    anonymous = AnonymousLogin()
    assert chained([FIRST, anonymous]) == [FIRST, anonymous]


def test_of_two_sources_either_lets_in():
    [chain] = chained([FIRST, SECOND])
    assert answer(chain, PasswordCredentials(b"ann", b"first")) == b"ann"
    assert answer(chain, PasswordCredentials(b"ann", b"second")) == b"ann"
    assert answer(chain, PasswordCredentials(b"bob", b"bobs")) == b"bob"


def test_whom_no_source_knows_is_refused():
    [chain] = chained([FIRST, SECOND])
    with pytest.raises(UnauthorizedLogin):
        answer(chain, PasswordCredentials(b"ann", b"third"))


def test_a_broken_source_is_told_and_later_ones_are_not_asked():
    [chain] = chained([Broken(), FIRST])
    with pytest.raises(Unavailable):
        answer(chain, PasswordCredentials(b"ann", b"first"))


def test_passwords_and_anonymous_logins_are_chained_apart():
    by_interface = {checker.credentialInterfaces: checker for checker in chained([FIRST, AnonymousLogin(), SECOND])}
    assert set(by_interface) == {(IUsernamePassword,), (IAnonymous,)}
    assert answer(by_interface[(IAnonymous,)], AnonymousCredentials()) == ()


def test_a_source_that_takes_its_time_is_waited_for():
    later = Deferred()

    class Slow:
        credentialInterfaces = (IUsernamePassword,)

        def requestAvatarId(self, credentials):
            return later

    [chain] = chained([Slow(), SECOND])
    results = []
    chain.requestAvatarId(PasswordCredentials(b"bob", b"bobs")).addBoth(results.append)
    assert results == []
    later.errback(UnauthorizedLogin())
    assert results == [b"bob"]


def test_a_wrong_password_of_any_source_is_told_as_such_for_the_log():
    [chain] = chained([SECOND, FIRST])
    with pytest.raises(WrongPassword):
        answer(chain, PasswordCredentials(b"bob", b"wrong"))
    with pytest.raises(UnauthorizedLogin) as refused:
        answer(chain, PasswordCredentials(b"nobody", b"wrong"))
    assert refused.type is UnauthorizedLogin
