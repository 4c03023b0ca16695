"""Several processes in one, over one simulated clock: each transfer asks its pace as a pump does, and the state is a dictionary."""

from __future__ import annotations

import heapq
import random

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from ftpd.accounts.rates import Rates, RateSettings
from ftpd.errors import Unavailable
from ftpd.testing.login_contract import recorded_log
from ftpd.values import Account, AccountRates

KIB = 1024
MIB = 1024 * KIB
SLICE = 256 * KIB
RATE = MIB


class SharedState:
    """The part of a `spi.State` that rates need, for one of the processes that have *told* in common."""

    def __init__(self, told, name, clock, late=0.0):
        self.told = told
        self.name = name
        self.clock = clock
        self.late = late
        self.trouble = None
        self.asked = []

    async def share(self, uses):
        if self.late:
            await deferLater(self.clock, self.late)
        self.asked.append(uses)
        if self.trouble is not None:
            raise self.trouble
        self.told[self.name] = uses
        totals = {}
        for each in self.told.values():
            for key, amount in each.items():
                totals[key] = totals.get(key, 0.0) + amount
        return totals


@attrs.define(eq=False)
class Stream:
    """A transfer from *begin* to *end*; *speed* is what its client takes, bytes a second, 0 for all there is."""

    session: object
    begin: float
    end: float
    speed: int
    pace: object = None
    free: float = 0.0
    asked: float = 0.0
    moved: list = attrs.field(factory=list)

    def turn(self, now):
        """Move what may move; return after how long to ask again."""
        most = SLICE
        if self.speed:
            self.free = min(self.speed / 10, self.free + (now - self.asked) * self.speed)
            self.asked, most = now, int(self.free)
            if not most:
                return 0.01
        count = self.pace.take(most)
        self.free -= count
        if count:
            self.moved.append((now, count))
            return 0.01 if self.speed else 0.0
        return self.pace.pause()


class Together:
    """*processes* with the same rates, and what moves in them; times are seconds from the start."""

    def __init__(self, processes=2, *, late=0.0, **settings):
        self.clock = Clock()
        self.clock.advance(1000)
        told = {}
        self.states = [SharedState(told, number, self.clock, late) for number in range(processes)]
        self.rates = [Rates(RateSettings(**settings), self.clock, state, processes) for state in self.states]
        self.streams = []
        self._chance = random.Random(1)
        self._queue = []
        self._turns = 0

    def stream(self, process, account="ann", *, begin=0.0, end=1000.0, speed=0, **facts):
        session = self.rates[process].enter(Account(account, **facts))
        stream = Stream(session, 1000 + begin, 1000 + end, speed)
        self.streams.append(stream)
        self._push(stream.begin, stream)
        return stream

    def run(self, until):
        """Let time pass up to *until*; timers ring up to 2 ms late."""
        while self._queue and self._queue[0][0] <= 1000 + until:
            at, _, stream = heapq.heappop(self._queue)
            self._pass(at)
            now = self.clock.seconds()
            if stream.pace is None:
                stream.pace, stream.asked = stream.session.pace("download"), now
            if now >= stream.end:
                stream.pace = stream.session = None
                continue
            wait = stream.turn(now)
            self._push(now + wait + (self._chance.random() * 0.002 if wait else 0.0), stream)
        self._pass(1000 + until)
        return self

    def _push(self, at, stream):
        self._turns += 1
        heapq.heappush(self._queue, (at, self._turns, stream))

    def _pass(self, until):
        while (due := min((call.getTime() for call in self.clock.getDelayedCalls()), default=until + 1)) <= until:
            self.clock.advance(max(0.0, due - self.clock.seconds()))
        self.clock.advance(max(0.0, until - self.clock.seconds()))

    def moved(self, begin, end, *streams):
        return sum(count for stream in streams or self.streams for at, count in stream.moved if 1000 + begin <= at < 1000 + end)

    def parts(self, begin, end, *streams, rate=RATE):
        """What each of *streams* had of the rate."""
        return [round(self.moved(begin, end, stream) / rate / (end - begin), 2) for stream in streams or self.streams]

    def windows(self, until, rate=RATE):
        """The least and the most that moved within 10 seconds, as a part of the rate."""
        found = [self.moved(begin / 4, begin / 4 + 10) / rate / 10 for begin in range(4 * (until - 10) + 1)]
        return min(found), max(found)


def assert_held(together, until, rate=RATE):
    least, most = together.windows(until, rate)
    assert 0.95 <= least <= most <= 1.05


