"""The limit of open descriptors of this process: as high as the system allows.

Apart from the service, which may run in a process that is not ours to change.  A transfer holds two descriptors and more, and a login shell
grants 1024 where the system would allow many more.
"""

from __future__ import annotations

import resource
from typing import Final

__all__ = ["raise_descriptor_limit"]

_ENOUGH: Final = 1 << 20


def raise_descriptor_limit() -> None:
    """Let this process, and those that it starts, open as many descriptors as it may, up to a million (RLIMIT_NOFILE)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
