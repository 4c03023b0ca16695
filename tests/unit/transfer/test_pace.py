"""Buckets over a simulated clock: each transfer asks as a pump does, and moves what it gets in no time."""

from __future__ import annotations

import gc
import heapq
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from ftpd.transfer.pace import Bucket, TransferPace

KIB = 1024
MIB = 1024 * KIB
SLICE = 256 * KIB


@pytest.fixture
def clock():
    return started()


def started():
    clock = Clock()
    clock.advance(1000)
    return clock


def run(clock, paces, seconds, *, late=0.0, grants=None):
    """Let all of *paces* move what they can for so long; a timer rings up to *late* seconds late.  Return what each has moved."""
    chance = random.Random(1)
    end = clock.seconds() + seconds
    moved = [0] * len(paces)
    queue = [(clock.seconds(), number, number) for number in range(len(paces))]
    turn = len(paces)
    while queue[0][0] <= end:
        at, _, number = heapq.heappop(queue)
        clock.advance(max(0.0, at - clock.seconds()))
        turn += 1
        count = paces[number].take(SLICE)
        moved[number] += count
        if count:
            if grants is not None:
                grants.append(count)
            heapq.heappush(queue, (clock.seconds(), turn, number))
        else:
            pause = paces[number].pause()
            assert pause > 0
            heapq.heappush(queue, (clock.seconds() + pause + chance.random() * late, turn, number))
    clock.advance(max(0.0, end - clock.seconds()))
    return moved


def transfers(clock, parent, count, rate=0):
    return [TransferPace(clock, Bucket(clock, parent, rate)) for _ in range(count)]


def of_sessions(clock, account, count):
    return [TransferPace(clock, Bucket(clock, Bucket(clock, account))) for _ in range(count)]


def jain(moved):
    return sum(moved) ** 2 / (len(moved) * sum(each * each for each in moved))


class TestOneTransfer:
    def test_without_a_rate_everything_may_move_at_once(self, clock):
        [pace] = transfers(clock, Bucket(clock), 1)
        assert (pace.is_limited, pace.take(10**12), pace.pause()) == (False, 10**12, 0.0)

    def test_it_begins_with_nothing(self, clock):
        [pace] = transfers(clock, None, 1, MIB)
        assert (pace.is_limited, pace.take(SLICE), pace.pause()) == (True, 0, 1 / 64)

    def test_a_grant_is_worth_a_system_call(self, clock):
        [pace] = transfers(clock, None, 1, MIB)
        assert pace.take(SLICE) == 0
        clock.advance(pace.pause())
        assert pace.take(SLICE) == 16 * KIB

    def test_a_grant_at_a_low_rate_is_a_sixteenth_of_a_second_of_it(self, clock):
        [pace] = transfers(clock, None, 1, 64 * KIB)
        assert (pace.take(SLICE), pace.pause()) == (0, 1 / 16)
        clock.advance(1 / 16)
        assert pace.take(SLICE) == 4 * KIB

    def test_who_wants_less_than_a_grant_waits_for_no_more(self, clock):
        [pace] = transfers(clock, None, 1, KIB)
        assert (pace.take(16), pace.pause()) == (0, 1 / 64)
        clock.advance(1 / 64)
        assert pace.take(16) == 16

    def test_a_rest_saves_up_a_quarter_of_a_second(self, clock):
        [pace] = transfers(clock, None, 1, MIB)
        clock.advance(60)
        assert pace.take(100 * MIB) == MIB // 4

    def test_the_lowest_of_all_rates_counts(self, clock):
        account = Bucket(clock, Bucket(clock, None, 30 * KIB), 10 * KIB)
        assert run(clock, of_sessions(clock, account, 1), 10) == [100 * KIB]

    @pytest.mark.parametrize("late", [0.0, 0.03], ids=["on time", "late"])
    @pytest.mark.parametrize("rate", [10, KIB, 10 * KIB, MIB, 100 * MIB, 1024 * MIB])
    def test_a_rate_holds_within_5_percent_over_10_seconds_from_the_start(self, clock, rate, late):
        [moved] = run(clock, transfers(clock, None, 1, rate), 10, late=late)
        assert 9.5 * rate <= moved <= 10 * rate

    def test_what_was_not_used_can_be_had_again(self, clock):
        [pace] = transfers(clock, None, 1, MIB)
        clock.advance(0.1)
        taken = pace.take(SLICE)
        assert pace.take(SLICE) == 0
        pace.give_back(taken - 1000)
        assert pace.take(SLICE) == taken - 1000

    def test_a_bucket_is_not_filled_by_what_is_given_back_beyond_its_burst(self, clock):
        [pace] = transfers(clock, None, 1, MIB)
        clock.advance(60)
        taken = pace.take(100 * MIB)
        clock.advance(60)
        pace.give_back(taken)
        assert pace.take(100 * MIB) == MIB // 4

    def test_a_clock_set_back_takes_nothing_away(self, clock):
        [pace] = transfers(clock, None, 1, MIB)
        clock.advance(60)
        clock.rightNow -= 3600
        assert pace.take(100 * MIB) == 0
        clock.advance(0.25)
        assert pace.take(100 * MIB) == MIB // 4


