"""Clients as there are some: small models that share no code with the machines that they are played against.

Apart so that what a client does is written down once, by what it does and not by its name.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import attrs

from tests.unit.tftp.simulation import BLOCK


@attrs.define(eq=False)
class Fetcher:
    """A client that downloads.

    What it says of a block ahead of the one it expects is `gap`, and of one that it has is `repeat`: "each" (an ACK of the last in order for
    each), "once" (for the first, until something in order comes), "last" (only if it is the last that it took), or "never".  It acknowledges
    a window, counted from its last ACK, or as `boundary` says.  Its own `timer` repeats the last ACK; it never backs off.
    """

    window: int
    gap: str = "never"
    repeat: str = "last"
    timer: float = math.inf
    boundary: str = "counted"  # or "multiple" of the window, or "each" block
    rollover: int = 0
    dallies: bool = True

    taken: list[bytes] = attrs.field(factory=list)
    number: int = 0  # of the last block that was taken
    counted: int = 0
    has_complained: bool = False
    has_begun: bool = False
    is_content: bool = False
    deadline: float = math.inf

    def start(self, now):
        return []

    def receive(self, packet, now):
        if packet == ("OACK",):
            self.has_begun = True
            return self.acknowledge(now) if not self.taken else []
        if self.is_content:
            return self.acknowledge(now) if self.dallies else []
        self.has_begun = True
        _, number, block = packet
        if number == self.following:
            return self.take(block, now)
        is_ahead = 0 < (number - self.number) % 65536 < 32768
        return self.complain(number, now) if is_ahead else self.say_again(number, now)

    def expire(self, now):
        return self.acknowledge(now)

    @property
    def following(self):
        return self.number + 1 if self.number < 65535 else self.rollover

    def take(self, block, now):
        self.number = self.following
        self.taken.append(block)
        self.counted += 1
        self.has_complained = False
        self.deadline = now + self.timer
        if len(block) < BLOCK:
            self.is_content = True
        is_boundary = {
            "counted": self.counted >= self.window,
            "multiple": len(self.taken) % self.window == 0,
            "each": True,
        }[self.boundary]
        return self.acknowledge(now) if is_boundary or self.is_content else []

    def complain(self, number, now):
        if self.gap == "each" or (self.gap == "once" and not self.has_complained):
            self.has_complained = True
            return self.acknowledge(now)
        return []

    def say_again(self, number, now):
        if self.repeat == "each" or (self.repeat == "last" and number == self.number):
            return self.acknowledge(now)
        return []

    def acknowledge(self, now):
        self.counted = 0
        self.deadline = math.inf if self.is_content else now + self.timer
        return [("ACK", self.number)]


@attrs.define(eq=False)
class Storer:
    """A client that uploads.

    An ACK of something new starts the next window behind it; one of nothing new does so too if it `restarts`, which in lock-step is the
    sorcerer's apprentice.  Its own `timer` sends the window again; it never backs off.
    """

    window: int
    blocks: list[bytes]
    restarts: bool = False
    timer: float = 1.0

    base: int = 0
    sent: int = 0
    is_content: bool = False
    deadline: float = math.inf

    def start(self, now):
        return []

    def receive(self, packet, now):
        if self.is_content:
            return []
        block = 0 if packet == ("OACK",) else packet[1]
        is_new = self.base < block <= self.sent or not self.sent
        if not is_new and not (self.restarts and block == self.base):
            return []
        self.base = block
        if block == len(self.blocks):
            self.is_content = True
            self.deadline = math.inf
            return []
        return self.expire(now)

    def expire(self, now):
        self.sent = min(self.base + self.window, len(self.blocks))
        self.deadline = now + self.timer
        return [("DATA", block, self.blocks[block - 1]) for block in range(self.base + 1, self.sent + 1)]


# The clients that a server meets.  In lock-step there is no gap.
FETCHERS: dict[str, Callable[[int], Fetcher]] = {
    "says a gap once and the last block again": lambda window: Fetcher(window, "once", "last"),
    "has its own timer": lambda window: Fetcher(window, "once", "never", timer=1.0),
    "is slower than the server": lambda window: Fetcher(window, "once", "never", timer=5.0),
    "is impatient": lambda window: Fetcher(window, "once", "last", timer=0.05),
    "says nothing of gaps": lambda window: Fetcher(window, "never", "last", timer=1.0),
    "answers every stray block": lambda window: Fetcher(window, "each", "each"),
    "acknowledges multiples of the window": lambda window: Fetcher(window, "once", "last", timer=1.0, boundary="multiple"),
    "acknowledges each block": lambda window: Fetcher(window, "each", "each", boundary="each"),
}
STORERS: dict[str, Callable[[int, list[bytes]], Storer]] = {
    "goes on with something new only": lambda window, blocks: Storer(window, blocks),
    "is impatient": lambda window, blocks: Storer(window, blocks, timer=0.05),
    "is patient": lambda window, blocks: Storer(window, blocks, timer=5.0),
    "starts again at every ACK": lambda window, blocks: Storer(window, blocks, restarts=True),
}
