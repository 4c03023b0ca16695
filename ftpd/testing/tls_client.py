"""TLSClient: the client's side of TLS in memory, and contexts for the server's side.

Apart from the dialogue, so that a test over real sockets has the same client: between its bytes and the server a test may cut, delay, repeat
or forge what it likes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from OpenSSL import SSL

from ftpd.testing.lines import tls_context

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

__all__ = ["MemoryContexts", "TLSClient"]

_PIECE_BYTES: Final = 64 * 1024


class TLSClient:
    """TLS as a client speaks it; `outgoing` begins with its ClientHello.  It verifies nothing unless *context* does.

    *name* is its SNI; *session*, that of another client with the same `context`, is offered for resumption.  Raises `SSL.Error` where the server is at fault.
    """

    def __init__(self, name: str = "", *, context: SSL.Context | None = None, session: Any = None) -> None:
        self.is_established = False
        self.has_heard_end = False
        self.context = context or SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._connection: Any = SSL.Connection(self.context, None)
        self._connection.set_connect_state()
        if name:
            self._connection.set_tlsext_host_name(name.encode("ascii"))
        if session is not None:
            self._connection.set_session(session)
        self._shake_hands()

    @property
    def session(self) -> Any:
        """What another connection can resume; in TLS 1.3 it has come with what was heard after the handshake."""
        return self._connection.get_session()

    @property
    def version(self) -> str:
        """OpenSSL's name of the version, such as `TLSv1.3`."""
        version: str = self._connection.get_protocol_version_name()
        return version

    @property
    def certificate(self) -> Certificate:
        """The server's."""
        found: Certificate = self._connection.get_peer_certificate().to_cryptography()
        return found

    def outgoing(self) -> bytes:
        """Return all that is to be sent to the server now."""
        pieces = []
        try:
            while True:
                pieces.append(self._connection.bio_read(_PIECE_BYTES))
        except SSL.WantReadError:
            return b"".join(pieces)

    def feed(self, wire: bytes) -> bytes:
        """Take what the server sent and return what it says in clear text; the handshake goes on by itself."""
        if wire:
            self._connection.bio_write(wire)
        if not self.is_established:
            self._shake_hands()
        return self._decrypted() if self.is_established else b""

    def encrypt(self, data: bytes) -> bytes:
        """Return the records of *data*, after all else that is to be sent."""
        self._connection.sendall(data)
        return self.outgoing()

    def say_end(self) -> bytes:
        """Return close_notify."""
        self._connection.shutdown()
        return self.outgoing()

    def renegotiate(self) -> bytes:
        """Return the ClientHello of a second handshake, which TLS 1.2 has and 1.3 has not."""
        self._connection.renegotiate()
        self._shake_hands()
        return self.outgoing()

    def _shake_hands(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        self.is_established = True

    def _decrypted(self) -> bytes:
        pieces = []
        try:
            while True:
                pieces.append(self._connection.recv(_PIECE_BYTES))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.has_heard_end = True
        return b"".join(pieces)


class MemoryContexts:
    """`ftpd.ftp.protection.SessionContexts` without files: one certificate, the test's own; `hosts` has the host that each session named."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self._client_role = SSL.Context(SSL.TLS_CLIENT_METHOD)

    def for_session(self, host: str = "") -> SSL.Context:
        self.hosts.append(host)
        return tls_context()

    def for_client_role(self) -> SSL.Context:
        return self._client_role
