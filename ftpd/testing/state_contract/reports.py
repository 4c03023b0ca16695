"""What a worker reports, sessions and shares, and the requests that it finds in return.

Apart from what a login asks: nobody waits for a report.
"""

from __future__ import annotations

import attrs
import pytest

from ftpd.testing.state_contract.trial import KICK, StateTrial, row
from ftpd.values import Request, SessionRow

__all__ = ["ReportsContract"]


class ReportsContract(StateTrial):
    """What is told of sessions, shares and requests, as one worker sees it."""

    def test_sessions_are_told_oldest_first(self) -> None:
        state = self.open()
        self.report(state, row("c", 2.0), row("a", 3.0))
        self.report(state, row("b", 1.0))
        assert self.sessions(state) == [("worker", "b"), ("worker", "c"), ("worker", "a")]

    def test_a_row_is_told_as_it_was_reported_with_its_worker(self) -> None:
        state = self.open()
        whole = SessionRow(
            session="a",
            address="2001:db8::1",
            port=65535,
            listener="name",
            protocol="ftp",
            since=1234567890.125,
            heard=1234567891.5,
            account="zoë \udce9 🙂",
            is_anonymous=True,
            host="a.example",
            client='say "hello"\n',
            tls="TLSv1.3",
            command="RETR",
            direction="download",
            path="/a\\b/\udcff\x00'; drop table sessions",
            size=2**63,
            moved=2**53 + 1,
            transfer_since=0.5,
        )
        self.report(state, whole)
        [told] = self.wait(state.sessions())
        assert told == attrs.evolve(whole, worker="worker")

    def test_a_row_that_is_reported_again_takes_the_place_of_the_first(self) -> None:
        state = self.open()
        self.report(state, row("a", moved=1, size=None))
        self.report(state, row("a", moved=2, size=5))
        assert [(found.moved, found.size) for found in self.wait(state.sessions())] == [(2, 5)]

    def test_a_session_that_is_gone_is_told_no_more(self) -> None:
        state = self.open()
        self.report(state, row("a"), row("b"))
        self.report(state, gone=["a", "never there"])
        assert self.sessions(state) == [("worker", "b")]

    def test_a_session_that_is_new_and_gone_in_one_report_is_gone(self) -> None:
        state = self.open()
        self.report(state, row("a"), gone=["a"])
        assert self.sessions(state) == []

    # What all have together.

    def test_a_share_is_told_by_the_sums(self) -> None:
        state = self.open()
        assert self.share(state, server=2.5, ann=0.125) == {"server": 2.5, "ann": 0.125}

    def test_a_share_takes_the_place_of_the_one_before(self) -> None:
        state = self.open()
        self.share(state, server=2.5)
        assert self.share(state, server=1.0) == {"server": 1.0}

    @pytest.mark.parametrize("key", ["latin \udce9", "a\0b", '"', "\\", ""])
    def test_the_key_of_a_share_is_any_text(self, key: str) -> None:
        assert self.share(self.open(), **{key: 1.0, "other": 2.0}) == {key: 1.0, "other": 2.0}

    def test_who_shares_nothing_is_told_of_nothing(self) -> None:
        assert self.share(self.open()) == {}

    # Requests.

    def test_a_request_is_found_with_the_next_report_and_once(self) -> None:
        state = self.open()
        self.wait(state.ask(KICK))
        assert list(self.report(state)) == [KICK]
        assert list(self.report(state)) == []

    def test_requests_keep_their_order(self) -> None:
        state = self.open()
        asked = [Request("kick", "session", str(number)) for number in range(5)]
        for request in asked:
            self.wait(state.ask(request))
        assert list(self.report(state)) == asked

    def test_a_request_is_told_as_it_was_asked(self) -> None:
        state = self.open()
        request = Request("kick", "account", 'zoë \udce9\0 "')
        self.wait(state.ask(request))
        assert list(self.report(state)) == [request]

    def test_a_request_of_this_worker_reaches_it(self) -> None:
        state = self.open("this one")
        self.wait(state.ask(Request("drain", "worker", "this one")))
        assert list(self.report(state)) == [Request("drain", "worker", "this one")]

    def test_a_request_of_another_worker_does_not(self) -> None:
        state = self.open("this one")
        self.wait(state.ask(Request("drain", "worker", "another")))
        assert list(self.report(state)) == []
