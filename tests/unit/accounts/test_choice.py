from __future__ import annotations

import pytest

from ftpd.accounts.choice import chosen, read_network
from ftpd.values import SessionRow


def row(session, address, account="", host=""):
    return SessionRow(session, address, 40000, "main", "ftp", 1000.0, 1001.0, account=account, host=host)


ROWS = [
    row("s1", "192.0.2.1", "ann"),
    row("s2", "192.0.2.200", "bob"),
    row("s3", "2001:db8::1", "ann", "b.example"),
    row("s4", "2001:db8:1::1"),
    row("s5", "", "ann"),
]


@pytest.mark.parametrize(
    ("field", "value", "sessions"),
    [
        ("session", "s2", ["s2"]),
        ("session", "s", []),
        ("account", "ann", ["s1", "s3", "s5"]),
        ("account", "Ann", []),
        ("account", "", []),
        ("address", "192.0.2.1", ["s1"]),
        ("address", "192.0.2.0/24", ["s1", "s2"]),
        ("address", "0.0.0.0/0", ["s1", "s2"]),
        ("address", "::ffff:192.0.2.1", ["s1"]),
        ("address", "::ffff:192.0.2.0/120", ["s1", "s2"]),
        ("address", "2001:db8:0:0::1", ["s3"]),
        ("address", "2001:db8::/32", ["s3", "s4"]),
        ("address", "198.51.100.1", []),
    ],
)
def test_sessions_are_chosen_by(field, value, sessions):
    assert [row.session for row in chosen(ROWS, field, value)] == sessions


@pytest.mark.parametrize("value", ["", "ann", "192.0.2.300", "192.0.2.1/24", "192.0.2.1:21"])
def test_what_is_no_address_is_refused(value):
    with pytest.raises(ValueError, match=r"network|host bits"):
        chosen(ROWS, "address", value)


def test_other_fields_choose_nobody():
    with pytest.raises(ValueError, match="session, account, address"):
        chosen(ROWS, "worker", "1")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("192.0.2.1", "192.0.2.1/32"),
        ("::1", "::1/128"),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
        ("::/0", "::/0"),
    ],
)
def test_networks_are_read_as_rows_write_addresses(text, network):
    assert str(read_network(text)) == network
