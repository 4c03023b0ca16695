"""Which addresses are of use on their own network only."""

from __future__ import annotations

import pytest

from ftpd.private import is_private


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "100.64.0.1",
        "100.127.255.255",
        "127.0.0.1",
        "169.254.1.1",
        "0.0.0.0",
        "::",
        "::1",
        "fc00::1",
        "fdff::1",
        "fe80::1",
        "::ffff:10.0.0.1",
    ],
)
def test_private_addresses_are(address):
    assert is_private(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "172.15.255.255", "172.32.0.0", "100.63.255.255", "100.128.0.0", "192.0.2.1", "203.0.113.1", "2001:db8::1", "::ffff:1.1.1.1"],
)  # fmt: skip
def test_public_addresses_are_not(address):
    assert not is_private(address)


@pytest.mark.parametrize("text", ["", "ftp.example.org", "10.0.0.1:21"])
def test_what_is_no_address_is_not(text):
    assert not is_private(text)
