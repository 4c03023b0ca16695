"""Addresses and ports that are the same, and that are not."""

from __future__ import annotations

import pytest

from ftpd.config.addresses import collide, ip_address, is_loopback
from ftpd.config.tree import ListenSettings


def at(address, port=21):
    return ListenSettings(address=address, port=port)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (at("127.0.0.1"), at("127.0.0.1"), True),
        (at("127.0.0.1"), at("0.0.0.0"), True),
        (at("::1"), at("0:0:0:0:0:0:0:1"), True),
        (at("::1"), at("::"), True),
        (at("::"), at("0.0.0.0"), False),
        (at("127.0.0.1"), at("127.0.0.2"), False),
        (at("127.0.0.1"), at("127.0.0.1", 22), False),
        (at("127.0.0.1", 0), at("127.0.0.1", 0), False),
        (at("nowhere"), at("nowhere"), False),
    ],
)
def test_two_of_one_address_and_port_collide(one, other, expected):
    assert collide(one, other) is expected


def test_text_that_is_no_address_is_none():
    assert ip_address("localhost") is None
    assert not is_loopback("localhost")


def test_loopback_is_told_from_the_rest():
    assert [is_loopback(text) for text in ("127.0.0.9", "::1", "0.0.0.0", "::", "192.0.2.1")] == [True, True, False, False, False]
