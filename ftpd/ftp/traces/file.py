"""Files of traces: appended to, and the oldest removed.  Everything here blocks, and runs in a thread.

Apart from traces, which live on the reactor thread and never touch a disk.
"""

from __future__ import annotations

import errno
import os
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

__all__ = ["Piece", "Shelf", "name_of", "write"]

_TIME: Final = "%Y%m%dT%H%M%SZ"
_NAME: Final = re.compile(r"([0-9]{8}T[0-9]{6}Z)-[0-9A-Za-z]+\.jsonl")
_FLAGS: Final = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW


def name_of(session: str, begun: datetime) -> str:
    """Return the name of the file for *session*; names sort by time."""
    return f"{begun.astimezone(UTC):{_TIME}}-{session}.jsonl"


@attrs.frozen
class Shelf:
    """A directory of traces: so many files are kept, and none for longer than so many seconds."""

    directory: str
    most_files: int
    most_seconds: float

    def make_room(self, number: int) -> None:
        """Make the directory, of mode 0700, where there is none, and remove what is too much beside *number* new files; raises `OSError`.

        Only what is named as traces are is touched; another worker may be at it too.
        """
        os.makedirs(self.directory, 0o700, exist_ok=True)
        names = sorted(name for name in os.listdir(self.directory) if _NAME.fullmatch(name))
        outdated = f"{datetime.now(UTC) - timedelta(seconds=self.most_seconds):{_TIME}}"
        too_many = len(names) + number - self.most_files
        for index, name in enumerate(names):
            if index < too_many or name < outdated:
                with suppress(FileNotFoundError):
                    os.unlink(os.path.join(self.directory, name))


@attrs.frozen
class Piece:
    """Bytes of the trace *name*, which belong behind the *at* bytes that it has; the first piece makes the file."""

    shelf: Shelf
    name: str
    data: bytes
    at: int

    def write(self) -> None:
        """Write all of it or nothing; raises `OSError`.

        A file of another size lost the piece before, or is another file by now: a trace has no hole that nobody sees.
        """
        path = os.path.join(self.shelf.directory, self.name)
        # Nobody waits for what is a FIFO by now.
        descriptor = os.open(path, _FLAGS | (os.O_APPEND | os.O_NONBLOCK if self.at else os.O_CREAT | os.O_EXCL), 0o600)
        try:
            if os.fstat(descriptor).st_size != self.at:
                raise OSError(errno.ESTALE, "it is not as long as what was written to it")
            _write_whole(descriptor, self.data)
        except OSError:
            if not self.at:
                os.unlink(path)
            raise
        finally:
            os.close(descriptor)


def write(pieces: Sequence[Piece]) -> list[str]:
    """Write *pieces*, and return why each could not be written, "" where it was.

    Shelves are tidied once for all: thousands of sessions that begin at once would each read thousands of names.
    """
    faults: dict[Shelf, str] = {}
    for shelf, number in Counter(piece.shelf for piece in pieces if not piece.at).items():
        try:
            shelf.make_room(number)
        except OSError as error:
            faults[shelf] = str(error)
    return [faults.get(piece.shelf, "") or _fault_of(piece) for piece in pieces]


def _fault_of(piece: Piece) -> str:
    try:
        piece.write()
    except OSError as error:
        return str(error)
    return ""


def _write_whole(descriptor: int, data: bytes) -> None:
    size = os.fstat(descriptor).st_size
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError:
        with suppress(OSError):
            os.ftruncate(descriptor, size)  # half a line would spoil those before it
        raise
