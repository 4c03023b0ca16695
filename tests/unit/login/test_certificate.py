from __future__ import annotations

import pytest
from twisted.cred.checkers import ANONYMOUS
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import Deferred, fail

from ftpd.errors import Unavailable
from ftpd.ftp.shell.logins import TextCredentials
from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.certificate import (
    CertificateCredentials,
    CertificateLogin,
    ICertificate,
    MissingCertificate,
    SecondFactor,
    proved,
)
from ftpd.login.chain import chained
from ftpd.login.credentials import AnonymousCredentials, PasswordCredentials, WrongPassword
from ftpd.login.memory import MemoryPasswords
from ftpd.testing.login_contract import answer
from ftpd.values import ClientCertificate, Peer, TLSFacts

PASSWORDS = MemoryPasswords({b"ann": b"secret", b"bob": b"other"})


def accounts_of(certificate):
    return (certificate.common_name,)


def certificate(name):
    return ClientCertificate(subject=f"CN={name}", common_name=name, emails=(), fingerprint="ab" * 32)


def peer(name=None, *, has_tls=True):
    client = None if name is None else certificate(name)
    tls = TLSFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", client=client) if has_tls else None
    return Peer("192.0.2.1", 50_000, "192.0.2.2", 21, tls=tls)


def refusal_of(checker, credentials):
    with pytest.raises(UnauthorizedLogin) as refused:
        answer(checker, credentials)
    return type(refused.value), str(refused.value)


