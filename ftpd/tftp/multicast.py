"""A group of clients that fetch one file together (RFC 2090): whose turn it is to ask for blocks, and who only listens.

Apart from sockets and clock, as the windows are, and for the same reason.  A download asks its seat what it would ask a window machine.

The oldest is the master: it alone asks, each of its acknowledgements being the wish for the block behind it, and what is sent to it all others
take as well.  When it has everything, the next hears by an OACK that it is the master now, and asks from the first block on that it lacks
(RFC 2090 3).  Who came in the middle gets the rest in that way.  Only the master has a deadline: the others have nothing to answer.

A master that leaves three packets in a row unanswered goes to the end of the line, if others wait; the second time it is given up.  So a client
that is gone holds up the others for two times three repetitions at most, and one that had to pause for a while is not lost by that.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from ftpd.tftp.timing import Timing

__all__ = ["MOST_BLOCKS", "Group", "Seat"]

MOST_BLOCKS = 65535
"""Of a file: an acknowledgement may speak of any block, and nothing would tell one round of numbers from the next."""

UNANSWERED = 3  # packets in a row


class Group:
    """The seats of those who fetch a file of *last* blocks, in the order of their turns: the first is the master's."""

    __slots__ = ("_is_promoting", "_seats", "last", "sent")

    sent: int
    """How many blocks have left."""

    def __init__(self, last: int) -> None:
        self.last = last
        self.sent = 0
        self._seats: list[Seat] = []
        self._is_promoting = False

    def __len__(self) -> int:
        return len(self._seats)

    def join(self, timing: Timing) -> Seat:
        """Return a seat for one more client, the master if it is alone; *timing* is its own."""
        seat = Seat(self, timing, is_master=not self._seats)
        self._seats.append(seat)
        return seat

    def leave(self, seat: Seat, now: float) -> None:
        """Free *seat*, and have the next one lead if it was the master's; may be called twice."""
        if seat in self._seats:
            self._seats.remove(seat)
            self._promote(now)

    def pass_on(self, now: float) -> None:
        """Send the master to the end of the line."""
        seat = self._seats.pop(0)
        self._seats.append(seat)
        seat.rest()
        self._promote(now)

    def _promote(self, now: float) -> None:
        """Have the first lead.  It may be gone when it is told, and leave: so this goes on until one leads, and not by calling itself."""
        if self._is_promoting:
            return
        self._is_promoting = True
        try:
            while self._seats and not self._seats[0].is_master:
                self._seats[0].lead(now)
        finally:
            self._is_promoting = False


class Seat:
    """One client's place in a *group*.  It takes the part of a `window.Sender`, which has the meaning of the methods.

    Nothing that a client sends raises: a number that makes no sense is not answered.
    """

    __slots__ = (
        "_group",
        "_heard_at",
        "_is_repeated",
        "_joined_at",
        "_passes",
        "_sent_at",
        "_timing",
        "_unanswered",
        "base",
        "deadline",
        "is_lost",
        "is_master",
        "last",
        "next",
        "retransmissions",
        "told",
    )

    base: int
    """The block up to which the client has said that it has everything; -1 as long as it has said nothing."""
    next: int
    """The block behind the one that it has asked for; 1 while a master has not answered its OACK."""
    told: Callable[[], None]
    """Called when the client has become the master, or is it no longer, and has to hear of it."""

    def __init__(self, group: Group, timing: Timing, *, is_master: bool) -> None:
        self.told = _nobody
        self.is_master = is_master
        self.is_lost = False
        self.base = -1
        self.next = 1
        self.last: int | None = group.last
        self.deadline = math.inf
        self.retransmissions = 0
        self._group = group
        self._joined_at = group.sent
        self._timing = timing
        self._sent_at = self._heard_at = -math.inf
        self._is_repeated = False  # what was sent last: an answer is no sample then (Karn)
        self._unanswered = 0
        self._passes = 0

    @property
    def is_finished(self) -> bool:
        """Whether the client has said that it has everything."""
        return self.base == self._group.last

    @property
    def awaits_oack(self) -> bool:
        """Whether the client may lack the OACK: nothing shows that it has come."""
        return not self.is_master or self.next == 1

    @property
    def has_listened(self) -> bool:
        """Whether blocks have left since the client is here."""
        return self._group.sent > self._joined_at

    def start(self, now: float) -> tuple[int, int]:
        """Answer the request: by the OACK, whoever is the master."""
        if self.is_master:
            self._begin(now)
        return 0, 1

    def lead(self, now: float) -> None:
        """Be the master from now on."""
        self.is_master = True
        self._begin(now)
        self.told()

    def rest(self) -> None:
        """Be the master no longer."""
        self.is_master = False
        self.deadline = math.inf
        self.told()

    def sent(self, now: float) -> None:
        """What was asked for leaves only now: wait for the answer from here on."""
        if self.is_master:
            self._heard_at += now - self._sent_at  # the client was not silent, it had nothing to answer
            self._wait(now)

    def acknowledge(self, wire: int, now: float) -> tuple[int, int] | None:
        """Take an ACK; returns what to send, or None.

        One of the last block counts from everybody, and ends the client's part.  Any other counts from the master only, and forward only:
        one of what was acknowledged before came late, or twice, and answering it would have every block sent twice from there on.
        """
        last = self._group.last
        if wire == last:
            self.base = last
            self.deadline = math.inf
            return None
        if not self.is_master or not self.next - 1 <= wire < last:
            return None
        if self._is_repeated:
            self._timing.go_on(now - self._heard_at)
        else:
            self._timing.sample(now - self._sent_at)
        self.base = wire
        self.next = wire + 2
        self._heard_at = now
        self._is_repeated = False
        self._unanswered = self._passes = 0
        self._group.sent += 1
        self._wait(now)
        return wire + 1, 1

    def expire(self, now: float) -> tuple[int, int] | None:
        """The deadline has come: returns what to send again, or None: the client `is_lost`, or it is another one's turn."""
        if not self.is_master or self.is_finished:
            return None
        self._unanswered += 1
        is_tired = self._unanswered >= UNANSWERED and len(self._group) > 1
        if now >= self._heard_at + self._timing.give_up or (is_tired and self._passes):
            self.is_lost = True
            self.deadline = math.inf
            return None
        if is_tired:
            self._passes += 1
            self._group.pass_on(now)
            return None
        self._timing.back_off()
        self._is_repeated = True
        self.retransmissions += 1
        self._group.sent += self.next > 1
        self._wait(now)
        return self.next - 1, 1

    def _begin(self, now: float) -> None:
        """Await the answer to an OACK."""
        self.next = 1
        self._heard_at = now
        self._is_repeated = False
        self._unanswered = 0
        self._wait(now)

    def _wait(self, now: float) -> None:
        self._sent_at = now
        self.deadline = min(now + self._timing.timeout, self._heard_at + self._timing.give_up)


def _nobody() -> None:
    """Nobody is told."""
