from __future__ import annotations

import os
import threading

import pytest
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError

from ftpd.errors import Unavailable
from ftpd.login import hashing
from ftpd.login.credentials import PasswordCredentials, WrongPassword
from ftpd.login.hashing import cost_of, hash_password
from ftpd.login.htpasswd import Signature
from ftpd.login.password_file import PASSWORD_FILE, PasswordFile, PasswordFileSettings
from ftpd.schema import ConfigError, FilePath, Seconds
from ftpd.testing.fakes import HeldThreads, InlineThreads
from ftpd.testing.login_contract import answer, recorded_log

ANN = hash_password(b"secret", 4)
BOB = hash_password(b"bobs", 4)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "passwd"
    path.write_bytes(b"ann:%s\n" % ANN)
    path.chmod(0o600)
    return path


@pytest.fixture
def hashed(monkeypatch):
    """The costs of the bcrypt computations done."""
    costs = []
    real = hashing.bcrypt.checkpw

    def checkpw(password, password_hash):
        costs.append(cost_of(password_hash))
        return real(password, password_hash)

    monkeypatch.setattr(hashing.bcrypt, "checkpw", checkpw)
    return costs


def make(path, cache_seconds=0.0, now=lambda: 0.0):
    return PasswordFile(PasswordFileSettings(path=FilePath(str(path)), cache_seconds=Seconds(cache_seconds)), InlineThreads(), now)


def login(checker, name=b"ann", password=b"secret"):
    try:
        return answer(checker, PasswordCredentials(name, password))
    except UnauthorizedLogin:
        return None


def replace(path, content):
    new = path.with_name("new")
    new.write_bytes(content)
    new.chmod(0o600)
    os.replace(new, path)


def test_the_file_is_read_again_when_it_changes(path):
    checker = make(path)
    replace(path, b"bob:%s\n" % BOB)
    assert login(checker) is None
    assert login(checker, b"bob", b"bobs") == b"bob"


def test_a_file_rewritten_in_place_is_read_again(path):
    checker = make(path)
    path.write_bytes(b"ann:%s\nbob:%s\n" % (ANN, BOB))
    assert login(checker, b"bob", b"bobs") == b"bob"


def test_an_unchanged_file_is_not_read_again(path, monkeypatch):
    checker = make(path)
    monkeypatch.setattr("ftpd.login.password_file.read", lambda os_path: pytest.fail("read again"))
    assert login(checker) == b"ann"


def test_a_broken_line_is_named_once_and_the_old_entries_stay(path):
    checker = make(path)
    replace(path, b"bob:%s\nann:letmein\n" % BOB)
    with recorded_log() as lines:
        assert login(checker) == b"ann"
        assert login(checker, b"bob", b"bobs") is None
    assert [f"{path}:2: not a bcrypt hash" in line for line in lines] == [True]
    assert "letmein" not in "".join(lines)


def test_a_mended_file_counts_again(path):
    checker = make(path)
    replace(path, b"broken\n")
    assert login(checker) == b"ann"
    replace(path, b"bob:%s\n" % BOB)
    assert login(checker, b"bob", b"bobs") == b"bob"


def test_a_file_broken_twice_is_named_twice(path):
    checker = make(path)
    with recorded_log() as lines:
        replace(path, b"broken\n")
        login(checker)
        replace(path, b"ann:%s\n" % ANN)
        login(checker)
        replace(path, b"broken\n")
        login(checker)
    assert len([line for line in lines if "passwd:1: not of the form name:hash" in line]) == 2


def test_a_file_that_is_gone_is_told_once_and_the_old_entries_stay(path):
    checker = make(path)
    path.unlink()
    with recorded_log() as lines:
        assert login(checker) == b"ann"
        assert login(checker) == b"ann"
    assert [str(path) in line for line in lines] == [True]


def test_a_file_that_cannot_be_read_for_a_moment_is_tried_again(path, monkeypatch):
    checker = make(path)
    replace(path, b"bob:%s\n" % BOB)

    def fail(os_path):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as moment:
        moment.setattr("ftpd.login.password_file.read", fail)
        assert login(checker) == b"ann"
    assert login(checker, b"bob", b"bobs") == b"bob"


def test_a_disk_that_hangs_keeps_one_look_and_the_old_entries_stay(path, monkeypatch):
    checker = make(path)
    looks, answers = threading.Semaphore(0), threading.Event()

    def hang(status):
        looks.release()
        assert answers.wait(30)
        return Signature(0, 0, 0, 0, 0)  # another one: the file has changed

    replace(path, b"bob:%s\n" % BOB)
    with monkeypatch.context() as dead, recorded_log() as lines:
        dead.setattr(Signature, "of", hang)
        dead.setattr("ftpd.login.password_file._PATIENCE_SECONDS", 0)
        assert login(checker) == b"ann"
        assert looks.acquire(timeout=30)
        assert [login(checker, b"bob", b"bobs"), login(checker)] == [None, b"ann"]
        assert not looks.acquire(blocking=False)
    assert [f"{path}: the disk has not answered" in line for line in lines] == [True]
    answers.set()
    checker._file._look.result(30)
    assert login(checker, b"bob", b"bobs") == b"bob"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_open_is_warned_of_once(path, mode):
    path.chmod(mode)
    with recorded_log() as lines:
        checker = make(path)
        replace(path, b"")
        path.chmod(mode)
        login(checker)
    assert len([line for line in lines if f"is open to others than its owner (mode {mode:04o})" in line]) == 1


def test_a_private_file_is_not_warned_of(path):
    with recorded_log() as lines:
        make(path)
    assert lines == []


