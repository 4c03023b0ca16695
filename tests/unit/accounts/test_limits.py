from __future__ import annotations

import ipaddress

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.errors import TooManySessions, Unavailable
from ftpd.state.memory import MemoryState
from ftpd.testing.fakes import finish
from ftpd.testing.login_contract import recorded_log
from ftpd.values import Account, Peer, Place

ANN = Account("ann", max_sessions=2)


@pytest.fixture
def clock():
    return Clock()


def peer(address="192.0.2.1"):
    return Peer(address, 40000, "192.0.2.9", 21)


def make(clock, **settings):
    return Limits(LimitSettings(**settings), clock)


def fail(visit, name=b"ann"):
    finish(visit.admit(name))
    return finish(visit.failed(name))


class TestSessions:
    def test_one_more_than_the_limit_is_refused_in_words(self, clock):
        limits = make(clock, sessions=1)
        limits.open(peer("192.0.2.1"))
        with pytest.raises(TooManySessions, match=r"^Too many connections; try again later\.$"):
            limits.open(peer("192.0.2.2"))

    def test_the_limit_may_be_changed_and_those_inside_stay(self, clock):
        limits = make(clock, sessions=2)
        limits.open(peer())
        limits.allow(1)
        with pytest.raises(TooManySessions):
            limits.open(peer())
        limits.allow(0)
        limits.open(peer())

    def test_a_closed_session_makes_room_once(self, clock):
        limits = make(clock, sessions=1)
        visit = limits.open(peer())
        visit.close()
        visit.close()
        limits.open(peer())
        with pytest.raises(TooManySessions):
            limits.open(peer())

    def test_one_more_of_an_address_is_refused_in_words_and_other_addresses_are_not(self, clock):
        limits = make(clock, sessions_per_address=1)
        limits.open(peer("192.0.2.1"))
        with pytest.raises(TooManySessions, match=r"^Too many connections from your address; try again later\.$"):
            limits.open(peer("192.0.2.1"))
        limits.open(peer("192.0.2.2"))

    def test_a_refused_session_is_not_counted(self, clock):
        limits = make(clock, sessions=2, sessions_per_address=1)
        limits.open(peer("192.0.2.1"))
        with pytest.raises(TooManySessions):
            limits.open(peer("192.0.2.1"))
        limits.open(peer("192.0.2.2"))

    def test_ipv6_addresses_are_counted_by_their_64(self, clock):
        limits = make(clock, sessions_per_address=1)
        limits.open(peer("2001:db8::1"))
        with pytest.raises(TooManySessions):
            limits.open(peer("2001:db8::ffff:1"))
        limits.open(peer("2001:db8:0:1::1"))

    def test_unix_sockets_have_no_address_to_count(self, clock):
        limits = make(clock, sessions_per_address=1)
        limits.open(peer(""))
        limits.open(peer(""))

    def test_exempt_networks_are_counted_in_all_only(self, clock):
        limits = make(clock, sessions=2, sessions_per_address=1, exempt=(ipaddress.ip_network("192.0.2.0/24"),))
        limits.open(peer())
        limits.open(peer())
        with pytest.raises(TooManySessions, match=r"^Too many connections;"):
            limits.open(peer())

    def test_0_is_no_limit(self, clock):
        limits = make(clock, sessions=0, sessions_per_address=0)
        for _ in range(3):
            limits.open(peer())

    def test_nothing_is_kept_of_closed_sessions(self, clock):
        limits = make(clock)
        visit = limits.open(peer())
        finish(visit.succeeded(ANN))
        visit.close()
        assert (limits._sessions, limits._by_address, limits._own._held.counts) == (0, {}, {})


