"""What a measure is, and what names its rows in the table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from tests.bench.servers import Server, Shape

__all__ = ["Figures", "Measure", "named"]

Figures = Mapping[str, float]


@attrs.frozen
class Measure:
    """One measure; `rows` are the figures it gives, by name, with whether more is better.

    `leaves_out` names servers that cannot do it.  `is_of_memory`: it needs a server just started, for memory once freed is not asked for
    again, and a second round would find nothing.  `shape`: the server it needs.  `most_rounds`: where one takes too long for more.
    """

    run: Callable[[Server], Figures]
    rows: Mapping[str, bool]
    leaves_out: frozenset[str] = frozenset()
    is_of_memory: bool = False
    shape: Shape = attrs.field(factory=Shape)
    most_rounds: int | None = None


def named(figures: Figures, server: Server) -> Figures:
    """Return *figures* under the names of their rows: those over TLS stand beside the same in clear."""
    return {f"TLS {name}": figure for name, figure in figures.items()} if server.shape.has_tls else figures
