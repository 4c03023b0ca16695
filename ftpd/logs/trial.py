"""Trial: whether the files of the logs can be opened, without making any.

Apart from opening them: who checks a configuration may be root, and a file that root makes is none that the server may write to.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from ftpd.logs.settings import LogSettings
from ftpd.schema import Problem

__all__ = ["unusable_logs"]


def unusable_logs(settings: LogSettings) -> Iterator[Problem]:
    """Yield a problem for each file that could not be opened now.  Blocks."""
    files = {f"log.targets[{index}]": target.file for index, target in enumerate(settings.targets)} | {
        "log.xferlog": settings.xferlog
    }
    for path, os_path in files.items():
        try:
            if os_path:
                _try(os_path)
        except OSError as error:
            yield Problem("", path, f"cannot open {os_path}: {error.strerror}", "")


def _try(os_path: str) -> None:
    """Raise the `OSError` that opening *os_path* would raise, as far as it can be told."""
    try:
        mode = os.stat(os_path).st_mode
    except FileNotFoundError:
        _try_directory(os.path.dirname(os.path.realpath(os_path)))
        return
    if stat.S_ISSOCK(mode):
        raise OSError(errno.ENXIO, os.strerror(errno.ENXIO))
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode):  # anything else may notice, as the reader of a FIFO does, who hears its end
        os.close(os.open(os_path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC))


def _try_directory(directory: str) -> None:
    """Raise `OSError` unless a file can be made in *directory*."""
    if not stat.S_ISDIR(os.stat(directory).st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        raise PermissionError(errno.EACCES, f"no file can be made in {directory}")
