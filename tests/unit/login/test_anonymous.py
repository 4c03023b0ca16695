from __future__ import annotations

from ftpd.login.anonymous import ANONYMOUS_LOGIN
from ftpd.login.credentials import AnonymousCredentials
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.login_contract import answer


def test_the_kind_makes_a_checker_that_lets_everybody_in():
    checker = ANONYMOUS_LOGIN.make(ANONYMOUS_LOGIN.settings(), InlineThreads())
    assert answer(checker, AnonymousCredentials()) == ()
