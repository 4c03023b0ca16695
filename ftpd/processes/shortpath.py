"""Short paths: a Unix socket has an address of 107 bytes at most, and may lie deeper in the tree.

Apart, because who listens and who connects go the same way around.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

__all__ = ["shortened"]

_MOST_BYTES: Final = 107  # sun_path with its NUL: unix(7)


@contextmanager
def shortened(os_path: str) -> Iterator[str]:
    """Give a path to the same name that `bind` and `connect` take, as long as the context lasts: by way of the directory's descriptor.

    Raises `OSError` where there is no such directory.
    """
    if len(os.fsencode(os_path)) <= _MOST_BYTES:
        yield os_path
        return
    directory, name = os.path.split(os_path)
    descriptor = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)
