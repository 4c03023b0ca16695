"""The limit of open descriptors of this process: as high as the system allows.

Apart from the service, which may run in a process that is not ours to change.  A transfer holds two descriptors and more, and a login shell
grants 1024 where the system would allow many more.
"""

from __future__ import annotations

import resource
from typing import Final

__all__ = ["TooFewDescriptors", "raise_descriptor_limit"]

_ENOUGH: Final = 1 << 20
_FEWEST: Final = (
    64  # a parent of two workers has 20, and 12 more during a reload; below 18 Twisted cannot learn that a process has ended
)


class TooFewDescriptors(Exception):
    """The system grants too few descriptors to serve anybody; the message is one sentence for the operator."""


def raise_descriptor_limit() -> None:
    """Let this process, and those that it starts, open as many descriptors as it may, up to a million (RLIMIT_NOFILE).

    Raises `TooFewDescriptors` where that is below 64.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _FEWEST:
        raise TooFewDescriptors(
            f"The system lets this process open {hard} files; it needs {_FEWEST} at least (ulimit -Hn, LimitNOFILE=)."
        )
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