class TestChange:
    @pytest.mark.parametrize("depth", [0, 1, 2, 3], ids=["transfer", "session", "account", "server"])
    def test_a_changed_rate_holds_for_transfers_under_way(self, clock, depth):
        chain = [Bucket(clock, None)]
        for _ in range(3):
            chain.insert(0, Bucket(clock, chain[0]))
        pace = TransferPace(clock, chain[0])
        chain[depth].rate = 10 * KIB
        assert run(clock, [pace], 10) == [100 * KIB]
        chain[depth].rate = 100 * KIB
        [moved] = run(clock, [pace], 10)
        assert 950 * KIB <= moved <= 1000 * KIB
        chain[depth].rate = 10 * KIB
        [moved] = run(clock, [pace], 10)
        assert 95 * KIB <= moved <= 103 * KIB

    def test_who_waits_feels_it_within_a_quarter_of_a_second(self, clock):
        account = Bucket(clock, None, 1)
        paces = transfers(clock, account, 100)
        assert [pace.take(SLICE) for pace in paces] == [0] * 100
        assert max(pace.pause() for pace in paces) == 0.25

    def test_without_its_limit_it_moves_at_once(self, clock):
        account = Bucket(clock, None, KIB)
        [one, other] = transfers(clock, account, 2)
        assert (one.take(SLICE), other.take(SLICE)) == (0, 0)
        account.rate = 0
        assert (one.take(SLICE), other.take(SLICE)) == (SLICE, SLICE)

    def test_with_a_first_limit_it_has_nothing_saved_up(self, clock):
        account = Bucket(clock)
        [pace] = transfers(clock, account, 1)
        assert pace.take(SLICE) == SLICE
        clock.advance(60)
        account.rate = MIB
        assert pace.take(SLICE) == 0

    def test_a_lower_limit_keeps_no_more_than_its_own_burst(self, clock):
        account = Bucket(clock, None, MIB)
        [pace] = transfers(clock, account, 1)
        clock.advance(60)
        account.rate = KIB
        assert pace.take(SLICE) == 256

    def test_places_in_line_outlive_a_time_without_limit(self, clock):
        account = Bucket(clock, None, 100 * KIB)
        paces = transfers(clock, account, 10)
        run(clock, paces, 1)
        account.rate = 0
        clock.advance(5)
        account.rate = 100 * KIB
        moved = run(clock, paces, 10)
        assert 950 * KIB <= sum(moved) <= 1000 * KIB
        assert jain(moved) > 0.99


