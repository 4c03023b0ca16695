"""The room for speed: sockets and descriptors, no protocol.

`descriptor` is the socket the reactor calls, `choose` picks the pump, and each pump is a file: `sendfile` and `receive` move bytes
between a socket in clear and a file descriptor, `protected` over TLS, `copy` moves anything else.  Every pump fulfils `spi.Pump` and judges how it ended.
`pouring` is for two files of this machine.
"""

from ftpd.transfer.choose import choose_download, choose_upload
from ftpd.transfer.copy import CopyOut
from ftpd.transfer.crew import Crews
from ftpd.transfer.descriptor import SocketConnection
from ftpd.transfer.pouring import pour
from ftpd.transfer.source import Source, converted

__all__ = ["CopyOut", "Crews", "SocketConnection", "Source", "choose_download", "choose_upload", "converted", "pour"]