class TestAccounts:
    def test_one_more_than_the_accounts_limit_is_refused_in_words(self, clock):
        limits = make(clock)
        for _ in range(2):
            finish(limits.open(peer()).succeeded(ANN))
        with pytest.raises(TooManySessions, match=r"^Too many sessions of this account; try again later\.$"):
            finish(limits.open(peer()).succeeded(ANN))

    @pytest.mark.parametrize("leave", ["logged_out", "close"])
    def test_leaving_makes_room_once(self, clock, leave):
        limits = make(clock)
        first, second, third, fourth = (limits.open(peer()) for _ in range(4))
        finish(first.succeeded(ANN))
        finish(second.succeeded(ANN))
        getattr(first, leave)()
        getattr(first, leave)()
        finish(third.succeeded(ANN))
        with pytest.raises(TooManySessions):
            finish(fourth.succeeded(ANN))

    def test_a_session_that_logs_in_again_counts_once(self, clock):
        limits = make(clock)
        visit = limits.open(peer())
        for _ in range(3):
            finish(visit.succeeded(ANN))

    def test_a_refused_login_leaves_nothing_to_take_back(self, clock):
        limits = make(clock)
        visits = [limits.open(peer()) for _ in range(3)]
        finish(visits[0].succeeded(ANN))
        finish(visits[1].succeeded(ANN))
        with pytest.raises(TooManySessions):
            finish(visits[2].succeeded(ANN))
        visits[2].close()
        with pytest.raises(TooManySessions):
            finish(limits.open(peer()).succeeded(ANN))

    def test_an_account_called_anonymous_is_not_the_anonymous_one(self, clock):
        limits = make(clock)
        finish(limits.open(peer()).succeeded(Account("anonymous", is_anonymous=True, max_sessions=1)))
        finish(limits.open(peer()).succeeded(Account("anonymous", max_sessions=1)))


class TestFailures:
    def test_the_delay_doubles_up_to_16_times(self, clock):
        visit = make(clock, failure_delay=1.0, failures_per_address=0).open(peer())
        assert [fail(visit) for _ in range(7)] == [1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0]

    def test_the_delay_grows_over_sessions_of_an_address(self, clock):
        limits = make(clock, failure_delay=1.0)
        assert [fail(limits.open(peer())) for _ in range(3)] == [1.0, 2.0, 4.0]
        assert fail(limits.open(peer("192.0.2.2"))) == 1.0

    def test_the_reply_leaves_at_the_same_moment_however_long_the_checker_took(self, clock):
        visit = make(clock, failure_delay=1.0).open(peer())
        finish(visit.admit(b"ann"))
        clock.advance(0.25)
        assert finish(visit.failed(b"ann")) == 0.75

    def test_a_checker_slower_than_the_delay_is_not_delayed_further(self, clock):
        visit = make(clock, failure_delay=1.0).open(peer())
        finish(visit.admit(b"ann"))
        clock.advance(5)
        assert finish(visit.failed(b"ann")) == 0.0

    def test_a_clock_set_back_does_not_lengthen_the_delay(self, clock):
        visit = make(clock, failure_delay=1.0).open(peer())
        finish(visit.admit(b"ann"))
        clock.rightNow -= 3600
        assert finish(visit.failed(b"ann")) == 1.0

    def test_without_a_delay_the_reply_leaves_at_once(self, clock):
        assert fail(make(clock, failure_delay=0.0).open(peer())) == 0.0

    def test_a_session_is_exhausted_by_its_own_failures_only(self, clock):
        limits = make(clock, login_failures_per_session=2)
        other, visit = limits.open(peer()), limits.open(peer())
        fail(other)
        fail(visit)
        assert not visit.is_exhausted
        fail(visit)
        assert visit.is_exhausted

    def test_a_success_does_not_forgive_failures(self, clock):
        limits = make(clock, login_failures_per_session=2)
        visit = limits.open(peer())
        fail(visit)
        finish(visit.succeeded(ANN))
        fail(visit)
        assert visit.is_exhausted


