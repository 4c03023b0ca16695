"""Who is at the other end."""

from __future__ import annotations

from ftpd.accounts import peer
from ftpd.accounts.peer import new_session_id


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
