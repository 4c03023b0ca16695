"""The reactor that a program has: for servers that it has made without saying which.

Apart from them, since each protocol's is made in the same way; and from `reactor`, which chooses one for the command.  Nothing is chosen here:
to import Twisted's settles it, and so that is done when a server is made, and not before.
"""

from __future__ import annotations

from typing import cast

from ftpd.spi import Reactor

__all__ = ["ambient_reactor"]


def ambient_reactor() -> Reactor:
    """Return the process's reactor."""
    from twisted.internet import reactor

    return cast(Reactor, reactor)
