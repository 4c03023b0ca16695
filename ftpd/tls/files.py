"""What was last read from a group of files and was good, and the look at whether they have changed.

Apart from certificates and authorities, which are both kept so: the rules of what counts when a file is broken, gone or half replaced
are the same for them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Generic, TypeAlias, TypeVar

import attrs

from ftpd.schema import ConfigError, Problem

__all__ = ["Kept", "Look"]

_Content = TypeVar("_Content")

# Modification time, size and inode of each file, None for one that is not there.  Symbolic links are followed: certbot swaps those.
_Signature: TypeAlias = tuple[tuple[int, int, int] | None, ...]


@attrs.frozen
class Look(Generic[_Content]):
    """What a look at the files found: `content` if it was read and is good, else the `problems`."""

    signature: _Signature
    content: _Content | None
    problems: tuple[Problem, ...]
    is_asked_for: bool


class Kept(Generic[_Content]):
    """The last good content of some files.

    `refresh` blocks and belongs into a thread; `take` gives its result effect, on the thread that uses `current`:
    `threads.run(kept.refresh).addCallback(kept.take)`.
    """

    def __init__(self, os_paths: Sequence[str], read: Callable[[], _Content]) -> None:
        """Read the files, once, here.  *read* raises `ConfigError`, which goes through."""
        self.os_paths = tuple(filter(None, os_paths))
        self._read = read
        self._signature = self._sign()
        self._problems: tuple[Problem, ...] = ()
        self._told: tuple[Problem, ...] = ()
        self.current: _Content = read()

    def refresh(self, *, is_asked_for: bool = False) -> Look[_Content] | None:
        """Read the files if they have changed or were no good before; None: all is as it was.

        *is_asked_for*: an operator has said so: read in any case, and tell what is wrong without waiting for the next look.
        """
        signature = self._sign()  # before the content: what changes while it is read is seen by the next look
        if signature == self._signature and not self._problems and not is_asked_for:
            return None
        try:
            return Look(signature, self._read(), (), is_asked_for)
        except ConfigError as error:
            return Look(signature, None, error.problems, is_asked_for)

    def take(self, look: Look[_Content] | None) -> tuple[Problem, ...]:
        """Let what was found take effect and return the problems that are to be told now; the old content stays where there are any.

        Chain and key are two files and change one after the other, so that problems count only when the next look finds some again;
        and each is told once, not at every look.
        """
        if look is None:
            return ()
        is_lasting = bool(self._problems) or look.is_asked_for
        self._signature, self._problems = look.signature, look.problems
        if look.content is not None:
            self.current, self._told = look.content, ()
        if not look.problems or not is_lasting or (look.problems == self._told and not look.is_asked_for):
            return ()
        self._told = look.problems
        return look.problems

    def _sign(self) -> _Signature:
        return tuple(map(_signature_of, self.os_paths))


def _signature_of(os_path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(os_path)
    except OSError:
        return None  # why it cannot be read is said by reading it
    return status.st_mtime_ns, status.st_size, status.st_ino
