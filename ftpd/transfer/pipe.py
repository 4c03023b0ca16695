"""Pipes for splice(2), which moves bytes between a socket and a file only through one.

Apart from the pump, because they are kept: making one and giving it its size costs as much as moving 100 KiB.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["PIPE_BYTES", "NoPipe", "lent_pipe"]

PIPE_BYTES: Final = 1024 * 1024  # /proc/sys/fs/pipe-max-size as Linux has it
_MOST_KEPT: Final = 8

_kept: list[tuple[int, int]] = []  # append and pop are atomic: threads share it


class NoPipe(Exception):
    """No pipe can be made: the process or the machine has no more descriptors."""


@contextmanager
def lent_pipe() -> Iterator[tuple[int, int]]:
    """Lend an empty pipe, its reading and its writing end; it must be empty again, or left by an exception, which closes it.

    Raises `NoPipe`.
    """
    try:
        pipe = _kept.pop()
    except IndexError:  # asking before would be a race with other threads
        pipe = _made()
    try:
        yield pipe
    except BaseException:
        _close(pipe)
        raise
    if len(_kept) < _MOST_KEPT:
        _kept.append(pipe)
    else:
        _close(pipe)


def _made() -> tuple[int, int]:
    try:
        pipe = os.pipe2(os.O_CLOEXEC)
    except OSError as error:
        raise NoPipe from error
    with suppress(OSError):  # more than this user may have in pipes: the size that it has moves less at a time
        fcntl.fcntl(pipe[1], fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return pipe


def _close(pipe: tuple[int, int]) -> None:
    for end in pipe:
        os.close(end)
