from __future__ import annotations

import pytest

from ftpd.login.credentials import PasswordCredentials, WrongPassword
from ftpd.login.memory import MEMORY, MemoryPasswords
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.login_contract import answer


def test_no_password_is_kept():
    assert b"secret" not in repr(vars(MemoryPasswords({b"ann": b"secret"}))).encode()


def test_the_kind_turns_text_into_the_bytes_on_the_wire():
    checker = MEMORY.make(MEMORY.settings(passwords={"zoë": "clé"}), InlineThreads())
    assert answer(checker, PasswordCredentials("zoë".encode(), "clé".encode())) == "zoë".encode()


def test_a_wrong_password_is_told_as_such_for_the_log():
    with pytest.raises(WrongPassword):
        answer(MemoryPasswords({b"ann": b"secret"}), PasswordCredentials(b"ann", b"wrong"))
