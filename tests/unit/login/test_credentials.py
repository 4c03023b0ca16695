from __future__ import annotations

from twisted.cred.checkers import FilePasswordDB
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from zope.interface.verify import verifyObject

from ftpd.login.credentials import AnonymousCredentials, IVouched, PasswordCredentials, VouchedCredentials
from ftpd.testing.login_contract import answer
from ftpd.values import Peer

PEER = Peer("192.0.2.1", 40000, "192.0.2.9", 21)


def test_password_credentials_are_creds_and_carry_the_peer():
    credentials = PasswordCredentials(b"ann", b"secret", PEER)
    assert verifyObject(IUsernamePassword, credentials)
    assert (credentials.username, credentials.password, credentials.peer) == (b"ann", b"secret", PEER)


def test_check_password_compares_whole_passwords():
    credentials = PasswordCredentials(b"ann", b"secret")
    assert credentials.checkPassword(b"secret") is True
    assert credentials.checkPassword(b"secre") is False
    assert credentials.checkPassword(b"\xff") is False


def test_repr_shows_the_name_and_not_the_password():
    assert repr(PasswordCredentials(b"ann\n", b"secret")) == "PasswordCredentials(b'ann\\n', ..., None)"


def test_credentials_satisfy_a_checker_of_twisted_itself(tmp_path):
    path = tmp_path / "plain"
    path.write_bytes(b"ann:secret\n")
    assert answer(FilePasswordDB(str(path)), PasswordCredentials(b"ann", b"secret")) == b"ann"


def test_anonymous_credentials_are_creds_and_carry_email_and_peer():
    credentials = AnonymousCredentials(b"me@example.org", PEER)
    assert verifyObject(IAnonymous, credentials)
    assert (credentials.email, credentials.peer) == (b"me@example.org", PEER)


def test_what_an_anonymous_client_typed_is_not_in_the_repr():
    assert "hunter2" not in repr(AnonymousCredentials(b"hunter2"))


def test_vouched_credentials_have_no_password_and_carry_the_peer():
    credentials = VouchedCredentials(b"boot", PEER)
    assert verifyObject(IVouched, credentials)
    assert (credentials.username, credentials.peer) == (b"boot", PEER)
    assert not IUsernamePassword.providedBy(credentials)
    assert repr(credentials) == f"VouchedCredentials(b'boot', {PEER!r})"
