from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpd.login.turn import in_turn
from ftpd.testing.fakes import HeldThreads, InlineThreads, result_of


@pytest.fixture
def threads() -> HeldThreads:
    return HeldThreads()


def test_the_result_of_the_check_is_told(threads: HeldThreads) -> None:
    answer = in_turn(threads, divmod, 7, 2)
    threads.finish()
    assert result_of(answer) == (3, 1)


def test_what_the_check_raises_is_told() -> None:
    with pytest.raises(ZeroDivisionError):
        result_of(in_turn(InlineThreads(), divmod, 7, 0))


def test_nothing_is_checked_for_who_has_gone_when_it_is_their_turn(threads: HeldThreads) -> None:
    checked: list[str] = []
    gone, here = in_turn(threads, checked.append, "gone"), in_turn(threads, checked.append, "here")
    gone.cancel()
    with pytest.raises(CancelledError):
        result_of(gone)
    with pytest.raises(CancelledError):
        threads.calls.pop(0)[0]()
    threads.finish()
    result_of(here)
    assert checked == ["here"]


@pytest.mark.parametrize("end", [7, Failure(ValueError())])  # type: ignore[no-untyped-call]
def test_an_answer_for_who_has_gone_meanwhile_is_nobodys(threads: HeldThreads, end: object) -> None:
    answer = in_turn(threads, int)
    answer.cancel()
    call: Deferred[object] = threads.calls.pop()[1]
    call.callback(end)
    assert result_of(call) is None
    with pytest.raises(CancelledError):
        result_of(answer)
