from __future__ import annotations

from ftpd.login.anonymous import AnonymousLogin
from ftpd.login.credentials import AnonymousCredentials
from ftpd.testing.login_contract import answer


def test_everybody_is_let_in_whatever_was_typed():
    assert answer(AnonymousLogin(), AnonymousCredentials()) == ()
    assert answer(AnonymousLogin(), AnonymousCredentials(b"\xff\0")) == ()
