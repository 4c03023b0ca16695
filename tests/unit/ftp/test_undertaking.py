from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.ftp.states import Stop
from ftpd.ftp.undertaking import Undertaking
from ftpd.paths import VirtualPath
from ftpd.testing.dialogue import Dialogue

PATH = VirtualPath.parse("/tree")


@pytest.fixture
def session():
    return Dialogue(login="ann").session


def ended(undertaking):
    """What `turn` comes to: a list with its result, once there is one."""
    results = []
    turned = Deferred.fromCoroutine(undertaking.turn())
    turned.addBoth(results.append)
    return turned, results


def test_it_is_shown_while_it_lasts(session):
    with Undertaking(session, "RMDA", "removal", PATH, 10) as work:
        work.advance(3)
        work.advance(4)
        transfer = session.transfer
        assert (transfer.command, transfer.direction, transfer.path, transfer.size, transfer.moved) == (
            "RMDA",
            "removal",
            PATH,
            10,
            7,
        )
    assert session.transfer is None


def test_it_is_shown_no_more_after_an_error(session):
    with pytest.raises(ValueError, match="broken"), Undertaking(session, "RMDA", "removal", PATH):
        raise ValueError("broken")
    assert session.transfer is None


def test_its_seconds_are_those_of_the_clock(session):
    with Undertaking(session, "DSIZ", "count", PATH) as work:
        session.factory.reactor.advance(2.5)
        assert work.seconds == 2.5


def test_a_turn_lets_the_reactor_turn(session):
    with Undertaking(session, "DSIZ", "count", PATH) as work:
        _, results = ended(work)
        assert results == []
        session.factory.reactor.advance(0)
        assert results == [None]


def test_a_turn_after_a_stop_is_cancelled(session):
    with Undertaking(session, "DSIZ", "count", PATH) as work:
        _, results = ended(work)
        session.stop = Stop.ABORTED
        session.factory.reactor.advance(0)
        assert results[0].check(CancelledError)


def test_a_turn_that_is_cancelled_leaves_nothing_on_the_reactor(session):
    with Undertaking(session, "DSIZ", "count", PATH) as work:
        before = len(session.factory.reactor.getDelayedCalls())
        turned, results = ended(work)
        turned.cancel()
        assert results[0].check(CancelledError)
        assert len(session.factory.reactor.getDelayedCalls()) == before


def test_rates_of_the_session_do_not_hold_it(session):
    with Undertaking(session, "DSIZ", "count", PATH) as work:
        assert session.slow(1)
        work.advance(1_000_000)
        assert work.moved == 1_000_000
