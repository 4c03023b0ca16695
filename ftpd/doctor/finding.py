"""Finding: one thing that the doctor says, and the cure.

Apart from those who find, since all of them write the same lines.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

__all__ = ["Finding", "Weight", "fault", "good", "note", "report", "warning"]


class Weight(enum.Enum):
    """How bad it is."""

    GOOD = "ok"
    NOTE = "note"  # worth knowing
    WARNING = "warning"  # wrong for some clients, or at some times
    FAULT = "fault"  # transfers fail


@attrs.frozen
class Finding:
    """One sentence, and one that says what to change where there is something to change."""

    weight: Weight
    text: str
    cure: str = ""


_COLUMN: Final = max(len(weight.value) for weight in Weight) + 2


def good(text: str) -> Finding:
    return Finding(Weight.GOOD, text)


def note(text: str, cure: str = "") -> Finding:
    return Finding(Weight.NOTE, text, cure)


def warning(text: str, cure: str) -> Finding:
    return Finding(Weight.WARNING, text, cure)


def fault(text: str, cure: str) -> Finding:
    return Finding(Weight.FAULT, text, cure)


def report(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield the lines for a terminal, as they are found: a weight and the sentence, and the cure below it."""
    for finding in findings:
        yield f"{finding.weight.value:<{_COLUMN}}{finding.text}"
        if finding.cure:
            yield f"{'':<{_COLUMN}}{finding.cure}"
