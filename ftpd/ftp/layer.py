"""TLSLayer: the TLS of one control connection, between its transport and its channel.

Our own, and not a transport of Twisted's, since that cannot be taken off again (CCC), and since data connections are bound to the context
of this one session.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import attrs

from ftpd.tls.client_names import describe
from ftpd.transfer.tunnel import HandshakeFailed, Tunnel, TunnelBroken
from ftpd.values import TLSFacts

__all__ = ["TLSLayer"]

_HANDSHAKE: Final = b"\x16"  # what every TLS connection begins with (RFC 8446 5.1)
_RECORDS: Final = range(20, 25)  # first bytes of TLS records (RFC 8446 5.1, RFC 6520): none of them begins a command
_MOST_ANSWERS: Final = 64 * 1024  # bytes that TLS itself says (KeyUpdate) between two replies: no client needs 1 % of them


class TLSLayer:
    """Carry a channel's bytes through *tunnel*; *write* sends to the network, and *established* is called when the handshake is over.

    Only `received` raises.  A client that sends half a message of TLS's own cannot be told anything more: what is written for it, by
    clocks and commands that know nothing of TLS, is lost, and its next byte ends the connection.
    """

    __slots__ = (
        "_answered_bytes",
        "_established",
        "_has_fallen_silent",
        "_has_said_end",
        "_is_heard",
        "_tickets",
        "_tunnel",
        "_write",
        "is_leaving",
    )

    def __init__(self, tunnel: Tunnel, write: Callable[[bytes], None], established: Callable[[TLSFacts], None]) -> None:
        self._tunnel = tunnel
        self._write = write
        self._established = established
        self._is_heard = False
        self._answered_bytes = 0  # since the last reply
        self._tickets = b""
        self._has_fallen_silent = False
        self._has_said_end = False
        self.is_leaving = False  # CCC

    @property
    def speaks_tls(self) -> bool:
        """Whether the client has begun to; one that never did understands replies in clear."""
        return self._is_heard

    @property
    def is_ended(self) -> bool:
        """Whether the client's TLS is over: it has said close_notify, or after CCC speaks in clear without it (curl 7.88)."""
        return self._tunnel.is_ended_by_peer or self._has_fallen_silent

    def received(self, wire: bytes) -> bytes:
        """Return what the client said, in clear; b"" while nothing of it is whole.

        Raises `HandshakeFailed`, and another `ConnectionError` where what arrives later is not TLS; the client's alert is sent.
        """
        if not self._is_heard:
            if not wire.startswith(_HANDSHAKE):
                raise HandshakeFailed("the client does not speak TLS")
            self._is_heard = True
        if self._answered_bytes > _MOST_ANSWERS:  # they wait in memory for a client that does not read
            raise TunnelBroken("the client asks without listening to the answers")
        try:
            if self.is_leaving:
                return self._leave(wire)
            self._tunnel.feed(wire)
            if not self._tunnel.is_established and not self._shake_hands():
                return b""
            return self._decrypted()
        finally:
            self._answered_bytes += self._flush()

    def write(self, data: bytes) -> None:
        """Send *data*; in clear to a client that does not speak TLS or has heard our end of it, and not at all in mid handshake."""
        if self._has_said_end and self.is_leaving:
            self._write(data)
        elif self._tunnel.is_established:
            self._answered_bytes = 0
            with suppress(TunnelBroken):
                self._tunnel.encrypt(data)
            self._flush()
        elif not self._is_heard:
            self._write(data)

    def write_last(self, data: bytes) -> None:
        """Send *data* and close_notify in one piece: to write twice costs 15 us (tests/bench: tls_login)."""
        if self._tunnel.is_established and not self._has_said_end:
            self._has_said_end = True
            with suppress(TunnelBroken):
                self._tunnel.encrypt(data)
                self._tunnel.say_end()
            self._flush()
        else:
            self.write(data)

    def say_end(self) -> None:
        """Send close_notify, once."""
        if self._tunnel.is_established and not self._has_said_end:
            self._has_said_end = True
            with suppress(TunnelBroken):
                self._tunnel.say_end()
            self._flush()

    def leave(self) -> None:
        """Begin to go back to clear (CCC): what stands behind the client's close_notify is clear text again.

        Ours answers it.  Some clients wait for ours instead, and lftp 4.9.2 takes one that comes together with the 200 for the end of the
        connection: whoever calls this says ours after a moment.
        """
        self.is_leaving = True

    def close(self) -> None:
        """The connection is over; the session stays good for data connections that resume it."""
        self._tunnel.mark_shut()

    def _shake_hands(self) -> bool:
        if not self._tunnel.shake_hands():
            return False
        if self._tunnel.has_only_tickets_left:
            self._tickets = self._tunnel.outgoing()  # they go out with the next reply: a segment less for each login
        else:
            self._flush()
        self._established(self._facts())
        return True

    def _facts(self) -> TLSFacts:
        facts, certificate = self._tunnel.facts(), self._tunnel.peer_certificate()
        return facts if certificate is None else attrs.evolve(facts, client=describe(certificate))

    def _leave(self, wire: bytes) -> bytes:
        if not self._tunnel.is_within_record and wire[0] not in _RECORDS:
            self._has_fallen_silent = True
            return wire
        rest = self._tunnel.feed_records(wire)
        plain = self._decrypted() + rest
        if self._tunnel.is_ended_by_peer:
            self.say_end()
        return plain

    def _decrypted(self) -> bytes:
        pieces = []
        while piece := self._tunnel.decrypt():
            pieces.append(piece)
        return b"".join(pieces)

    def _flush(self) -> int:
        """Send what TLS has for the network; return how many bytes that is."""
        wire = self._tunnel.outgoing()
        if wire:
            tickets, self._tickets = self._tickets, b""
            self._write(tickets + wire)
        return len(wire)
