"""Rounds: every measure on every server, over and over, in turn."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from tests.bench.client import Refused
from tests.bench.field import Field
from tests.bench.measure import Measure

__all__ = ["Samples", "take"]

Samples = dict[str, dict[str, list[float]]]  # row -> server -> one figure a round


def take(
    field: Field, measures: Mapping[str, Measure], rounds: int, can: Callable[[str, Measure], bool]
) -> tuple[Samples, list[str]]:
    """Return the figures, and a sentence for each measure that a server failed: of that it has no figure, and is not asked again.

    The order rotates, so that whatever else the machine does hits all of them alike.
    """
    samples: Samples = {row: {} for measure in measures.values() for row in measure.rows}
    failures: dict[tuple[str, str], str] = {}
    for number in range(rounds):
        turn = number % len(field.names)
        for name, measure in measures.items():
            if measure.most_rounds is not None and number >= measure.most_rounds:
                continue
            for rival in field.names[turn:] + field.names[:turn]:
                if not can(rival, measure) or (rival, name) in failures:
                    continue
                print(f"round {number + 1}: {name} {rival}", file=sys.stderr)
                try:
                    figures = field.run(measure, rival)
                except (Refused, OSError, RuntimeError, AssertionError) as fault:
                    failures[rival, name] = f"{rival} failed {name}: {fault!r}"
                    field.drop(measure, rival)
                    for row in measure.rows:
                        samples[row].pop(rival, None)
                    continue
                for row, figure in figures.items():
                    samples[row].setdefault(rival, []).append(figure)
    return samples, list(failures.values())
