"""Cover: TLS on a control connection, from AUTH or its first byte on until CCC, REIN or the end.

Apart from the channel, which hears and says the same lines with it and without, and from the layer, which knows bytes and no session.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from twisted.logger import Logger

from ftpd.events import HandshakeFailed
from ftpd.ftp.layer import TLSLayer
from ftpd.ftp.session import Session
from ftpd.ftp.wire.replies import Reply
from ftpd.hostnames import canonical_name
from ftpd.spi import DelayedCall
from ftpd.transfer.tunnel import Tunnel
from ftpd.values import TLSFacts

__all__ = ["Cover"]

_FAREWELL_SECONDS: Final = 0.5  # after CCC, for the client to say close_notify first; curl waits for ours


class Covered(Protocol):
    """The channel below a cover."""

    def say_last(self, reply: Reply) -> None: ...
    def hang_up(self) -> None: ...
    def uncover(self) -> None: ...


class Cover:
    """Carry what *channel* says for *session* through TLS, to *send*; *established* is called when the handshake has ended well.

    `write` and `write_last` are the layer's.
    """

    _log = Logger()

    def __init__(self, channel: Covered, session: Session, send: Callable[[bytes], None], established: Callable[[], None]) -> None:
        self._channel = channel
        self._session = session
        self._established = established
        self._farewell: DelayedCall | None = None  # after CCC
        self._layer = TLSLayer(Tunnel(session.protection.context), send, self._shaken)
        self.write = self._layer.write
        self.write_last = self._layer.write_last
        self.say_end = self._layer.say_end

    @property
    def is_ended(self) -> bool:
        """Whether the client has ended its TLS, and with it the connection."""
        return self._layer.is_ended and not self._layer.is_leaving

    def uncovered(self, wire: bytes) -> bytes:
        """Return what *wire* says in clear; where it breaks TLS, tell the operator and close."""
        layer = self._layer
        try:
            data = layer.received(wire)
        except ConnectionError as error:
            self._fail(str(error))
            return b""
        if layer.is_leaving and layer.is_ended:  # close_notify has come, or clear text without it (CCC)
            self.close()
            self._channel.uncover()
        return data

    def leave(self) -> None:
        """Begin to go back to clear (CCC, REIN)."""
        self._layer.leave()
        self._farewell = self._session.factory.reactor.callLater(_FAREWELL_SECONDS, self.say_end)

    def close(self) -> None:
        """Let go of TLS; nothing is said.  May be called twice."""
        farewell, self._farewell = self._farewell, None
        if farewell is not None and farewell.active():
            farewell.cancel()
        self._layer.close()

    def _shaken(self, facts: TLSFacts) -> None:
        session = self._session
        session.peer = session.peer._replace(tls=facts)
        if session.trace is not None:
            session.trace.protected(facts)
        if self._agrees_on_host(facts.server_name):
            self._established()

    def _agrees_on_host(self, server_name: str) -> bool:
        """Let SNI choose the virtual host; one that HOST has chosen before has to be the same (RFC 7151 4)."""
        if not server_name:
            return True
        session = self._session
        virtual = session.factory.hosts.get(canonical_name(server_name))
        if session.is_host_named and virtual is not session.host:
            self._channel.say_last(Reply(421, "TLS was begun with another name than HOST has named; closing."))
            return False
        session.choose_host(virtual)
        return True

    def _fail(self, reason: str) -> None:
        peer, layer = self._session.peer, self._layer
        if peer.tls is None and not layer.is_leaving:
            self._session.publish(HandshakeFailed(peer=peer, reason=reason))
        else:
            self._log.warn("[{session}] TLS broke: {reason}", session=peer.session, reason=reason)
        if layer.speaks_tls:
            self._channel.hang_up()
        else:
            self._channel.say_last(Reply(421, "TLS is spoken here now; closing."))
