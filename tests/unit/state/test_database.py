from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing, suppress

import pytest

from ftpd.state import database as module
from ftpd.state.database import Database

ENTER = "insert or replace into held (key, worker, count) values (?, 'w', 1)"


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "state.db")


@pytest.fixture
def told():
    return []


@pytest.fixture
def make(path, told):
    made = []

    def make(**options):
        made.append(Database(path, 0o600, told.append, **options))
        return made[-1]

    yield make
    for database in made:
        database.close()


@pytest.fixture
def looks_always(monkeypatch):
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)


def enter(database, key="one"):
    with database.locked():
        database.run(lambda sql: sql.execute(ENTER, (key,)))


def keys(database):
    found = []
    with database.locked():
        database.run(lambda sql: found.extend(key for (key,) in sql.execute("select key from held order by key")))
    return found


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


class TestMaking:
    def test_a_missing_file_is_made(self, make):
        database = make()
        enter(database)
        assert keys(database) == ["one"]

    def test_what_was_written_is_there_for_the_next(self, make):
        enter(make())
        assert keys(make()) == ["one"]

    @pytest.mark.parametrize("bits", [0o600, 0o660])
    def test_all_its_files_have_the_mode_that_was_asked_for(self, path, told, bits):
        umask = os.umask(0o077)
        try:
            with closing(Database(path, bits, told.append)) as database:
                enter(database)
                assert [mode(path + end) for end in ("", "-wal", "-shm", ".lock")] == [bits] * 4
        finally:
            os.umask(umask)

    def test_what_a_removed_file_left_behind_is_not_taken_for_the_new_ones(self, make, path):
        first = make()
        enter(first, "old")
        os.unlink(path)
        assert keys(make()) == []

    def test_a_link_is_not_followed(self, make, path, tmp_path):
        os.symlink(tmp_path / "elsewhere", path)
        with pytest.raises(OSError, match="File exists"):
            enter(make())

    def test_a_missing_directory_is_an_error_and_not_made(self, told, tmp_path):
        database = Database(str(tmp_path / "none" / "state.db"), 0o600, told.append)
        with pytest.raises(FileNotFoundError):
            enter(database)
        database.close()


