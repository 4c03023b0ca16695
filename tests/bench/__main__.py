"""`python -m tests.bench`: measure ours beside the peers, interleaved, and print one table.

Every round measures each server once, the order rotating, so that whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.bench.measures import Figures, Measure, measures
from tests.bench.report import table
from tests.bench.servers import NAMES, Server, start
from tests.bench.tree import make_tree


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has pyftpdlib, twisted and pyopenssl")
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is measured (default: 5)")
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the large directory (default: 100000)")
    parser.add_argument("--only", default="", help="measures, separated by commas: " + ", ".join(measures(0)))
    parser.add_argument("--servers", default=",".join(NAMES), help="servers, ours first (default: %(default)s)")
    parser.add_argument(
        "--logs", choices=("on", "off"), default="on", help="each server's default log to a file, or none (default: on)"
    )
    parser.add_argument("--scratch", default="/dev/shm", help="directory for the served tree (default: %(default)s, memory)")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    names = arguments.servers.split(",")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))
    with tempfile.TemporaryDirectory(prefix="ftpd-bench-", dir=arguments.scratch) as scratch:
        root = make_tree(Path(scratch), arguments.entries)
        field = Field(
            names, partial(start, root=root, scratch=Path(scratch), peer_python=arguments.peer_python, logs=arguments.logs == "on")
        )
        try:
            print(_measure_all(field, arguments))
        finally:
            field.stop()
    print(f"\n{_machine()}; {_peers(arguments.peer_python)}; {arguments.rounds} rounds; logs {arguments.logs}")


class Field:
    """The servers that run beside each other; those with TLS are others than those without, which shall not carry its weight."""

    def __init__(self, names: Sequence[str], begin: Callable[..., Server]) -> None:
        self.names = tuple(names)
        self._begin = begin
        self._running: dict[tuple[str, bool], Server] = {}

    def server(self, name: str, *, is_new: bool = False, has_tls: bool = False) -> Server:
        """Return the running server *name*, started now if it is not, or if it shall be a new one."""
        key = name, has_tls
        if is_new and key in self._running:
            self._running.pop(key).stop()
        if key not in self._running:
            self._running[key] = self._begin(name, has_tls=has_tls)
        return self._running[key]

    def stop(self) -> None:
        for server in self._running.values():
            server.stop()


def _measure_all(field: Field, arguments: argparse.Namespace) -> str:
    chosen = {name: measure for name, measure in measures(arguments.entries).items() if name in (arguments.only or name).split(",")}
    more_is_better = {row: better for measure in chosen.values() for row, better in measure.rows.items()}
    samples: dict[str, dict[str, list[float]]] = {row: {} for row in more_is_better}
    for number in range(arguments.rounds):
        turn = number % len(field.names)
        for name, measure in chosen.items():
            for rival in field.names[turn:] + field.names[:turn]:
                if rival in measure.leaves_out:
                    continue
                print(f"round {number + 1}: {name} {rival}", file=sys.stderr)
                for row, figure in _run(field, measure, rival, arguments.entries).items():
                    samples[row].setdefault(rival, []).append(figure)
    return table(samples, more_is_better, field.names)


def _run(field: Field, measure: Measure, rival: str, entries: int) -> Figures:
    return measure.run(field.server(rival, is_new=measure.is_of_memory, has_tls=measure.is_of_tls), entries)


def _machine() -> str:
    cores = len(os.sched_getaffinity(0))
    congestion = Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip()
    return f"{cores} cores, Linux {platform.release()}, Python {platform.python_version()}, TCP {congestion}"


def _peers(peer_python: str) -> str:
    """Return the peers' versions, as their interpreter tells them."""
    program = (
        "from importlib.metadata import version; print(', '.join(f'{name} {version(name)}' for name in ('pyftpdlib', 'twisted')))"
    )
    return subprocess.run([peer_python, "-c", program], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main()
