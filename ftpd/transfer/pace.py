"""Pace: token buckets, one above the other, that hold transfers to a rate and share it fairly.

Apart from the pumps, which only ask (`spi.Pace`), and from who has which rate (`accounts.rates`).  It has no timers: whoever may not move
bytes now is told when to ask again.

A bucket fills at its rate, from empty, up to a quarter of a second's worth; a transfer moves what every bucket from its own up to the
server's can give.  Who waits at a bucket stands in a line, by fair queueing with the virtual time of SFQ (Goyal, Vin, Cheng, SIGCOMM
1996): a child's tag is the bytes that it was given, lifted to the tag last served when it comes after a rest, and next is who would have
the lowest tag afterwards.  So children that all want more get the same, and what a child does not want goes to the others, and is not
saved up.  Only those stand in a line that the buckets below would let go: a slow account never holds up the server.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Final

from ftpd.spi import Clock

__all__ = ["Bucket", "TransferPace"]

_BURST_SECONDS: Final = 0.25  # of a rate at once: in 10 s of it, 2.5 % too much at most
# A grant is what a system call is worth, or more, so that there are neither too many for a transfer nor in all:
_WORTH_BYTES: Final = 16 * 1024
_TURN_SECONDS: Final = 1 / 64  # of the transfer's share of the rate
_GRANT_SECONDS: Final = 1 / 1024  # of the whole rate
# But it is less where that would leave some without a turn, or fill the bucket, where who comes a little late has lost something:
_ROUND_SECONDS: Final = 0.5  # of the transfer's share
_PART_SECONDS: Final = 1 / 16  # of the whole rate
_LEAST_BYTES: Final = 32  # however many share however little
_LEAST_PAUSE: Final = 0.001  # what epoll can tell apart
_MOST_PAUSE: Final = 0.25  # so soon a changed rate is felt, and a bucket is not full before somebody asks
_PAUSE_OF_EACH: Final = 1 / 64  # times those in line, where these are few: of many, one asks soon
_GRACE_SECONDS: Final = 0.25  # whoever is later than that is waited for no more: the transfer may be over
_MOST_COUNTED: Final = 64  # places in line looked at one by one; with a thousand it would be most of the work

_serials = itertools.count()


class _Place:
    """A child's place at its bucket: its tag, and while it stands in line its tag afterwards, the bytes it wants and when it comes for them.

    Each byte counts `stride` times: twice for who is to have half of what the others have.
    """

    __slots__ = ("due", "is_waiting", "need", "next_tag", "serial", "stride", "tag")

    def __init__(self) -> None:
        self.stride = 1.0
        self.tag = 0
        self.next_tag = 0
        self.serial = next(_serials)
        self.need = 1
        self.due = 0.0
        self.is_waiting = False


class Bucket:
    """The rate of a transfer, a session, an account or a server, below *parent*."""

    __slots__ = ("__weakref__", "_clock", "_filled_at", "_line", "_rate", "_tokens", "_virtual", "parent", "place", "spent")

    def __init__(self, clock: Clock, parent: Bucket | None = None, rate: int = 0) -> None:
        self.parent = parent
        self.place = _Place()
        self.spent = 0  # bytes in all
        self._clock = clock
        self._rate = rate
        self._tokens = 0.0
        self._filled_at = clock.seconds()
        self._virtual = 0  # the tag last served
        self._line: list[tuple[int, int, _Place]] = []  # by next tag; places and no children, for those would be cycles

    @property
    def rate(self) -> int:
        """Bytes a second, 0 for no limit.  It may be set at any time; who waits feels it within a quarter of a second."""
        return self._rate

    @rate.setter
    def rate(self, rate: int) -> None:
        if rate != self._rate:
            self.fill(self._clock.seconds())
            self._rate = rate
            self._tokens = min(self._tokens, self._burst)

    @property
    def waiting(self) -> int:
        """How many children stand in line."""
        return len(self._line)

    def fill(self, now: float) -> float:
        """Let in what came since the last time, and return the bytes that are there."""
        passed = max(0.0, now - self._filled_at)  # the system's clock may be set back
        self._tokens = min(self._burst, self._tokens + passed * self._rate)
        self._filled_at = now
        return self._tokens

    def spend(self, count: int) -> None:
        """Take *count* bytes out; a negative number puts them back in."""
        self._tokens = min(self._burst, self._tokens - count)
        self.spent += count

    def grant(self, sharers: int) -> int:
        """Return how many bytes to give at a time where so many share the rate."""
        if not self._rate:
            return _WORTH_BYTES
        rate, share = self._rate, self._rate / sharers
        worth = max(_WORTH_BYTES, share * _TURN_SECONDS, rate * _GRANT_SECONDS)
        least = min(_LEAST_BYTES, rate * _PART_SECONDS)
        return max(1, int(max(least, min(worth, share * _ROUND_SECONDS, rate * _PART_SECONDS))))

    # The line.

    def enter(self, child: Bucket, most: int, now: float) -> int:
        """Let *child*, which could use *most* bytes, stand in line, and return how many are before it."""
        place, line = child.place, self._line
        while line and line[0][2].due + _GRACE_SECONDS < now:
            self._leave(line[0][2])
        tag = place.tag if place.is_waiting else max(place.tag, self._virtual)
        self._leave(place)  # also where it is only asking again: what it would be given may be less now
        place.tag = tag
        place.next_tag = tag + int(min(most, self.grant(len(line) + 1)) * place.stride)
        place.is_waiting = True
        insort(line, (place.next_tag, place.serial, place))
        return bisect_left(line, (place.next_tag, place.serial))

    def owed(self, count: int) -> int:
        """Return the bytes that the first *count* in line want."""
        counted = min(count, _MOST_COUNTED)
        owed = sum(place.need for _, _, place in self._line[:counted])
        return owed * count // counted if counted else 0

    def serve(self, child: Bucket, count: int, now: float) -> None:
        """Note that *child* was given *count* bytes.  It goes to its new place in line where others wait in its own that it can let go."""
        place, line = child.place, child._line
        self._leave(place)
        self._virtual = max(self._virtual, place.tag)
        place.tag += int(count * place.stride)
        if line and (not child._rate or child._tokens >= line[0][2].need):
            place.need, place.due = line[0][2].need, line[0][2].due
            self.enter(child, place.need, now)

    def take_back(self, child: Bucket, count: int, now: float) -> None:
        """Note that *child* had no use for *count* bytes of what it was given."""
        place, was_waiting = child.place, child.place.is_waiting
        self._leave(place)
        place.tag -= int(count * place.stride)
        if was_waiting:
            self.enter(child, place.need, now)

    def _leave(self, place: _Place) -> None:
        if place.is_waiting:
            place.is_waiting = False
            del self._line[bisect_left(self._line, (place.next_tag, place.serial))]

    @property
    def _burst(self) -> float:
        return max(1.0, self._rate * _BURST_SECONDS) if self._rate else 0.0


class TransferPace:
    """The `spi.Pace` of one transfer: of its *own* bucket and of all above it."""

    __slots__ = ("_chain", "_clock", "_due")

    def __init__(self, clock: Clock, own: Bucket) -> None:
        self._clock = clock
        self._chain = tuple(_upwards(own))
        self._due = 0.0

    @property
    def is_limited(self) -> bool:
        """Whether any of the buckets has a rate now."""
        return bool(self._limiting())

    def take(self, most: int) -> int:
        chain = self._limiting()
        if not chain:
            return most
        now = self._clock.seconds()
        given, owed, sharers = most, 0, 1
        for depth, bucket in enumerate(chain):
            if depth:
                ahead = bucket.enter(chain[depth - 1], given, now)
                # Whoever is before us in the line below has a turn of its own here, and between two turns all others have theirs.
                owed = bucket.owed(ahead) + owed * bucket.waiting
                sharers *= bucket.waiting
            if bucket.rate:
                tokens = bucket.fill(now)
                need = min(given, bucket.grant(sharers))
                if owed + need > tokens:
                    return self._wait(chain[: depth + 1], need, now, owed + need - tokens)
                given = need if sharers > 1 else min(given, int(tokens))
        self._count(chain, given, now)
        return given

    def give_back(self, count: int) -> None:
        now = self._clock.seconds()
        child: Bucket | None = None
        for bucket in self._limiting():
            bucket.spend(-count)
            if child is not None:
                bucket.take_back(child, count, now)
            child = bucket

    def pause(self) -> float:
        return max(0.0, self._due - self._clock.seconds())

    def _limiting(self) -> tuple[Bucket, ...]:
        """Return the buckets up to the highest that has a rate: one without, below it, still gives its children the same."""
        chain = self._chain
        for depth in range(len(chain), 0, -1):
            if chain[depth - 1].rate:
                return chain[:depth]
        return ()

    def _wait(self, chain: tuple[Bucket, ...], need: int, now: float, lacking: float) -> int:
        """Keep the places in line that were reached, the last of them at the bucket that lacks so much."""
        last = chain[-1]
        longest = min(_MOST_PAUSE, max(_PART_SECONDS, last.waiting * _PAUSE_OF_EACH))
        self._due = now + max(_LEAST_PAUSE, min(longest, lacking / last.rate))
        for bucket in chain[:-1]:
            bucket.place.need, bucket.place.due = need, self._due
        return 0

    def _count(self, chain: tuple[Bucket, ...], given: int, now: float) -> None:
        child: Bucket | None = None
        for bucket in chain:
            bucket.spend(given)
            if child is not None:
                bucket.serve(child, given, now)
            child = bucket


def _upwards(own: Bucket) -> Iterator[Bucket]:
    bucket: Bucket | None = own
    while bucket is not None:
        yield bucket
        bucket = bucket.parent
