"""Database: the file of a shared state, used by one thread at a time; it may be damaged, locked, replaced or gone at any time.

Apart from what stands in it.  Writers take turns by a lock of their own, flock(2) of a file beside the database: SQLite's makes who comes
second sleep for up to 100 ms at a time, where the kernel wakes him at once, and frees what a killed process held.  SQLite's own is taken as
well, and it is this one that makes the numbers right: also against programs that know nothing of ours, where somebody has removed the lock
file, and for what is done in one statement, which tries its luck without ours.

Nothing here waits for a disk to have written: a machine that loses its power has lost the sessions too.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final
from urllib.parse import quote

from ftpd.disks import Disk, disk_of
from ftpd.state.tables import APPLICATION, SCHEMA, VERSION

__all__ = ["Database", "Work"]

Work = Callable[[sqlite3.Connection], None]

_BUSY_SECONDS: Final = 4.0  # for a foreign program; less than callers wait, so that they hear SQLite's own words
_LOOK_SECONDS: Final = 1.0  # between two looks whether the file is still the one that is open
_BUSY_POLL_SECONDS: Final = 0.0005  # a worker that enters its counts at once takes 20 us
_POLL_SECONDS: Final = 0.02
_TRIES_AT_ONCE: Final = 4  # 20 us each, as another worker's; with one, a fifth of the logins of two busy workers wait for the thread, with four a fiftieth
_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_CUT: Final = 522  # SQLITE_IOERR_SHORT_READ: somebody has cut off the log, of which others of us go on remembering more
_ASIDE: Final = ".set-aside"


class _Damaged(sqlite3.DatabaseError):
    """The file fails SQLite's check."""


class _Foreign(sqlite3.DatabaseError):
    """The file is another version's, or another program's."""


class Database:
    """The database at *path*, made with *mode* where it is missing.  *tell* is called with a sentence when something is to be known.

    Where *is_ours* a file of another version is set aside as a damaged one is; else it is left alone: whoever has made it may be at work.
    """

    def __init__(self, path: str, mode: int, tell: Callable[[str], None], *, is_ours: bool = False) -> None:
        self._path = path
        self._mode = mode
        self._tell = tell
        self._is_ours = is_ours
        self._connection: sqlite3.Connection | None = None
        self._identity = self._log_identity = (0, 0)  # device and inode: as long as a file is open, no other has them
        self._index_bytes = 0  # of the log's index, which grows only, as long as the file is open
        self._disk: Disk | None = None
        self._lock = -1
        self._looked = 0.0

    @contextmanager
    def locked(self, most_seconds: float | None = None) -> Iterator[None]:
        """Be the one process that writes, as long as the `with` lasts; waits without end where nobody says how long.

        Raises `OSError`, and `TimeoutError` after *most_seconds*.
        """
        if self._is_time_to_look and self._lock >= 0 and _identity(self._lock_path) != _identity(self._lock):
            self._close_lock()
        lock = self._open_lock()
        if most_seconds is None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        else:
            self._poll(lock, most_seconds)
        try:
            yield
        finally:
            fcntl.flock(lock, fcntl.LOCK_UN)

    def run(self, work: Work) -> None:
        """Call *work* within a transaction, and once more on a new file where this one is damaged.  To be called while `locked`.

        Raises `sqlite3.Error` and `OSError`; the file is then closed, and the next call opens it again.
        """
        if self._is_time_to_look:
            self._look()
        try:
            self._attempt(work)
        except sqlite3.DatabaseError as error:
            if not self._is_to_go(error):
                raise
            self._attempt(work)

    def run_at_once(self, work: Callable[[sqlite3.Connection], bool], *, is_timed: bool = False) -> bool:
        """Call *work*, which may be called again, without a transaction and without being `locked`; return whether it did what it should.

        False also where that has to be done by `run`: somebody else goes on writing, or something is wrong with the file.  Where *is_timed*, for a
        thread that must not wait, the disk is judged by how long it takes, and one that was slow lately is not asked.
        """
        for _ in range(_TRIES_AT_ONCE):
            connection, disk = self._connection, self._disk
            if connection is None or disk is None or self._is_time_to_look or (is_timed and disk.is_slow):
                return False
            try:
                return disk.timed(work, connection) if is_timed else work(connection)
            except sqlite3.Error as error:
                if not _is_busy(error):
                    self._close()
        return False

    @property
    def connection(self) -> sqlite3.Connection:
        """What to read with, without any lock, after `run`."""
        if self._connection is None:
            raise sqlite3.OperationalError("the file is closed")
        return self._connection

    def close(self) -> None:
        """Free everything; may be called twice."""
        self._close()
        self._close_lock()

    def _attempt(self, work: Work) -> None:
        try:
            connection = self._connection or self._open()
            _begin(connection)
            work(connection)
            connection.execute("commit")
        except BaseException as error:
            if self._is_to_go(error):
                self._set_aside(error)
            self._close()
            raise

    def _open(self) -> sqlite3.Connection:
        self._make_file()
        self._disk = _disk_below(os.path.dirname(self._path) or ".")
        self._identity = _identity(self._path)
        self._connection = connection = sqlite3.connect(
            f"file:{quote(os.path.abspath(self._path))}?mode=rw",
            timeout=_BUSY_SECONDS,
            isolation_level=None,
            uri=True,
            check_same_thread=False,
        )
        connection.execute("pragma synchronous = off")
        if _is_empty(connection):
            _furnish(connection)
        elif not _is_of_this_version(connection):
            raise _Foreign("it is another version's, or another program's")
        if self._is_ours:
            _check(connection)
        connection.execute("pragma busy_timeout = 0")  # from here on `_begin` sees to that
        self._log_identity = _identity(self._path + "-wal")
        self._mend_index()  # learn its length
        return connection

    def _make_file(self) -> None:
        """Make an empty file where there is none, and in the place of one that somebody has emptied.

        That one cannot be furnished again: SQLite wants it for itself then, and others of us that have it open, and remember what stood in it,
        keep it from that for as long as they have nothing to do.
        """
        with suppress(FileNotFoundError):
            if os.stat(self._path).st_size > 0:
                return
            os.unlink(self._path)
            self._tell(f"the shared state {self._path} cannot be used: it is empty; a new one is made")
        self._remove_log()  # of one that was there before
        _create(self._path, self._mode)

    def _is_to_go(self, error: BaseException) -> bool:
        if isinstance(error, _Foreign):
            return self._is_ours
        if self._is_ours and _code(error) == sqlite3.SQLITE_ERROR:
            return True  # somebody has changed its tables
        return isinstance(error, _Damaged) or _code(error) in _DAMAGED or getattr(error, "sqlite_errorcode", 0) == _CUT

    def _set_aside(self, error: BaseException) -> None:
        """Rename the file, for whoever wants to know what happened to it; the one before it goes."""
        if _identity(self._path) != self._identity:
            return  # it has been replaced already
        aside = self._path + _ASIDE
        with suppress(FileNotFoundError):
            os.unlink(self._path + "-shm")
        for end in ("-wal", ""):
            with suppress(FileNotFoundError):
                os.replace(self._path + end, aside + end)
        self._tell(f"the shared state {self._path} cannot be used: {error}; it is now {aside}, and a new one is made")

    @property
    def _is_time_to_look(self) -> bool:
        return time.monotonic() - self._looked >= _LOOK_SECONDS

    def _look(self) -> None:
        """Close the file if it is not the one that has its name any more."""
        self._looked = time.monotonic()
        if self._connection is None:
            return
        if _identity(self._path) == self._identity:
            self._mend_index()
            return
        self._tell(f"the shared state {self._path} was removed or replaced; what this process knows is entered again")
        if _identity(self._path + "-wal") == self._log_identity:
            self._remove_log()  # SQLite would take it for the new file's
        self._close()

    def _mend_index(self) -> None:
        """Give the log's index its length back where somebody has cut it off: SQLite has it mapped, and who touches what is not there any more is
        killed (SIGBUS, mmap(2)).  Zeros it takes for an index that has to be made anew from the log.
        """
        index = self._path + "-shm"
        with suppress(FileNotFoundError):
            size = os.stat(index).st_size
            if size < self._index_bytes:
                os.truncate(index, self._index_bytes)
                self._tell(f"{index} was emptied under the server; it is made anew")
            else:
                self._index_bytes = size

    def _remove_log(self) -> None:
        for end in ("-wal", "-shm"):
            with suppress(FileNotFoundError):
                os.unlink(self._path + end)

    def _close(self) -> None:
        connection = self._connection
        if connection is not None:
            with suppress(OSError):
                if _identity(self._path) == self._identity:
                    self._mend_index()
            with suppress(sqlite3.Error):
                connection.close()
        self._connection, self._index_bytes = None, 0

    @property
    def _lock_path(self) -> str:
        return self._path + ".lock"

    def _open_lock(self) -> int:
        if self._lock < 0:
            with suppress(FileExistsError):
                _create(self._lock_path, self._mode)
            self._lock = os.open(self._lock_path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        return self._lock

    def _close_lock(self) -> None:
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)

    def _poll(self, lock: int, most_seconds: float) -> None:
        end = time.monotonic() + most_seconds
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise TimeoutError(f"another process holds {self._lock_path}") from None
                time.sleep(_POLL_SECONDS)
            else:
                return


