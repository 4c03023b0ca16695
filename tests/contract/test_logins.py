"""The login contract, over every source of ours and every Twisted one that can run here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import gatherResults
from twisted.internet.epollreactor import EPollReactor
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.certificate import CertificateLogin, SecondFactor
from ftpd.login.chain import Chain, chained
from ftpd.login.credentials import PasswordCredentials, WrongPassword
from ftpd.login.hashing import hash_password
from ftpd.login.memory import MemoryPasswords
from ftpd.login.password_file import PasswordFile, PasswordFileSettings
from ftpd.login.twisted_plugins import foreign_checker
from ftpd.paths import decode_name
from ftpd.schema import FilePath, Seconds
from ftpd.spi import Threads
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.login_contract import AnonymousLoginContract, CertificateLoginContract, PasswordLoginContract, answer
from ftpd.testing.reactors import retire, spin
from ftpd.threads import Pool
from ftpd.values import ClientCertificate, Peer, TLSFacts

LEAST_COST = 4


def password_file(
    directory: Path, passwords: Mapping[bytes, bytes], cache_seconds: float = 0, threads: Threads | None = None
) -> PasswordFile:
    path = directory / "passwd"
    path.write_bytes(b"".join(b"%s:%s\n" % (name, hash_password(word, LEAST_COST)) for name, word in passwords.items()))
    path.chmod(0o600)
    settings = PasswordFileSettings(path=FilePath(str(path)), cache_seconds=Seconds(cache_seconds))
    return PasswordFile(settings, threads or InlineThreads())


class TestMemory(PasswordLoginContract):
    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        return MemoryPasswords(passwords)


class TestPasswordFile(PasswordLoginContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        return password_file(self.directory, passwords)


class TestPasswordFileThatRemembersLogins(TestPasswordFile):
    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        checker = password_file(self.directory, passwords, cache_seconds=60)
        for name, password in passwords.items():
            assert answer(checker, PasswordCredentials(name, password)) == name
        return checker


class TestChain(PasswordLoginContract):
    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        [chain] = chained(MemoryPasswords({name: password}) for name, password in passwords.items())
        assert isinstance(chain, Chain)
        return chain


@implementer(ICredentialsChecker)
class FromItsOwnMachine:
    """Adds to each login the connection of a client whose certificate is of the account that it names."""

    def __init__(self, checker: Any) -> None:
        self.credentialInterfaces = checker.credentialInterfaces
        self.checker = checker

    def requestAvatarId(self, credentials: Any) -> Any:
        certificate = ClientCertificate(subject="CN=a", common_name=decode_name(credentials.username), emails=(), fingerprint="")
        tls = TLSFacts("TLSv1.3", "TLS_AES_256_GCM_SHA384", client=certificate)
        credentials.peer = Peer("192.0.2.1", 50_000, "192.0.2.2", 21, tls=tls)
        return self.checker.requestAvatarId(credentials)


class TestSecondFactor(PasswordLoginContract):
    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        return self.around(MemoryPasswords(passwords))

    def around(self, checker: Any) -> Any:
        factor = SecondFactor(checker, lambda certificate: (certificate.common_name,))
        return FromItsOwnMachine(factor)


class TestSecondFactorBesideAPasswordFile(TestSecondFactor):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        return self.around(password_file(self.directory, passwords))


class TestCertificate(CertificateLoginContract):
    def make_checker(self, accounts_of: Any) -> Any:
        return CertificateLogin(accounts_of)


class TestAnonymousBesideASecondFactor(AnonymousLoginContract):
    def make_checker(self) -> Any:
        return SecondFactor(AnonymousLogin(), lambda certificate: ())


class TestTwistedMemoryPlugin(PasswordLoginContract):
    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        pairs = (f"{name.decode()}:{password.decode()}" for name, password in passwords.items())
        return foreign_checker("memory:" + ":".join(pairs), InlineThreads())


class TestTwistedFilePlugin(PasswordLoginContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path

    def make_checker(self, passwords: Mapping[bytes, bytes]) -> Any:
        path = self.directory / "plain"
        path.write_bytes(b"".join(b"%s:%s\n" % pair for pair in passwords.items()))
        return foreign_checker(f"file:{path}", InlineThreads())


class TestAnonymous(AnonymousLoginContract):
    def make_checker(self) -> Any:
        return AnonymousLogin()


class TestTwistedAnonymousPlugin(AnonymousLoginContract):
    def make_checker(self) -> Any:
        return foreign_checker("anonymous", InlineThreads())


class TestInRealThreads:
    """The sources that block, in a pool, while a reactor turns."""

    @pytest.fixture
    def reactor(self) -> Iterator[EPollReactor]:
        reactor = EPollReactor()
        yield reactor
        retire(reactor)

    @pytest.fixture
    def pool(self, reactor: EPollReactor) -> Iterator[Pool]:
        pool = Pool(reactor, "logins", 2)
        yield pool
        pool.close()

    def test_many_logins_at_once_are_each_judged_on_their_own(self, tmp_path: Path, reactor: EPollReactor, pool: Pool) -> None:
        passwords = {b"user%d" % number: b"password%d" % number for number in range(8)}
        checker = password_file(tmp_path, passwords, threads=pool)
        attempts = [PasswordCredentials(name, password) for name in passwords for password in passwords.values()]
        answers = gatherResults([checker.requestAvatarId(attempt).addErrback(_kind_of_refusal) for attempt in attempts])
        assert spin(reactor, answers) == [
            name if password == passwords[name] else WrongPassword for name in passwords for password in passwords.values()
        ]

    def test_the_twisted_file_plugin_logs_in_and_refuses(self, tmp_path: Path, reactor: EPollReactor, pool: Pool) -> None:
        path = tmp_path / "plain"
        path.write_bytes(b"ann:secret\n")
        checker = foreign_checker(f"file:{path}", pool)
        assert spin(reactor, checker.requestAvatarId(PasswordCredentials(b"ann", b"secret"))) == b"ann"
        with pytest.raises(UnauthorizedLogin):
            spin(reactor, checker.requestAvatarId(PasswordCredentials(b"ann", b"wrong")))


def _kind_of_refusal(failure: Failure) -> Any:
    return failure.type
