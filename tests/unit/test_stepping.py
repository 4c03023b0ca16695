"""A coroutine stepped by hand."""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.stepping import stepped


def test_a_coroutine_that_never_waits_gives_its_result():
    async def work():
        return 1

    assert stepped(work()) == 1


def test_one_that_raises_before_it_waits_raises_here():
    async def work():
        raise KeyError("x")

    with pytest.raises(KeyError):
        stepped(work())


def test_one_that_waits_goes_on_from_where_it_stands():
    waiting, seen = Deferred(), []

    async def work():
        seen.append("begun")
        seen.append(await waiting)
        return "done"

    result = stepped(work())
    assert seen == ["begun"]
    waiting.callback("woken")
    results = []
    result.addCallback(results.append)
    assert (seen, results) == (["begun", "woken"], ["done"])


def test_cancelling_reaches_what_it_waits_for():
    cancelled, results = [], []

    async def work():
        await Deferred(cancelled.append)

    result = stepped(work())
    result.addErrback(lambda failure: results.append(failure.type))
    result.cancel()
    assert len(cancelled) == 1
    assert results == [CancelledError]
