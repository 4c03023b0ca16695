"""Lines: TCP connections on loopback between a pump and a client that the test plays, with what is tried over them.

Apart from the promises in `pump_contract`, since tests of one pump alone, of ports and of layers stand on the same ground.

* `line`: the connection; `tls`: one with TLS.
* `diskfile`: a file of the test.
* `transfers`: a pump that is begun, and driven to its end.

Import them from here; the reactor that all of them want, `private_reactor`, is here too.
"""

from __future__ import annotations

from ftpd.testing.lines.diskfile import DiskFile, opened
from ftpd.testing.lines.line import MIB, CountingConnection, Line, pattern
from ftpd.testing.lines.tls import TLSLine, tls_context
from ftpd.testing.lines.transfers import crews_of, drive, every, started
from ftpd.testing.reactors import private_reactor, turn

__all__ = [
    "MIB",
    "CountingConnection",
    "DiskFile",
    "Line",
    "TLSLine",
    "crews_of",
    "drive",
    "every",
    "opened",
    "pattern",
    "private_reactor",
    "started",
    "tls_context",
    "turn",
]
