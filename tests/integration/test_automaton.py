"""The automaton's table holds for a live server: over sockets, in clear and in TLS, with real data connections, in one process and in two.

Apart from the walk in memory (`tests/fuzz/test_automaton.py`), which takes the same steps: what only a network has is here, replies and ends that
cross, connections that nobody makes, resets, handshakes.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from ftpd.storage.names import is_staging
from tests.integration.conftest import Running, end
from tests.integration.fleet import Fleet, wait_until
from tests.integration.live import ConfiguredServer
from tests.integration.live_walk import LiveWalk
from tests.walk_steps import ANN, FILES, OPENINGS, STEPS

IMPLICIT: Final = "127.0.0.2"
BIG_BYTES: Final = 8 * 1024 * 1024  # more than the sockets of a loopback connection hold that nobody reads
SETTINGS: Final[dict[str, Any]] = {
    "listen": [{"address": "127.0.0.1", "port": 0}, {"address": IMPLICIT, "port": 0, "implicit_tls": True}],
    "anonymous": {"enabled": True, "home": "/public"},
    "storage": {"local": {"durable": "none", "cut_upload": "discard"}},
    "ftp": {
        "timeouts": {"data_connect": 0.5},
        "tls": {"ccc": True},
        "deflate": {"enabled": True},
        "files": {"remove_trees": True, "make_links": True},
    },
}
WAYS_OUT: Final = st.sampled_from(["QUIT", "QUIT", "(hang up)", "(reset)"])
PRIVATE: Final = [*ANN, "PBSZ 0", "PROT P"]

# No shrinking, and no second failure: they would walk for minutes, and the first one tells the whole dialogue.
walked = settings(max_examples=100, phases=[Phase.explicit, Phase.generate], report_multiple_bugs=False)


class Ground:
    """What walks go over: a server with Ann's account, her files, and what the server's *processes* hold while nobody is there."""

    def __init__(self, server: ConfiguredServer, processes: Callable[[], set[int]]) -> None:
        self._server = server
        self._processes = processes
        (server.root / "public").mkdir()
        self._ann = server.add("ann")
        self._attic = server.root.parent / "attic"
        self._attic.mkdir()
        self._numbers = itertools.count()
        self._at_rest = self._held()

    def walk(self, steps: list[str], way_out: str, *, is_implicit: bool = False) -> None:
        """Take *steps*, and leave; everything was answered as the table has it, and the server holds no more than before."""
        self._lay_files()
        host = IMPLICIT if is_implicit else "127.0.0.1"
        walk = LiveWalk(self._ann._replace(host=host, port=self._server.ports[host]), is_implicit=is_implicit)
        try:
            for step in steps:
                walk.take(step)
            walk.leave(way_out)
        finally:
            walk.close()
        wait_until(lambda: self._held() == self._at_rest, f"nothing is held after {walk.judge.transcript}")

    def _held(self) -> tuple[int, list[str]]:
        """Return how many sockets are open, and which files of clients are open or staged."""
        targets = [target for process in self._processes() for target in _descriptors(process)]
        root = os.fspath(self._server.root.resolve()) + "/"
        sockets = sum(target.startswith("socket:") for target in targets)
        staged = [name for _, _, names in os.walk(root) for name in names if is_staging(name)]
        return sockets, [target for target in targets if target.startswith(root)] + staged

    def _lay_files(self) -> None:
        """Give Ann a new home; the old one is put away as it is, for a command of a session that was reset may still be at work in it."""
        self._ann.home.rename(self._attic / str(next(self._numbers)))
        self._ann.home.mkdir()
        for name, content in FILES.items():
            path = self._ann.home / name[1:]
            if content is None:
                path.mkdir(parents=True)
            else:
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(content)
        os.truncate(self._ann.home / "big", BIG_BYTES)


def _descriptors(process: int) -> Iterator[str]:
    """Yield what each descriptor of *process* is open on."""
    folder = Path("/proc", str(process), "fd")
    for number in os.listdir(folder):
        try:
            yield os.readlink(folder / number)
        except FileNotFoundError:
            continue  # closed meanwhile


@pytest.fixture(scope="module")
def ground(running: Running) -> Iterator[Ground]:
    """One process."""
    with running(SETTINGS) as server:
        yield Ground(server, lambda: {server.process.pid})


@pytest.fixture(scope="module")
def shared_ground(certificate: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Two workers, of which either may get a session; at the end neither has one."""
    server = Fleet(tmp_path_factory.mktemp("walked"), SETTINGS | {"tls": {"certificates": [{"chain": certificate}]}})
    try:
        yield Ground(server, server.processes)
        wait_until(lambda: server.who() == [], "no session is left")
    finally:
        assert end([server]) == [0]
    assert server.is_gone()


