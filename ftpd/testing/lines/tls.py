"""TLSLine: a line with TLS on it, and the context of its server.

Apart from lines in clear, so that who needs no TLS loads none of it.
"""

from __future__ import annotations

import socket as sockets
import time
from contextlib import suppress
from functools import cache
from typing import Any, Final

from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL

from ftpd.testing.certificates import make_certificate
from ftpd.testing.lines.line import MIB, Line
from ftpd.testing.reactors import AT_MOST_SECONDS, turn
from ftpd.transfer.tls import TLSConnection
from ftpd.transfer.tunnel import Tunnel

__all__ = ["TLSLine", "tls_context"]

_PATIENCE_SECONDS: Final = 30.0


@cache
def _certificate() -> tuple[Any, Any]:
    identity = make_certificate()
    return identity.parsed, load_pem_private_key(identity.key, None)


def tls_context(certificate: Any = None, key: Any = None) -> SSL.Context:
    """Return a context as one control session has it; of a certificate of the kit's own unless one is given."""
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    if certificate is None:
        certificate, key = _certificate()
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_session_id(b"ftpd")
    context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
    context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_COMPRESSION)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.clear_mode(1)  # SSL_MODE_ENABLE_PARTIAL_WRITE
    return context


class TLSLine(Line):
    """A line with TLS on it, whose handshake is done; what the client reads and writes goes through its own tunnel."""

    def __init__(self, reactor: Any, *, is_narrow: bool = False, listener: sockets.socket | None = None) -> None:
        super().__init__(reactor, is_narrow=is_narrow, listener=listener)
        self.tunnel = Tunnel(SSL.Context(SSL.TLS_CLIENT_METHOD), is_server=False)
        self._wire = b""
        self._has_said_end = False
        self.connection = TLSConnection(reactor, self.below, Tunnel(tls_context()))
        shaking = self.connection.shake_hands(_PATIENCE_SECONDS)
        end = time.monotonic() + AT_MOST_SECONDS
        while not (shaking.called and self.tunnel.shake_hands() and not self._wire):
            assert time.monotonic() < end, "the handshake does not end"
            self.tunnel.shake_hands()
            self.write()
            with suppress(BlockingIOError):
                self.tunnel.feed(self.client.recv(MIB))
            turn(reactor)
        assert shaking.result is None
        self.below.wakeups = 0

    def read(self, count: int = MIB) -> None:
        with suppress(BlockingIOError):
            wire = self.client.recv(count)
            self.tunnel.feed(wire)
            while data := self.tunnel.decrypt():
                self.received += data
            self.has_seen_end = self.tunnel.is_ended_by_peer
            assert wire or self.has_seen_end, "the server ended without close_notify"
        if self.has_seen_end:
            self._say_end()

    def write(self, data: bytes = b"", count: int = MIB) -> None:
        self.unsent += data
        if not self._wire and self.unsent:
            piece, self.unsent = self.unsent[:count], self.unsent[count:]
            self.tunnel.encrypt(piece)
        self._wire += self.tunnel.outgoing()
        with suppress(BlockingIOError):
            self._wire = self._wire[self.client.send(self._wire) :]

    def write_and_end(self) -> None:
        if self.unsent or self._wire:
            self.write()
        else:
            self.end()

    def end(self) -> None:
        """Say close_notify, and close the client's sending side."""
        self._say_end()
        if not self._wire:
            super().end()

    def _say_end(self) -> None:
        if not self._has_said_end:
            self._has_said_end = True
            self.tunnel.say_end()
            with suppress(ConnectionError):  # the server may have closed
                self.write()
