"""Checks on what the whole run has heard: whether every reply is one that its command may get (RFC 959 5.4)."""

from __future__ import annotations

from ftpd.conformance.check import check
from ftpd.conformance.finding import demand, remark
from ftpd.conformance.probe import Probe
from ftpd.ftp.wire.automaton import ROWS, Row, key_of

_MOST_NAMED = 12


@check(959, "5.4")
def good_replies_are_of_the_list(probe: Probe) -> None:
    """Every 1yz, 2yz and 3yz of this run is one that the list of its command has."""
    found = _beyond(probe, is_good=True)
    demand(not found, f"beyond the lists: {_named(found)}")


@check(1123, "4.1.2.11")
def refusals_are_of_the_list(probe: Probe) -> None:
    """Every 4yz and 5yz of this run is one that the list of its command has; others may be used where they are needed."""
    found = _beyond(probe, is_good=False)
    if found:
        remark(f"beyond the lists of RFC 959 5.4: {_named(found)}")


def _beyond(probe: Probe, *, is_good: bool) -> set[tuple[str, int]]:
    found = set()
    for line, code in probe.ledger.replies:
        row = ROWS.get(key_of(line))
        if row is not None and (code < 400) is is_good and code not in _known(row):
            found.add((row.verb, code))
    return found


def _known(row: Row) -> frozenset[int]:
    """What the standard has for a verb; 502 and 504 are for any that is not there, or not with these words (RFC 959 4.2.2)."""
    return row.replies | {502, 504}


def _named(found: set[tuple[str, int]]) -> str:
    named = [f"{code} to {verb}" for verb, code in sorted(found)]
    return ", ".join(named[:_MOST_NAMED]) + (f" and {len(named) - _MOST_NAMED} more" if len(named) > _MOST_NAMED else "")