@given(OPENINGS, STEPS, WAYS_OUT)
@example(ANN, ["PASV", "(connect)", "RETR a", "NOOP", "ABOR", "NOOP"], "QUIT")
@example(ANN, ["PASV", "STOR new", "(bytes)", "PWD", "CWD dir", "ABOR", "(end)"], "QUIT")
@example(ANN, ["EPSV", "RETR big", "STAT", "PWD", "ABOR", "EPSV", "RETR big", "TYPE A", "(end)"], "(hang up)")
@example(ANN, ["PORT (here)", "RETR big", "(connect)", "QUIT", "(end)"], "QUIT")
@example(ANN, ["EPRT (here)", "STOR new", "REIN", "(reset)", *ANN, "LPRT (here)", "(nobody)", "LIST"], "QUIT")
@example(ANN, ["EPSV ALL", "PASV", "PORT (here)", "EPSV", "MLSD", "(nobody)", "LPSV"], "QUIT")
@example(ANN, ["MODE Z", "PASV", "STOR new", "(deflated)", "(end)", "MODE B", "PASV", "RETR new", "(end)"], "QUIT")
@example(ANN, ["TYPE A", "LPSV", "APPE a", "(bytes)", "(end)", "REST 3", "PASV", "(connect)", "(end)", "RETR a"], "QUIT")
@example(ANN, ["PASV", "STOR new", "(bytes)"], "(reset)")
@example(ANN, ["PASV", "RETR big", "(connect)", "RNFR a"], "(reset)")
@walked
def test_in_clear_and_behind_auth(ground: Ground, opening: list[str], steps: list[str], way_out: str) -> None:
    ground.walk(opening + steps, way_out)


@given(STEPS, WAYS_OUT)
@example(["EPSV", "(connect)", "RETR a", "(end)", "PASV", "STOR new", "(bytes)", "(cut)"], "QUIT")
@example(["PASV", "(connect)", "(bytes)", "STOR new", "NOOP", "(end)", "PORT (here)", "RETR big", "ABOR"], "QUIT")
@example(
    ["PASV", "RETR a", "(clear)", "(end)", "EPSV", "STOR new", "(connect)", "(cut)", "EPSV", "(connect)", "(end)", "LIST"], "QUIT"
)
@example(
    ["(at once)", "EPSV", "(at once)", "STOR new", "STAT", "(bytes)", "(at once)", "RNFR a", "(at once)", "ABOR", "PWD"], "QUIT"
)
@example(["EPSV", "RETR big", "(connect)", "NOOP", "(reset)", "EPSV", "STOR new", "(nobody)"], "(hang up)")
@example(["CCC", "PASV", "RETR a", "(end)", "AUTH TLS", "PROT C", "REIN", *ANN, "PASV", "STOR new", "(end)"], "QUIT")
@example(["REIN", "AUTH SSL", *ANN, "PASV", "LIST", "(end)", "HOST 127.0.0.1", "PROT C", "PASV", "NLST", "(end)"], "QUIT")
@example(["PASV", "(connect)", "PROT C", "LIST", "PASV", "(connect)", "PROT P", "LIST", "(end)"], "QUIT")
@example(["PASV", "STOR new", "(bytes)", "CCC", "(end)", "NOOP"], "(reset)")
@walked
def test_with_private_data(ground: Ground, steps: list[str], way_out: str) -> None:
    ground.walk(["AUTH TLS", *PRIVATE, *steps], way_out)


@given(OPENINGS, STEPS, WAYS_OUT)
@example(ANN, ["AUTH TLS", "EPSV", "RETR a", "(end)", "REIN", *ANN, "PASV", "STOR new", "(bytes)", "(end)"], "QUIT")
@example(ANN, ["PROT C", "PASV", "RETR big", "STAT", "ABOR", "CCC", "PASV", "LIST", "(end)", "REIN", "AUTH TLS"], "(hang up)")
@walked
def test_on_an_implicit_listener(ground: Ground, opening: list[str], steps: list[str], way_out: str) -> None:
    ground.walk(opening + steps, way_out, is_implicit=True)


@given(OPENINGS, STEPS, WAYS_OUT, st.booleans())
@walked
def test_with_workers(shared_ground: Ground, opening: list[str], steps: list[str], way_out: str, is_implicit: bool) -> None:
    shared_ground.walk(opening + steps, way_out, is_implicit=is_implicit)
