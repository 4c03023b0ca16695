from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import bcrypt
import pytest

from ftpd.login import hashing
from ftpd.login.hashing import VerifiedLogins, cost_of, generate_password, hash_password, verify

HASH = b"$2y$04$abcdefghijklmnopqrstuuFfRULlklvlEIYM.Vi1hd.LFo7gfyomi"
CHECKOUT = Path(__file__).resolve().parents[3]
LEAVES = """
import os, threading, time
from ftpd.login import hashing

class Late:  # the interpreter is longer at its end than a check takes
    def __del__(self, sleep=time.sleep):
        sleep(0.5)

os.late = Late()
begun, checkpw = threading.Event(), hashing.bcrypt.checkpw

def told(*arguments):
    begun.set()
    return checkpw(*arguments)

hashing.bcrypt.checkpw = told
threading.Thread(target=hashing.verify, args=(b"secret", None, 10), daemon=True).start()
begun.wait()
"""


@pytest.fixture
def work(monkeypatch):
    """Each bcrypt computation asked for: the password's length and the cost."""
    done = []
    real = bcrypt.checkpw

    def checkpw(password, password_hash):
        done.append((len(password), cost_of(password_hash)))
        return real(password, password_hash)

    monkeypatch.setattr(hashing.bcrypt, "checkpw", checkpw)
    return done


def test_a_hash_is_written_as_htpasswd_writes_it():
    assert re.fullmatch(rb"\$2y\$04\$[./A-Za-z0-9]{53}", hash_password(b"secret", 4))


def test_two_hashes_of_one_password_differ():
    assert hash_password(b"secret", 4) != hash_password(b"secret", 4)


def test_the_password_that_was_hashed_is_verified_and_another_is_not():
    password_hash = hash_password(b"secret", 4)
    assert verify(b"secret", password_hash, 4) is True
    assert verify(b"Secret", password_hash, 4) is False


@pytest.mark.parametrize("prefix", [b"$2a$", b"$2b$", b"$2y$"])
def test_hashes_of_every_current_prefix_are_verified(prefix):
    assert verify(b"secret", prefix + hash_password(b"secret", 4)[4:], 4) is True


def test_72_bytes_are_hashed():
    assert verify(b"x" * 72, hash_password(b"x" * 72, 4), 4) is True


@pytest.mark.parametrize(
    ("password", "cost", "words"),
    [
        (b"x" * 73, 4, "the password is 73 bytes long; bcrypt takes at most 72 bytes"),
        ("é".encode() * 37, 4, "the password is 74 bytes long; bcrypt takes at most 72 bytes"),
        (b"", 4, "the password is empty"),
        (b"a\0b", 4, "the password contains a NUL byte"),
        (b"secret", 3, "the cost must be between 4 and 20"),
        (b"secret", 21, "the cost must be between 4 and 20"),
    ],
)
def test_what_cannot_be_hashed_is_refused_in_words(password, cost, words):
    with pytest.raises(ValueError, match="^" + re.escape(words) + "$"):
        hash_password(password, cost)


def test_an_unknown_name_costs_the_work_of_a_known_one(work):
    password_hash = hash_password(b"secret", 5)
    verify(b"wrong", password_hash, 5)
    assert verify(b"wrong", None, 5) is False
    assert work == [(5, 5), (5, 5)]


def test_a_73_byte_password_costs_the_work_of_a_shorter_one_and_is_refused(work):
    assert verify(b"x" * 73, hash_password(b"x" * 72, 4), 4) is False
    assert work == [(72, 4)]


@pytest.mark.parametrize(
    "broken",
    [b"", b"secret", b"$apr1$abc$def", b"{SHA}abc", b"$2x$04$" + b"a" * 53, b"$2y$04$" + b"a" * 52, b"$2y$04$" + b"!" * 53],
)
def test_what_is_not_bcrypt_has_no_cost(broken):
    with pytest.raises(ValueError, match=r"^not a bcrypt hash \(\$2y\$, \$2b\$ or \$2a\$\)$"):
        cost_of(broken)


@pytest.mark.parametrize("cost", [3, 21, 31])
def test_a_cost_that_would_hold_a_thread_for_minutes_is_refused(cost):
    with pytest.raises(ValueError, match=f"^bcrypt cost {cost} is not between 4 and 20$"):
        cost_of(b"$2y$%02d$" % cost + b"a" * 53)


def test_generated_passwords_differ_and_need_no_quoting():
    first, second = generate_password(), generate_password()
    assert first != second
    assert re.fullmatch(r"[a-hj-km-np-z2-9]{18}", first)


class TestVerifiedLogins:
    def make(self, seconds=10.0):
        self.now = 100.0
        return VerifiedLogins(seconds, lambda: self.now)

    def test_a_remembered_login_is_known_until_its_time_is_up(self):
        verified = self.make()
        verified.remember(b"secret", HASH)
        self.now = 109.9
        assert verified.has(b"secret", HASH)
        self.now = 110.0
        assert not verified.has(b"secret", HASH)

    def test_another_password_or_another_hash_is_not_known(self):
        verified = self.make()
        verified.remember(b"secret", HASH)
        assert not verified.has(b"Secret", HASH)
        assert not verified.has(b"secret", HASH[:-1] + b"a")

    def test_with_0_seconds_nothing_is_remembered(self):
        verified = self.make(0)
        verified.remember(b"secret", HASH)
        assert not verified.has(b"secret", HASH)

    def test_clear_forgets(self):
        verified = self.make()
        verified.remember(b"secret", HASH)
        verified.clear()
        assert not verified.has(b"secret", HASH)

    def test_it_holds_no_more_than_its_bound_and_the_oldest_gives_way(self):
        verified = self.make()
        for number in range(VerifiedLogins.MOST + 1):
            verified.remember(b"%d" % number, HASH)
        assert not verified.has(b"0", HASH)
        assert verified.has(b"1", HASH)
        assert verified.has(b"%d" % VerifiedLogins.MOST, HASH)

    def test_neither_password_nor_hash_is_kept(self):
        verified = self.make()
        verified.remember(b"secret", HASH)
        assert b"secret" not in repr(vars(verified)).encode()
        assert HASH not in repr(vars(verified)).encode()


# The end.


def test_a_check_under_way_does_not_abort_the_process_that_ends():
    done = subprocess.run([sys.executable, "-c", LEAVES], cwd=CHECKOUT, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
