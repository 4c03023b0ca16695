"""The two ends of a transfer, as machines: numbers and time go in, what to send and until when to wait comes out.

Apart from sockets and clock, so that every loss, repetition and disorder can be tried at every position.  `acknowledge` and `receive` run
for every packet of every client: what goes well takes the first few lines of them, and the rest is in methods of its own.

Lock-step is a window of 1; nothing else tells it from the windows of RFC 7440.  A window always leaves full, but for the last: a receiver
acknowledges when it has that many.

How often blocks leave, which is what keeps the sorcerer's apprentice away (RFC 1123 4.2.3.1):

- An acknowledgement of all that is under way sends the next blocks, each for the first time.
- One of a part of it means a gap, and sends what is left of the window again (RFC 7440 4), if it is certain which sending it answers.
- One of a block that was sent twice may answer the first sending, or a block that came twice: clients send two such ACKs in a row where
  one would do, and if each of them started a window, two or more windows would go on beside each other to the end of the file.  So it is
  progress: new blocks leave for what it acknowledges.  Only if a round trip passes and nothing more is heard, there was a gap.
- One that says nothing new sends nothing in lock-step, and the window again once per timeout.

So no block leaves more than twice, but for one window per timeout, and one whenever a round trip has passed in silence.
"""

from __future__ import annotations

import math

from ftpd.tftp.numbers import LARGEST_WINDOW, nearest, wire_number
from ftpd.tftp.timing import Timing

__all__ = ["ACKNOWLEDGE", "STORE", "Receiver", "Sender"]

STORE = 1
ACKNOWLEDGE = 2

NOTHING = -1  # no number on the wire: nothing is awaited
SAMPLE_INTERVAL = 0.1  # seconds, less than any silence that ends in a back-off; nobody needs each of 50,000 round trips in a second
ENDLESS = 1 << 62  # blocks
NEVER = -2  # no block


def _check(window: int) -> None:
    if not 1 <= window <= LARGEST_WINDOW:
        raise ValueError(f"A window is 1 to {LARGEST_WINDOW} blocks, not {window}")