# The sum is the rate, over any 10 seconds, from the start.


@pytest.mark.parametrize("scope", ["server", "account"])
@pytest.mark.parametrize("late", [0.0, 0.1], ids=["at once", "slow state"])
@pytest.mark.parametrize(("here", "there"), [(1, 0), (1, 1), (1, 9), (10, 0)])
def test_rate_holds_wherever_the_transfers_are(scope, late, here, there):
    together = Together(late=late, **{f"{scope}_download": RATE})
    for process in [0] * here + [1] * there:
        together.stream(process)
    assert_held(together.run(15), 15)


@pytest.mark.parametrize("rate", [2000, 64 * KIB, 16 * MIB])
def test_rate_holds_whatever_it_is(rate):
    together = Together(server_download=rate)
    for process in (0, 1, 1):
        together.stream(process)
    assert_held(together.run(12), 12, rate)


def test_rate_holds_in_eight_processes():
    together = Together(8, server_download=RATE)
    for number in range(16):
        together.stream(number % 8, f"u{number}")
    assert_held(together.run(12), 12)


@pytest.mark.parametrize("begin", [5.0, 5.1, 5.2])
def test_rate_holds_while_transfers_begin_elsewhere(begin):
    together = Together(server_download=RATE)
    together.stream(0)
    together.stream(1, "bob", begin=begin)
    assert_held(together.run(16), 16)


@pytest.mark.parametrize("end", [5.0, 5.1, 5.2])
def test_rate_holds_while_transfers_end_elsewhere(end):
    together = Together(server_download=RATE)
    together.stream(0)
    together.stream(1, "bob", end=end)
    assert_held(together.run(16), 16)


def test_rate_holds_while_one_after_another_begins():
    together = Together(4, server_download=RATE)
    for number in range(12):
        together.stream(number % 4, f"u{number}", begin=number * 0.7)
    assert_held(together.run(16), 16)


def test_rate_holds_over_short_transfers():
    together = Together(server_download=RATE)
    chance = random.Random(1)
    for number in range(30):
        at = 0.0
        while at < 14:
            end = at + 0.05 + chance.random() / 2
            together.stream(number % 2 if number < 20 else 0, f"u{number}", begin=at, end=end)
            at = end + chance.random() / 4
    assert_held(together.run(14), 14)


def test_rate_of_an_account_of_its_own_holds():
    together = Together(3)
    rates = AccountRates(account_download=RATE)
    for process in (0, 1, 1, 2):
        together.stream(process, rates=rates)
    assert_held(together.run(12), 12)


def test_changed_rate_holds_at_once():
    together = Together(server_download=RATE)
    together.stream(0)
    together.stream(1)
    together.run(10)
    for rates in together.rates:
        rates.settings = attrs.evolve(rates.settings, server_download=3 * RATE)
    together.run(20)
    assert together.moved(10, 20) == pytest.approx(30 * RATE, rel=0.05)


def test_rate_that_is_set_while_something_moves_holds():
    together = Together(transfer_download=2 * RATE)
    together.stream(0)
    together.stream(1)
    together.run(2)
    for rates in together.rates:
        rates.settings = attrs.evolve(rates.settings, server_download=RATE)
    together.run(12)
    assert together.moved(2, 12) == pytest.approx(10 * RATE, rel=0.05)


# Who has how much of it.


def test_sessions_of_an_account_have_the_same_wherever_they_are():
    together = Together(account_download=RATE)
    for process in (0, 1, 1, 1):
        together.stream(process)
    assert together.run(12).parts(2, 12) == [0.25] * 4


def test_accounts_have_the_same_of_the_server_wherever_their_sessions_are():
    together = Together(server_download=RATE)
    many = [together.stream(number % 2, "ann") for number in range(10)]
    one = together.stream(0, "bob")
    together.run(12)
    assert together.parts(2, 12, one) == [0.5]
    assert together.parts(2, 12, *many) == [0.05] * 10


def test_accounts_of_one_name_on_two_hosts_are_two():
    together = Together(account_download=RATE)
    together.stream(0)
    together.stream(1, host="b.example")
    together.stream(1, is_anonymous=True)
    assert together.run(10).parts(2, 10) == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("part", [0.1, 0.4])
def test_what_a_slow_client_does_not_take_goes_to_the_others(part):
    together = Together(server_download=RATE)
    slow = together.stream(0, "slow", speed=round(part * RATE))
    fast = together.stream(1, "fast")
    together.run(12)
    assert together.parts(2, 12, slow, fast) == [pytest.approx(part, abs=0.01), pytest.approx(1 - part, abs=0.02)]