def test_a_missing_file_is_an_error_at_start_that_says_what_makes_one(tmp_path):
    with pytest.raises(ConfigError) as error:
        make(tmp_path / "none")
    assert str(error.value) == (
        f"path: cannot read {tmp_path}/none: No such file or directory; a password file; ftpd passwd FILE USER makes one"
    )


def test_a_fifo_is_an_error_at_start(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=f"^path: cannot read {tmp_path}/pipe: it is a FIFO, not a regular file; "):
        make(tmp_path / "pipe")


def test_a_file_that_has_become_a_fifo_is_told_and_the_old_entries_stay(path):
    checker = make(path)
    path.unlink()
    os.mkfifo(path)
    with recorded_log() as lines:
        assert login(checker) == b"ann"
    assert ["it is a FIFO, not a regular file" in line for line in lines] == [True]


def test_no_path_is_an_error_at_start():
    with pytest.raises(ConfigError, match="no file is named"):
        make("")


def test_a_broken_line_is_an_error_at_start(path):
    path.write_bytes(b"ann:%s\nbroken\n" % ANN)
    with pytest.raises(ConfigError) as error:
        make(path)
    assert str(error.value) == f"path: {path}:2: not of the form name:hash"


def test_an_unknown_name_costs_a_hash_like_a_known_one(path, hashed):
    checker = make(path)
    login(checker, b"ann", b"wrong")
    login(checker, b"nobody", b"wrong")
    assert hashed == [4, 4]


def test_the_work_for_an_unknown_name_is_always_the_same_and_one_that_occurs(path, hashed):
    path.write_bytes(b"ann:%s\nbob:%s\n" % (ANN, hash_password(b"x", 5)))
    checker = make(path)
    for _ in range(3):
        login(checker, b"nobody", b"wrong")
    assert hashed in ([4, 4, 4], [5, 5, 5])


def test_unknown_names_are_spread_over_the_costs_that_occur(path, hashed):
    path.write_bytes(b"ann:%s\nbob:%s\n" % (ANN, hash_password(b"x", 5)))
    checker = make(path)
    for number in range(32):
        login(checker, b"nobody%d" % number, b"wrong")
    assert set(hashed) == {4, 5}


def test_an_empty_file_costs_the_work_of_a_new_hash(path, monkeypatch):
    path.write_bytes(b"")
    checker = make(path)
    costs = []
    monkeypatch.setattr("ftpd.login.password_file.verify", lambda password, password_hash, cost: costs.append(cost))
    login(checker)
    assert costs == [12]


def test_without_a_cache_every_login_is_hashed(path, hashed):
    checker = make(path)
    login(checker)
    login(checker)
    assert hashed == [4, 4]


def test_a_verified_login_is_not_hashed_again_for_the_seconds_set(path, hashed):
    moment = [0.0]
    checker = make(path, 5, lambda: moment[0])
    assert login(checker) == b"ann"
    moment[0] = 4.9
    assert login(checker) == b"ann"
    assert hashed == [4]
    moment[0] = 5.0
    assert login(checker) == b"ann"
    assert hashed == [4, 4]


def test_a_wrong_password_is_hashed_each_time_also_with_a_cache(path, hashed):
    checker = make(path, 5)
    login(checker)
    login(checker, b"ann", b"wrong")
    login(checker, b"ann", b"wrong")
    assert hashed == [4, 4, 4]


def test_a_verified_login_is_forgotten_when_the_file_changes(path, hashed):
    checker = make(path, 5)
    login(checker)
    replace(path, b"ann:%s\nbob:%s\n" % (ANN, BOB))
    assert login(checker) == b"ann"
    assert hashed == [4, 4]


def test_a_removed_account_is_refused_although_its_login_is_remembered(path):
    checker = make(path, 5)
    login(checker)
    replace(path, b"bob:%s\n" % BOB)
    assert login(checker) is None


def test_the_reactor_neither_looks_at_the_file_nor_hashes(path, hashed, monkeypatch):
    threads = HeldThreads()
    checker = PasswordFile(PasswordFileSettings(path=FilePath(str(path))), threads)
    monkeypatch.setattr(os, "stat", lambda os_path: pytest.fail("stat on the reactor"))
    checker.requestAvatarId(PasswordCredentials(b"ann", b"secret"))
    assert hashed == []
    assert len(threads.calls) == 1


def test_a_login_whose_client_has_gone_before_its_turn_is_not_hashed(path, hashed):
    threads = HeldThreads()
    checker = PasswordFile(PasswordFileSettings(path=FilePath(str(path))), threads)
    login = checker.requestAvatarId(PasswordCredentials(b"ann", b"secret"))
    login.addErrback(lambda failure: failure.trap(CancelledError))
    login.cancel()
    with pytest.raises(CancelledError):
        threads.finish()
    assert hashed == []


def test_a_full_pool_is_told_as_such(path):
    class FullThreads:
        def run(self, function, *args, **kwargs):
            raise Unavailable(None, "Too busy")

    checker = PasswordFile(PasswordFileSettings(path=FilePath(str(path))), FullThreads())
    with pytest.raises(Unavailable):
        answer(checker, PasswordCredentials(b"ann", b"secret"))


def test_the_kind_makes_a_checker_of_its_settings(path):
    assert PASSWORD_FILE.name == "password_file"
    settings = PASSWORD_FILE.settings(path=FilePath(str(path)))
    assert login(PASSWORD_FILE.make(settings, InlineThreads())) == b"ann"


def test_a_wrong_password_is_told_as_such_for_the_log(path):
    with pytest.raises(WrongPassword):
        answer(make(path), PasswordCredentials(b"ann", b"wrong"))
