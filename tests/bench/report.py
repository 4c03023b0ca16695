"""Rounds -> one table: medians, and ours against each peer."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["table"]

Samples = Mapping[str, Mapping[str, Sequence[float]]]  # row -> server -> one figure a round


def table(samples: Samples, more_is_better: Mapping[str, bool], servers: Sequence[str]) -> str:
    """Return a Markdown table: a median for each server, and how many times better the first server is than each of the others.

    Ratios are taken within a round, where the servers met the same machine, and the median of those is shown.
    """
    ours, *peers = servers
    lines = [
        _row(["", *servers, *(f"{ours} is better than {peer}, times" for peer in peers)]),
        _row(["---", *["---:"] * (len(servers) + len(peers))]),
    ]
    for name, by_server in samples.items():
        medians = [_figure(by_server.get(server)) for server in servers]
        ratios = [_ratio(by_server.get(ours), by_server.get(peer), more_is_better[name]) for peer in peers]
        lines.append(_row([name, *medians, *ratios]))
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _figure(values: Sequence[float] | None) -> str:
    if not values:
        return "-"
    median = statistics.median(values)
    return f"{median:,.0f}" if median >= 100 else f"{median:.1f}" if median >= 10 else f"{median:.2f}"


def _ratio(ours: Sequence[float] | None, theirs: Sequence[float] | None, more_is_better: bool) -> str:
    if not ours or not theirs:
        return "-"
    pairs = zip(ours, theirs, strict=True)
    ratios = [our / their if more_is_better else their / our for our, their in pairs if our > 0 and their > 0]
    return f"{statistics.median(ratios):.2f}" if ratios else "-"
