"""Two ends of a transfer and a line between them that does to each packet what a test wants: in simulated time, without a socket.

Apart from the tests because those of the machines and those of their models of clients meet here.  A packet is `("DATA", number, block)`,
`("ACK", number)` or `("OACK",)`.
"""

from __future__ import annotations

import heapq
import math
from itertools import count
from typing import NamedTuple

from ftpd.tftp.timing import Timing
from ftpd.tftp.window import ACKNOWLEDGE, STORE, Receiver, Sender

LATENCY = 0.01  # seconds that a packet is under way
SPACING = 0.001  # seconds that it takes to leave
BLOCK = 4  # bytes; a shorter block is the last

# What happens to a packet: how much later than usual each of its copies comes.
LOST = ()
TWICE = (0.0, 0.0)
SWAPPED = (1.5 * SPACING,)  # comes after the next one
LATE = (1.6,)  # comes after it was sent again
TWICE_AND_LATE = (0.0, 0.4)
FATES = {"lost": LOST, "twice": TWICE, "swapped": SWAPPED, "late": LATE, "twice, once late": TWICE_AND_LATE}
USUAL = (0.0,)


def timing(**changes):
    return Timing(**{"first": 1.0, "longest": 8.0, "give_up": 30.0, "fixed": None} | changes)


def content(blocks):
    """A file of so many full blocks, each of its own, and a short one."""
    return [block.to_bytes(BLOCK, "big") for block in range(1, blocks + 1)] + [b"end"]


class Played(NamedTuple):
    """What a simulation came to."""

    sent: list[tuple]
    """Every packet that left, in order."""
    seconds: float
    """When the last packet that mattered arrived: both ends were content from then on."""
    is_whole: bool
    """Whether both ends were content."""
    silences: int
    """How often the first end sent something again because it had heard nothing."""

    def count(self, kind):
        return sum(packet[0] == kind for packet in self.sent)


def play(near, far, fates, *, patience=120.0):
    """Run two ends against each other; `fates` has what happens to the packet that leaves as the n-th of all, where it is not the usual."""
    now = 0.0
    order = count()
    sent = []
    under_way = []
    leaves_at = {near: 0.0, far: 0.0}
    other = {near: far, far: near}

    def send(end, packets):
        for packet in packets:
            leaves_at[end] = max(now, leaves_at[end]) + SPACING
            for late in fates.get(len(sent), USUAL):
                heapq.heappush(under_way, (leaves_at[end] + LATENCY + late, next(order), other[end], packet))
            sent.append(packet)
        assert len(sent) < 5000, "the packets do not end"

    seconds = math.inf
    silences = 0
    send(far, far.start(now))
    send(near, near.start(now))
    while now < patience:
        if seconds == math.inf and near.is_content and far.is_content:
            seconds = now
        arrives_at = under_way[0][0] if under_way else math.inf
        deadline = min(near.deadline, far.deadline)
        now = min(arrives_at, deadline)
        if now == math.inf:
            break
        if arrives_at <= deadline:
            _, _, end, packet = heapq.heappop(under_way)
            send(end, end.receive(packet, now))
        else:
            end = near if near.deadline <= far.deadline else far
            packets = end.expire(now)
            silences += end is near and bool(packets)
            send(end, packets)
    return Played(sent, seconds, near.is_content and far.is_content, silences)


class Sending:
    """The machine that sends, with a file."""

    def __init__(self, blocks, sender, *, waits=False):
        self.blocks = blocks
        self.sender = sender
        self.waits = waits  # for an ACK 0 or an OACK, as who uploads does
        self.is_content = False

    @property
    def deadline(self):
        return self.sender.deadline

    def start(self, now):
        return [] if self.waits else self.packets(self.sender.start(now))

    def receive(self, packet, now):
        if packet == ("OACK",):
            packet = ("ACK", 0)
        if self.waits:
            assert packet == ("ACK", 0)
            self.waits = False
            return self.packets(self.sender.start(now))
        burst = self.sender.acknowledge(packet[1], now)
        self.is_content = self.sender.is_finished
        return self.packets(burst)

    def expire(self, now):
        return self.packets(self.sender.expire(now))

    def packets(self, burst):
        if burst is None:
            return []
        first, many = burst
        assert many > 0
        if first == 0:
            return [("OACK",)]
        return [("DATA", self.sender.wire_number(block), self.blocks[block - 1]) for block in range(first, first + many)]


class Receiving:
    """The machine that receives, with a store that takes its time for the end of the file, and dallies then."""

    STORING = 0.05  # seconds

    def __init__(self, receiver, answer=("ACK", 0), *, waits=False):
        self.receiver = receiver
        self.answer = answer
        self.waits = waits  # for an OACK or a block, as who downloads does
        self.taken = []
        self.is_content = False
        self.is_storing = False
        self.own_deadline = math.inf

    @property
    def deadline(self):
        return min(self.own_deadline, self.receiver.deadline)

    def start(self, now):
        if self.waits:
            return []
        self.receiver.start(now)
        return [self.answer]

    def receive(self, packet, now):
        if self.waits:
            self.waits = False
            self.receiver.start(now)
        if packet == ("OACK",):
            return [("ACK", 0)] if not self.taken else []
        _, number, block = packet
        if self.is_content:
            return [("ACK", number)] if number == self.receiver.acknowledgement else []
        flags = self.receiver.receive(number, len(block) < BLOCK, now)
        if flags & STORE:
            self.taken.append(block)
            if self.receiver.is_complete:
                assert not flags & ACKNOWLEDGE
                self.is_storing = True
                self.own_deadline = now + self.STORING
        return [("ACK", self.receiver.acknowledgement)] if flags & ACKNOWLEDGE else []

    def expire(self, now):
        if self.is_storing:
            self.is_storing = False
            self.is_content = True
            self.own_deadline = now + self.receiver.interval
            return [("ACK", self.receiver.acknowledgement)]
        if self.is_content:
            self.own_deadline = math.inf
            return []
        if not self.receiver.expire(now):
            return []
        return [("ACK", self.receiver.acknowledgement) if self.receiver.taken else self.answer]


def download(window, blocks, client, fates, *, has_oack=True, patience=120.0):
    """The sending machine as the server of a file of so many full blocks."""
    file = content(blocks)
    server = Sending(file, Sender(window, timing(), has_oack=has_oack, last=len(file)))
    return play(server, client, fates, patience=patience)


def upload(window, client, fates, *, answer=("OACK",)):
    """The receiving machine as the server; returns what was played, and what the server took."""
    server = Receiving(Receiver(window, timing()), answer)
    return play(server, client, fates), server.taken
