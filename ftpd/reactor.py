"""The reactor of the `ftpd` command and its workers: ours, where there is epoll.

Apart from it, since where there is no epoll it cannot even be imported.
"""

from __future__ import annotations

import select
import sys
from typing import Any

__all__ = ["chosen_reactor"]


def chosen_reactor() -> Any:
    """Return the process's reactor, installing ours unless somebody has chosen another before."""
    if "twisted.internet.reactor" not in sys.modules and hasattr(select, "epoll"):
        from ftpd.epoll import install

        install()
    from twisted.internet import reactor

    return reactor
