"""What every login source promises, as tests to inherit.

    class TestMine(PasswordLoginContract):
        def make_checker(self, passwords):
            return MyChecker(passwords)

Apart from the checkers of this package, so that one of yours proves itself as ours do.  Nothing waits for a reactor here: a checker that
needs threads is given `fakes.InlineThreads`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from twisted.cred.checkers import ANONYMOUS, ICredentialsChecker
from twisted.cred.credentials import IAnonymous, IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import maybeDeferred
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider
from zope.interface.verify import verifyObject

from ftpd.login.certificate import AccountsOf, CertificateCredentials, ICertificate
from ftpd.login.credentials import AnonymousCredentials, PasswordCredentials, WrongPassword
from ftpd.testing.fakes import result_of
from ftpd.values import ClientCertificate

__all__ = ["AnonymousLoginContract", "CertificateLoginContract", "PasswordLoginContract", "answer", "recorded_log"]

_ANN = b"ann"
_PASSWORD = b"correct horse"
_LONG = b"x" * 72  # bytes: the most that bcrypt looks at
_SECRET = b"opensesame"


def answer(checker: Any, credentials: Any) -> Any:
    """Return the avatar id that *checker* gives at once, or raise its error."""
    return result_of(maybeDeferred(checker.requestAvatarId, credentials))


@contextmanager
def recorded_log() -> Iterator[list[str]]:
    """Collect what is logged meanwhile: each message as an operator reads it, tracebacks and all fields included."""
    lines: list[str] = []

    @provider(ILogObserver)
    def observe(event: LogEvent) -> None:
        failure = event.get("log_failure")
        lines.append(f"{formatEvent(event)} {event!r} {failure.getTraceback() if failure else ''}")

    globalLogPublisher.addObserver(observe)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observe)


class PasswordLoginContract:
    """For checkers of `IUsernamePassword`."""

    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        """Return a checker that lets in exactly these names with these passwords."""
        raise NotImplementedError

    @pytest.fixture
    def checker(self) -> Any:
        return self.make_checker({_ANN: _PASSWORD, b"bob": b"other", b"long": _LONG})

    def refusal(self, checker: Any, name: bytes, password: bytes) -> UnauthorizedLogin:
        """Return the error with which a login is refused; that it is refused is asserted."""
        with pytest.raises(UnauthorizedLogin) as refused:
            answer(checker, PasswordCredentials(name, password))
        return refused.value

    def test_it_is_a_checker_of_passwords(self, checker: Any) -> None:
        assert verifyObject(ICredentialsChecker, checker)
        assert IUsernamePassword in checker.credentialInterfaces

    def test_the_right_password_gives_the_name_as_bytes(self, checker: Any) -> None:
        assert answer(checker, PasswordCredentials(_ANN, _PASSWORD)) == b"ann"

    @pytest.mark.parametrize("password", [b"correct hors", b"correct horse ", b"Correct horse", b"other", b"correct horse\n"])
    def test_a_wrong_password_is_refused(self, checker: Any, password: bytes) -> None:
        self.refusal(checker, _ANN, password)

    def test_an_empty_password_is_refused(self, checker: Any) -> None:
        self.refusal(checker, _ANN, b"")

    def test_an_unknown_name_is_refused_with_the_same_words_as_a_wrong_password(self, checker: Any) -> None:
        assert str(self.refusal(checker, b"nobody", _PASSWORD)) == str(self.refusal(checker, _ANN, b"wrong"))

    def test_an_unknown_name_is_never_told_as_a_wrong_password(self, checker: Any) -> None:
        assert not isinstance(self.refusal(checker, b"nobody", _PASSWORD), WrongPassword)

    @pytest.mark.parametrize("name", [b"", b"ANN", b"ann ", b"ann:", b"ann\0", b"ann\n", b"#", b"*", b"ann:x\nbob", b"n" * 10_000])
    def test_a_name_that_is_only_like_a_known_one_is_refused(self, checker: Any, name: bytes) -> None:
        self.refusal(checker, name, _PASSWORD)

    def test_72_bytes_of_password_log_in(self, checker: Any) -> None:
        assert answer(checker, PasswordCredentials(b"long", _LONG)) == b"long"

    def test_a_73rd_byte_of_password_is_not_ignored(self, checker: Any) -> None:
        self.refusal(checker, b"long", _LONG + b"x")

    def test_a_very_long_password_is_refused(self, checker: Any) -> None:
        self.refusal(checker, _ANN, b"y" * 100_000)

    def test_bytes_behind_a_nul_are_not_ignored(self, checker: Any) -> None:
        self.refusal(checker, _ANN, _PASSWORD + b"\0junk")

    def test_a_password_of_nul_is_refused(self, checker: Any) -> None:
        self.refusal(checker, _ANN, b"\0")

    @pytest.mark.parametrize("name", [b"\xff\xfe", b"\xc3", b"\xed\xa0\x80"])
    def test_a_name_that_is_not_utf8_is_refused_like_any_other(self, checker: Any, name: bytes) -> None:
        refused = self.refusal(checker, name, _PASSWORD)
        assert refused.args == self.refusal(checker, b"nobody", _PASSWORD).args

    def test_a_password_that_is_not_utf8_is_refused_without_a_traceback(self, checker: Any) -> None:
        with recorded_log() as lines:
            self.refusal(checker, _ANN, b"\xff\xfe")
        assert lines == []

    def test_the_password_typed_is_in_no_log_and_in_no_refusal(self, checker: Any) -> None:
        with recorded_log() as lines:
            refused = self.refusal(checker, _ANN, _SECRET)
            self.refusal(checker, _SECRET, _ANN + b"\xff")
        assert "opensesame" not in repr(refused) + "".join(lines)

    def test_no_password_is_in_its_repr(self, checker: Any) -> None:
        assert "correct horse" not in repr(checker) + str(checker)


class AnonymousLoginContract:
    """For checkers of `IAnonymous`."""

    def make_checker(self) -> Any:
        raise NotImplementedError

    def test_it_is_a_checker_of_anonymous_logins(self) -> None:
        checker = self.make_checker()
        assert verifyObject(ICredentialsChecker, checker)
        assert IAnonymous in checker.credentialInterfaces

    def test_the_avatar_is_creds_anonymous(self) -> None:
        assert answer(self.make_checker(), AnonymousCredentials(b"guest@example.org")) == ANONYMOUS


class CertificateLoginContract:
    """For checkers of `ICertificate`."""

    def make_checker(self, accounts_of: AccountsOf) -> Any:
        """Return a checker that lets a certificate in as each of the accounts that *accounts_of* names for it."""
        raise NotImplementedError

    def ask(self, accounts: tuple[str, ...], name: bytes) -> Any:
        """Return the answer to a login as *name* with a certificate that stands for *accounts*."""
        certificate = ClientCertificate(subject="CN=scanner-7", common_name="scanner-7", emails=(), fingerprint="ab" * 32)
        return answer(self.make_checker(lambda _: accounts), CertificateCredentials(name, certificate))

    def test_it_is_a_checker_of_certificates(self) -> None:
        checker = self.make_checker(lambda _: ())
        assert verifyObject(ICredentialsChecker, checker)
        assert ICertificate in checker.credentialInterfaces

    def test_the_certificate_of_the_account_gives_the_name_as_bytes(self) -> None:
        assert self.ask(("ann",), _ANN) == b"ann"

    def test_the_certificate_is_what_is_judged(self) -> None:
        checker = self.make_checker(lambda certificate: (certificate.common_name,))
        certificate = ClientCertificate(subject="CN=ann", common_name="ann", emails=(), fingerprint="ab" * 32)
        assert answer(checker, CertificateCredentials(_ANN, certificate)) == b"ann"
        with pytest.raises(UnauthorizedLogin):
            answer(checker, CertificateCredentials(b"bob", certificate))

    @pytest.mark.parametrize("name", [b"ann@example.com", b"ann@example.org"])
    def test_a_certificate_of_several_accounts_logs_in_as_each(self, name: bytes) -> None:
        assert self.ask(("ann@example.com", "ann@example.org"), name) == name

    def test_the_certificate_of_another_account_is_refused(self) -> None:
        with pytest.raises(UnauthorizedLogin):
            self.ask(("bob",), _ANN)

    @pytest.mark.parametrize("name", [b"ann", b"", b"scanner-7"])
    def test_a_certificate_of_no_account_is_refused(self, name: bytes) -> None:
        with pytest.raises(UnauthorizedLogin):
            self.ask((), name)

    @pytest.mark.parametrize("name", [b"", b"ANN", b"ann ", b"ann\0", b"ann\n", b"an", b"anna", b"\xff\xfe", b"n" * 10_000])
    def test_a_name_that_is_only_like_the_accounts_is_refused(self, name: bytes) -> None:
        with pytest.raises(UnauthorizedLogin):
            self.ask(("ann",), name)

    def test_a_name_beyond_ascii_is_compared_as_utf8(self) -> None:
        assert self.ask(("zoë",), "zoë".encode()) == b"zo\xc3\xab"
