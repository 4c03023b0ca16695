"""The text of a configuration file, or why there is none.

Apart from what it means: a command that asks a running server wants one line of it, and does without all that settings load.
"""

from __future__ import annotations

import os
import stat
from typing import Final

from ftpd.schema import ConfigError, Problem

__all__ = ["read_text"]

_MOST_BYTES: Final = 16 * 1024 * 1024  # a hundred thousand accounts are 5 MiB; this keeps /dev/zero out of memory


def read_text(name: str) -> str:
    """Return what the file *name* says, a pipe such as a shell's `<(command)` included.  Raises `ConfigError` where it cannot be read."""
    try:
        content, is_pipe = _content(name)
        if is_pipe and not content:
            raise ConfigError([Problem(name, "", "it is a FIFO that nobody writes to", "a TOML file of settings")])
        if len(content) > _MOST_BYTES:
            raise ConfigError([Problem(name, "", f"more than {_MOST_BYTES >> 20} MiB", "a TOML file of settings")])
        return content.decode("utf-8-sig")  # Windows' editors put a mark before it, which TOML does not know
    except OSError as error:
        raise ConfigError([Problem(name, "", f"cannot be read: {error.strerror}", "")]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([Problem(name, "", f"byte {error.start} is not UTF-8", "a TOML file is UTF-8")]) from error


def _content(name: str) -> tuple[bytes, bool]:
    """Return what is in the file, and whether it is a pipe; one is not waited for unless there is somebody who writes to it."""
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK), "rb") as file:
        os.set_blocking(file.fileno(), True)
        return file.read(_MOST_BYTES + 1), stat.S_ISFIFO(os.fstat(file.fileno()).st_mode)
