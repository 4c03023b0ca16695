"""Statuses: what a listing asks of the files of a directory, some hundred of them at a time.

Apart from the rows that are made of it, because there are two ways to ask: statx(2) into one table, and elsewhere `os.lstat`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ftpd.storage import kernel

__all__ = ["AT_ONCE", "Status", "ask", "ask_one_by_one", "ask_table"]

Status: TypeAlias = tuple[bytes, int, int]  # `kernel.likeness`; size, bytes; last change, whole seconds since the epoch

AT_ONCE: Final = kernel.StatusTable.NAMES

_tables: Final[list[kernel.StatusTable]] = []  # those not in use: to make one takes as long as to list a small directory


def ask_table(directory: int, names: Sequence[bytes]) -> Sequence[Status | None]:
    """Return the status of each of *names*, :data:`AT_ONCE` at most, in the open *directory*; of links their own, None for what tells nothing."""
    try:
        table = _tables.pop()
    except IndexError:
        table = kernel.StatusTable()
    told = table.ask(directory, names)
    _tables.append(table)
    return told


def ask_one_by_one(directory: int, names: Sequence[bytes]) -> Sequence[Status | None]:
    """As `ask_table`, where there is no statx."""
    return [_status(directory, name) for name in names]


def _status(directory: int, name: bytes) -> Status | None:
    try:
        status = os.lstat(name, dir_fd=directory)
    except OSError:
        return None
    return kernel.likeness(status), status.st_size, status.st_mtime_ns // 1_000_000_000


ask: Final[Callable[[int, Sequence[bytes]], Sequence[Status | None]]] = ask_table if kernel.has_statx() else ask_one_by_one