class TestBans:
    WORDS = r"^Too many failed logins from your address; try again later\.$"

    def ban(self, limits, address="192.0.2.1"):
        visit = limits.open(peer(address))
        fail(visit)
        fail(visit, b"bob")
        return visit

    @pytest.fixture
    def limits(self, clock):
        return make(clock, failures_per_address=2, failure_window=60.0, ban_time=100.0)

    def test_a_banned_address_is_refused_at_the_door_in_words(self, limits):
        self.ban(limits)
        with pytest.raises(TooManySessions, match=self.WORDS):
            limits.open(peer())

    def test_open_sessions_of_a_banned_address_are_not_admitted_to_a_login(self, limits):
        bystander = limits.open(peer())
        self.ban(limits)
        with pytest.raises(TooManySessions, match=self.WORDS):
            finish(bystander.admit(b"ann"))

    def test_other_addresses_are_admitted(self, limits):
        self.ban(limits)
        finish(limits.open(peer("192.0.2.2")).admit(b"ann"))

    def test_a_ban_ends(self, limits, clock):
        self.ban(limits)
        clock.advance(99.9)
        with pytest.raises(TooManySessions):
            limits.open(peer())
        clock.advance(0.1)
        finish(limits.open(peer()).admit(b"ann"))

    def test_failures_outside_the_window_are_not_counted_together(self, limits, clock):
        visit = limits.open(peer())
        fail(visit)
        clock.advance(60)
        fail(visit)
        finish(limits.open(peer()).admit(b"ann"))

    def test_an_ipv6_ban_is_for_the_64(self, limits):
        self.ban(limits, "2001:db8::1")
        with pytest.raises(TooManySessions):
            limits.open(peer("2001:db8::2"))
        limits.open(peer("2001:db8:0:1::1"))

    def test_who_comes_without_a_session_is_refused_by_the_same_bans(self, limits):
        self.ban(limits)
        self.ban(limits, "2001:db8::1")
        for banned in ("192.0.2.1", "2001:db8::2"):
            with pytest.raises(TooManySessions, match=self.WORDS):
                limits.refuse_banned_peer(peer(banned))
        for other in ("192.0.2.2", "2001:db8:0:1::1"):
            limits.refuse_banned_peer(peer(other))

    def test_a_ban_is_logged_with_the_address_and_without_a_name_that_may_be_a_password(self, limits):
        with recorded_log() as lines:
            self.ban(limits)
            self.ban(limits, "2001:db8::1")
        assert [line.partition(" {")[0] for line in lines] == [
            "address 192.0.2.1 banned for 100 s after 2 failed logins",
            "address 2001:db8::/64 banned for 100 s after 2 failed logins",
        ]

    def test_exempt_networks_and_unix_sockets_are_never_banned(self, clock):
        limits = make(clock, failures_per_address=1, exempt=(ipaddress.ip_network("192.0.2.0/24"),))
        self.ban(limits)
        self.ban(limits, "")
        limits.open(peer())
        limits.open(peer(""))

    def test_0_is_never(self, clock):
        limits = make(clock, failures_per_address=0)
        visit = limits.open(peer())
        for _ in range(100):
            fail(visit)
        limits.open(peer())


def test_accounts_of_two_virtual_hosts_are_counted_apart():
    limits = Limits(LimitSettings(), Clock())
    finish(limits.open(peer()).succeeded(Account("ann", max_sessions=1)))
    finish(limits.open(peer()).succeeded(Account("ann", max_sessions=1, host="a.example")))
    with pytest.raises(TooManySessions):
        finish(limits.open(peer()).succeeded(Account("ann", max_sessions=1, host="a.example")))


class WaitingState(MemoryState):
    """A state that others share; its answers wait, once `waits`, until the test lets them go, or are `Unavailable`, once `is_lost`."""

    def __init__(self, clock):
        super().__init__(clock)
        self.waits = self.is_lost = False
        self.asked = []
        self.let_go = Deferred()

    async def take(self, session, places):
        self.asked.append(tuple(places))
        self.refuse_if_lost()
        full = await super().take(session, places)
        if self.waits:
            await self.let_go
        return full

    async def fail(self, address, **rule):
        self.refuse_if_lost()
        failures = await super().fail(address, **rule)
        if self.waits:
            await self.let_go
        return failures

    def refuse_if_lost(self):
        if self.is_lost:
            raise Unavailable(None, "the file is gone")


