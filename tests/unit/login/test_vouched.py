from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from zope.interface.verify import verifyObject

from ftpd.login.credentials import IVouched, VouchedCredentials
from ftpd.login.vouched import VouchedLogin
from ftpd.testing.login_contract import answer
from ftpd.values import Peer

PEER = Peer("192.0.2.1", 40000, "192.0.2.9", 69)


def test_it_is_a_checker_for_nothing_else():
    assert verifyObject(ICredentialsChecker, VouchedLogin())
    assert VouchedLogin.credentialInterfaces == (IVouched,)


def test_the_account_that_the_listener_names_is_let_in():
    assert answer(VouchedLogin(), VouchedCredentials(b"boot", PEER)) == b"boot"
