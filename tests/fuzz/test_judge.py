"""The judge of walks objects to what no server may say, and to no order of answers that a server may have."""

from __future__ import annotations

import pytest

from ftpd.ftp.wire.automaton import START, State, step
from tests.judge import Judge

LOGGED_IN = step(START, "PASS", 230)


def begun() -> Judge:
    """Judge a session in which RETR was answered by 150."""
    judge = Judge(LOGGED_IN)
    for line, code in (("EPSV", 229), ("RETR a", 150)):
        judge.says(line)
        judge.hears(code)
    return judge


def lines_left(judge: Judge, *codes: int) -> int:
    for code in codes:
        judge.hears(code)
    return judge.outstanding


def test_reply_to_nothing_is_a_fault() -> None:
    judge = Judge()
    judge.says("NOOP")
    judge.hears(200)
    with pytest.raises(AssertionError, match="200 is no reply"):
        judge.hears(200)


def test_reply_that_another_state_has_is_a_fault() -> None:
    judge = Judge(LOGGED_IN)
    judge.says("RETR a")
    with pytest.raises(AssertionError, match="150 is no reply"):
        judge.hears(150)


def test_second_preliminary_reply_is_a_fault() -> None:
    with pytest.raises(AssertionError, match="150 is no reply"):
        begun().hears(150)


@pytest.mark.parametrize("codes", [(200, 226), (226, 200)])
def test_noop_is_answered_beside_a_transfer_or_behind_it(codes: tuple[int, int]) -> None:
    judge = begun()
    judge.says("NOOP")
    assert lines_left(judge, *codes) == 0


def test_what_is_not_beside_is_never_answered_before_the_transfer() -> None:
    judge = begun()
    judge.says("CWD dir")
    judge.says("NOOP")
    with pytest.raises(AssertionError, match="200 is no reply"):
        judge.hears(200)


@pytest.mark.parametrize("codes", [(426, 226, 350), (226, 350, 226)])
def test_abor_passes_what_waits_or_comes_too_late(codes: tuple[int, ...]) -> None:
    judge = begun()
    judge.says("RNFR a")
    judge.says("ABOR")
    assert lines_left(judge, *codes) == 0


def test_abor_that_is_known_to_pass_is_not_answered_last() -> None:
    judge = begun()
    judge.says("RNFR a")
    judge.says("ABOR", overtakes=True)
    judge.hears(426)
    with pytest.raises(AssertionError, match="350 is no reply"):
        judge.hears(350)


def test_noop_said_at_once_with_a_transfer_is_answered_behind_its_150() -> None:
    judge = Judge(LOGGED_IN)
    judge.says("EPSV")
    judge.hears(229)
    judge.says("STOR new")
    judge.says("NOOP")
    assert lines_left(judge, 150, 200, 226) == 0


def test_what_nobody_can_tell_is_told_as_such() -> None:
    judge = begun()
    said = judge.says("MLST a")
    assert {answered.line for answered in judge.hears(250)} == {"RETR a", "MLST a"}
    assert (judge.waits(said), judge.is_in(State.TRANSFERRING), judge.outstanding) == (None, None, 1)


def test_a_fault_tells_the_dialogue() -> None:
    judge = Judge()
    judge.says("SYST")
    judge.hears(215)
    judge.says("FEAT")
    with pytest.raises(AssertionError, match=r"(?s)\n\nC: SYST\nS: 215\nC: FEAT\nS: 999"):
        judge.hears(999)