def begin(coroutine):
    results = []
    return Deferred.fromCoroutine(coroutine).addBoth(results.append), results


@pytest.fixture
def state(clock):
    return WaitingState(clock)


def workers(clock, state, **settings):
    """Return the limits of two processes that share *state*."""
    return [Limits(LimitSettings(**settings), clock, state) for _ in range(2)]


class TestSeveralProcesses:
    def test_a_login_takes_places_in_all_of_its_address_and_of_its_account(self, clock, state):
        [limits, _] = workers(clock, state, sessions=7, sessions_per_address=5)
        finish(limits.open(peer("2001:db8::1")).succeeded(Account("ann", max_sessions=2, host="a.example")))
        finish(limits.open(peer()).succeeded(Account("anonymous", is_anonymous=True)))
        assert state.asked == [
            (Place("all", 7), Place("address/2001:db8::/64", 5), Place("account/a.example/ann", 2)),
            (Place("all", 7), Place("address/192.0.2.1", 5), Place("anonymous//anonymous", None)),
        ]

    def test_an_exempt_address_takes_no_place_of_its_own(self, clock, state):
        [limits, _] = workers(clock, state, exempt=(ipaddress.ip_network("192.0.2.0/24"),), sessions=0)
        finish(limits.open(peer()).succeeded(ANN))
        assert state.asked == [(Place("all", None), Place("account//ann", 2))]

    def test_connections_that_are_not_logged_in_are_counted_by_each_process_alone(self, clock, state):
        for limits in workers(clock, state, sessions=1):
            limits.open(peer())
            with pytest.raises(TooManySessions):
                limits.open(peer())

    @pytest.mark.parametrize(
        ("settings", "words"),
        [
            ({"sessions": 1}, "Too many connections; try again later."),
            ({"sessions_per_address": 1}, "Too many connections from your address; try again later."),
            ({}, "Too many sessions of this account; try again later."),
        ],
    )
    def test_a_login_beyond_what_all_may_have_is_refused_in_words(self, clock, state, settings, words):
        first, second = workers(clock, state, **settings)
        account = Account("ann", max_sessions=1)
        finish(first.open(peer()).succeeded(account))
        with pytest.raises(TooManySessions) as refused:
            finish(second.open(peer()).succeeded(account))
        assert str(refused.value) == words

    @pytest.mark.parametrize("leave", ["logged_out", "close"])
    def test_leaving_makes_room_in_the_other_process(self, clock, state, leave):
        first, second = workers(clock, state)
        visit = first.open(peer())
        finish(visit.succeeded(Account("ann", max_sessions=1)))
        getattr(visit, leave)()
        finish(second.open(peer()).succeeded(Account("ann", max_sessions=1)))

    def test_a_refused_login_leaves_nothing_taken(self, clock, state):
        first, second = workers(clock, state)
        visit = second.open(peer())
        finish(first.open(peer()).succeeded(Account("ann", max_sessions=1)))
        with pytest.raises(TooManySessions):
            finish(visit.succeeded(Account("ann", max_sessions=1)))
        assert second._own._held.counts == {}
        finish(second.open(peer()).succeeded(Account("bob", max_sessions=1)))

    @pytest.mark.parametrize("leave", ["logged_out", "close"])
    def test_leaving_while_the_place_is_being_taken_leaves_nothing_taken(self, clock, state, leave):
        [limits, _] = workers(clock, state)
        state.waits = True
        visit = limits.open(peer())
        begin(visit.succeeded(ANN))
        getattr(visit, leave)()
        state.let_go.callback(None)
        visit.close()
        assert (state._held.counts, limits._own._held.counts) == ({}, {})

    def test_a_cancelled_login_leaves_nothing_taken(self, clock, state):
        [limits, _] = workers(clock, state)
        state.waits = True
        login, results = begin(limits.open(peer()).succeeded(ANN))
        login.cancel()
        assert results[0].check(CancelledError)
        assert (state._held.counts, limits._own._held.counts) == ({}, {})

    def test_what_was_given_back_is_not_given_back_again(self, clock, state):
        [limits, _] = workers(clock, state)
        visit = limits.open(peer())
        finish(visit.succeeded(ANN))
        given_back = []
        state.give_back = given_back.append
        visit.logged_out()
        visit.close()
        assert len(given_back) == 1

    def test_failures_add_up_over_processes(self, clock, state):
        first, second = workers(clock, state, failure_delay=1.0)
        assert [fail(limits.open(peer())) for limits in (first, second, first)] == [1.0, 2.0, 4.0]

    def test_a_ban_holds_at_the_doors_of_all(self, clock, state):
        first, second = workers(clock, state, failures_per_address=1)
        fail(first.open(peer()))
        with pytest.raises(TooManySessions):
            second.open(peer())

    def test_a_ban_is_logged_by_the_process_that_made_it(self, clock, state):
        first, _ = workers(clock, state, failures_per_address=1)
        with recorded_log() as lines:
            fail(first.open(peer()))
        assert [line.partition(" {")[0] for line in lines] == ["address 192.0.2.1 banned for 600 s after 1 failed logins"]

    def test_the_delay_of_a_reply_includes_the_wait_for_the_state(self, clock, state):
        [limits, _] = workers(clock, state, failure_delay=1.0)
        state.waits = True
        visit = limits.open(peer())
        finish(visit.admit(b"ann"))
        _, results = begin(visit.failed(b"ann"))
        clock.advance(0.25)
        state.let_go.callback(None)
        assert results == [0.75]


