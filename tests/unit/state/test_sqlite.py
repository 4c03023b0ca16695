from __future__ import annotations

import fcntl
import os
import resource
import sqlite3
import threading
import time
from contextlib import closing, contextmanager

import pytest
from twisted.internet.defer import CancelledError, Deferred

from ftpd.disks import Disk
from ftpd.errors import Unavailable
from ftpd.state import database, writer
from ftpd.state.sqlite import SQLiteState, prepare
from ftpd.testing.fakes import ThreadedClock, finish
from ftpd.testing.login_contract import recorded_log
from ftpd.testing.state_contract import row
from ftpd.values import Failures, Place, Request

ONE, ANY = Place("one", 1), Place("any", None)
KICK = Request("kick", "session", "a")
ADDRESS = "192.0.2.1"


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """What the thread waits for by the real time, in no time."""
    monkeypatch.setattr(database, "_BUSY_SECONDS", 0.01)
    monkeypatch.setattr(database, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(writer, "_RETRY_SECONDS", 0.01)


@pytest.fixture
def clock():
    return ThreadedClock()


@pytest.fixture
def path(tmp_path):
    path = str(tmp_path / "state.db")
    prepare(path)
    return path


@pytest.fixture
def make(clock, path):
    made = []

    def make(worker="worker"):
        made.append(SQLiteState(path, worker, clock))
        clock.wait(made[-1].report([], []))
        return made[-1]

    yield make
    for state in made:
        clock.wait(state.close())
    assert clock.getDelayedCalls() == []


@pytest.fixture
def state(make):
    return make()


@pytest.fixture
def log():
    with recorded_log() as lines:
        yield lines


def told(log):
    return [line.partition(" {")[0] for line in log]


def begin(coroutine):
    return Deferred.fromCoroutine(coroutine)


def take(clock, state, session, *places):
    return clock.wait(state.take(session, places))


def fail(clock, state, address=ADDRESS, most=1):
    return clock.wait(state.fail(address, window=60.0, most=most, ban=100.0))


def sessions(clock, state):
    return [(found.worker, found.session) for found in clock.wait(state.sessions())]


@contextmanager
def lock_held(path):
    """Somebody has the lock, and does not give it back."""
    with open(path + ".lock", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def foreign_program(path):
    """Somebody who knows nothing of the lock writes, and goes on writing."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("begin immediate")
        yield


@contextmanager
def disk_full():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def directory_gone(path):
    directory = os.path.dirname(path)
    os.rename(directory, directory + ".away")
    yield
    os.rename(directory + ".away", directory)


def recovered(clock, state):
    """Wait until it can be used again."""
    while state._trouble is not None:
        clock.serve()


class TestHops:
    def test_places_without_a_limit_are_taken_without_a_wait(self, state):
        assert finish(state.take("a", [ANY, Place("other", None)])) is None

    def test_the_others_learn_of_them_within_20_ms(self, make, clock):
        first, second = make("first"), make("second")
        finish(first.take("a", [Place("one", None)]))
        clock.advance(0.02)
        clock.serve()
        assert take(clock, second, "b", ONE) == ONE

    def test_what_is_given_back_is_free_for_others_within_20_ms(self, make, clock):
        first, second = make("first"), make("second")
        take(clock, first, "a", ONE)
        first.give_back("a")
        clock.advance(0.02)
        clock.serve()
        assert take(clock, second, "b", ONE) is None

    def test_giving_back_wakes_nobody_by_itself(self, state, clock):
        for number in range(100):
            state.give_back(str(number))
        assert len(state._writer._waiting) == 100
        assert [round(call.getTime(), 3) for call in clock.getDelayedCalls() if call.getTime() < 1] == [0.02]

    def test_what_waits_goes_into_one_transaction(self, state, clock, path):
        delivered = []
        deliver = state._writer._deliver
        state._writer._deliver = lambda calls, trouble: (delivered.append(len(calls)), deliver(calls, trouble))
        with lock_held(path):
            takings = [begin(state.take(str(number), [Place("all", 100)])) for number in range(50)]
            state.give_back("0")
        for taking in takings:
            clock.wait(taking)
        assert delivered == [51]

    def test_all_sql_runs_in_one_thread_that_is_a_daemon(self, make):
        before = {thread for thread in threading.enumerate() if thread.name == "ftpd-state"}
        make()
        [thread] = {thread for thread in threading.enumerate() if thread.name == "ftpd-state"} - before
        assert thread.daemon


class TestUnavailable:
    @pytest.fixture(params=[lock_held, foreign_program, disk_full, directory_gone])
    def fault(self, request, path, state, clock):
        """What makes the state useless as long as it lasts."""

        @contextmanager
        def fault():
            with disk_full() if request.param is disk_full else request.param(path):
                taking = begin(state.take("first", [ONE]))
                if request.param is lock_held:
                    clock.advance(5)
                with pytest.raises(Unavailable, match="the shared state cannot be used: "):
                    clock.wait(taking)
                yield

        return fault

    def test_calls_are_unavailable_and_then_at_once(self, state, clock, fault):
        with fault():
            for call in (
                state.take("a", [ONE]),
                state.fail(ADDRESS, window=60.0, most=1, ban=1.0),
                state.report([], []),
                state.share({"server": 1.0}),
                state.sessions(),
                state.ask(KICK),
                state.forget("dead"),
            ):
                with pytest.raises(Unavailable, match="the shared state cannot be used: "):
                    finish(call)
        recovered(clock, state)

    def test_it_is_used_again_by_itself_and_the_log_has_one_line_for_each(self, state, clock, path, log, fault):
        with fault():
            for number in range(20):
                with pytest.raises(Unavailable):
                    finish(state.take(str(number), [ONE]))
            clock.advance(60)
        recovered(clock, state)
        assert take(clock, state, "again", Place("another", 1)) is None
        first, last = told(log)
        assert first.startswith(f"the shared state {path} cannot be used, logins go on without it: ")
        assert last.startswith(f"the shared state {path} can be used again, after 6")

    def test_who_went_on_without_an_answer_is_counted_then(self, make, state, clock, fault):
        with fault(), pytest.raises(Unavailable):
            finish(state.take("second", [ONE]))
        recovered(clock, state)
        other = make("other")
        assert take(clock, other, "b", ONE) == ONE
        state.give_back("first")
        clock.wait(state.report([], []))
        assert take(clock, other, "b", ONE) == ONE
        state.give_back("second")
        clock.wait(state.report([], []))
        assert take(clock, other, "b", ONE) is None

    def test_who_went_on_and_left_meanwhile_is_not(self, make, state, clock, fault):
        with fault():
            state.give_back("first")
        recovered(clock, state)
        assert take(clock, make("other"), "b", ONE) is None

    def test_what_was_reported_meanwhile_is_told_then(self, state, clock, fault):
        clock.wait(state.report([row("a"), row("b")], []))
        with fault(), pytest.raises(Unavailable):
            finish(state.report([row("c")], ["a"]))
        recovered(clock, state)
        assert sessions(clock, state) == [("worker", "b"), ("worker", "c")]

    def test_who_died_meanwhile_is_forgotten_then(self, make, state, clock, fault):
        dead = make("dead")
        take(clock, dead, "a", Place("another", 1))
        with fault(), pytest.raises(Unavailable):
            finish(state.forget("dead"))
        recovered(clock, state)
        assert take(clock, state, "b", Place("another", 1)) is None

    def test_what_was_asked_meanwhile_is_not_asked_then(self, state, clock, fault):
        with fault(), pytest.raises(Unavailable):
            finish(state.ask(KICK))
        recovered(clock, state)
        assert clock.wait(state.report([], [])) == []

    def test_places_without_a_limit_are_still_taken(self, state, clock, fault):
        with fault():
            assert finish(state.take("a", [ANY])) is None
        recovered(clock, state)

    def test_bans_that_are_known_hold(self, state, clock, fault):
        fail(clock, state)
        until = state.banned_until(ADDRESS)
        with fault():
            assert state.banned_until(ADDRESS) == until > 0
        recovered(clock, state)

    def test_nothing_piles_up_meanwhile(self, state, clock, fault):
        with fault():
            for _ in range(3):
                for number in range(100):
                    with pytest.raises(Unavailable):
                        finish(state.take(str(number), [ONE]))
                    state.give_back(str(number))
                for _ in range(1_000_000):
                    if not state._writer._waiting:
                        break
                    clock.advance(5)
                assert len(state._writer._waiting) == 0
        recovered(clock, state)

    def test_it_can_be_closed_meanwhile(self, state, clock, fault):
        with fault():
            closing = begin(state.close())
            clock.advance(5)
            clock.advance(5)
            clock.wait(closing)
            assert clock.getDelayedCalls() == []


class TestWaiting:
    def test_nobody_waits_for_longer_than_5_s(self, state, clock, path):
        with lock_held(path):
            early = begin(state.take("a", [ONE]))
            clock.advance(3)
            late = begin(state.sessions())
            clock.advance(1.9)
            assert (early.called, late.called) == (False, False)
            clock.advance(0.1)
            assert early.called
            with pytest.raises(Unavailable, match=r"no answer within 5 s; another process may hold .*state\.db\.lock"):
                clock.wait(early)
            clock.advance(3)
            with pytest.raises(Unavailable):
                clock.wait(late)
        recovered(clock, state)

    def test_a_short_wait_is_no_trouble(self, state, clock, path, log):
        with lock_held(path):
            taking = begin(state.take("a", [ONE]))
            clock.advance(4.9)
        assert clock.wait(taking) is None
        clock.advance(0.1)
        assert told(log) == []

    def test_a_report_that_was_cancelled_loses_no_request(self, state, clock, path):
        clock.wait(state.ask(KICK))
        with lock_held(path):
            reporting = begin(state.report([], []))
            reporting.addErrback(lambda failure: failure.trap(CancelledError))
            reporting.cancel()
        assert clock.wait(state.report([], [])) == [KICK]


class TestLoss:
    def test_a_removed_file_is_made_anew_with_all_that_this_worker_has(self, make, state, clock, path, log):
        take(clock, state, "a", ONE)
        fail(clock, state)
        clock.wait(state.report([row("a")], []))
        os.unlink(path)
        clock.wait(state.report([], []))
        other = make("other")
        assert take(clock, other, "b", ONE) == ONE
        assert sessions(clock, other) == [("worker", "a")]
        assert other.banned_until(ADDRESS) == 100.0
        assert told(log) == [f"the shared state {path} was removed or replaced; what this process knows is entered again"]

    def test_all_workers_have_one_file_again(self, make, clock, path):
        first, second = make("first"), make("second")
        take(clock, first, "a", Place("two", 2))
        take(clock, second, "b", Place("two", 2))
        for end in ("", "-wal", "-shm", ".lock"):
            os.unlink(path + end)
        clock.wait(first.report([], []))
        clock.wait(second.report([], []))
        assert take(clock, first, "c", Place("two", 2)) == Place("two", 2)
        clock.wait(first.ask(KICK))
        assert clock.wait(second.report([], [])) == [KICK]

    def test_a_file_that_was_replaced_by_rubbish_is_set_aside(self, make, state, clock, path, log):
        take(clock, state, "a", ONE)
        with open(path + ".new", "wb") as file:
            file.write(b"rubbish" * 1000)
        os.replace(path + ".new", path)
        assert take(clock, state, "b", ONE) == ONE
        assert take(clock, make("other"), "c", ONE) == ONE
        assert [line.partition(":")[0] for line in told(log)] == [
            f"the shared state {path} was removed or replaced; what this process knows is entered again",
            f"the shared state {path} cannot be used",
        ]

    def test_the_file_of_another_version_is_left_alone_until_it_is_gone(self, state, clock, path, log):
        with closing(sqlite3.connect(path + ".new")) as other:
            other.execute("pragma user_version = 99")
            other.execute("create table held (x)")
        os.replace(path + ".new", path)
        with pytest.raises(Unavailable, match="another version's, or another program's"):
            take(clock, state, "a", ONE)
        os.unlink(path)
        recovered(clock, state)
        assert take(clock, state, "b", ONE) == ONE
        assert told(log)[1:] == [
            f"the shared state {path} cannot be used, logins go on without it: it is another version's, or another program's",
            f"the shared state {path} can be used again, after 0 s",
        ]


class TestClosing:
    def test_what_is_asked_afterwards_is_unavailable(self, state, clock):
        clock.wait(state.close())
        for call in (state.take("a", [ONE]), state.take("a", [ANY]), state.report([], []), state.sessions()):
            with pytest.raises(Unavailable, match="the shared state is closed"):
                finish(call)

    def test_the_thread_ends(self, make, clock):
        before = {thread for thread in threading.enumerate() if thread.name == "ftpd-state"}
        state = make()
        [thread] = {thread for thread in threading.enumerate() if thread.name == "ftpd-state"} - before
        clock.wait(state.close())
        thread.join(30)
        assert not thread.is_alive()


class TestPreparing:
    def test_places_sessions_and_requests_of_a_former_run_are_removed_and_bans_and_failures_stay(self, clock, path):
        former = SQLiteState(path, "former", clock)  # and is killed
        take(clock, former, "a", ONE)
        clock.wait(former.report([row("a")], []))
        clock.wait(former.ask(Request("drain", "worker", "next")))
        fail(clock, former)
        fail(clock, former, "192.0.2.2", most=9)
        prepare(path)
        state = SQLiteState(path, "next", clock)
        assert clock.wait(state.report([], [])) == []
        assert take(clock, state, "b", ONE) is None
        assert sessions(clock, state) == []
        assert state.banned_until(ADDRESS) == 100.0
        assert fail(clock, state, "192.0.2.2", most=9) == Failures(2)
        clock.wait(state.close())
        clock.wait(former.close())

    def test_a_damaged_file_is_set_aside_with_a_line_in_the_log(self, path, log):
        with open(path, "wb") as file:
            file.write(b"rubbish" * 1000)
        prepare(path)
        assert told(log) == [
            f"the shared state {path} cannot be used: file is not a database; it is now {path}.set-aside, and a new one is made"
        ]

    def test_a_good_one_needs_no_line(self, path, log):
        prepare(path)
        assert told(log) == []

    def test_the_mode_is_the_callers(self, tmp_path):
        prepare(str(tmp_path / "shared.db"), 0o660)
        assert {name: oct((tmp_path / name).stat().st_mode & 0o777) for name in os.listdir(tmp_path)} == {
            "shared.db": "0o660",
            "shared.db.lock": "0o660",
        }

    def test_where_it_cannot_be_made_it_says_why(self, tmp_path):
        missing = tmp_path / "none" / "state.db"
        with pytest.raises(
            Unavailable, match=r"the shared state .*/none/state\.db cannot be made ready: .*No such file or directory"
        ):
            prepare(str(missing))

    def test_it_does_not_wait_for_ever_for_a_process_that_holds_the_lock(self, path, monkeypatch):
        monkeypatch.setattr("ftpd.state.sqlite._MOST_SECONDS", 0.0)
        with lock_held(path), pytest.raises(Unavailable, match="another process holds"):
            prepare(path)


class TestAtOnce:
    """What is granted on the reactor thread, where nothing has to be waited for: nobody turns the clock here."""

    @pytest.fixture
    def state(self, make, monkeypatch):
        state = make()
        monkeypatch.setattr(database, "_LOOK_SECONDS", 1000.0)
        return state

    def test_a_place_is_had_at_once(self, state):
        assert finish(state.take("a", [Place("two", 2)])) is None
        assert finish(state.take("b", [Place("two", 2)])) is None

    def test_what_was_given_back_goes_along(self, state):
        finish(state.take("a", [ONE]))
        state.give_back("a")
        assert finish(state.take("b", [ONE])) is None

    def test_others_learn_within_20_ms_that_fewer_are_left_than_the_file_had_granted(self, make, state, clock):
        two = Place("two", 2)
        for session in "ab":
            finish(state.take(session, [two]))
        for session in "ab":
            state.give_back(session)
        assert finish(state.take("c", [two])) is None
        clock.advance(0.02)
        assert take(clock, make("other"), "d", two) is None

    def test_others_learn_within_20_ms_of_what_a_session_that_takes_again_has_left(self, make, state, clock):
        two = Place("two", 2)
        finish(state.take("a", [two, ONE]))
        assert finish(state.take("a", [two])) is None
        clock.advance(0.02)
        assert take(clock, make("other"), "b", ONE) is None

    def test_a_place_that_is_full_is_told_by_the_thread(self, state, clock):
        finish(state.take("a", [ONE]))
        assert clock.wait(state.take("b", [ONE])) == ONE
        state.give_back("a")
        assert clock.wait(state.take("b", [ONE])) is None

    def test_places_of_others_count(self, make, state, clock):
        other = make("other")
        assert finish(other.take("a", [ONE])) is None
        assert clock.wait(state.take("b", [ONE])) == ONE

    def test_a_disk_that_was_slow_lately_is_not_asked_on_the_reactor_thread(self, state, clock, monkeypatch):
        monkeypatch.setattr(Disk, "is_slow", True)
        taking = Deferred.fromCoroutine(state.take("a", [ONE]))
        assert not taking.called
        assert clock.wait(taking) is None

    def test_a_lock_of_others_is_not_waited_for_on_the_reactor_thread(self, path, state, clock):
        with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
            foreign.execute("begin immediate")
            taking = Deferred.fromCoroutine(state.take("a", [ONE]))
            assert not taking.called
            foreign.execute("rollback")
        assert clock.wait(taking) is None


class TestTime:
    def test_bans_are_told_in_the_seconds_of_each_reactor(self, clock, path):
        first, second = ThreadedClock(), ThreadedClock()
        second.advance(900)
        states = [SQLiteState(path, "first", first, ahead=5000.0), SQLiteState(path, "second", second, ahead=4100.0)]
        assert fail(first, states[0]) == Failures(1, banned_until=100.0)
        second.wait(states[1].report([], []))
        assert states[1].banned_until(ADDRESS) == 1000.0
        assert states[1].banned_until("192.0.2.99") == 0.0
        assert fail(second, states[1], most=9) == Failures(2, banned_until=1000.0)
        for clock, state in zip((first, second), states, strict=True):
            clock.wait(state.close())

    def test_a_ban_of_a_time_that_is_still_to_come_does_not_outlive_the_run(self, clock, path):
        state = SQLiteState(path, "former", clock, ahead=time.time() + 86400)
        fail(clock, state)
        clock.wait(state.close())
        prepare(path)
        state = SQLiteState(path, "next", clock, ahead=time.time())
        clock.wait(state.report([], []))
        assert state.banned_until(ADDRESS) == 0.0
        assert fail(clock, state, most=9) == Failures(1)
        clock.wait(state.close())
