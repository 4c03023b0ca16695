"""`python -m tests.bench.scaling`: what a second, third, fourth worker brings where there are cores to spare.

Apart from the table: there, clients and workers fill two cores between them, and a second worker is no second core.  Here each worker has
a small share of a core to itself (`shares`), so that neither the clients nor the other workers stand in its way; figures compare
with one another, and with nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Final

from tests.bench.measures import commands, files
from tests.bench.process import family
from tests.bench.servers import OURS, Server, Shape, Surroundings, start
from tests.bench.shares import held_to
from tests.bench.tree import make_tree

_MEASURES: Final = {"logins/s (8 at once)": commands.login, "8 x 4 KiB RETR files/s": files.retrieve_by_eight}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--workers", default="1,2,4", help="how many, separated by commas, one worker first (default: %(default)s)")
    parser.add_argument("--share", type=float, default=0.2, help="of a core, for each worker (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (default: %(default)s)")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    counts = [int(count) for count in arguments.workers.split(",")]
    figures: dict[str, dict[int, list[float]]] = {row: {count: [] for count in counts} for row in _MEASURES}
    with tempfile.TemporaryDirectory(prefix="ftpd-bench-", dir="/dev/shm") as directory:
        scratch = Path(directory)
        root = make_tree(scratch)
        for _ in range(arguments.rounds):
            for count in counts:
                server = start(OURS, Shape(), _surroundings(scratch, root, count))
                try:
                    with held_to(arguments.share, _workers(server, count)):
                        for row, measure in _MEASURES.items():
                            figures[row][count].append(measure.run(server)[row])
                finally:
                    server.stop()
    print("|  |", " | ".join(f"workers = {count}" for count in counts), "| times as many as the first |")
    print("| --- |", " ---: |" * (len(counts) + 1))
    for row, by_count in figures.items():
        medians = [statistics.median(by_count[count]) for count in counts]
        ratios = ", ".join(f"{median / medians[0]:.2f}" for median in medians[1:])
        print(f"| {row} |", " | ".join(f"{median:,.0f}" for median in medians), f"| {ratios} |")


def _surroundings(scratch: Path, root: Path, workers: int) -> Surroundings:
    return Surroundings(
        root=root,
        disk_root=None,
        scratch=scratch,
        peer_python="",
        peer_path="",
        peer_user=None,
        has_logs=False,
        workers=workers,
    )


def _workers(server: Server, count: int) -> list[int]:
    """Return the processes that serve: all but the parent."""
    parent, *children = family(server.pid)
    assert len(children) == count, f"{count} workers, and {len(children)} processes below {parent}"
    return children


if __name__ == "__main__":
    main()