def _begin(connection: sqlite3.Connection) -> None:
    """Begin a transaction that writes; nobody who has our lock is in the way, but somebody may be who has not."""
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() > end:
                raise
            time.sleep(_BUSY_POLL_SECONDS)
        else:
            return


def _code(error: BaseException) -> int:
    """Return SQLite's primary result code; SQLITE_OK for what is no error of SQLite's."""
    return getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _code(error) == sqlite3.SQLITE_BUSY


def _is_empty(connection: sqlite3.Connection) -> bool:
    [tables] = connection.execute("select count(*) from sqlite_master").fetchone()
    return bool(tables == 0)


def _is_of_this_version(connection: sqlite3.Connection) -> bool:
    found = [connection.execute(f"pragma {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return found == [APPLICATION, VERSION]


def _furnish(connection: sqlite3.Connection) -> None:
    connection.execute("pragma journal_mode = wal")
    connection.execute("begin immediate")
    if _is_empty(connection):  # nobody was quicker
        for statement in SCHEMA:
            connection.execute(statement)
        connection.execute("insert into origin (identity) values (?)", (secrets.token_hex(8),))
        connection.execute(f"pragma application_id = {APPLICATION}")
        connection.execute(f"pragma user_version = {VERSION}")
    connection.execute("commit")


def _check(connection: sqlite3.Connection) -> None:
    [found] = connection.execute("pragma quick_check(1)").fetchone()
    if found != "ok":
        raise _Damaged(found)


def _create(path: str, mode: int) -> None:
    """Make an empty file with exactly these mode bits; SQLite gives them to those that it makes beside it."""
    descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)


def _disk_below(directory: str) -> Disk:
    """Return the disk on which *directory* is.  Not asked by the file: to close a descriptor of that would free what SQLite has locked (fcntl(2))."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return disk_of(descriptor)
    finally:
        os.close(descriptor)


def _identity(file: str | int) -> tuple[int, int]:
    """Return device and inode, zeros for what is not there."""
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return 0, 0
    return found.st_dev, found.st_ino
