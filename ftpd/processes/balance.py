"""Balance: what each worker of a generation has taken, in memory that they share, so that none has more than its part.

Apart from the shared state, which has to be waited for: this is looked at before each connection is accepted.  The kernel wakes all who wait for a
listening socket, and who is first is often the same one: of 2,000 connections up to 90 % went to one of two workers.
"""

from __future__ import annotations

import mmap
import os
import tempfile
from typing import IO, Final

__all__ = ["Balance", "make_memory"]

_NUMBER_BYTES: Final = 8
_ABSENT: Final = 2**64 - 1  # in the place of a number of sessions: nobody serves there
_SESSIONS_MARGIN: Final = 8  # sessions more than another that nobody minds: a burst is accepted at once
_SESSIONS_RATIO: Final = 1.05
# Connections more than another in the long run, where sessions are so short that their number says nothing.  Fewer cost logins a second: who
# waits for another is idle meanwhile.
_TURNS_MARGIN: Final = 32
_MOST_TURNS_OWED: Final = 64  # to a worker that was busy with something else for long


def make_memory(places: int) -> IO[bytes]:
    """Return a file without a name, for as many workers, to be inherited by each."""
    memory: IO[bytes]
    if hasattr(os, "memfd_create"):
        memory = os.fdopen(os.memfd_create("balance"), "r+b", buffering=0)
    else:
        memory = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115  # the generation closes it
    memory.write(_ABSENT.to_bytes(_NUMBER_BYTES) * places + bytes(_NUMBER_BYTES * places))
    return memory


class Balance:
    """The numbers of *places* workers in the open file *descriptor*; each writes its own only, and no number is ever half written."""

    def __init__(self, descriptor: int, places: int) -> None:
        self._memory = mmap.mmap(descriptor, 2 * _NUMBER_BYTES * places)
        self._numbers = memoryview(self._memory).cast("Q")
        self._sessions = self._numbers[:places]
        self._turns = self._numbers[places:]
        self._forgiven = 0  # turns that the one worker who counts here has not taken

    def close(self) -> None:
        """Let go of the memory, for which mmap has a descriptor of its own; may be called twice."""
        for numbers in (self._sessions, self._turns, self._numbers):
            numbers.release()
        self._memory.close()

    def join(self, place: int) -> None:
        """A worker serves in *place* from now on; it has as many turns as who has most."""
        self._forgiven = self._most_turns()
        self.set(place, 0, 0)

    def set(self, place: int, sessions: int, taken: int) -> None:
        """The worker in *place* has so many sessions, and has *taken* so many connections since it joined."""
        self._forgiven = max(self._forgiven, self._most_turns() - _MOST_TURNS_OWED - taken)
        self._turns[place] = self._forgiven + taken
        self._sessions[place] = sessions

    def leave(self, place: int) -> None:
        """Nobody serves in *place*."""
        self._sessions[place] = _ABSENT

    def is_ahead(self, place: int) -> bool:
        """Whether the worker in *place* has notably more sessions than another, or else has had notably more turns: who is behind shall have the next."""
        sessions = self._present(self._sessions)
        mine = self._sessions[place]
        if _is_notably_more(mine, min(sessions, default=mine)):
            return True
        if _is_notably_more(max(sessions, default=mine), mine):
            return False
        turns = self._turns[place]
        return turns - _TURNS_MARGIN > min(self._present(self._turns), default=turns)

    def _most_turns(self) -> int:
        return max(self._present(self._turns), default=0)

    def _present(self, numbers: memoryview[int]) -> list[int]:
        """Return those of *numbers* in whose places somebody serves."""
        return [number for number, sessions in zip(numbers, self._sessions, strict=True) if sessions != _ABSENT]


def _is_notably_more(one: int, other: int) -> bool:
    return one - _SESSIONS_MARGIN > other * _SESSIONS_RATIO