class Sender:
    """The end that sends blocks.

    `(first, count)` is what has to leave now: `count` blocks from number `first` on, numbered from 1 without rollover; `(0, 1)` is the
    OACK.  `last` is the number of the last block, the short one, as soon as it is known; at the latest when it is among what is asked for.

    Nothing that a client sends raises: a number that makes no sense is not answered.  Raises ValueError for a window beyond 1..32767.
    """

    __slots__ = (
        "_awaited",
        "_doubted",
        "_end",
        "_heard_at",
        "_measure_at",
        "_period",
        "_restart_at",
        "_rollover",
        "_sent_at",
        "_sent_twice",
        "_timing",
        "_unmeasured",
        "base",
        "deadline",
        "is_lost",
        "next",
        "retransmissions",
        "window",
    )

    base: int
    """The highest block that was acknowledged; -1 while not even the OACK was."""
    next: int
    """The block behind the highest that was sent."""
    deadline: float
    """When to call `expire`; infinite while nothing is under way."""
    is_lost: bool
    """Whether the client was given up."""
    retransmissions: int
    """Packets that left again."""

    def __init__(self, window: int, timing: Timing, *, rollover: int = 0, has_oack: bool = False, last: int | None = None) -> None:
        _check(window)
        self.window = window
        self.base = -1 if has_oack else 0
        self.next = self.base + 1
        self.deadline = math.inf
        self.is_lost = False
        self.retransmissions = 0
        self._timing = timing
        self._rollover = rollover
        self._period = 65536 - rollover
        self._end = ENDLESS if last is None else last + 1
        self._awaited = NOTHING  # the number on the wire that acknowledges all that is under way
        self._heard_at = self._sent_at = -math.inf
        self._measure_at = -math.inf
        self._unmeasured = -1  # up to this block it is not certain which sending is answered (Karn)
        self._sent_twice = -1  # up to this block
        self._doubted = NEVER  # the base behind which there may be a gap; the deadline is that of the doubt while it is the base
        self._restart_at = math.inf  # from when on an acknowledgement of nothing new starts the window again; never in lock-step

    @property
    def last(self) -> int | None:
        """The number of the last block; None while it is not known."""
        return None if self._end == ENDLESS else self._end - 1

    @last.setter
    def last(self, block: int | None) -> None:
        """Set it; what was asked for behind it is no longer."""
        self._end = ENDLESS if block is None else block + 1
        if self.next > self._end:
            self._expect(self._end)

    @property
    def is_finished(self) -> bool:
        """Whether the last block was acknowledged."""
        return self.base + 1 == self._end

    def wire_number(self, block: int) -> int:
        """The number of a block on the wire."""
        return wire_number(block, self._rollover)

    def start(self, now: float) -> tuple[int, int]:
        """Begin; returns what leaves first."""
        first = self.next
        self._expect(1 if first == 0 else min(first + self.window, self._end))
        self._heard_at = self._sent_at = now
        self.deadline = now + self._timing.timeout
        if self.window > 1:
            self._restart_at = now
        return first, self.next - first

    def sent(self, now: float) -> None:
        """What was asked for leaves only now, since it had to be fetched first: wait for the answer from here on."""
        if self._awaited == NOTHING:
            return
        self._heard_at += now - self._sent_at  # the client was not silent, it had nothing to answer
        self._sent_at = now
        self._wait(now)

    def acknowledge(self, wire: int, now: float) -> tuple[int, int] | None:
        """Take an ACK; returns what to send, or None: nothing, be it that the transfer `is_finished`, or that the ACK says nothing."""
        if wire != self._awaited:
            return self._acknowledge_part(wire, now)
        if now >= self._measure_at:
            self._measure(self.next - 1, now)
        first = self.next
        self.base = first - 1
        behind = first + self.window
        if behind > self._end:
            behind = self._end
            if behind == first:
                self._close()
                return None
        self.next = behind
        count = behind - first
        wire += count
        self._awaited = wire if wire < 65536 else wire - self._period  # wire_number(), which would cost a fourth of this method
        self._heard_at = self._sent_at = now
        self.deadline = now + self._timing.timeout
        return first, count

    def expire(self, now: float) -> tuple[int, int] | None:
        """The deadline has come: returns what to send again, or None: the client was silent for so long that it `is_lost`.

        How late it is called does not count as silence.
        """
        if self._awaited == NOTHING:
            return None
        if self.deadline >= self._heard_at + self._timing.give_up:
            self.is_lost = True
            self._close()
            return None
        self._heard_at += max(0.0, now - self.deadline)  # nobody listened that long: the process stood still, or the clock was set
        if self._doubted == self.base:
            self._doubted = NEVER
        else:
            self._timing.back_off()
        return self._send_again(now)

    def _acknowledge_part(self, wire: int, now: float) -> tuple[int, int] | None:
        """Take an ACK of less than all that is under way, or of what was never sent, or long ago."""
        block = nearest(wire, self.base, self._rollover)
        if block is None or not self.base <= block < self.next:
            return None
        if block == self.base:
            return self._send_again(now) if now >= self._restart_at else None
        if now >= self._measure_at:
            self._measure(block, now)
        self.base = block
        self._heard_at = now
        return self._send_again(now) if block > self._sent_twice else self._send_more(now)

    def _send_again(self, now: float) -> tuple[int, int]:
        """Send the window behind the base, whose blocks have left before, but for those that the base has moved on."""
        first = self.base + 1
        self.retransmissions += self.next - first
        self._sent_twice = self._unmeasured = self.next - 1
        self._sent_at = now
        if first:
            self._expect(min(first + self.window, self._end))
        if self.window > 1:
            self._restart_at = now + self._timing.timeout
        self._wait(now)
        return first, self.next - first

    def _send_more(self, now: float) -> tuple[int, int] | None:
        """Send what the window has room for behind what is under way, and doubt that this arrived."""
        first = self.next
        self._unmeasured = first - 1
        self._expect(min(self.base + 1 + self.window, self._end))
        self._sent_at = now
        self._doubted = self.base
        self.deadline = now + self._timing.round_trip
        return (first, self.next - first) if self.next > first else None

    def _expect(self, behind: int) -> None:
        self.next = behind
        self._awaited = wire_number(behind - 1, self._rollover)

    def _wait(self, now: float) -> None:
        self.deadline = min(now + self._timing.timeout, self._heard_at + self._timing.give_up)

    def _measure(self, block: int, now: float) -> None:
        if block > self._unmeasured:
            self._timing.sample(max(0.0, now - self._sent_at))
            self._measure_at = now + SAMPLE_INTERVAL
        else:
            self._timing.go_on(now - self._heard_at)

    def _close(self) -> None:
        self.next = self.base + 1  # nothing is under way, so that whatever comes speaks of nothing
        self._awaited = NOTHING
        self._restart_at = self.deadline = math.inf


