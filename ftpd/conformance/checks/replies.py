"""Checks on what the whole run has heard: whether every reply is one that its command may get (RFC 959 5.4, RFC 1123 4.1.2.11)."""

from __future__ import annotations

from ftpd.conformance.check import check
from ftpd.conformance.finding import demand, remark
from ftpd.conformance.probe import Probe
from ftpd.ftp.wire.automaton import ROWS, Row, key_of

_MOST_NAMED = 12
_FOR_ANY = frozenset({502, 504, 530})  # not there, not with these words, not before a login (RFC 959 4.2.2)


@check(959, "5.4")
def replies_lead_where_they_should(probe: Probe) -> None:
    """No 1yz, 2yz or 3yz of this run is a surprise: the list of its command has others with this first digit."""
    found = {(verb, code) for verb, code in _beyond(probe) if code < 400 and code // 100 not in _digits(ROWS[verb])}
    demand(not found, f"beyond the lists: {_named(found)}")


@check(1123, "4.1.2.11")
def replies_are_of_the_list(probe: Probe) -> None:
    """Every reply of this run is one that the list of its command has; others may be used where they are needed."""
    found = _beyond(probe)
    if found:
        remark(f"beyond the lists: {_named(found)}")


def _beyond(probe: Probe) -> set[tuple[str, int]]:
    """Return verbs and what they were answered by beyond the lists of RFCs; what only drafts define has none."""
    found = set()
    for line, code in probe.ledger.replies:
        row = ROWS.get(key_of(line))
        if row is not None and row.source.startswith("RFC") and code not in row.replies | _FOR_ANY:
            found.add((row.verb, code))
    return found


def _digits(row: Row) -> set[int]:
    return {code // 100 for code in row.replies}


def _named(found: set[tuple[str, int]]) -> str:
    named = [f"{code} to {verb}" for verb, code in sorted(found)]
    return ", ".join(named[:_MOST_NAMED]) + (f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else "")