def test_two_slow_clients_have_what_they_take():
    together = Together(server_download=RATE)
    for process in (0, 1):
        together.stream(process, f"u{process}", speed=round(0.3 * RATE))
    assert together.run(12).parts(2, 12) == [0.3, 0.3]


def test_account_with_a_lower_rate_leaves_the_rest_to_the_others():
    together = Together(server_download=RATE)
    for process in (0, 1):
        together.stream(process, "slow", rates=AccountRates(account_download=RATE // 5))
    fast = together.stream(1, "fast")
    together.run(12)
    assert together.parts(2, 12, fast) == [0.8]
    assert together.moved(2, 12, *together.streams[:2]) == pytest.approx(2 * RATE, rel=0.05)


# Rounds.


def test_nothing_is_asked_where_nothing_is_limited():
    together = Together()
    assert together.rates[0].enter(Account("ann")).pace("download") is None
    assert together.clock.getDelayedCalls() == []


def test_rates_of_sessions_and_transfers_are_nobody_elses_business():
    together = Together(session_download=RATE, transfer_download=RATE)
    together.stream(0)
    together.run(5)
    assert together.states[0].asked == []


def test_process_without_others_asks_nobody():
    clock = Clock()
    session = Rates(RateSettings(server_download=RATE), clock).enter(Account("ann"))
    pace = session.pace("download")
    assert clock.getDelayedCalls() == []
    clock.advance(1)
    assert pace.take(MIB) == RATE // 4


def test_who_begins_is_told_of_at_once():
    together = Together(server_download=RATE)
    together.stream(0)
    together.run(0)
    assert len(together.states[0].asked) == 1


def test_who_begins_later_in_another_account_is_told_of_soon():
    together = Together(account_download=RATE)
    together.stream(0)
    together.stream(0, "bob", begin=0.26)
    together.run(0.32)
    assert len(together.states[0].asked) == 3


def test_rounds_end_with_the_last_transfer():
    together = Together(server_download=RATE)
    together.stream(0, end=1.0)
    together.run(5)
    assert together.states[0].asked[-1] == {}
    assert together.clock.getDelayedCalls() == []


def test_what_is_told():
    together = Together(server_download=RATE, account_download=RATE)
    together.stream(0, "ann", host="h.example")
    together.run(0)
    assert together.states[0].asked[0] == {
        "wants/download/h.example/named/ann": 1.0,
        "uses/download/h.example/named/ann": 0.0,
        "moves/download/h.example/named/ann": 0.0,
        "sessions/download/h.example/named/ann": 1,
        "wants/download": 1.0,
        "uses/download": 0.0,
        "moves/download": 0.0,
    }


def test_slow_state_is_asked_one_thing_at_a_time():
    together = Together(server_download=RATE)
    waiting = []

    async def share(uses):
        waiting.append(Deferred())
        return await waiting[-1]

    together.states[0].share = share
    together.stream(0)
    together.run(3)
    assert len(waiting) == 1
    waiting[0].callback({})
    together.run(3.1)
    assert len(waiting) == 2


def test_while_the_state_cannot_be_used_what_was_agreed_stands():
    together = Together(server_download=RATE)
    for process in (0, 1, 1, 1):
        together.stream(process, f"u{process}" if process else "ann")
    together.run(5)
    for state in together.states:
        state.trouble = Unavailable(None, "The database is locked")
    together.run(15)
    assert_held(together, 15)


def test_where_the_state_never_could_be_used_each_process_has_an_equal_part():
    together = Together(server_download=RATE)
    for state in together.states:
        state.trouble = Unavailable(None, "The database is locked")
    together.stream(0)
    assert together.run(10).parts(0, 10) == [0.5]


def test_fault_of_the_state_is_logged_and_asked_again():
    together = Together(server_download=RATE)
    together.states[0].trouble = RuntimeError("not foreseen")
    together.stream(0)
    with recorded_log() as log:
        together.run(0.1)
        together.states[0].trouble = None
        together.run(10)
    assert len(log) == 1
    assert together.parts(1, 10) == [1.0]


def test_nothing_is_kept_of_an_account_that_has_gone():
    together = Together(server_download=RATE, account_download=RATE)
    together.stream(0, "ann", end=1.0)
    together.stream(0, "bob")
    together.run(3)
    assert [key[1] for key in together.rates[0]._accounts] == ["bob"]
    assert not [key for key in together.states[0].asked[-1] if key.endswith("/ann")]
