"""How long to wait for the other side before a packet is sent again.

Apart from the windows, which say what is sent again: this is RFC 6298 at the scale of TFTP, as RFC 1123 4.2.3.2 demands.
"""

from __future__ import annotations

__all__ = ["Timing"]

LEAST = 0.2  # seconds; what Linux has for TCP.  Firmware that writes to flash pauses longer than any network.
LEAST_ROUND_TRIP = 0.02  # seconds; less than that is the whim of two schedulers
MARGIN = 0.01  # seconds that the next round trip may take longer than the last
PATIENCE = 3  # intervals that a client gets at least, if it has asked for long ones
EXACT = 6  # repetitions at the interval that was agreed; whoever has not answered then is not there, or in need of a rest


class Timing:
    """The retransmission timeout of one transfer, all in seconds.

    `first` is the timeout before anything was measured, `longest` the most that it grows to, `give_up` the silence that means that nobody
    is there.  `fixed` is the interval of RFC 2349 where one was agreed: it is kept to exactly, six times in a row; after that it grows as
    any other does, or an `utimeout` of 10 ms would send a window 3000 times to a client that is gone.
    """

    __slots__ = (
        "_deviation",
        "_estimate",
        "_fixed",
        "_longest",
        "_repetitions",
        "_smoothed",
        "give_up",
        "round_trip",
        "timeout",
    )

    timeout: float
    """Silence after which to send again, now."""
    give_up: float
    """Silence after which to stop; never less than the timeout."""
    round_trip: float
    """Time in which an answer is to be expected, by what was measured alone; never more than the timeout."""

    def __init__(self, first: float, longest: float, give_up: float, fixed: float | None = None) -> None:
        self._fixed = fixed
        self.give_up = max(give_up, PATIENCE * (fixed or 0.0))
        self._longest = min(max(longest, fixed or 0.0), self.give_up)
        self.timeout = min(first, self._longest) if fixed is None else fixed
        self.round_trip = self._estimate = self.timeout
        self._smoothed = -1.0
        self._deviation = 0.0
        self._repetitions = 0

    @property
    def repetition(self) -> float:
        """How long the other side may take to send again what was lost: the interval that was agreed, or the longest that we would."""
        return self._fixed or self._longest

    def sample(self, seconds: float) -> None:
        """Take in the round trip of something that was sent once only (Karn's rule is the caller's), and take back the back-off."""
        self._repetitions = 0
        if self._smoothed < 0:
            self._smoothed, self._deviation = seconds, seconds / 2
        else:
            self._deviation += (abs(self._smoothed - seconds) - self._deviation) / 4
            self._smoothed += (seconds - self._smoothed) / 8
        measured = self._smoothed + 4 * self._deviation
        self._estimate = min(max(LEAST, measured), self._longest) if self._fixed is None else self._fixed
        self.round_trip = min(max(LEAST_ROUND_TRIP, measured), self._estimate)
        self.timeout = self._estimate

    def go_on(self, seconds: float) -> None:
        """Something new was heard, *seconds* after what it answers was sent first, and is no sample, for that was sent twice.

        No answer took longer than that, whichever sending it is to: so long the next one is waited for, and if it comes there is a sample.
        RFC 6298 keeps the back-off until then.  At 10 % loss that would be twice the time in all; and a client that loses the end of each
        window, since its buffer is smaller, would be waited for longer and longer.
        """
        self._repetitions = 0
        self.timeout = min(self.timeout, max(self._estimate, seconds + MARGIN))

    def back_off(self) -> None:
        """Double the timeout, as the last one passed in vain (RFC 6298 5.5)."""
        self._repetitions += 1
        if self._fixed is None or self._repetitions > EXACT:
            self.timeout = min(2 * self.timeout, self._longest)
