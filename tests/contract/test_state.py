"""The contract of the shared state, over the one in memory and the one in a file; and what only several processes can show."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from twisted.internet.defer import Deferred

from ftpd.spi import State
from ftpd.state.memory import MemoryState
from ftpd.state.sqlite import SQLiteState, prepare
from ftpd.testing.fakes import ThreadedClock
from ftpd.testing.state_contract import SharedStateContract, StateContract, row
from ftpd.values import Place

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]

# What a worker of its own process does; each waits for a line before it begins, so that all begin together.
SETUP = """
import sys, time
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.epollreactor import EPollReactor
from ftpd.state.sqlite import SQLiteState
from ftpd.testing.state_contract import row
from ftpd.values import Place

path, worker = sys.argv[1:]
reactor = EPollReactor()
state = SQLiteState(path, worker, reactor)

def say(*words):
    print(*words, flush=True)

def main(work):
    async def run():
        await state.report([row(worker)], [])
        say("ready")
        sys.stdin.readline()
        await work()
        await state.report([], [])  # and with it what was given back, for now the reactor stands still
        say("done")
        sys.stdin.readline()
        await state.close()
    done = []
    Deferred.fromCoroutine(run()).addErrback(lambda failure: done.append(failure)).addBoth(lambda _: reactor.stop())
    reactor.run(installSignalHandlers=False)
    sys.exit(done[0].getTraceback() if done else 0)
"""
TAKING = """
async def work():
    places = [Place("in all", 1000), Place("few", 25)]
    takings = [Deferred.fromCoroutine(state.take(f"{worker}.{number}", places)) for number in range(40)]
    say(sum(full is None for full in await gatherResults(takings)))
main(work)
"""
# Who has a place tells from when to when; the time is the machine's, and the same for all.
COMING_AND_GOING = """
async def client(number):
    turn = stays = 0
    while stays < 20:
        turn += 1
        session = f"{worker}.{number}.{turn}"
        if await state.take(session, [Place("few", limit)]) is None:
            begun = time.monotonic_ns()
            await pause(0.002)
            held.append((begun, time.monotonic_ns()))
            state.give_back(session)
            stays += 1
        await pause(0)

def pause(seconds):
    later = Deferred()
    reactor.callLater(seconds, later.callback, None)
    return later

async def work():
    await gatherResults([Deferred.fromCoroutine(client(number)) for number in range(clients)])
    for begun, ended in held:
        say(begun, ended)

held = []
clients, limit = {clients}, {limit}
main(work)
"""
TAKING_FOR_EVER = """
async def client(number):
    turn = 0
    while True:
        turn += 1
        await state.take(f"{worker}.{number}.{turn % 7}", [Place("in all", 1000), Place("few", 8)])
        others_turn = Deferred()
        reactor.callLater(0, others_turn.callback, None)
        await others_turn
        if turn == 100:
            say("busy")

async def work():
    await gatherResults([Deferred.fromCoroutine(client(number)) for number in range(4)])
main(work)
"""
STOPPED_WITHIN_A_TRANSACTION = """
from ftpd.state.database import Database

def work(sql):
    sql.execute("insert into held (key, worker, count) values ('few', ?, 8)", (worker,))
    say("within")
    sys.stdin.readline()

database = Database(path, 0o600, say)
with database.locked():
    database.run(work)
"""


class TestMemory(StateContract):
    def make_state(self, worker: str) -> State:
        return MemoryState(self.clock, worker)


class OnFile:
    clock: ThreadedClock

    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self.path = str(tmp_path / "state.db")
        prepare(self.path)


class TestSQLite(OnFile, SharedStateContract):
    def make_clock(self) -> ThreadedClock:
        return ThreadedClock()

    def make_state(self, worker: str) -> State:
        return SQLiteState(self.path, worker, self.clock)

    def wait(self, awaited: Coroutine[Any, Any, T] | Deferred[T]) -> T:
        return self.clock.wait(awaited)


class Process:
    """A worker in a process of its own."""

    def __init__(self, path: str, worker: str, work: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", SETUP + work, path, worker],
            cwd=CHECKOUT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def until(self, word: str) -> list[str]:
        """Return the lines before *word*."""
        assert self._process.stdout is not None
        lines: list[str] = []
        for line in self._process.stdout:
            if line.strip() == word:
                return lines
            lines.append(line.strip())
        raise AssertionError(f"it ended before it said {word!r}: {lines}")

    def go_on(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> int:
        self._process.communicate("\n")
        return self._process.returncode


Start = Callable[[str, str], Process]


class TestProcesses(OnFile):
    """With this process as one more worker."""

    @pytest.fixture
    def start(self) -> Iterator[Start]:
        started: list[Process] = []

        def start(worker: str, work: str) -> Process:
            started.append(Process(self.path, worker, work))
            return started[-1]

        yield start
        for process in started:
            process.kill()

    @pytest.fixture
    def state(self) -> Iterator[SQLiteState]:
        self.clock = ThreadedClock()
        state = SQLiteState(self.path, "survivor", self.clock)
        yield state
        self.clock.wait(state.close())

    def run(self, start: Start, work: str) -> list[list[str]]:
        """Let three workers do *work* together; return what they said."""
        workers = [start(f"worker {number}", work) for number in range(3)]
        for worker in workers:
            worker.until("ready")
        for worker in workers:
            worker.go_on()
        said = [worker.until("done") for worker in workers]
        assert [worker.end() for worker in workers] == [0, 0, 0]
        return said

    def room(self, state: SQLiteState) -> int:
        """Return how many more sessions find a place among 8."""
        takes = [self.clock.wait(state.take(f"here {number}", [Place("few", 8)])) for number in range(9)]
        return takes.count(None)

    def test_120_takes_of_three_processes_get_exactly_the_25_places(self, start: Start) -> None:
        granted = [int(line) for [line] in self.run(start, TAKING)]
        assert sum(granted) == 25

    @pytest.mark.parametrize(("clients", "limit"), [(1, 1), (1, 2), (6, 3)])
    def test_never_more_than_the_limit_have_a_place_while_sessions_come_and_go(
        self, start: Start, clients: int, limit: int
    ) -> None:
        work = COMING_AND_GOING.replace("{clients}", str(clients)).replace("{limit}", str(limit))
        lines = [line for said in self.run(start, work) for line in said]
        held = [tuple(map(int, line.split())) for line in lines]
        changes = sorted([(ended, -1) for _, ended in held] + [(begun, 1) for begun, _ in held])
        count = most = 0
        for _, change in changes:
            count += change
            most = max(most, count)
        assert (most <= limit, len(held)) == (True, 3 * clients * 20)

    def test_forgetting_a_worker_that_was_killed_at_work_frees_all_it_had(self, start: Start, state: SQLiteState) -> None:
        dead = start("dead", TAKING_FOR_EVER)
        dead.until("ready")
        dead.go_on()
        dead.until("busy")
        dead.kill()
        assert self.room(state) == 0
        assert [found.worker for found in self.clock.wait(state.sessions())] == ["dead"]
        self.clock.wait(state.forget("dead"))
        assert self.room(state) == 8
        assert self.clock.wait(state.sessions()) == []

    def test_a_worker_that_is_killed_within_a_transaction_holds_nobody_up(self, start: Start, state: SQLiteState) -> None:
        self.clock.wait(state.report([row("a")], []))
        dead = start("dead", STOPPED_WITHIN_A_TRANSACTION)
        dead.until("within")
        taking = Deferred.fromCoroutine(state.take("b", [Place("few", 8)]))
        dead.kill()
        assert self.clock.wait(taking) is None
        assert self.room(state) == 7