class TestWithoutTheSharedState:
    @pytest.fixture
    def limits(self, clock, state):
        return Limits(LimitSettings(failures_per_address=2, sessions_per_address=3), clock, state)

    def test_logins_go_on_up_to_what_this_process_may_have_alone(self, limits, state):
        finish(limits.open(peer()).succeeded(ANN))
        state.is_lost = True
        finish(limits.open(peer()).succeeded(ANN))
        with pytest.raises(TooManySessions, match=r"^Too many sessions of this account; try again later\.$"):
            finish(limits.open(peer()).succeeded(ANN))

    def test_leaving_makes_room(self, limits, state):
        state.is_lost = True
        visits = [limits.open(peer()) for _ in range(3)]
        for visit in visits[:2]:
            finish(visit.succeeded(ANN))
        visits[0].close()
        finish(visits[2].succeeded(ANN))

    def test_who_logged_in_meanwhile_gives_back_in_the_end(self, limits, state):
        state.is_lost = True
        visit = limits.open(peer())
        finish(visit.succeeded(ANN))
        given_back = []
        state.give_back = given_back.append
        visit.close()
        assert len(given_back) == 1

    def test_failures_are_counted_and_ban(self, limits, state):
        state.is_lost = True
        visit = limits.open(peer())
        assert [fail(visit), fail(visit)] == [1.0, 2.0]
        with pytest.raises(TooManySessions, match=r"^Too many failed logins from your address;"):
            limits.open(peer())

    def test_the_log_says_once_that_it_begins_and_once_that_it_ends(self, limits, state):
        visit = limits.open(peer())
        with recorded_log() as lines:
            for is_lost in (False, True, False):
                state.is_lost = is_lost
                for _ in range(3):
                    finish(visit.succeeded(ANN))
        assert [line.partition(" {")[0] for line in lines] == [
            "limits count the sessions of this process alone now: the file is gone",
            "limits count the sessions of all processes again",
        ]
