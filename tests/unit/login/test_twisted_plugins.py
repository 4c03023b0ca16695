from __future__ import annotations

import importlib.util
import os

import pytest
from twisted.cred.credentials import IAnonymous, ISSHPrivateKey, IUsernameHashedPassword, IUsernamePassword
from twisted.cred.error import LoginDenied, UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred, fail, succeed
from twisted.plugins.cred_unix import UNIXChecker

from ftpd.login import twisted_plugins
from ftpd.login.credentials import AnonymousCredentials, PasswordCredentials
from ftpd.login.memory import MemoryPasswords
from ftpd.login.twisted_plugins import ForeignChecker, foreign_checker
from ftpd.schema import ConfigError
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.login_contract import answer, recorded_log

ANN = PasswordCredentials(b"ann", b"secret")


class Answers:
    """A checker of somebody else that answers as the test says: *reply* is called with the credentials."""

    credentialInterfaces = (IUsernamePassword, IUsernameHashedPassword)

    def __init__(self, reply):
        self.requestAvatarId = reply


def refusal(spec, threads=None):
    with pytest.raises(ConfigError) as error:
        foreign_checker(spec, threads or InlineThreads())
    return str(error.value)


def test_the_memory_plugin_logs_in_although_its_users_are_text():
    checker = foreign_checker("memory:ann:secret:zoë:clé", InlineThreads())
    assert isinstance(checker, MemoryPasswords)
    assert answer(checker, ANN) == b"ann"
    assert answer(checker, PasswordCredentials("zoë".encode(), "clé".encode())) == "zoë".encode()


def test_the_file_plugin_logs_in_and_reads_its_file_in_the_pool(tmp_path):
    path = tmp_path / "plain"
    path.write_bytes(b"ann:secret\n")
    threads = InlineThreads()
    assert answer(foreign_checker(f"file:{path}", threads), ANN) == b"ann"
    assert threads.calls == 1


def test_the_anonymous_plugin_logs_in():
    assert answer(foreign_checker("anonymous", InlineThreads()), AnonymousCredentials()) == ()


def test_only_the_credentials_that_protocols_make_are_announced(tmp_path):
    (tmp_path / "plain").write_bytes(b"")
    assert foreign_checker(f"file:{tmp_path}/plain", InlineThreads()).credentialInterfaces == (IUsernamePassword,)
    assert foreign_checker("anonymous", InlineThreads()).credentialInterfaces == (IAnonymous,)


def test_a_file_that_is_not_there_is_refused_at_start(tmp_path, capsys):
    assert f"cannot read {tmp_path}/none: No such file or directory" in refusal(f"file:{tmp_path}/none")


def test_an_unknown_plugin_is_refused_at_start():
    assert refusal("nonsense:ann:secret") == "--auth nonsense: no such login plugin is installed; see --help-auth"


def test_a_wrong_argument_is_refused_at_start_without_showing_it():
    words = refusal("memory:ann:secret:bob")
    assert words == "--auth memory: argstring must be in format U:P:..."
    assert "memory" in words
    assert "secret" not in words


def test_a_missing_argument_is_refused_at_start():
    assert refusal("file:") == "--auth file: 'file' requires a filename"


def test_a_plugin_for_ssh_keys_is_refused_where_no_protocol_takes_them(monkeypatch):
    class KeysOnly:
        credentialInterfaces = (ISSHPrivateKey,)

    monkeypatch.setattr(twisted_plugins, "makeChecker", lambda spec: KeysOnly())
    assert refusal("sshkey") == (
        "--auth sshkey: no protocol served here makes the credentials it checks; a plugin for passwords or anonymous logins"
    )


@pytest.mark.parametrize("missing", ["crypt", "spwd"])
def test_unix_without_its_modules_says_so_at_start(monkeypatch, missing):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else object())
    assert refusal("unix").startswith(
        f"--auth unix: this Python has no {missing} module (removed in Python 3.13), so no system password can be checked"
    )


