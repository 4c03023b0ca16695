"""The window machines against clients, and against each other, over a line that loses, repeats, and disorders packets at every position.

Apart from the tests of single events: here only the end counts.  Every transfer ends whole, in time, and with no more packets than its
faults explain:

- in lock-step the server sends nothing again but after silence, so that it sends a block for each, and one for each silence;
- with windows a fault makes one window leave again at most, and a silence another one;
- a client that acknowledges each block of a window takes that for gaps, and makes every block leave twice at most.
"""

from __future__ import annotations

import copy
import math
import random
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftpd.tftp.window import Receiver, Sender
from tests.unit.tftp.models import FETCHERS, STORERS
from tests.unit.tftp.simulation import FATES, LOST, Receiving, Sending, content, download, play, timing, upload

WINDOWS = [1, 2, 3, 4, 8]
SIZES = range(9)  # full blocks; with the short one at the end 1 to 9
FAULTLESS = 0.3  # seconds that the longest of these takes without a fault

# The machines as clients of each other.
FETCHERS = FETCHERS | {"is the receiving machine": lambda window: Receiving(Receiver(window, timing()), waits=True)}
STORERS = STORERS | {
    "is the sending machine": lambda window, file: Sending(file, Sender(window, timing(), last=len(file)), waits=True)
}


def single_faults(play_with):
    """Play without a fault, and with one of each kind at every position."""
    faultless = play_with({})
    yield {}, faultless
    for position in range(len(faultless[0].sent)):
        for fate in FATES.values():
            yield {position: fate}, play_with({position: fate})


def pairs_of_losses(play_with):
    """Play with two losses at every pair of positions; the second may be of what the first one has caused."""
    for position in range(len(play_with({})[0].sent)):
        for other in range(position + 1, len(play_with({position: LOST})[0].sent)):
            yield {position: LOST, other: LOST}, play_with({position: LOST, other: LOST})


def all_faults(play_with):
    yield from single_faults(play_with)
    yield from pairs_of_losses(play_with)


def most_blocks(window, last, faults, silences, *, acknowledges_each=False):
    """The most blocks that may leave a server."""
    if window == 1:
        return last + silences
    return last * (2 if acknowledges_each else 1) + window * (faults + silences)


def most_seconds(faults, timer=math.inf):
    """The longest that it may take: the server's timeouts, which double from 1 s on, or the client's own where it has to wait for that."""
    return FAULTLESS + max(2**faults - 1, faults * timer if timer < math.inf else 0)


def downloads(window, blocks, name, **how):
    def play_with(fates):
        client = FETCHERS[name](window)
        return download(window, blocks, client, fates, **how), client.taken

    return play_with


def uploads(window, blocks, name, **how):
    return lambda fates: upload(window, STORERS[name](window, content(blocks)), fates, **how)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", FETCHERS)
def test_client_has_the_file_whatever_happens_to_two_packets(name, window):
    timer = getattr(FETCHERS[name](window), "timer", math.inf)
    for blocks in SIZES:
        for fates, (played, taken) in all_faults(downloads(window, blocks, name)):
            assert taken == content(blocks), (blocks, fates)
            assert played.is_whole, (blocks, fates)
            assert played.seconds <= most_seconds(len(fates), timer), (blocks, fates)
            assert played.count("DATA") <= most_blocks(
                window, blocks + 1, len(fates), played.silences, acknowledges_each=name == "acknowledges each block"
            ), (blocks, fates)


@pytest.mark.parametrize("name", FETCHERS)
def test_client_without_options_has_the_file_too(name):
    for blocks in SIZES:
        for fates, (played, taken) in all_faults(downloads(1, blocks, name, has_oack=False)):
            assert taken == content(blocks), (blocks, fates)
            assert played.is_whole, (blocks, fates)
            assert played.count("DATA") <= blocks + 1 + played.silences, (blocks, fates)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", STORERS)
