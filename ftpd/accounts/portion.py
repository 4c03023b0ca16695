"""Portion: what one process may move of a rate that several have together.

Apart from `shares`, which has the processes tell each other: here is what each makes of it.

Who does not use all that it may goes on with a little more than it used.  What all those leave is divided among the others by how many want it.
So the sum is the rate, wherever the transfers are.  Who begins, or begins to want more, has little before the others had time to make room; what
was too much or too little all the same is made up for within seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from ftpd.accounts.gauge import Gauge
from ftpd.spi import Clock
from ftpd.transfer.pace import Bucket

__all__ = ["PERIOD_SECONDS", "Portion"]

PERIOD_SECONDS: Final = 0.25  # between two times that a process tells: a change is answered within two of them
_MEASURED_SECONDS: Final = 0.2  # what a shorter time shows is chance
_FORGIVEN_SECONDS: Final = (
    2.0  # what was too much or too little looks different from each process, and must not divide them for ever
)
_MOST_SAVED_SECONDS: Final = 0.25  # of the rate, after a rest: as much as a bucket holds
_MOST_OWED_SECONDS: Final = 1.0
_MARGIN: Final = 1 / 4  # more than it used may be used by who did not use all that it might
_FOOT: Final = 1 / 8  # of an equal part may be used beside that, and by who has just begun
_LEAST: Final = 1 / 64  # of the rate is there for whoever wants it, whatever the others say
_NAMES: Final = ("wants", "uses", "moves")  # by weight, and twice in bytes a second: after a reload the rate may differ


class Portion:
    """The portion of the rate that is called *key* in all processes; the *bucket* has it.

    *processes* is how many there are: as long as nobody answers they have equal parts.
    """

    __slots__ = (
        "_balance",
        "_bucket",
        "_fraction",
        "_gauge",
        "_grown_at",
        "_heard_at",
        "_known",
        "_now",
        "_others",
        "_part",
        "_rate",
        "_speed",
        "_wants",
        "is_told",
        "key",
    )

    _speed: float  # as a fraction of the rate, when it was looked at last
    _wants: float  # as told; 0.0: it does not use all that it may
    _known: float  # of that, what all others had time to hear of
    _others: _Others
    _balance: float  # seconds of the rate that all together could have moved and have not

    def __init__(self, bucket: Bucket, clock: Clock, key: str, processes: int = 1) -> None:
        self.key = key
        self.is_told = False
        """Whether the others know that something moves here."""
        self._bucket = bucket
        self._gauge = Gauge(bucket, clock.seconds)
        self._now = clock.seconds
        self._part = self._fraction = 1 / processes
        self._rate = 0
        self._grown_at = self._heard_at = clock.seconds()
        self._forget()

    @property
    def rate(self) -> int:
        """Bytes a second of all processes together, 0 for no limit."""
        return self._rate

    @rate.setter
    def rate(self, rate: int) -> None:
        self._rate = rate
        self._allow(self._fraction)

    def tell(self, wants: float) -> dict[str, float]:
        """Return what the others have to know, nothing where nothing moves; *wants* is how many share it here now, by weight."""
        if not self._rate or not (wants or self._gauge.moved):
            self._rest()
            return {}
        wants = wants or self._wants or self._part
        if not self.is_told:
            self._begin(wants)
        elif self._gauge.seconds >= _MEASURED_SECONDS:
            speed, is_all_used = self._gauge.read()
            self._speed = speed / self._rate
            self._want(wants if is_all_used or self._speed > self._others.leave(wants) else 0.0)
        amounts = (self._wants, self._use * self._rate, self._speed * self._rate)
        return {f"{name}/{self.key}": amount for name, amount in zip(_NAMES, amounts, strict=True)}

    def hear(self, totals: Mapping[str, float]) -> None:
        """Go by what all have told, this process included."""
        if self.is_told and self._rate:
            wanted, used, moved = (totals.get(f"{name}/{self.key}", 0.0) for name in _NAMES)
            self._others = _Others(max(0.0, wanted - self._wants), max(0.0, used / self._rate - self._use))
            self._settle(moved / self._rate)
            self._allow(self._share())

    def stand_for(self, here: int, in_all: float) -> None:
        """Of an account with *in_all* sessions *here* are so many: in the line of the server it has that part of an account's place."""
        self._bucket.place.stride = max(1.0, in_all / here)

    def _share(self) -> float:
        """Return the fraction of the rate to go on with."""
        others = self._others
        if others.are_none:
            return 1.0
        foot = self._part * _FOOT
        if not self._wants:
            return min(1.0, self._speed * (1 + _MARGIN) + foot)
        known = self._wants if self._is_known else min(self._known, self._wants)
        return max(others.leave(known), min(self._speed + foot, others.leave(self._wants))) * (1 + self._balance)

    @property
    def _use(self) -> float:
        """What it uses and does not want more than, as a fraction of the rate."""
        return 0.0 if self._wants else self._speed

    @property
    def _is_known(self) -> bool:
        """Whether all others have had their turn since this process wanted more."""
        return self._now() - self._grown_at >= PERIOD_SECONDS * 0.9  # timers are not that exact

    def _want(self, wants: float) -> None:
        if wants > self._wants:
            if self._is_known:
                self._known = self._wants
            self._grown_at = self._now()
        self._wants = wants

    def _settle(self, moved: float) -> None:
        """Add to the balance, where all together move such a fraction."""
        now = self._now()
        passed, self._heard_at = max(0.0, now - self._heard_at), now
        balance = self._balance * max(0.0, 1 - passed / _FORGIVEN_SECONDS) + passed * (1 - moved)
        self._balance = min(_MOST_SAVED_SECONDS, max(-_MOST_OWED_SECONDS, balance))

    def _allow(self, fraction: float) -> None:
        self._fraction = fraction
        self._gauge.allow(max(1, round(self._rate * fraction)) if self._rate else 0)

    def _begin(self, wants: float) -> None:
        self.is_told = True
        self._gauge.read()
        self._heard_at = self._grown_at = self._now()
        self._wants = wants

    def _rest(self) -> None:
        """Nothing moves here, and the others need not know of it."""
        if self.is_told:
            self.is_told = False
            self._forget()
            self._allow(self._part)

    def _forget(self) -> None:
        self._speed = self._wants = self._known = self._balance = 0.0
        self._others = _NOBODY


class _Others(NamedTuple):
    """What the others tell in sum: how much those want who want more, by weight, and what the rest use, as a fraction of the rate."""

    want: float
    use: float

    @property
    def are_none(self) -> bool:
        return not self.want and not self.use

    def leave(self, wants: float) -> float:
        """Return the part of the rate that is for who wants with this weight."""
        return max(_LEAST, 1 - self.use) * wants / (wants + self.want) if wants else 0.0


_NOBODY: Final = _Others(0.0, 0.0)
