"""`python -m tests.bench`: measure ours beside the peers, interleaved, and print one table."""

from __future__ import annotations

import argparse
import fnmatch
import os
import resource
import sys
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.bench import daemons, tftp_daemons
from tests.bench.catalogue import DISK, catalogue
from tests.bench.field import Field
from tests.bench.machine import machine, versions
from tests.bench.measure import Measure
from tests.bench.report import table
from tests.bench.rounds import take
from tests.bench.servers import BARE, OURS, PYTHON, Surroundings, can, start
from tests.bench.tree import make_tree
from tests.integration import fuse

_DEFAULT_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--peer-python", default=sys.executable, help="interpreter that has pyftpdlib, twisted and pyopenssl")
    parser.add_argument(
        "--peer-user",
        metavar="NAME:PASSWORD",
        help="a user of this system: measure " + ", ".join(daemons.NAMES) + " too, where they are installed; needs root",
    )
    parser.add_argument("--peer-path", default=_DEFAULT_PATH, help="where to look for their programs (default: PATH, and sbin)")
    parser.add_argument("--rounds", type=int, default=5, help="how often each server is measured (default: 5)")
    parser.add_argument("--entries", type=int, default=100_000, help="entries of the large directory (default: 100000)")
    parser.add_argument("--only", default="", help="measures or patterns, separated by commas: " + ", ".join(catalogue(0)))
    parser.add_argument("--servers", default="", help="servers, ours first (default: all that there are)")
    parser.add_argument(
        "--logs", choices=("on", "off"), default="on", help="each server's default log to a file, or none (default: on)"
    )
    parser.add_argument("--workers", type=int, default=0, help="worker processes of ours (default: 0, one process does it all)")
    parser.add_argument("--scratch", default="/dev/shm", help="directory for the served tree (default: %(default)s, memory)")
    parser.add_argument("--disk", help="directory on a real disk, for " + " and ".join(DISK))
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 16_384)), hard))
    with ExitStack() as ending:
        surroundings = _surroundings(arguments, ending)
        names = tuple(arguments.servers.split(",")) if arguments.servers else _all_servers(arguments)
        field = Field(names, partial(start, surroundings=surroundings))
        ending.callback(field.stop)
        measures = _chosen(arguments)
        able = partial(_can, peer_path=arguments.peer_path)
        samples, failures = take(field, measures, arguments.rounds, able)
        for has_tftp in (False, True):
            shown = {name: measure for name, measure in measures.items() if measure.shape.has_tftp == has_tftp}
            rows = {row: better for measure in shown.values() for row, better in measure.rows.items()}
            rivals = [name for name in names if any(able(name, measure) for measure in shown.values())]
            if rows:
                print(table({row: samples[row] for row in rows}, rows, rivals, {BARE}), end="\n\n")
        print(
            f"{machine()}; {versions(names, surroundings)}; {arguments.rounds} rounds; logs {arguments.logs}; {arguments.workers} workers"
        )
    if failures:
        sys.exit("\n".join(failures))


def _surroundings(arguments: argparse.Namespace, ending: ExitStack) -> Surroundings:
    scratch = _directory(arguments.scratch, ending)
    return Surroundings(
        root=make_tree(scratch),
        disk_root=make_tree(_directory(arguments.disk, ending)) if arguments.disk else None,
        scratch=scratch,
        peer_python=arguments.peer_python,
        peer_path=arguments.peer_path,
        peer_user=_peer_user(arguments.peer_user),
        has_logs=arguments.logs == "on",
        workers=arguments.workers,
    )


def _directory(parent: str, ending: ExitStack) -> Path:
    directory = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="ftpd-bench-", dir=parent)))
    directory.chmod(0o755)  # some servers act as the user who logs in
    return directory


def _peer_user(text: str | None) -> tuple[str, str] | None:
    if text is None:
        return None
    name, _, password = text.partition(":")
    return name, password


def _all_servers(arguments: argparse.Namespace) -> tuple[str, ...]:
    path = arguments.peer_path
    wanted = daemons.NAMES if arguments.peer_user else ()
    present = [name for name in wanted if daemons.installed(name, path)]
    present += [name for name in tftp_daemons.NAMES if tftp_daemons.installed(name, path)]
    return (OURS, *PYTHON, *present)


def _chosen(arguments: argparse.Namespace) -> dict[str, Measure]:
    """Return the measures asked for, or all that this machine has what it takes for."""
    measures = catalogue(arguments.entries)
    if arguments.only:
        return {name: measures[name] for pattern in arguments.only.split(",") for name in _matching(pattern, measures)}
    lacking = {*(() if arguments.disk else DISK), *(("slow-disk", "slow-disk-local") if fuse.lacks() else ())}
    return {name: measure for name, measure in measures.items() if name not in lacking}


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    if not (found := fnmatch.filter(names, pattern)):
        sys.exit(f"no measure is called {pattern}")
    return found


def _can(name: str, measure: Measure, peer_path: str) -> bool:
    return name not in measure.leaves_out and can(name, measure.shape, peer_path)


if __name__ == "__main__":
    main()
