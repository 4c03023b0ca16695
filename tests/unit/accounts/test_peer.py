"""Who is at the other end."""

from __future__ import annotations

import pytest

from ftpd.accounts import peer
from ftpd.accounts.peer import new_session_id, plain_address


def id_at(monkeypatch, seconds, chance):
    monkeypatch.setattr(peer.time, "time", lambda: seconds)
    monkeypatch.setattr(peer.random, "getrandbits", lambda bits: chance)
    return new_session_id()


def test_a_session_id_is_the_clock_and_chance_in_base32(monkeypatch):
    assert id_at(monkeypatch, 1_577_836_800.5, 0) == "000000fk00000000"  # 500 ms
    assert id_at(monkeypatch, 1_577_836_800.0, 0xFFFFFFFFFF) == "00000000vvvvvvvv"
    assert id_at(monkeypatch, 1_577_836_800.0, 0x0123456789) == "0000000004hkaps9"


def test_session_ids_sort_by_time(monkeypatch):
    moments = [1_577_836_800.0, 1_700_000_000.0, 1_700_000_000.5, 2_000_000_000.0]
    ids = [id_at(monkeypatch, moment, 7) for moment in moments]
    assert ids == sorted(ids)
    assert {len(each) for each in ids} == {16}


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:C000:201", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("::1", "::1"),
    ],
)
def test_an_address_is_told_without_a_zone_and_a_mapped_one_as_ipv4(text, plain):
    assert plain_address(text) == plain
