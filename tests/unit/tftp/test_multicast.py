"""The group of those who fetch one file together: turns, silence, and whole groups with packets lost at random."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.tftp.multicast import Group, Seat
from ftpd.tftp.timing import Timing

LAST = 10  # blocks
OACK = (0, 1)


def timing() -> Timing:
    """1, 2, 4, 8 seconds, and 30 of silence."""
    return Timing(1.0, 8.0, 30.0)


class Told:
    """A group of clients, and what each of them is told: whether it is the master."""

    def __init__(self, count: int, last: int = LAST) -> None:
        self.group = Group(last)
        self.said: list[tuple[str, bool]] = []
        self.seats = {name: self.join(name) for name in "ABCDEFGH"[:count]}

    def join(self, name: str) -> Seat:
        seat = self.group.join(timing())
        seat.told = lambda: self.said.append((name, seat.is_master))
        seat.start(0.0)
        return seat

    def __getitem__(self, name: str) -> Seat:
        return self.seats[name]


# The master.


def test_the_first_is_the_master() -> None:
    clients = Told(3)
    assert [clients[name].is_master for name in "ABC"] == [True, False, False]
    assert clients.said == []  # the OACK of the request says it


@pytest.mark.parametrize("is_first", [True, False])
def test_everybody_is_answered_by_an_oack(is_first: bool) -> None:
    group = Group(LAST)
    seats = [group.join(timing()), group.join(timing())]
    assert seats[not is_first].start(0.0) == OACK


def test_an_ack_is_the_wish_for_the_block_behind_it() -> None:
    master = Told(1)["A"]
    assert master.acknowledge(0, 0.1) == (1, 1)
    assert master.acknowledge(1, 0.2) == (2, 1)


def test_the_master_may_pass_over_what_it_has() -> None:
    master = Told(1)["A"]
    assert master.acknowledge(3, 0.1) == (4, 1)
    assert master.acknowledge(8, 0.2) == (9, 1)


def test_what_was_acknowledged_is_known_to_have_come() -> None:
    master = Told(1)["A"]
    assert master.base == -1
    master.acknowledge(3, 0.1)
    assert master.base == 3


@pytest.mark.parametrize("wire", [0, 1, 2, 11, 65535], ids=["first", "older", "twice", "too far", "far too far"])
def test_an_ack_of_the_past_or_of_no_block_sends_nothing(wire: int) -> None:
    master = Told(1)["A"]
    for number in range(3):
        master.acknowledge(number, 0.1)
    assert master.acknowledge(wire, 0.2) is None
    assert master.base == 2
    assert not master.is_finished


def test_the_ack_of_the_last_block_is_the_end() -> None:
    master = Told(1)["A"]
    master.acknowledge(9, 0.1)
    assert master.acknowledge(10, 0.2) is None
    assert master.is_finished
    assert master.deadline == math.inf


def test_a_file_of_one_block() -> None:
    master = Told(1, last=1)["A"]
    assert master.acknowledge(0, 0.1) == (1, 1)
    assert master.acknowledge(1, 0.2) is None
    assert master.is_finished


# Those who listen.


def test_who_listens_is_not_waited_for() -> None:
    clients = Told(2)
    assert clients["B"].deadline == math.inf
    assert clients["A"].deadline == 1.0


@pytest.mark.parametrize("wire", [0, 5, 9])
def test_who_listens_cannot_ask(wire: int) -> None:
    listener = Told(2)["B"]
    assert listener.acknowledge(wire, 0.1) is None
    assert listener.base == -1
    assert not listener.is_finished


def test_who_listens_ends_by_an_ack_of_the_last_block() -> None:
    clients = Told(2)
    clients["B"].acknowledge(10, 0.1)
    assert clients["B"].is_finished
    clients.group.leave(clients["B"], 0.1)
    assert clients["A"].is_master
    assert clients.said == []


def test_blocks_that_leave_are_heard_by_those_who_are_there() -> None:
    clients = Told(2)
    assert not clients["B"].has_listened
    clients["A"].acknowledge(0, 0.1)
    assert clients["B"].has_listened
    assert not clients.join("C").has_listened


def test_a_repeated_block_is_heard_and_a_repeated_oack_is_not_a_block() -> None:
    clients = Told(2)
    clients["A"].expire(1.0)
    assert not clients["B"].has_listened
    clients["A"].acknowledge(0, 1.1)
    late = clients.join("C")
    clients["A"].expire(10.0)
    assert late.has_listened


# Turns.


def test_when_the_master_ends_the_next_oldest_is_told() -> None:
    clients = Told(3)
    clients["A"].acknowledge(10, 1.0)
    clients.group.leave(clients["A"], 1.0)
    assert clients.said == [("B", True)]
    assert clients["B"].deadline == 2.0


def test_a_new_master_asks_from_the_first_block_that_it_lacks() -> None:
    clients = Told(2)
    clients["A"].acknowledge(7, 0.5)
    clients.group.leave(clients["A"], 1.0)
    assert clients["B"].acknowledge(2, 1.1) == (3, 1)


def test_a_new_master_that_has_everything_says_so_and_ends() -> None:
    clients = Told(2)
    clients.group.leave(clients["A"], 1.0)
    assert clients["B"].acknowledge(10, 1.1) is None
    assert clients["B"].is_finished


def test_when_a_listener_ends_nobody_is_told() -> None:
    clients = Told(3)
    clients.group.leave(clients["B"], 1.0)
    assert clients.said == []
    assert clients["A"].is_master
    assert len(clients.group) == 2


def test_leaving_twice_is_leaving_once() -> None:
    clients = Told(3)
    clients.group.leave(clients["A"], 1.0)
    clients.group.leave(clients["A"], 1.0)
    assert clients.said == [("B", True)]


def test_a_thousand_that_are_gone_are_passed_over_without_recursion() -> None:
    group = Group(LAST)
    first = group.join(timing())
    gone = [group.join(timing()) for _ in range(1000)]
    for seat in gone:
        seat.told = lambda seat=seat: group.leave(seat, 1.0)
    alive = group.join(timing())
    group.leave(first, 1.0)
    assert alive.is_master
    assert len(group) == 1


# Silence.


def test_a_silent_master_is_sent_the_same_again() -> None:
    clients = Told(2)
    master = clients["A"]
    assert master.expire(1.0) == OACK
    assert master.deadline == 3.0  # 2 s later
    master.acknowledge(0, 3.0)
    assert master.expire(4.0) == (1, 1)
    assert master.retransmissions == 2


def test_after_three_packets_without_an_answer_it_is_the_next_ones_turn() -> None:
    clients = Told(2)
    master = clients["A"]
    master.acknowledge(0, 0.0)
    assert [master.expire(now) for now in (1.0, 3.0, 7.0)] == [(1, 1), (1, 1), None]
    assert not master.is_lost
    assert clients.said == [("A", False), ("B", True)]
    assert master.deadline == math.inf
    assert clients["B"].deadline == 8.0


def test_one_that_was_passed_over_gets_another_turn_and_goes_on() -> None:
    clients = Told(2)
    clients["A"].acknowledge(0, 0.0)
    for now in (1.0, 3.0, 7.0):
        clients["A"].expire(now)
    clients.group.leave(clients["B"], 8.0)
    assert clients.said[-1] == ("A", True)
    assert clients["A"].acknowledge(6, 8.1) == (7, 1)


def test_one_that_is_silent_in_its_second_turn_too_is_given_up() -> None:
    clients = Told(3)
    for name, start in (("A", 0.0), ("B", 10.0), ("C", 20.0)):
        for now in (1.0, 3.0, 7.0):
            assert not clients[name].is_lost
            clients[name].expire(start + now)
    for now in (21.0, 23.0, 27.0):
        clients["A"].expire(now)
    assert clients["A"].is_lost
    assert clients["A"].deadline == math.inf


def test_an_answer_is_another_chance() -> None:
    clients = Told(2)
    for _ in range(3):  # turns
        for name in "AB":
            clients[name].acknowledge(0, 0.0)
            for now in (1.0, 3.0, 7.0):
                clients[name].expire(now)
    assert not any(clients[name].is_lost for name in "AB")


def test_a_late_ack_of_one_that_was_passed_over_is_not_a_wish() -> None:
    clients = Told(2)
    for now in (1.0, 3.0, 7.0):
        clients["A"].expire(now)
    assert clients["A"].acknowledge(0, 7.5) is None


def test_a_master_that_is_alone_keeps_its_place_until_it_is_given_up() -> None:
    clients = Told(1)
    times = [1.0, 3.0, 7.0, 15.0, 23.0]
    assert [clients["A"].expire(now) for now in times] == [OACK] * 5
    assert clients["A"].deadline == 30.0
    assert clients["A"].expire(30.0) is None
    assert clients["A"].is_lost
    assert clients.said == []


def test_an_answer_to_what_was_sent_twice_is_no_measure() -> None:
    master = Told(1)["A"]
    master.acknowledge(0, 0.01)
    assert master.deadline == pytest.approx(0.21)  # the least timeout
    master.expire(0.21)
    master.acknowledge(1, 5.0)
    assert master.deadline == pytest.approx(5.4)


def test_what_left_late_is_waited_for_from_then_on() -> None:
    clients = Told(2)
    clients["A"].acknowledge(0, 0.5)
    before = clients["A"].deadline - 0.5
    clients["A"].sent(3.5)
    assert clients["A"].deadline == 3.5 + before
    clients["B"].sent(3.5)
    assert clients["B"].deadline == math.inf


# Whose OACK may be lost.


def test_the_oack_may_be_lacking_until_something_answers_it() -> None:
    clients = Told(2)
    assert clients["A"].awaits_oack
    clients["A"].acknowledge(0, 0.1)
    assert not clients["A"].awaits_oack
    assert clients["B"].awaits_oack  # who listens answers nothing


# Whole groups.


class Client:
    """A client by the book: it takes every block that it hears, and asks, as the master, for the first that it lacks."""

    def __init__(self, seat: Seat, last: int, joins: float, dies: float) -> None:
        self.seat = seat
        self.last = last
        self.dies = dies
        self.joined = joins
        self.has: set[int] = set()
        self.is_master = False
        self.is_content = False

    def wish(self) -> int:
        return next(number for number in range(1, self.last + 2) if number not in self.has) - 1


class Play:
    """A group, its clients and a wire that loses one packet in *odds*; time goes by in hundredths of a second."""

    def __init__(self, seed: int, last: int, joins: list[int], deaths: dict[int, int], odds: int) -> None:
        self.chance = random.Random(seed)
        self.odds = odds
        self.now = 0.0
        self.last = last
        self.group = Group(last)
        self.joins = joins
        self.deaths = deaths
        self.clients: list[Client] = []
        self.sent = 0
        self.owed: list[tuple[Client, int]] = []  # acknowledgements on their way

    def is_lost(self) -> bool:
        return bool(self.odds) and not self.chance.randrange(self.odds)

    def run(self) -> None:
        for step in range(100_000):
            self.now = step / 100
            self.step()
            if len(self.clients) == len(self.joins) and not len(self.group):
                return
        raise AssertionError("it does not end")

    def step(self) -> None:
        for index in range(len(self.clients), len(self.joins)):
            if self.joins[index] / 100 <= self.now:
                self.add(index)
        owed, self.owed = self.owed, []
        for client, wire in owed:
            burst = client.seat.acknowledge(wire, self.now)
            if burst is not None:
                self.send(client, burst)
            elif client.seat.is_finished:
                self.group.leave(client.seat, self.now)
        for client in self.clients:
            if client.seat.deadline <= self.now:
                burst = client.seat.expire(self.now)
                if burst is not None:
                    self.send(client, burst)
                elif client.seat.is_lost:
                    self.group.leave(client.seat, self.now)

    def add(self, index: int) -> None:
        client = Client(self.group.join(timing()), self.last, self.now, self.deaths.get(index, math.inf) / 100)
        client.seat.told = lambda: self.send(client, OACK)
        self.clients.append(client)
        self.send(client, client.seat.start(self.now))

    def send(self, client: Client, burst: tuple[int, int]) -> None:
        first, count = burst
        assert count == 1
        if first:
            self.sent += 1
            for listener in self.clients:
                if self.now < listener.dies and not self.is_lost():
                    self.hear(listener, first)
        elif self.now < client.dies and not self.is_lost():
            client.is_master = client.seat.is_master
            if client.is_master:
                self.answer(client)

    def hear(self, client: Client, number: int) -> None:
        if not client.is_content:
            client.has.add(number)
            if client.is_master:
                self.answer(client)

    def answer(self, client: Client) -> None:
        wish = client.wish()
        client.is_content = wish == self.last
        if not self.is_lost():
            self.owed.append((client, wish))


def test_clients_that_are_there_from_the_start_take_each_block_once() -> None:
    play = Play(1, 50, [0, 0, 0, 0], {}, 0)
    play.run()
    assert all(client.is_content for client in play.clients)
    assert play.sent == 50


def test_one_that_comes_in_the_middle_costs_what_it_has_missed_and_no_more() -> None:
    play = Play(1, 50, [0, 20], {}, 0)
    play.run()
    assert [len(client.has) for client in play.clients] == [50, 50]
    assert play.sent == 50 + 20


@given(
    seed=st.integers(0, 2**32),
    last=st.integers(1, 30),
    joins=st.lists(st.integers(0, 60), min_size=1, max_size=5),
    deaths=st.dictionaries(st.integers(0, 4), st.integers(0, 80), max_size=2),
    odds=st.sampled_from([0, 10, 4]),
)
def test_whatever_is_lost_the_group_ends_and_whoever_ends_well_has_everything(
    seed: int, last: int, joins: list[int], deaths: dict[int, int], odds: int
) -> None:
    play = Play(seed, last, sorted(joins), deaths, odds)
    play.run()
    for client in play.clients:
        if client.seat.is_finished:
            assert client.has == set(range(1, last + 1))
        elif odds == 0:
            assert client.dies < math.inf  # without loss only the dead are given up
