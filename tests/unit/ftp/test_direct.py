from __future__ import annotations

import pytest
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport

from ftpd.ftp.direct import writer_for


class Socket:
    """A socket that takes `room` bytes, or fails."""

    def __init__(self, room=1000):
        self.room = room
        self.taken = b""

    def fileno(self):
        return -1

    def send(self, data):
        if self.room is None:
            raise BlockingIOError
        taken = data[: self.room]
        self.taken += taken
        self.room -= len(taken)
        return len(taken)


class Transport(Connection):
    """Twisted's TCP transport, as far as `writer_for` looks at it; `buffered` is what went to its own buffer."""

    TLS = False
    connected = True
    disconnecting = False

    def __init__(self, socket):
        self.socket = socket
        self.buffered = b""
        self.dataBuffer = b""
        self._tempDataLen = 0

    def write(self, data):
        self.buffered += data


def test_reply_goes_straight_to_the_socket():
    transport = Transport(Socket())
    writer_for(transport)(b"200 OK.\r\n")
    assert (transport.socket.taken, transport.buffered) == (b"200 OK.\r\n", b"")


def test_what_the_socket_does_not_take_is_buffered():
    transport = Transport(Socket(room=3))
    writer_for(transport)(b"200 OK.\r\n")
    assert (transport.socket.taken, transport.buffered) == (b"200", b" OK.\r\n")


def test_full_socket_leaves_it_to_the_buffer():
    transport = Transport(Socket(room=None))
    writer_for(transport)(b"200 OK.\r\n")
    assert transport.buffered == b"200 OK.\r\n"


@pytest.mark.parametrize(
    ("attribute", "value"),
    [("dataBuffer", b"x"), ("_tempDataLen", 1), ("disconnecting", True), ("connected", False), ("TLS", True)],
)
def test_nothing_overtakes_what_waits_and_nothing_passes_tls_by(attribute, value):
    transport = Transport(Socket())
    setattr(transport, attribute, value)
    writer_for(transport)(b"200 OK.\r\n")
    assert (transport.socket.taken, transport.buffered) == (b"", b"200 OK.\r\n")


def test_any_other_transport_writes_itself():
    transport = StringTransport()
    writer_for(transport)(b"200 OK.\r\n")
    assert transport.value() == b"200 OK.\r\n"