class TestSharing:
    @pytest.mark.parametrize("late", [0.0, 0.03], ids=["on time", "late"])
    @pytest.mark.parametrize("rate", [64 * KIB, MIB, 1024 * MIB])
    def test_a_hundred_transfers_get_the_same(self, clock, rate, late):
        account = Bucket(clock, None, rate)
        moved = run(clock, transfers(clock, account, 100), 10, late=late)
        assert 9.5 * rate <= sum(moved) <= 10 * rate
        assert jain(moved) > 0.999
        assert max(moved) <= 1.1 * min(moved)

    def test_a_hundred_transfers_at_ten_bytes_a_second_each_all_have_turns(self, clock):
        moved = run(clock, transfers(clock, Bucket(clock, None, KIB), 100), 10)
        assert 0.95 * 10 * KIB <= sum(moved) <= 10 * KIB
        assert min(moved) >= 64
        assert jain(moved) > 0.95

    def test_grants_differ_by_less_than_10_percent(self, clock):
        grants = []
        paces = transfers(clock, Bucket(clock, None, MIB), 100)
        run(clock, paces, 1)
        run(clock, paces, 10, grants=grants)
        assert max(grants) <= 1.1 * min(grants)

    def test_waiting_transfers_do_not_all_ask_at_once(self, clock):
        paces = transfers(clock, Bucket(clock, None, MIB), 10)
        for pace in paces:
            pace.take(SLICE)
        assert len({pace.pause() for pace in paces}) == 10

    def test_those_with_lower_rates_of_their_own_have_these_and_leave_the_rest(self, clock):
        account = Bucket(clock, None, 1000 * KIB)
        moved = run(clock, transfers(clock, account, 50, 5 * KIB) + transfers(clock, account, 50), 10)
        slow, fast = moved[:50], moved[50:]
        assert 0.95 * 250 * KIB <= sum(slow) / 10 <= 250 * KIB
        assert 0.95 * 1000 * KIB <= sum(moved) / 10 <= 1000 * KIB
        assert jain(slow) > 0.99
        assert jain(fast) > 0.99

    def test_accounts_share_and_not_their_transfers(self, clock):
        server = Bucket(clock, None, MIB)
        crowd, single = Bucket(clock, server), Bucket(clock, server)
        moved = run(clock, of_sessions(clock, crowd, 99) + of_sessions(clock, single, 1), 10)
        assert 0.95 * 5 * MIB <= sum(moved[:99]) <= 1.05 * 5 * MIB
        assert 0.95 * 5 * MIB <= moved[99] <= 1.05 * 5 * MIB
        assert jain(moved[:99]) > 0.99

    def test_what_a_slow_session_leaves_is_its_own_accounts(self, clock):
        server = Bucket(clock, None, 100 * KIB)
        account, other = Bucket(clock, server), Bucket(clock, server)
        slow = TransferPace(clock, Bucket(clock, Bucket(clock, account, 10 * KIB)))
        moved = run(clock, [slow, *of_sessions(clock, account, 1), *of_sessions(clock, other, 1)], 10)
        assert [round(each / 10 / KIB / 10) * 10 for each in moved] == [10, 40, 50]

    def test_a_slow_account_does_not_hold_up_the_server(self, clock):
        server = Bucket(clock, None, MIB)
        slow, fast = Bucket(clock, server, KIB), Bucket(clock, server)
        moved = run(clock, of_sessions(clock, slow, 10) + of_sessions(clock, fast, 10), 10)
        assert 0.95 * 10 * KIB <= sum(moved[:10]) <= 10 * KIB
        assert 0.95 * 10 * 1023 * KIB <= sum(moved[10:]) <= 10 * 1024 * KIB

    def test_who_comes_later_shares_from_then_on_and_makes_nothing_up(self, clock):
        account = Bucket(clock, None, MIB)
        [first, second] = transfers(clock, account, 2)
        run(clock, [first], 5)
        moved = run(clock, [first, second], 10)
        assert max(moved) <= 1.05 * min(moved)

    def test_who_has_a_rest_makes_nothing_up(self, clock):
        account = Bucket(clock, None, MIB)
        [first, second] = transfers(clock, account, 2)
        run(clock, [first, second], 5)
        run(clock, [first], 5)
        moved = run(clock, [first, second], 10)
        assert max(moved) <= 1.05 * min(moved)

    def test_transfers_that_end_while_they_wait_cost_nothing(self, clock):
        account = Bucket(clock, None, MIB)
        gone, staying = transfers(clock, account, 100), transfers(clock, account, 10)
        for pace in gone:
            assert pace.take(SLICE) == 0
        moved = run(clock, staying, 10)
        assert 9.5 * MIB <= sum(moved) <= 10 * MIB
        assert account.waiting <= 10

    def test_who_gives_everything_back_takes_nothing_from_the_others(self, clock):
        account = Bucket(clock, None, MIB)
        [blocked, flowing] = transfers(clock, account, 2)
        moved = 0
        while clock.seconds() < 1010:
            blocked.give_back(blocked.take(SLICE))
            moved += flowing.take(SLICE)
            clock.advance(0.005)
        assert 9.5 * MIB <= moved <= 10 * MIB

    def test_who_gives_back_most_of_its_share_is_not_told_to_wait_for_it(self, clock):
        account = Bucket(clock, None, MIB)
        [small, large] = transfers(clock, account, 2)
        moved = 0
        while clock.seconds() < 1010:
            taken = small.take(SLICE)
            small.give_back(max(0, taken - 1024))
            moved += min(taken, 1024)
            large.take(SLICE)
            clock.advance(0.02)
        assert moved >= 0.5 * 10 * 50 * 1024

    def test_places_in_line_keep_no_bucket_alive(self, clock):
        account = Bucket(clock, None, KIB)
        [pace] = transfers(clock, account, 1)
        assert pace.take(SLICE) == 0
        assert not any(isinstance(found, Bucket | TransferPace) for found in gc.get_referents(*account._line))


