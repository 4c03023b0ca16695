from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.state.calls import Close, GiveBack, Sessions


def test_a_call_without_an_answer_is_not_awaited():
    assert not GiveBack("a").is_awaited


def test_a_call_is_awaited_until_it_is_given_up():
    call = Sessions()
    call.answer = Deferred()
    assert call.is_awaited
    call.is_given_up = True
    assert not call.is_awaited


def test_a_cancelled_call_is_not_awaited():
    call = Sessions()
    call.answer = Deferred()
    call.answer.cancel()
    assert not call.is_awaited
    with pytest.raises(CancelledError):
        call.answer.result.raiseException()
    call.answer.addErrback(lambda failure: None)


def test_the_end_is_awaited_whoever_waits():
    assert Close().is_awaited


def test_calls_with_the_same_words_are_two():
    assert len({GiveBack("a"), GiveBack("a")}) == 2
