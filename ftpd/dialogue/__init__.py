"""What the tools need that speak to an FTP server: a blocking control connection, and data connections beside it.

Apart from the server, of which it imports nothing: whoever judges a server must not read with the same eyes.  A server that is judged may
be hostile: what it sends is bounded in size and in time, and it cannot make a tool connect to a third host.
"""

from ftpd.dialogue.control import Broken, Control, Declined, Gone, Heard, Nonsense, Silent
from ftpd.dialogue.data import accept, active, announced, connect, passive, port_line, secure

__all__ = [
    "Broken",
    "Control",
    "Declined",
    "Gone",
    "Heard",
    "Nonsense",
    "Silent",
    "accept",
    "active",
    "announced",
    "connect",
    "passive",
    "port_line",
    "secure",
]