class Recording:
    """Answers as another checker does, and notes what it was asked."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, checker=PASSWORDS):
        self.checker = checker
        self.asked = []

    def requestAvatarId(self, credentials):
        self.asked.append((credentials.username, credentials.password))
        return self.checker.requestAvatarId(credentials)


class Lenient:
    """Lets everybody in, as *avatar_id*."""

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, avatar_id):
        self.avatar_id = avatar_id

    def requestAvatarId(self, credentials):
        return self.avatar_id


# The certificate alone.


def test_a_refused_certificate_is_named_in_the_log_and_the_account_is_not():
    kind, words = refusal_of(CertificateLogin(accounts_of), CertificateCredentials(b"ann", certificate("scanner-7")))
    assert (kind, words) == (UnauthorizedLogin, "the certificate CN=scanner-7 is not of this account")


# The certificate beside the password.


def test_password_and_certificate_of_one_account_log_in():
    assert answer(SecondFactor(PASSWORDS, accounts_of), PasswordCredentials(b"ann", b"secret", peer("ann"))) == b"ann"


@pytest.mark.parametrize(
    ("where", "words"),
    [
        (peer(), "the connection has no client certificate"),
        (peer(has_tls=False), "the connection has no client certificate"),
        (None, "the connection has no client certificate"),
        (peer("bob"), "the client certificate CN=bob is not of this account"),
    ],
)
@pytest.mark.parametrize("password", [b"secret", b"wrong"])
def test_without_the_accounts_certificate_right_and_wrong_passwords_are_refused_alike(where, words, password):
    refused = refusal_of(SecondFactor(PASSWORDS, accounts_of), PasswordCredentials(b"ann", password, where))
    assert refused == (MissingCertificate, words)


def test_a_missing_certificate_is_a_wrong_password_to_whoever_counts_them():
    assert issubclass(MissingCertificate, WrongPassword)


def test_an_unknown_name_without_a_certificate_is_never_told_as_a_known_one():
    refused = refusal_of(SecondFactor(PASSWORDS, accounts_of), PasswordCredentials(b"nobody", b"secret", peer()))
    assert refused == (UnauthorizedLogin, "the connection has no client certificate")


def test_a_wrong_password_beside_the_certificate_is_a_wrong_password():
    refused = refusal_of(SecondFactor(PASSWORDS, accounts_of), PasswordCredentials(b"ann", b"wrong", peer("ann")))
    assert refused == (WrongPassword, "")


def test_without_the_certificate_the_password_is_not_tried_but_the_work_is_done():
    recording = Recording()
    credentials = PasswordCredentials(b"ann", b"secret", peer())
    refusal_of(SecondFactor(recording, accounts_of), credentials)
    [(name, password)] = recording.asked
    assert name == b"ann"
    assert password != b"secret"
    assert credentials.password == b"secret"


def test_a_checker_that_lets_everybody_in_is_no_way_around_the_certificate():
    assert refusal_of(SecondFactor(Lenient(b"ann"), accounts_of), PasswordCredentials(b"ann", b"", peer()))[0] is UnauthorizedLogin


def test_an_avatar_of_another_name_needs_its_own_certificate():
    refused = refusal_of(SecondFactor(Lenient(b"root"), accounts_of), PasswordCredentials(b"ann", b"", peer("ann")))
    assert refused == (MissingCertificate, "the client certificate CN=ann is not of the account that the name stands for")


def test_a_name_and_password_that_lead_to_the_anonymous_account_get_no_further_than_that():
    assert answer(SecondFactor(Lenient(ANONYMOUS), accounts_of), PasswordCredentials(b"ann", b"", peer("ann"))) == ()


def test_credentials_of_another_program_that_know_no_peer_are_refused():
    refused = refusal_of(SecondFactor(PASSWORDS, accounts_of), UsernamePassword(b"ann", b"secret"))
    assert refused == (MissingCertificate, "the connection has no client certificate")


def test_names_and_passwords_in_text_are_judged_like_bytes():
    recording = Recording(Lenient("zoë"))
    checker = SecondFactor(recording, accounts_of)
    assert answer(checker, TextCredentials("zoë", "secret", peer("zoë"))) == "zoë"
    refusal_of(checker, TextCredentials("zoë", "secret", peer("ann")))
    assert [type(password) for _, password in recording.asked] == [str, str]


def test_anonymous_logins_are_not_asked_for_a_certificate():
    assert answer(SecondFactor(AnonymousLogin(), accounts_of), AnonymousCredentials(b"", peer(has_tls=False))) == ()


def test_a_broken_source_is_told_as_such_with_and_without_a_certificate():
    class Broken:
        credentialInterfaces = (IUsernamePassword,)

        def requestAvatarId(self, credentials):
            return fail(Unavailable(None, "Too busy"))

    for where in (peer(), peer("ann")):
        with pytest.raises(Unavailable):
            answer(SecondFactor(Broken(), accounts_of), PasswordCredentials(b"ann", b"secret", where))


def test_a_source_that_takes_its_time_is_waited_for_before_a_refusal():
    later = Deferred()
    results = []
    checker = SecondFactor(Lenient(later), accounts_of)
    checker.requestAvatarId(PasswordCredentials(b"ann", b"secret", peer())).addErrback(results.append)
    assert results == []
    later.errback(WrongPassword())
    assert results[0].type is MissingCertificate


# Both around the checkers of a site.


def test_a_certificate_that_is_enough_is_one_more_source():
    checkers = chained(proved([PASSWORDS, AnonymousLogin()], accounts_of, is_enough=True))
    by_interface = {interface: checker for checker in checkers for interface in checker.credentialInterfaces}
    assert answer(by_interface[ICertificate], CertificateCredentials(b"ann", certificate("ann"))) == b"ann"
    assert answer(by_interface[IUsernamePassword], PasswordCredentials(b"bob", b"other", peer("ann"))) == b"bob"


def test_of_several_sources_each_has_its_second_factor():
    [chain] = chained(proved([MemoryPasswords({b"carol": b"x"}), PASSWORDS], accounts_of, is_enough=False))
    assert answer(chain, PasswordCredentials(b"ann", b"secret", peer("ann"))) == b"ann"
    refused = refusal_of(chain, PasswordCredentials(b"ann", b"secret", peer("carol")))
    assert refused == (MissingCertificate, "the client certificate CN=carol is not of this account")