def test_server_has_the_file_whatever_happens_to_two_packets(name, window):
    timer = getattr(STORERS[name](window, []), "timer", math.inf)
    for blocks in SIZES:
        for fates, (played, taken) in all_faults(uploads(window, blocks, name)):
            assert taken == content(blocks), (blocks, fates)
            assert played.is_whole, (blocks, fates)
            assert played.seconds <= most_seconds(len(fates), timer), (blocks, fates)
            # Even of a client that has the sorcerer's apprentice, who goes on from where a fault has let him in.
            assert played.count("DATA") <= 2 * (blocks + 1 + window * len(fates)), (blocks, fates)
            assert played.count("ACK") <= played.count("DATA") + played.silences + 1, (blocks, fates)


@pytest.mark.parametrize("name", STORERS)
def test_server_has_the_file_of_a_client_without_options_too(name):
    for blocks in SIZES:
        for fates, (played, taken) in all_faults(uploads(1, blocks, name, answer=("ACK", 0))):
            assert taken == content(blocks), (blocks, fates)
            assert played.is_whole, (blocks, fates)


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", FETCHERS)
def test_without_a_fault_nothing_leaves_twice(name, window):
    for blocks in SIZES:
        played, _ = downloads(window, blocks, name)({})
        sent_twice = window > 1 and name == "acknowledges each block"
        assert sent_twice or played.count("DATA") == blocks + 1


def fates_of(positions):
    return st.dictionaries(st.integers(0, positions), st.sampled_from(list(FATES.values())), max_size=5)


@given(st.sampled_from(list(FETCHERS)), st.integers(1, 16), st.integers(0, 40), fates_of(120))
def test_longer_downloads_end_whole(name, window, blocks, fates):
    played, taken = downloads(window, blocks, name)(fates)
    assert taken == content(blocks)
    assert played.is_whole
    assert played.count("DATA") <= most_blocks(
        window, blocks + 1, len(fates), played.silences, acknowledges_each=name == "acknowledges each block"
    )


@given(st.sampled_from(list(STORERS)), st.integers(1, 16), st.integers(0, 40), fates_of(120))
def test_longer_uploads_end_whole(name, window, blocks, fates):
    played, taken = uploads(window, blocks, name)(fates)
    assert taken == content(blocks)
    assert played.is_whole


class Weather(dict):
    """Fates by chance, for lines that stay bad."""

    def __init__(self, loss, seed):
        super().__init__()
        self.loss = loss
        self.random = random.Random(seed)

    def get(self, position, usual):
        chance = self.random.random()
        if chance < self.loss:
            return LOST
        return FATES["twice"] if chance < 1.5 * self.loss else FATES["swapped"] if chance < 2 * self.loss else usual


@pytest.mark.parametrize("loss", [0.01, 0.1])
@pytest.mark.parametrize("window", [1, 8])
@pytest.mark.parametrize("name", FETCHERS)
def test_download_over_a_bad_line_ends_whole(name, window, loss):
    client = FETCHERS[name](window)
    played = download(window, 200, client, Weather(loss, seed=6), patience=math.inf)
    assert client.taken == content(200)
    assert played.is_whole


# Ends that are none.


@pytest.mark.parametrize("window", [1, 4])
def test_client_that_is_gone_with_its_last_ACK_does_not_keep_the_server(window):
    """As tftp-hpa's: it does not dally, so that the last ACK may be lost for good."""
    for fates, _ in single_faults(downloads(window, 4, "says a gap once and the last block again")):
        client = FETCHERS["says a gap once and the last block again"](window)
        client.dallies = False
        played = download(window, 4, client, fates)
        assert client.taken == content(4)
        assert played.silences <= 10
        assert played.count("DATA") <= most_blocks(window, 5, len(fates), played.silences)


@pytest.mark.parametrize("window", [1, 4])
@pytest.mark.parametrize("blocks", [0, 4, 8])
def test_client_that_vanishes_at_any_packet_is_given_up(window, blocks):
    for position in range(len(downloads(window, blocks, "has its own timer")({})[0].sent)):
        sender = Sender(window, timing(), has_oack=True, last=blocks + 1)
        server = Sending(content(blocks), sender)
        played = play(server, FETCHERS["has its own timer"](window), Silence(position))
        assert sender.is_lost or sender.is_finished
        assert played.silences <= 10
        assert played.count("DATA") <= blocks + 1 + window * played.silences


