"""What a client has said on its control connection and nobody has read yet.

Apart because it is asked of the kernel, past the transport: two connections of one client come to the reactor in any order.
"""

from __future__ import annotations

import select

from twisted.internet.interfaces import ITransport
from twisted.internet.tcp import Connection
from twisted.protocols.policies import ProtocolWrapper

from ftpd.transfer.stream import Stream

__all__ = ["has_unread"]


def has_unread(transport: ITransport | None) -> bool:
    """Whether bytes, or the end, have arrived over *transport* that the reactor has not read.  False for one that is closed, or no socket.

    By poll(2): to look at the bytes themselves costs an exception where there are none, as mostly (tests/bench: stor).
    """
    while isinstance(transport, ProtocolWrapper):  # an endpoint's TLS or PROXY header around the socket
        transport = transport.transport
    if not isinstance(transport, Stream | Connection) or (descriptor := int(transport.fileno())) < 0:
        return False
    asked = select.poll()
    asked.register(descriptor, select.POLLIN)
    return bool(asked.poll(0))
