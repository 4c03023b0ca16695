"""Channel: messages both ways, in pieces or not, and the news that the other side is gone."""

from __future__ import annotations

import socket

import pytest
from twisted.internet.epollreactor import EPollReactor

from ftpd.processes.channel import connect, receive_first, send_last
from ftpd.testing.lines import turn


class End:
    """One end of a channel, and what it has heard."""

    def __init__(self, reactor, end):
        self.heard = []
        self.losses = 0
        self.channel = connect(reactor, end, self.heard.append, self._lose)

    def _lose(self):
        self.losses += 1


@pytest.fixture
def reactor():
    return EPollReactor()


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def until(reactor, is_so):
    for _ in range(2000):
        if is_so():
            return
        turn(reactor)
    raise AssertionError("it does not come to that")


def test_messages_arrive_whole_and_in_order(reactor, pair):
    one, other = (End(reactor, end) for end in pair)
    sent = [{"do": "start", "text": "x" * 300_000}, {"do": "lock", "message": "bis später"}]
    for message in sent:
        one.channel.send(message)
    until(reactor, lambda: len(other.heard) == 2)
    assert other.heard == sent


def test_the_end_of_one_side_is_told_to_the_other_once(reactor, pair):
    one, other = (End(reactor, end) for end in pair)
    one.channel.close()
    until(reactor, lambda: other.losses)
    one.channel.close()
    other.channel.send({"do": "nothing"})
    assert (one.losses, other.losses) == (1, 1)


def test_first_message_is_read_before_there_is_a_reactor(reactor, pair):
    one = End(reactor, pair[0])
    one.channel.send({"number": 1})
    one.channel.send({"number": 2})
    assert receive_first(pair[1]) == {"number": 1}
    other = End(reactor, pair[1])
    until(reactor, lambda: other.heard)
    assert other.heard == [{"number": 2}]


def test_no_first_message_comes_from_who_is_gone(pair):
    pair[0].close()
    with pytest.raises(EOFError):
        receive_first(pair[1])


def test_last_message_arrives_although_the_process_ends(reactor, pair):
    one = End(reactor, pair[0])
    send_last(pair[1], {"said": "failed"})
    pair[1].close()
    until(reactor, lambda: one.losses)
    assert one.heard == [{"said": "failed"}]


def test_what_nobody_has_read_yet_is_heard_before_the_channel_is_finished(reactor, pair):
    one = End(reactor, pair[0])
    for number in range(3):
        send_last(pair[1], {"number": number, "text": "x" * 10_000})
    one.channel.finish()
    assert [message["number"] for message in one.heard] == [0, 1, 2]
    until(reactor, lambda: one.losses)
    one.channel.finish()
    assert one.losses == 1


def test_last_message_to_nobody_harms_nothing(pair):
    pair[0].close()
    send_last(pair[1], {"said": "failed"})
