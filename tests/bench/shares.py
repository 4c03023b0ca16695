"""Shares of a core: processes held to a part of one each, by the kernel's cpu controller (cgroups(7)).

Apart from the measures: on a machine of few cores, all of them busy, it shows what more cores would do.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

__all__ = ["held_to"]

_PERIOD_MICROSECONDS: Final = 20_000
_FIRST: Final = Path("/sys/fs/cgroup/cpu")  # version 1
_SECOND: Final = Path("/sys/fs/cgroup")  # version 2


@contextmanager
def held_to(share: float, pids: Iterable[int]) -> Iterator[None]:
    """Let each of *pids*, and its threads, have *share* of a core, 0 to 1; root only.

    :raises RuntimeError: this machine's cpu controller cannot be used.
    """
    try:
        with ExitStack() as groups:
            for pid in pids:
                groups.enter_context(_group(share, pid))
            yield
    except OSError as fault:
        raise RuntimeError(f"no share of a core can be set: {fault}") from fault


@contextmanager
def _group(share: float, pid: int) -> Iterator[None]:
    quota = round(share * _PERIOD_MICROSECONDS)
    is_first = _FIRST.is_dir()
    root = _FIRST if is_first else _SECOND
    before = root / _group_of(pid, is_first)
    group = root / f"ftpd-bench-{pid}"
    group.mkdir()
    try:
        if is_first:
            (group / "cpu.cfs_period_us").write_text(str(_PERIOD_MICROSECONDS))
            (group / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (group / "cpu.max").write_text(f"{quota} {_PERIOD_MICROSECONDS}")
        (group / "cgroup.procs").write_text(str(pid))
        try:
            yield
        finally:
            (before / "cgroup.procs").write_text(str(pid))
    finally:
        os.rmdir(group)


def _group_of(pid: int, is_first: bool) -> str:
    """Return where *pid* is now, below the controller's root."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == ("cpu" if is_first else ""):
            return path.lstrip("/")
    raise OSError(f"process {pid} is in no group of the cpu controller")
