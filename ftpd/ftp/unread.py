"""What a client has said on its control connection and nobody has read yet.

Apart because it is asked of the kernel, past the transport: two connections of one client come to the reactor in any order.
"""

from __future__ import annotations

import fcntl
import termios
from typing import Final

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection

from ftpd.transfer.stream import Stream

__all__ = ["has_unread"]

_NOTHING: Final = bytes(4)  # an int of C


def has_unread(transport: ITransport | None) -> bool:
    """Whether bytes have arrived over *transport* that the reactor has not read; the end is none.  False for one that is closed, or no socket.

    By FIONREAD: to look at the bytes themselves costs an exception where there are none, as mostly (tests/bench: stor).
    """
    if not isinstance(transport, Stream | Connection) or (descriptor := int(transport.fileno())) < 0:
        return False
    return fcntl.ioctl(descriptor, termios.FIONREAD, _NOTHING) != _NOTHING
