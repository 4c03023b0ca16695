"""The automaton's table: what it leaves in which state, and where a reply leads."""

from __future__ import annotations

import pytest

from ftpd.ftp.commands import standard_commands
from ftpd.ftp.wire.automaton import MOVES, ROWS, START, Axis, State, allowed, key_of, step


def at(*states: State) -> frozenset[State]:
    """The beginning, with these in the place of the states of their axes."""
    axes = {state.axis for state in states}
    return frozenset(state for state in START if state.axis not in axes) | set(states)


def test_a_session_begins_in_one_state_of_each_axis() -> None:
    assert sorted(state.axis.value for state in START) == sorted(axis.value for axis in Axis)


def test_every_command_served_has_a_row() -> None:
    assert {row.verb for row in standard_commands().values()} - ROWS.keys() == set()


def test_every_alias_is_known_as_its_verb() -> None:
    aliases = {alias: row.verb for row in standard_commands().values() for alias in row.aliases}
    assert {alias: key_of(alias) for alias in aliases} == aliases


def test_every_row_says_where_it_is_defined_and_why_it_says_more() -> None:
    assert [row.verb for row in ROWS.values() if not row.source or (row.also and not row.reason)] == []


def test_every_row_can_succeed_and_can_be_refused() -> None:
    assert [row.verb for row in ROWS.values() if not any(200 <= code < 400 for code in row.replies)] == []
    assert [row.verb for row in ROWS.values() if not row.replies >= {421, 500, 501}] == []


def test_every_move_is_of_verbs_and_replies_that_there_are() -> None:
    for move in MOVES:
        assert set(move.verbs) <= ROWS.keys()
        assert all(move.codes & ROWS[verb].known for verb in move.verbs)


def test_the_lists_of_the_documents_are_kept() -> None:
    rfc_959 = {110, 125, 150, 226, 250, 421, 425, 426, 450, 451, 452, 500, 501, 530, 532, 551, 552, 553}
    assert ROWS["STOR"].replies == rfc_959 | {554, 555} | {534, 535} | {521, 522}  # RFC 1123 4.1.3.4, 2228 8.2, 4217 10.2
    assert ROWS["USER"].replies == {230, 232, 331, 332, 336, 421, 500, 501, 530}
    assert ROWS["OPTS"].replies == {200, 421, 451, 500, 501, 502}
    assert ROWS["RNTO"].replies == {250, 421, 500, 501, 502, 503, 530, 532, 553}
    assert ROWS["NOOP"].replies == {200, 421, 500, 501}


@pytest.mark.parametrize(
    ("verb", "states", "codes"),
    [
        ("RETR", at(), {421, 500, 501, 530}),
        ("PASS", at(), {421, 500, 501, 503, 530}),
        ("RNTO", at(State.LOGGED_IN), {421, 500, 501, 503, 530}),
        ("PASV", at(State.LOGGED_IN, State.EXTENDED_ONLY), {421, 500, 501, 502, 503, 530}),
        ("ABOR", at(State.LOGGED_IN, State.TRANSFERRING), {225, 226, 421, 500, 501}),
        ("PBSZ", at(), {421, 500, 501, 503, 530}),
        ("AUTH", at(State.PROTECTED), {421, 500, 501, 502, 503, 504, 534}),
        ("AUTH", at(State.IMPLICIT), {421, 500, 501, 502, 503, 504, 534}),
    ],
)
def test_a_state_leaves_fewer_replies(verb: str, states: frozenset[State], codes: set[int]) -> None:
    assert allowed(ROWS[verb], states) == codes


def test_no_transfer_begins_unannounced() -> None:
    left = {verb: allowed(ROWS[verb], at(State.LOGGED_IN)) for verb in ("RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD")}
    assert {verb: codes for verb, codes in left.items() if min(codes) < 400} == {}


@pytest.mark.parametrize(
    ("before", "verb", "code", "after"),
    [
        (at(), "USER", 331, at(State.NAMED)),
        (at(State.NAMED), "PASS", 230, at(State.LOGGED_IN)),
        (at(State.NAMED), "PASS", 530, at()),
        (at(State.LOGGED_IN), "PASV", 227, at(State.LOGGED_IN, State.ANNOUNCED)),
        (at(State.LOGGED_IN, State.ANNOUNCED), "RETR", 150, at(State.LOGGED_IN, State.TRANSFERRING)),
        (at(State.LOGGED_IN, State.TRANSFERRING), "RETR", 451, at(State.LOGGED_IN)),
        (at(State.LOGGED_IN, State.ANNOUNCED), "RETR", 550, at(State.LOGGED_IN, State.ANNOUNCED)),
        (at(State.LOGGED_IN), "RNFR", 350, at(State.LOGGED_IN, State.RENAMING)),
        (at(State.LOGGED_IN, State.RENAMING), "RNFR", 550, at(State.LOGGED_IN)),
        (at(State.LOGGED_IN, State.RENAMING), "NOOP", 200, at(State.LOGGED_IN, State.RENAMING)),
        (at(State.LOGGED_IN, State.EXTENDED_ONLY), "REIN", 220, at()),
        (at(State.LOGGED_IN), "AUTH", 234, at(State.PROTECTED)),
        (at(State.LOGGED_IN, State.PROTECTED), "REIN", 220, at()),
        (at(State.LOGGED_IN, State.IMPLICIT), "REIN", 220, at(State.IMPLICIT)),
        (at(State.LOGGED_IN, State.PROTECTED), "CCC", 200, at(State.LOGGED_IN)),
        (at(State.LOGGED_IN, State.IMPLICIT), "CCC", 200, at(State.LOGGED_IN)),
        (at(State.LOGGED_IN), "NOOP", 421, at(State.CLOSED)),
    ],
)
def test_a_reply_leads_on(before: frozenset[State], verb: str, code: int, after: frozenset[State]) -> None:
    assert step(before, verb, code) == after


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("noop", "NOOP"),
        ("RETR a b", "RETR"),
        ("EPSV", "EPSV"),
        ("EPSV all", "EPSV ALL"),
        ("site chmod 600 a", "SITE CHMOD"),
        ("SITE QWOP", ""),
        ("P@SW", "PASV"),
        ("QWOP", ""),
        ("", ""),
    ],
)
def test_a_line_has_a_key(line: str, key: str) -> None:
    assert key_of(line) == key
