"""What an operator's word for some sessions is."""

from __future__ import annotations

import pytest

from ftpd.accounts.peer import new_session_id
from ftpd.cli.whom import field_of


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("0123456789abcdef", "session"),
        ("0123456789ABCDEF", "account"),
        ("0123456789abcdew", "account"),
        ("0123456789abcde", "account"),
        ("0123456789abcdef\n", "account"),
        ("ann", "account"),
        ("ann/bob", "account"),
        ("192.0.2.300", "account"),
        ("192.0.2.1", "address"),
        ("192.0.2.0/24", "address"),
        ("2001:db8::1", "address"),
        ("::/0", "address"),
    ],
    ids=ascii,
)
def test_it_is_seen_by_its_form(text, field):
    assert field_of(text) == field


def test_a_network_with_host_bits_is_nothing():
    with pytest.raises(ValueError, match=r"192\.0\.2\.1/24 has host bits set"):
        field_of("192.0.2.1/24")


def test_the_sessions_that_are_made_look_like_sessions():
    assert field_of(new_session_id()) == "session"