rates = st.one_of(st.just(0), st.integers(1, 64), st.integers(KIB, 100 * MIB))
actions = st.lists(
    st.tuples(st.sampled_from(["take", "take", "take", "return", "rate"]), st.integers(0, 5), st.integers(1, MIB), st.floats(0, 2)),
    max_size=60,
)


@settings(deadline=None)
@given(limits=st.lists(rates, min_size=12, max_size=12), actions=actions, changed=rates)
def test_no_bucket_gives_more_than_its_rate_and_one_burst(limits, actions, changed):
    """A server with two accounts of a session each, and three transfers in each of these."""
    clock = started()
    given = iter(limits)
    server = Bucket(clock, None, next(given))
    sessions = [Bucket(clock, Bucket(clock, server, next(given)), next(given)) for _ in range(2)]
    own = [Bucket(clock, sessions[number % 2], next(given)) for number in range(6)]
    paces = [TransferPace(clock, bucket) for bucket in own]
    chains = [[own[number], sessions[number % 2], sessions[number % 2].parent, server] for number in range(6)]
    since = {bucket: (clock.seconds(), 0) for chain in chains for bucket in chain}
    taken = [0] * 6

    def count(number, moved):
        for bucket in chains[number]:
            at, before = since[bucket]
            since[bucket] = (at, before + moved)
            if bucket.rate:
                allowed = bucket.rate * (clock.seconds() - at) + max(1.0, bucket.rate / 4)
                assert before + moved <= allowed + 0.001

    for action, number, amount, pause in actions:
        if action == "take":
            count_taken = paces[number].take(amount)
            assert 0 <= count_taken <= amount
            assert paces[number].pause() <= 0.25
            taken[number] = count_taken
            count(number, count_taken)
        elif action == "return":
            paces[number].give_back(taken[number])
            count(number, -taken[number])
            taken[number] = 0
        else:
            bucket = chains[number][amount % 4]
            bucket.rate = changed
            since = {one: (clock.seconds(), 0) for one in since}
            taken = [0] * 6
        clock.advance(pause)


@settings(deadline=None, max_examples=50)
@given(
    own=st.lists(st.one_of(st.just(0), st.integers(KIB, 100 * KIB)), min_size=2, max_size=12),
    total=st.integers(32 * KIB, 512 * KIB),
    late=st.sampled_from([0.0, 0.02]),
)
def test_all_have_what_they_want_or_the_same_as_the_best(own, total, late):
    clock = started()
    account = Bucket(clock, None, total)
    paces = [TransferPace(clock, Bucket(clock, account, rate)) for rate in own]
    moved = run(clock, paces, 10, late=late)
    for rate, expected, each in zip(own, max_min(own, total), moved, strict=True):
        assert each <= 10 * (rate or total)
        part = total / 16  # what one is given at a time: of little that many share it is much
        assert abs(each - 10 * expected) <= 0.15 * 10 * expected + part
    assert sum(moved) / 10 >= 0.95 * sum(max_min(own, total))


def max_min(own, total):
    """Return fair shares of *total*, none above its own limit (0: none), by filling all alike until each is full."""
    shares = {}
    left = total
    for number in sorted(range(len(own)), key=lambda number: own[number] or float("inf")):
        share = left / (len(own) - len(shares))
        shares[number] = min(share, own[number] or share)
        left -= shares[number]
    return [shares[number] for number in range(len(own))]