class TestTransactions:
    def test_an_error_undoes_what_was_done_and_the_next_one_works(self, make):
        database = make()
        enter(database)

        def fail(sql):
            sql.execute(ENTER, ("two",))
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError), database.locked():
            database.run(fail)
        assert keys(database) == ["one"]

    def test_a_foreign_program_that_writes_is_an_error_after_a_while(self, make, path, monkeypatch):
        monkeypatch.setattr(module, "_BUSY_SECONDS", 0.01)
        database = make()
        enter(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(sqlite3.OperationalError, match="database is locked"):
                enter(database, "two")
        enter(database, "three")
        assert keys(database) == ["one", "three"]

    def test_only_one_writes_at_a_time(self, make):
        first, second = make(), make()
        with first.locked(), pytest.raises(TimeoutError, match=r"another process holds .*\.lock"), second.locked(0.0):
            pass
        with second.locked(0.0):
            pass

    def test_the_lock_is_free_after_an_error(self, make):
        database = make()
        with suppress(ZeroDivisionError), database.locked():
            raise ZeroDivisionError
        with make().locked(0.0):
            pass

    def test_it_may_be_closed_twice_and_used_again(self, make):
        database = make()
        enter(database)
        database.close()
        database.close()
        assert keys(database) == ["one"]

    def test_a_closed_one_has_nothing_to_read_with(self, make):
        with pytest.raises(sqlite3.OperationalError, match="closed"):
            _ = make().connection


class TestAtOnce:
    """Without a transaction and without the lock."""

    def enter(self, database):
        def work(sql):
            sql.execute(ENTER, ("at once",))
            return True

        return database.run_at_once(work)

    def test_what_is_done_is_there(self, make):
        database = make()
        enter(database)
        assert self.enter(database)
        assert keys(make()) == ["at once", "one"]

    def test_what_the_work_says_is_returned(self, make):
        database = make()
        enter(database)
        assert not database.run_at_once(lambda sql: False)

    def test_the_lock_is_not_needed(self, make):
        database = make()
        enter(database)
        with make().locked():
            assert self.enter(database)

    def test_it_is_not_done_while_somebody_else_writes(self, make, path):
        database = make()
        enter(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            assert not self.enter(database)
            other.execute("commit")
        assert keys(database) == ["one"]

    def test_it_is_done_when_who_was_writing_is_soon_done(self, make, path):
        database = make()
        enter(database)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            tries = []

            def work(sql):
                tries.append(1)
                if len(tries) == 2:
                    other.execute("commit")
                sql.execute(ENTER, ("at once",))
                return True

            assert database.run_at_once(work)
        assert len(tries) == 2
        assert keys(database) == ["at once", "one"]

    def test_it_is_tried_four_times_and_no_more(self, make, path):
        database = make()
        enter(database)
        tries = []

        def work(sql):
            tries.append(1)
            sql.execute(ENTER, ("at once",))
            return True

        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("begin immediate")
            assert not database.run_at_once(work)
            other.execute("commit")
        assert len(tries) == 4

    def test_it_is_not_done_before_the_file_is_open(self, make):
        assert not self.enter(make())

    @pytest.mark.usefixtures("looks_always")
    def test_it_is_not_done_when_it_is_time_to_look_at_the_file(self, make):
        database = make()
        enter(database)
        assert not self.enter(database)

    def test_after_an_error_the_file_is_opened_again_first(self, make):
        database = make()
        enter(database)
        assert not database.run_at_once(lambda sql: sql.execute("delete from what_is_not_there"))
        assert not self.enter(database)
        enter(database, "two")
        assert keys(database) == ["one", "two"]


class TestDamage:
    @pytest.mark.parametrize(
        "content", [b"not a database, but longer than the head of one" * 50, b"SQLite format 3\0" + bytes(5000)]
    )
    def test_what_is_no_database_is_set_aside_and_made_anew(self, make, path, told, content):
        with open(path, "wb") as file:
            file.write(content)
        database = make()
        enter(database)
        assert keys(database) == ["one"]
        with open(path + ".set-aside", "rb") as file:
            assert file.read() == content
        assert told == [
            f"the shared state {path} cannot be used: file is not a database; it is now {path}.set-aside, and a new one is made"
        ]

    def test_an_empty_file_is_made_anew(self, make, path, told):
        with open(path, "wb"):
            pass
        database = make()
        enter(database)
        assert keys(database) == ["one"]
        assert told == [f"the shared state {path} cannot be used: it is empty; a new one is made"]

    @pytest.mark.usefixtures("looks_always")
    def test_a_file_that_is_emptied_while_others_have_it_open_is_made_anew_within_the_call(self, make, path, told):
        first, second, idle = make(), make(), make()
        for database in (first, second, idle):
            enter(database)
        for end in ("", "-wal"):
            os.truncate(path + end, 0)
        first._close()  # as an error of what was tried at once does
        enter(first, "first's")
        enter(second, "second's")
        assert keys(first) == keys(second) == keys(idle) == ["first's", "second's"]
        assert told[0] == f"the shared state {path} cannot be used: it is empty; a new one is made"

    def test_a_file_that_is_damaged_under_way_is_set_aside_within_the_call(self, make, path, told):
        database = make()
        enter(database)
        database.close()  # what is in the log goes into the file
        enter(database, "two")
        with open(path, "r+b") as file:
            file.seek(100)
            file.write(b"\xff" * (os.path.getsize(path) - 100))
        os.truncate(path + "-wal", 0)
        database._close()
        enter(database, "three")
        assert keys(database) == ["three"]
        assert [line.partition(":")[0] for line in told] == [f"the shared state {path} cannot be used"]

    def test_a_file_whose_log_was_cut_off_while_others_remember_it_is_set_aside_within_the_call(self, make, path, told):
        first, second = make(), make()
        for database in (first, second):
            with database.locked():
                database.run(lambda sql: sql.executemany(ENTER, [(f"{number:01000}",) for number in range(50)]))
        os.truncate(path + "-wal", 0)
        enter(first, "one")
        assert keys(first) == ["one"]
        assert [line.partition(";")[0] for line in told] == [f"the shared state {path} cannot be used: disk I/O error"]

    def test_only_the_last_damaged_file_is_kept(self, make, path, tmp_path):
        for content in (b"first" * 1000, b"second" * 1000):
            with open(path, "wb") as file:
                file.write(content)
            with closing(make()) as database:
                enter(database)
        with open(path + ".set-aside", "rb") as file:
            assert file.read() == b"second" * 1000
        assert sorted(os.listdir(tmp_path)) == ["state.db", "state.db.lock", "state.db.set-aside"]

    def test_who_prepares_the_file_has_all_of_it_checked(self, make, path, told):
        with closing(make()) as database, database.locked():
            database.run(lambda sql: sql.executemany(ENTER, [(f"{number:01000}",) for number in range(100)]))
        with open(path, "r+b") as file:
            file.seek(-4096, os.SEEK_END)
            file.write(b"\xff" * 4096)
        assert keys(make(is_ours=True)) == []
        assert len(told) == 1

    def test_who_prepares_it_sets_a_file_aside_whose_tables_somebody_has_changed(self, make, path, told):
        enter(make())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("drop table held")
        database = make(is_ours=True)
        enter(database, "two")
        assert keys(database) == ["two"]
        assert told == [
            f"the shared state {path} cannot be used: no such table: held; it is now {path}.set-aside, and a new one is made"
        ]


class TestVersions:
    @pytest.fixture(params=["pragma user_version = 99", "pragma application_id = 1", "pragma application_id = 0"])
    def foreign(self, request, path, make):
        enter(make())
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(request.param)
            if request.param.endswith(" 0"):
                connection.execute("pragma user_version = 0")

    @pytest.mark.usefixtures("foreign")
    def test_a_worker_leaves_the_file_of_another_version_alone(self, make, path, told):
        with pytest.raises(sqlite3.DatabaseError, match="another version's, or another program's"):
            enter(make(), "two")
        assert (os.path.exists(path), told) == (True, [])

    @pytest.mark.usefixtures("foreign")
    def test_who_prepares_it_sets_it_aside(self, make, path, told):
        database = make(is_ours=True)
        enter(database, "two")
        assert keys(database) == ["two"]
        assert told == [
            f"the shared state {path} cannot be used: it is another version's, or another program's; "
            f"it is now {path}.set-aside, and a new one is made"
        ]


# In a process of its own: whoever touches what was cut off of a mapped file is killed.
CUT = """
import os, sys
from ftpd.state import database as module

module._LOOK_SECONDS = 0.0
path, end = sys.argv[1:]
database = module.Database(path, 0o600, print)


def enter(key):
    with database.locked():
        database.run(lambda sql: sql.execute("insert into held (key, worker, count) values (?, 'w', 1)", (key,)))


enter("one")
os.truncate(path + "-shm", 0)
if end == "use":
    enter("two")
database.close()
"""


class TestIndex:
    @pytest.mark.parametrize(("end", "expected"), [("use", ["one", "two"]), ("close", ["one"])])
    def test_one_that_is_cut_off_kills_nobody_and_loses_nothing(self, make, path, end, expected):
        done = subprocess.run([sys.executable, "-c", CUT, path, end], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, f"{path}-shm was emptied under the server; it is made anew\n")
        assert keys(make()) == expected

    def test_one_that_grows_is_left_alone(self, make, path, told):
        database = make()
        enter(database)
        os.truncate(path + "-shm", 65_536)
        with database.locked():
            database.run(lambda sql: None)
        database.close()
        assert told == []


@pytest.mark.usefixtures("looks_always")
class TestLooking:
    def test_a_removed_file_is_noticed_and_made_anew(self, make, path, told):
        database = make()
        enter(database)
        os.unlink(path)
        enter(database, "two")
        assert keys(database) == ["two"]
        assert told == [f"the shared state {path} was removed or replaced; what this process knows is entered again"]

    def test_a_replaced_file_is_opened(self, make, path, told, tmp_path):
        database, other = make(), Database(str(tmp_path / "other.db"), 0o600, told.append)
        enter(database)
        enter(other, "other's")
        other.close()
        os.replace(tmp_path / "other.db", path)
        assert keys(database) == ["other's"]
        assert len(told) == 1

    def test_the_others_notice_it_too_and_all_have_one_file_again(self, make, path):
        first, second = make(), make()
        enter(first)
        enter(second)
        os.unlink(path)
        enter(first, "first's")
        enter(second, "second's")
        assert keys(first) == keys(second) == ["first's", "second's"]

    def test_a_removed_lock_file_is_made_anew(self, make, path):
        first, second = make(), make()
        enter(first)
        enter(second)
        os.unlink(path + ".lock")
        with first.locked(), pytest.raises(TimeoutError), second.locked(0.0):
            pass

    def test_all_of_it_removed_is_all_made_anew(self, make, tmp_path):
        database = make()
        enter(database)
        for name in os.listdir(tmp_path):
            os.unlink(tmp_path / name)
        enter(database, "two")
        assert keys(make()) == ["two"]

    def test_descriptors_do_not_add_up(self, make, path):
        database = make()
        enter(database)
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(5):
            os.unlink(path)
            os.unlink(path + ".lock")
            enter(database)
        assert len(os.listdir("/proc/self/fd")) == before


def test_the_lock_is_flocks_own(make, path):
    with make().locked(), open(path + ".lock", "rb") as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
