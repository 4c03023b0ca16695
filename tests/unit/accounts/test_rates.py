from __future__ import annotations

import gc

import attrs
import pytest
from twisted.internet.task import Clock

from ftpd.accounts.rates import Rates, RateSettings
from ftpd.values import Account, AccountRates

MIB = 1024 * 1024
ANN = Account("ann")


@pytest.fixture
def clock():
    return Clock()


def make(clock, **settings):
    return Rates(RateSettings(**settings), clock)


def moved(clock, *paces, seconds=1):
    """Let all of *paces* move what they may for so long, looked at each hundredth of a second; return what each has moved."""
    counts = [0] * len(paces)
    for _ in range(seconds * 100):
        clock.advance(0.01)
        for number, pace in enumerate(paces):
            counts[number] += pace.take(MIB)
    return counts


def about(count):
    return pytest.approx(count, rel=0.12)


def test_nothing_is_asked_where_nothing_is_set(clock):
    rates = make(clock)
    assert rates.concern(ANN) is False
    assert rates.enter(ANN).pace("download") is None


@pytest.mark.parametrize("scope", ["server", "account", "session", "transfer"])
@pytest.mark.parametrize(("way", "other"), [("download", "upload"), ("upload", "download")])
def test_each_rate_holds_one_way_only(clock, scope, way, other):
    rates = make(clock, **{f"{scope}_{way}": 100_000})
    assert rates.concern(ANN)
    session = rates.enter(ANN)
    assert session.pace(other) is None
    assert moved(clock, session.pace(way)) == [about(100_000)]


def test_transfers_have_a_rate_each(clock):
    session = make(clock, transfer_download=100_000).enter(ANN)
    assert moved(clock, session.pace("download"), session.pace("download")) == [about(100_000)] * 2


def test_transfers_of_a_session_share_its_rate(clock):
    session = make(clock, session_download=100_000).enter(ANN)
    assert moved(clock, session.pace("download"), session.pace("download")) == [about(50_000)] * 2


def test_the_next_transfer_has_no_more_than_its_session(clock):
    session = make(clock, session_download=100_000).enter(ANN)
    first = moved(clock, session.pace("download"))
    assert [*first, *moved(clock, session.pace("download"))] == [about(100_000)] * 2


def test_sessions_have_a_rate_each(clock):
    rates = make(clock, session_download=100_000)
    assert moved(clock, rates.enter(ANN).pace("download"), rates.enter(ANN).pace("download")) == [about(100_000)] * 2


def test_sessions_of_an_account_share_its_rate(clock):
    rates = make(clock, account_download=100_000)
    one, other = rates.enter(ANN), rates.enter(ANN)
    assert moved(clock, one.pace("download"), other.pace("download")) == [about(50_000)] * 2


@pytest.mark.parametrize("other", [Account("bob"), Account("ann", host="other.example"), Account("ann", is_anonymous=True)])
def test_accounts_of_another_name_or_host_have_a_rate_each(clock, other):
    rates = make(clock, account_download=100_000)
    one, another = rates.enter(ANN), rates.enter(other)
    assert moved(clock, one.pace("download"), another.pace("download")) == [about(100_000)] * 2


def test_accounts_share_the_servers_rate(clock):
    rates = make(clock, server_download=100_000)
    one, other = rates.enter(ANN), rates.enter(Account("bob"))
    assert moved(clock, one.pace("download"), other.pace("download")) == [about(50_000)] * 2


@pytest.mark.parametrize("own", [50_000, 200_000])
def test_an_accounts_own_rate_counts_instead(clock, own):
    session = make(clock, session_download=100_000).enter(Account("ann", rates=AccountRates(session_download=own)))
    assert moved(clock, session.pace("download")) == [about(own)]


def test_rates_that_an_account_leaves_out_are_those_of_all(clock):
    session = make(clock, session_download=100_000).enter(Account("ann", rates=AccountRates(session_upload=50_000)))
    assert moved(clock, session.pace("download"), session.pace("upload")) == [about(100_000), about(50_000)]