def test_unix_without_leave_to_read_the_passwords_says_so_at_start(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(os, "access", lambda *arguments, **options: False)
    assert refusal("unix").startswith("--auth unix: /etc/shadow cannot be read")


class FakeUnix(UNIXChecker):
    """The unix plugin's checker over one made-up account; it answers with text, as the real one does."""

    def requestAvatarId(self, credentials):
        if credentials.username.decode("utf-8") + "\0" + credentials.password.decode("utf-8") == "ann\0secret":
            return succeed("ann")
        return fail(UnauthorizedLogin())


def test_unix_logs_in_from_the_pool_and_its_text_becomes_bytes():
    threads = InlineThreads()
    assert answer(ForeignChecker(FakeUnix(), threads), ANN) == b"ann"
    assert threads.calls == 1


@pytest.mark.parametrize("credentials", [(b"\xff", b"secret"), (b"ann", b"\xff"), (b"ann\0", b"secret"), (b"ann", b"\0")])
def test_what_is_no_text_is_refused_by_unix_without_a_traceback(credentials):
    with recorded_log() as lines, pytest.raises(UnauthorizedLogin):
        answer(ForeignChecker(FakeUnix(), InlineThreads()), PasswordCredentials(*credentials))
    assert lines == []


@pytest.mark.parametrize("reply", [lambda credentials: b"ann", lambda credentials: "ann", lambda credentials: succeed("ann")])
def test_an_avatar_id_is_bytes_however_it_is_given(reply):
    assert answer(ForeignChecker(Answers(reply), InlineThreads()), ANN) == b"ann"


def test_a_checker_of_unknown_make_stays_on_the_reactor_and_may_take_its_time():
    later = Deferred()
    threads = InlineThreads()
    results = []
    ForeignChecker(Answers(lambda credentials: later), threads).requestAvatarId(ANN).addBoth(results.append)
    assert results == []
    later.callback(b"ann")
    assert results == [b"ann"]
    assert threads.calls == 0


def test_a_checker_that_says_it_blocks_runs_in_the_pool():
    checker = Answers(lambda credentials: b"ann")
    checker.is_blocking = True
    threads = InlineThreads()
    assert answer(ForeignChecker(checker, threads), ANN) == b"ann"
    assert threads.calls == 1


def test_a_checker_in_the_pool_that_answers_later_is_a_fault_in_the_log():
    checker = Answers(lambda credentials: Deferred())
    checker.is_blocking = True
    with recorded_log() as lines, pytest.raises(UnauthorizedLogin):
        answer(ForeignChecker(checker, InlineThreads()), ANN)
    assert "a checker that runs in a thread returned a Deferred without a result" in "".join(lines)


@pytest.mark.parametrize("is_blocking", [True, False])
def test_a_checker_that_raises_is_a_refusal_and_a_traceback_in_the_log(is_blocking):
    checker = Answers(lambda credentials: 1 / 0)
    checker.is_blocking = is_blocking
    with recorded_log() as lines, pytest.raises(UnauthorizedLogin):
        answer(ForeignChecker(checker, InlineThreads()), ANN)
    assert len(lines) == 1
    assert "login source Answers failed" in lines[0]
    assert "ZeroDivisionError" in lines[0]
    assert "b'secret'" not in lines[0]


@pytest.mark.parametrize("avatar_id", [None, b"", "", 7, ["ann"]])
def test_an_avatar_id_that_is_none_is_a_refusal_and_not_an_anonymous_login(avatar_id):
    with recorded_log() as lines, pytest.raises(UnauthorizedLogin):
        answer(ForeignChecker(Answers(lambda credentials: avatar_id), InlineThreads()), ANN)
    assert len(lines) == 1


@pytest.mark.parametrize("error", [UnauthorizedLogin, LoginDenied])
def test_a_refusal_stays_what_it_is_and_is_not_logged(error):
    with recorded_log() as lines, pytest.raises(error):
        answer(ForeignChecker(Answers(lambda credentials: fail(error())), InlineThreads()), ANN)
    assert lines == []


def test_a_cancelled_login_is_cancelled_and_reaches_the_checker():
    cancelled = []
    waiting = Deferred(cancelled.append)
    results = []
    login = ForeignChecker(Answers(lambda credentials: waiting), InlineThreads()).requestAvatarId(ANN)
    login.addErrback(lambda failure: results.append(failure.type))
    login.cancel()
    assert cancelled == [waiting]
    assert results == [CancelledError]
