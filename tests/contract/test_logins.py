"""The login contract, over every source of ours and every Twisted one that can run here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.chain import Chain, chained
from ftpd.login.credentials import PasswordCredentials
from ftpd.login.hashing import hash_password
from ftpd.login.memory import MemoryPasswords
from ftpd.login.password_file import PasswordFile, PasswordFileSettings
from ftpd.login.twisted_plugins import foreign_checker
from ftpd.schema import FilePath, Seconds
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.login_contract import AnonymousLoginContract, PasswordLoginContract, answer

LEAST_COST = 4


def password_file(directory: Path, passwords: Mapping[bytes, bytes], cache_seconds: float = 0) -> PasswordFile:
    path = directory / "passwd"
    path.write_bytes(b"".join(b"%s:%s\n" % (name, hash_password(word, LEAST_COST)) for name, word in passwords.items()))
    path.chmod(0o600)
    settings = PasswordFileSettings(path=FilePath(str(path)), cache_seconds=Seconds(cache_seconds))
    return PasswordFile(settings, InlineThreads())


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