def test_an_account_may_be_the_only_one_with_a_rate(clock):
    rates = make(clock)
    slow = Account("ann", rates=AccountRates(account_download=100_000))
    assert (rates.concern(slow), rates.concern(Account("bob"))) == (True, False)
    assert moved(clock, rates.enter(slow).pace("download")) == [about(100_000)]


@pytest.mark.parametrize("scope", ["server", "account", "session", "transfer"])
def test_a_changed_setting_holds_for_transfers_under_way(clock, scope):
    name = f"{scope}_download"
    rates = make(clock, **{name: 100_000})
    session = rates.enter(ANN)
    pace = session.pace("download")
    assert moved(clock, pace) == [about(100_000)]
    rates.settings = attrs.evolve(rates.settings, **{name: 400_000})
    assert moved(clock, pace) == [about(400_000)]
    rates.settings = attrs.evolve(rates.settings, **{name: 0})
    assert pace.take(MIB) == MIB
    rates.settings = attrs.evolve(rates.settings, **{name: 100_000})
    assert moved(clock, pace) == [about(100_000)]


def test_setting_the_rates_of_an_account_holds_for_its_sessions_until_taken_back(clock):
    rates = make(clock, session_download=100_000)
    ann, bob = rates.enter(ANN), rates.enter(Account("bob"))
    paces = [ann.pace("download"), bob.pace("download")]
    rates.set_account("ann", AccountRates(session_download=300_000))
    assert moved(clock, *paces) == [about(300_000), about(100_000)]
    rates.set_account("ann", None)
    assert moved(clock, *paces) == [about(100_000), about(100_000)]


def test_setting_the_rates_of_an_account_holds_for_later_logins(clock):
    rates = make(clock)
    rates.set_account("ann", AccountRates(account_upload=100_000))
    assert rates.concern(ANN)
    assert moved(clock, rates.enter(ANN).pace("upload")) == [about(100_000)]


@pytest.mark.parametrize("way", ["download", "upload"])
def test_a_slowed_session_is_held_each_way_and_others_are_not(clock, way):
    rates = make(clock)
    session, other = rates.enter(ANN), rates.enter(ANN)
    session.slow(100_000)
    assert moved(clock, session.pace(way)) == [about(100_000)]
    assert other.pace(way) is None


def test_transfers_of_a_slowed_session_share_what_it_is_slowed_to(clock):
    session = make(clock).enter(ANN)
    session.slow(100_000)
    assert moved(clock, session.pace("download"), session.pace("download")) == [about(50_000)] * 2


def test_slowing_holds_for_transfers_under_way_until_taken_back(clock):
    session = make(clock, session_download=400_000).enter(ANN)
    pace = session.pace("download")
    session.slow(100_000)
    assert moved(clock, pace) == [about(100_000)]
    session.slow(200_000)
    assert moved(clock, pace) == [about(200_000)]
    session.slow(0)
    assert moved(clock, pace) == [about(400_000)]


def test_slowing_makes_no_session_faster(clock):
    session = make(clock, session_download=100_000).enter(ANN)
    session.slow(400_000)
    assert moved(clock, session.pace("download"), session.pace("upload")) == [about(100_000), about(400_000)]


def test_a_changed_setting_takes_back_no_slowing(clock):
    rates = make(clock, session_download=400_000)
    session = rates.enter(ANN)
    session.slow(100_000)
    rates.settings = RateSettings()
    assert moved(clock, session.pace("download")) == [about(100_000)]


def test_buckets_of_an_account_go_with_its_last_session(clock):
    rates = make(clock, account_download=100_000)
    gc.disable()
    try:
        one, other = rates.enter(ANN), rates.enter(ANN)
        paces = [one.pace("download"), other.pace("download")]
        assert [pace.take(MIB) for pace in paces] == [0, 0]
        del one
        paces.pop(0)
        assert len(rates._accounts) == 1
        del other, paces
        assert (len(rates._accounts), len(rates._sessions)) == (0, 0)
    finally:
        gc.enable()


def test_logging_in_again_is_no_new_allowance(clock):
    rates = make(clock, session_download=100_000)
    total = 0
    for _ in range(100):
        pace = rates.enter(ANN).pace("download")
        clock.advance(0.01)
        total += pace.take(MIB)
    assert total <= 100_000
