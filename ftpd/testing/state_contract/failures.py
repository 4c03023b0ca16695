"""Failed logins, and the bans that they earn an address.

Apart from places: of these others may hear late.
"""

from __future__ import annotations

from ftpd.testing.state_contract.trial import ADDRESS, StateTrial
from ftpd.values import Failures

__all__ = ["FailuresContract"]


class FailuresContract(StateTrial):
    """How failed logins are counted, as one worker sees it."""

    def test_failures_are_counted(self) -> None:
        state = self.open()
        assert [self.fail(state, most=9) for _ in range(3)] == [Failures(1), Failures(2), Failures(3)]

    def test_addresses_are_counted_apart(self) -> None:
        state = self.open()
        self.fail(state)
        assert self.fail(state, "2001:db8::/64") == Failures(1)

    def test_the_window_begins_with_the_first_failure(self) -> None:
        state = self.open()
        self.fail(state, most=9, window=60.0)
        self.clock.advance(59)
        assert self.fail(state, most=9, window=60.0) == Failures(2)
        self.clock.advance(1)
        assert self.fail(state, most=9, window=60.0) == Failures(1)

    def test_the_failure_that_makes_the_most_bans(self) -> None:
        state = self.open()
        self.clock.advance(1000)
        assert self.fail(state, most=2, ban=100.0) == Failures(1)
        assert state.banned_until(ADDRESS) == 0.0
        assert self.fail(state, most=2, ban=100.0) == Failures(2, banned_until=1100.0)
        assert state.banned_until(ADDRESS) == 1100.0

    def test_others_are_not_banned(self) -> None:
        state = self.open()
        self.fail(state, most=1)
        assert state.banned_until("192.0.2.2") == 0.0

    def test_a_failure_that_was_under_way_when_the_ban_began_does_not_shorten_it(self) -> None:
        state = self.open()
        self.fail(state, most=1, ban=500.0, window=10.0)
        self.clock.advance(20)
        assert self.fail(state, most=2, ban=5.0, window=10.0) == Failures(1, banned_until=500.0)
        assert state.banned_until(ADDRESS) == 500.0

    def test_a_ban_is_told_as_long_as_it_lasts(self) -> None:
        state = self.open()
        self.fail(state, most=1, ban=10.0, window=60.0)
        self.clock.advance(10)
        assert state.banned_until(ADDRESS) <= 10.0
        assert self.fail(state, most=9, window=60.0) == Failures(2)

    def test_a_most_of_0_never_bans(self) -> None:
        state = self.open()
        assert [self.fail(state, most=0) for _ in range(3)] == [Failures(1), Failures(2), Failures(3)]
        assert state.banned_until(ADDRESS) == 0.0
