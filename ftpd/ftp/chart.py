"""The automaton's page, written from the table itself: `python -m ftpd.ftp.chart` prints `docs/automaton.md`.

Apart from `manual`, which tells what each command does: this tells what may be answered when.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from ftpd.ftp.wire.automaton import MOVES, ROWS, START, Axis, Move, Row, State

__all__ = ["automaton_page"]

_HEAD = """\
# The automaton

Generated from `ftpd/ftp/wire/automaton.py` by `python -m ftpd.ftp.chart`.

Which replies each verb may get in each state. Property tests drive the server with random sessions and hold every reply against this
table, in memory and live: over sockets, in clear and in TLS, with real data connections. `ftpd conformance` judges other servers by the
part of it that is the standard's.

Every command gets exactly one final reply (2yz to 5yz), in the order in which commands came; NOOP, STAT and the other commands that
`docs/commands.md` marks *beside* are answered during a transfer, and ABOR right behind the transfer that it stops. 421 and 500 and 501 may
answer any command (RFC 959 4.2.2, 5.4). Commands that need a login are refused before it.
"""


def automaton_page() -> str:
    """Return the text of `docs/automaton.md`."""
    return "\n".join([_HEAD, *_states(), *_replies(), *_narrowed(), *_moves(), *_departures()])


def _states() -> Iterator[str]:
    yield "## States\n\nA session is in one state of each axis; those in bold are where it begins.\n"
    yield "| axis | state | when |\n|---|---|---|"
    for axis in Axis:
        for state in (state for state in State if state.axis is axis):
            name = f"**{_name(state)}**" if state in START else _name(state)
            yield f"| {axis.value} | {name} | {state.meaning} |"
    yield ""


def _replies() -> Iterator[str]:
    yield "## Replies\n\nOf the standard, and this server's beyond them, whose reasons are below.\n"
    yield "| verb | begins | succeeds | is refused | beyond | defined in |\n|---|---|---|---|---|---|"
    for row in ROWS.values():
        kinds = (_codes(row.replies, 1), _codes(row.replies, 2, 3), _codes(row.replies, 4, 5), _codes(row.also))
        yield f"| {row.verb} | {' | '.join(kinds)} | {row.source} |"
    yield ""


def _narrowed() -> Iterator[str]:
    yield "## Replies by state\n\nWhere a state leaves fewer of them. In several states at once, what all of them leave.\n"
    yield "| state | verbs | may be answered |\n|---|---|---|"
    for (states, codes), verbs in _cells().items():
        yield f"| {', '.join(map(_name, states))} | {', '.join(verbs)} | {_codes(codes)} |"
    yield ""


def _cells() -> dict[tuple[tuple[State, ...], frozenset[int]], list[str]]:
    """Return the verbs that are left the same replies in the same states, in the order of the states."""
    together: dict[tuple[tuple[State, ...], frozenset[int]], list[str]] = {}
    for row in ROWS.values():
        alike: dict[frozenset[int], list[State]] = {}
        for state, codes in row.narrowed.items():
            alike.setdefault(codes & row.known, []).append(state)
        for codes, states in alike.items():
            together.setdefault((tuple(states), codes), []).append(row.verb)
    order = list(State)
    return dict(sorted(together.items(), key=lambda cell: [order.index(state) for state in cell[0][0]]))


def _moves() -> Iterator[str]:
    yield "## Moves\n\nWhat a reply changes. 421 to anything closes the session.\n"
    yield "| verb | answered by | leads to | defined in |\n|---|---|---|---|"
    for move in MOVES:
        yield f"| {', '.join(move.verbs)} | {_answers(move)} | {', '.join(map(_name, move.states))} | {move.source} |"
    yield ""


def _answers(move: Move) -> str:
    codes = "any final reply" if len(move.codes) > 100 else _codes(move.codes)
    return f"{codes}, while {_name(move.within)}" if move.within is not None else codes


def _departures() -> Iterator[str]:
    yield "## Beyond the standard's lists\n\nRFC 1123 4.1.2.11 lets a server use another code than those of RFC 959 5.4 where it is needed, by the rules of 4.2. These are needed:\n"
    together: dict[str, list[Row]] = {}
    for row in ROWS.values():
        if row.also:
            together.setdefault(row.reason, []).append(row)
    for reason, rows in together.items():
        yield f"- {', '.join(row.verb for row in rows)}: {reason}."
    yield ""


def _name(state: State) -> str:
    return state.name.lower().replace("_", " ")


def _codes(codes: Iterable[int], *digits: int) -> str:
    return " ".join(str(code) for code in sorted(codes) if not digits or code // 100 in digits)


if __name__ == "__main__":
    sys.stdout.write(automaton_page())