@pytest.mark.parametrize("window", [1, 4])
def test_client_that_stops_sending_at_any_packet_is_given_up(window):
    for position in range(len(uploads(window, 8, "is patient")({})[0].sent)):
        server = Receiving(Receiver(window, timing()))
        play(server, STORERS["is patient"](window, content(8)), Silence(position), patience=200.0)
        assert server.deadline == math.inf
        assert server.is_content or server.taken == content(8)[: len(server.taken)]


class Silence(dict):
    """Everything is lost from a position on."""

    def __init__(self, position):
        super().__init__()
        self.position = position

    def get(self, position, usual):
        return LOST if position >= self.position else usual


@given(st.sampled_from([1, 2, 8, 64]), st.lists(st.tuples(st.integers(-2, 70), st.sampled_from([0.0, 0.0, 0.0, 0.001, 0.05]))))
def test_whatever_a_client_acknowledges_what_leaves_is_bounded(window, acknowledgements):
    sender = Sender(window, timing(), has_oack=True)
    sender.start(0.0)
    left = sender.acknowledge(0, 0.01)[1]
    now = 0.01
    silences = 0
    for ahead, seconds in acknowledgements:
        now += seconds
        if now >= sender.deadline:
            left += sender.expire(now)[1]
            silences += 1
        burst = sender.acknowledge(max(0, sender.base + ahead), now)
        left += burst[1] if burst else 0
    timeouts = math.ceil(now / 0.2)
    assert left <= 2 * (sender.base + window) + window * (silences + (timeouts if window > 1 else 0))


# Across the end of the numbers.


@cache
def long_content():
    return content(65545)


def before_the_end_of_numbers(window):
    """How many blocks whole windows hold, a few before the last number."""
    return 65531 // window * window


@cache
def far_sender(window, rollover):
    """A sender that has come that far, and what it sends then."""
    sender = Sender(window, timing(), rollover=rollover, last=len(long_content()))
    burst = sender.start(0.0)
    while sender.base < before_the_end_of_numbers(window):
        burst = sender.acknowledge(sender.wire_number(sender.base + window), 0.0)
    return sender, burst


@cache
def far_receiver(window, rollover):
    """A receiver that has come that far."""
    receiver = Receiver(window, timing(), rollover=rollover)
    receiver.start(0.0)
    for block in range(1, before_the_end_of_numbers(window) + 1):
        receiver.receive(block, False, 0.0)
    return receiver


def far_sending(window, rollover):
    """A sender's end that begins there."""
    sender, burst = copy.deepcopy(far_sender(window, rollover))
    end = Sending(long_content(), sender)
    end.start = lambda now: end.packets(burst)
    return end


@pytest.mark.parametrize("rollover", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("name", ["says a gap once and the last block again", "answers every stray block"])
def test_download_goes_on_behind_65535_whatever_happens(name, window, rollover):
    begin = before_the_end_of_numbers(window)

    def play_with(fates):
        client = FETCHERS[name](window)
        client.number, client.rollover = begin, rollover
        return play(far_sending(window, rollover), client, fates), client.taken

    for fates, (played, taken) in all_faults(play_with):
        assert taken == long_content()[begin:], fates
        assert played.is_whole, fates


@pytest.mark.parametrize("rollover", [0, 1])
@pytest.mark.parametrize("window", WINDOWS)
def test_upload_goes_on_behind_65535_whatever_happens(window, rollover):
    begin = before_the_end_of_numbers(window)

    def play_with(fates):
        server = Receiving(copy.deepcopy(far_receiver(window, rollover)))
        server.start = lambda now: []
        return play(server, far_sending(window, rollover), fates), server.taken

    for fates, (played, taken) in all_faults(play_with):
        assert taken == long_content()[begin:], fates
        assert played.is_whole, fates
