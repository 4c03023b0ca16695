"""Rounds -> one table: medians, and ours against the best of the peers."""

from __future__ import annotations

import math
import statistics
from collections.abc import Collection, Iterable, Mapping, Sequence

__all__ = ["table"]

Samples = Mapping[str, Mapping[str, Sequence[float]]]  # row -> server -> one figure a round


def table(samples: Samples, more_is_better: Mapping[str, bool], servers: Sequence[str], floors: Collection[str] = ()) -> str:
    """Return a Markdown table: a median for each server, and how many times better the first server is than the best of the others.

    *floors* are servers that are shown, and no peers.  Best is who has the best median.  Ratios are taken within a round, where the servers met the same machine, and the median of those is
    shown.
    """
    ours, *peers = servers
    lines = [
        _row(["", *servers, f"{ours} is better than the best peer, times"]),
        _row(["---", *["---:"] * (len(servers) + 1)]),
    ]
    for name, by_server in samples.items():
        medians = [_figure(by_server.get(server)) for server in servers]
        is_better = more_is_better[name]
        best = _best({peer: by_server[peer] for peer in peers if by_server.get(peer) and peer not in floors}, is_better)
        ratio = _ratio(by_server.get(ours), by_server[best], is_better) if best is not None else "-"
        lines.append(_row([name, *medians, ratio if ratio == "-" else f"{ratio} ({best})"]))
    return "\n".join(lines)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _best(by_peer: Mapping[str, Sequence[float]], more_is_better: bool) -> str | None:
    if not by_peer:
        return None
    choose = max if more_is_better else min
    return choose(by_peer, key=lambda peer: statistics.median(by_peer[peer]))


def _figure(values: Sequence[float] | None) -> str:
    if not values:
        return "-"
    median = statistics.median(values)
    if math.isinf(median):
        return "never"
    return f"{median:,.0f}" if median >= 100 else f"{median:.1f}" if median >= 10 else f"{median:.3g}"


def _ratio(ours: Sequence[float] | None, theirs: Sequence[float], more_is_better: bool) -> str:
    if not ours:
        return "-"
    pairs = zip(ours, theirs, strict=True)
    ratios = [our / their if more_is_better else their / our for our, their in pairs if 0 < our < math.inf and 0 < their < math.inf]
    return f"{statistics.median(ratios):.2f}" if ratios else "-"