class Receiver:
    """The end that receives blocks.

    A block is taken in order only; one behind a gap is dropped, and the last in order acknowledged, once for each time that the sender
    comes along (RFC 7440 4).  Nothing that a client sends raises.  Raises ValueError for a window beyond 1..32767.
    """

    __slots__ = (
        "_asked_at",
        "_asked_for",
        "_awaited",
        "_end",
        "_heard_at",
        "_measure_at",
        "_repeated",
        "_rollover",
        "_stray",
        "_taken_then",
        "_timing",
        "_window",
        "acknowledgement",
        "deadline",
        "duplicates",
        "is_complete",
        "taken",
    )

    taken: int
    """Blocks that were taken in order: the number of the last."""
    acknowledgement: int
    """The number on the wire of the last block that was taken; 0 at first (or the OACK)."""
    deadline: float
    """When to call `expire`; infinite before the start, and once complete."""
    is_complete: bool
    """Whether the last block was taken."""
    duplicates: int
    """Blocks that came again."""

    def __init__(self, window: int, timing: Timing, *, rollover: int = 0) -> None:
        _check(window)
        self.taken = 0
        self.acknowledgement = 0
        self.deadline = math.inf
        self.is_complete = False
        self.duplicates = 0
        self._window = window
        self._timing = timing
        self._rollover = rollover
        self._awaited = NOTHING  # the number on the wire of the next block
        self._end = window  # the block that is acknowledged when it comes
        self._heard_at = self._asked_at = -math.inf
        self._asked_for = 1  # the block that answers the last acknowledgement, if that was sent once only (Karn)
        self._measure_at = -math.inf
        self._stray = 0  # the last block that came behind a gap
        self._repeated = self._taken_then = 0  # the last block that came again, and what was taken then

    @property
    def interval(self) -> float:
        """Seconds to stay for, once the last block is acknowledged, in case it comes again: what the client may wait before it repeats."""
        return self._timing.repetition

    def start(self, now: float) -> None:
        """An acknowledgement leaves now: the first one (ACK 0, or an OACK), or one that had to wait until there was room for its blocks."""
        if self.is_complete:
            return
        self._awaited = wire_number(self.taken + 1, self._rollover)
        self._heard_at = self._asked_at = now
        self.deadline = now + self._timing.timeout

    def receive(self, wire: int, is_short: bool, now: float) -> int:
        """Take the number of a DATA packet, and whether it is shorter than a block; returns STORE | ACKNOWLEDGE, what to do with it.

        The last block is never to be acknowledged here: it is when the file is stored, and as often as it comes again after that.
        """
        if wire != self._awaited:
            return self._receive_stray(wire, now)
        self.taken = taken = self.taken + 1
        self.acknowledgement = wire
        if now >= self._measure_at:
            self._measure(now)
        self._heard_at = now
        self.deadline = now + self._timing.timeout
        if is_short:
            self._close(is_complete=True)
            return STORE
        self._awaited = wire + 1 if wire < 65535 else self._rollover
        if taken < self._end:
            return STORE
        self._end = taken + self._window
        self._asked_for = taken + 1
        self._asked_at = now
        return STORE | ACKNOWLEDGE

    def expire(self, now: float) -> bool:
        """The deadline has come: returns whether to send `acknowledgement` again; if not, the client was silent for so long that it is lost."""
        if self._awaited == NOTHING:
            return False
        if self.deadline >= self._heard_at + self._timing.give_up:
            self._close(is_complete=False)
            return False
        self._heard_at += max(0.0, now - self.deadline)  # as for the sender
        self._timing.back_off()
        self._ask_again()
        self.deadline = min(now + self._timing.timeout, self._heard_at + self._timing.give_up)
        return True

    def _receive_stray(self, wire: int, now: float) -> int:
        """Take a block that is not the next one."""
        if self._awaited == NOTHING:
            return 0
        block = nearest(wire, self.taken, self._rollover)
        if block is None or not self.taken - self._window < block <= self.taken + self._window:
            return 0  # no sender that works has this under way
        if block > self.taken:
            return self._receive_ahead(block)
        return self._receive_again(block)

    def _receive_ahead(self, block: int) -> int:
        """Take a block behind a gap: say so, but only once as long as the sender goes on, and has not come back."""
        is_known = self.taken < self._stray < block
        self._stray = block
        if is_known:
            return 0
        self._ask_again()
        return ACKNOWLEDGE

    def _receive_again(self, block: int) -> int:
        """Take a block that was taken before.

        An acknowledgement was lost, and the sender has gone back to this block: its window ends with the one that has to be acknowledged
        then, be it the last that was taken, or one that is still to come.
        """
        self.duplicates += 1
        if block <= self._repeated or self.taken != self._taken_then:
            self._end = min(self._end, block + self._window - 1)
        self._repeated, self._taken_then = block, self.taken
        if block != self.taken or block < self._end:
            return 0
        self._ask_again()
        return ACKNOWLEDGE

    def _ask_again(self) -> None:
        self._end = self.taken + self._window
        self._asked_for = NOTHING

    def _measure(self, now: float) -> None:
        if self.taken == self._asked_for:
            self._timing.sample(max(0.0, now - self._asked_at))
            self._measure_at = now + SAMPLE_INTERVAL
        elif self._asked_for == NOTHING:
            self._timing.go_on(now - self._heard_at)

    def _close(self, *, is_complete: bool) -> None:
        self.is_complete = is_complete
        self._awaited = NOTHING
        self.deadline = math.inf
