"""ProtectedPort: a data port whose connection gets TLS while it comes into being (`spi.DataPort`).

Apart from the ports themselves, which know sockets and no TLS.  The handshake begins when the client connects, not when it asks for a
transfer: curl 7.88 sends no further command before it has heard our side of it, or waited 0.2 s for that, with every file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpd.errors import DataNotProtected
from ftpd.events import DataNotResumed
from ftpd.ftp.session import Session
from ftpd.spi import DataPort

if TYPE_CHECKING:
    from ftpd.transfer.descriptor import SocketConnection
    from ftpd.transfer.tls import TLSConnection
    from ftpd.transfer.tunnel import Tunnel

__all__ = ["ProtectedPort"]

T = TypeVar("T")

_SETTLE_SECONDS: Final = 0.3  # for the rest of a handshake: a round trip around the earth


class ProtectedPort:
    """Put the TLS of *session* on the connection of *port*, from now on.

    In the role of the client where SSCN, or *is_client* (CPSV), says so: then the other end is another server.
    """

    def __init__(self, session: Session, port: DataPort, *, is_client: bool = False) -> None:
        self._session = session
        self._port = port
        self._is_client = is_client or session.protection.is_tls_client
        self._is_announced = False
        self._is_over = False  # the coming into being, well or not
        self._is_late = False
        self._covered: TLSConnection | None = None
        # No coroutine, and no timer of its own: they are a tenth of what a small file costs in Python (tests/bench: tls-retr).
        opening = cast("Deferred[SocketConnection]", port.open())
        self._covering: Deferred[TLSConnection] = opening.addCallback(self._cover).addBoth(self._conclude)

    @property
    def address(self) -> str:
        return self._port.address

    @property
    def port(self) -> int:
        return self._port.port

    async def settle(self) -> None:
        """Before the 150 of an upload: let a handshake that the client has begun come to its end, and the tickets to the client.

        curl 7.88 uses each TLS 1.3 ticket once, and with a small file is gone before those arrive that it was sent after the 150: it
        could not resume again.  Other clients begin the handshake only when they hear the 150, and these are not waited for.
        """
        if not self._is_over:
            await self._pause(0)  # what the client sent before its command may be behind it in this round of the reactor
        if self._covered is not None and self._covered.is_shaking_hands:
            await self._pause(_SETTLE_SECONDS)

    def _pause(self, seconds: float) -> Deferred[None]:
        """Return what fires after *seconds*, or once the handshake is over, but not from within its callbacks."""
        reactor = self._session.factory.reactor
        over: Deferred[None] = Deferred(lambda _: stop())
        timer = reactor.callLater(seconds, _fire, over)

        def stop() -> None:
            if timer.active():
                timer.cancel()

        def hasten(result: T) -> T:
            if not over.called:
                stop()
                reactor.callLater(0, _fire, over)
            return result

        if seconds:
            self._covering.addBoth(hasten)
        return over

    def open(self) -> Deferred[TLSConnection]:
        """Return the connection; fails with `DataConnectionFailed`, or with `DataNotProtected` and the cause.

        The handshake has the time that a connection has to come into being, from now on: many clients begin it only when they hear the
        150.  The connection itself has it from PASV on.
        """
        self._is_announced = True
        if not self._is_over:
            self._session.factory.handshakes.set(self, self._expire)
        return self._covering

    def close(self) -> None:
        self._covering.addErrback(lambda _: None)
        self._covering.cancel()
        self._port.close()
        if self._covered is not None:
            self._covered.close()

    def _cover(self, connection: SocketConnection) -> Deferred[TLSConnection]:
        from ftpd.transfer.tls import TLSConnection  # with OpenSSL: not for servers and sessions in clear
        from ftpd.transfer.tunnel import Tunnel

        session = self._session
        tunnel = Tunnel(self._context(), is_server=not self._is_client)
        covered = self._covered = TLSConnection(
            session.factory.reactor,
            connection,
            tunnel,
            tolerates_eof=session.policy.tolerates_eof,
            keeps_tickets_back=lambda: self._keeps_tickets_back(tunnel),
        )
        shaking = covered.shake_hands(None, must_resume=self._must_resume)
        return shaking.addCallbacks(self._judge, _refuse, callbackArgs=(covered, tunnel))

    def _judge(self, _: None, covered: TLSConnection, tunnel: Tunnel) -> TLSConnection:
        """The handshake has ended well: whose is it?"""
        if not self._is_client:
            self._demand_certificate(tunnel)
            if not tunnel.is_resumed:
                self._tell_of_stranger()
        return covered

    def _conclude(self, result: TLSConnection | Failure) -> TLSConnection | Failure:
        self._is_over = True
        timeouts = self._session.factory.handshakes
        timeouts.cancel(self)
        if self._is_late and isinstance(result, Failure) and isinstance(result.value, CancelledError):
            raise DataNotProtected(f"TLS on the data connection failed: no handshake within {timeouts.seconds:g} seconds")
        return result

    def _expire(self) -> None:
        self._is_late = True
        self._covering.cancel()

    def _context(self) -> Any:
        contexts, protection = self._session.factory.contexts, self._session.protection
        return contexts.for_client_role() if self._is_client and contexts is not None else protection.context

    def _keeps_tickets_back(self, tunnel: Tunnel) -> bool:
        """Whether the client has heard the 150, so that data follow, or has resumed nothing, so that it looks for no tickets.

        One that sends may go without reading them, and its `close` is then a reset that takes the end of the file along (Perl's Net::FTP in
        passive mode, Go, GnuTLS); one that receives gets them in a segment with its data.
        """
        return self._is_announced or not tunnel.is_resumed

    @property
    def _must_resume(self) -> bool:
        return self._session.factory.settings.tls.data_resumption == "required" and not self._is_client

    def _demand_certificate(self, tunnel: Tunnel) -> None:
        """Refuse whoever has not the client certificate of the control connection; resumed or not, for a refused stranger has a ticket too."""
        tls = self._session.peer.tls
        client = tls.client if tls is not None else self._session.protection.cleared_client
        if client is not None:
            from ftpd.tls.client_names import describe

            certificate = tunnel.peer_certificate()
            if certificate is None or describe(certificate) != client:
                raise DataNotProtected("The data connection shows another client certificate than the control connection")

    def _tell_of_stranger(self) -> None:
        """The connection did not resume the control connection's session: anybody might have made it."""
        session = self._session
        if session.factory.settings.tls.data_resumption == "log" and not session.protection.is_told:
            session.protection.is_told = True
            session.publish(DataNotResumed(peer=session.peer, account=session.account_name or ""))


def _fire(over: Deferred[None]) -> None:
    """End a pause that is not over yet."""
    if not over.called:
        over.callback(None)


def _refuse(failure: Failure) -> Failure:
    """Put into words for a reply why the handshake failed."""
    from ftpd.transfer.tls import NotResumed

    error = failure.value
    if isinstance(error, NotResumed):
        raise DataNotProtected(
            "The data connection did not resume the TLS session of this control connection, as it must here"
        ) from error
    if isinstance(error, OSError):
        raise DataNotProtected(f"TLS on the data connection failed: {error.strerror or error}") from error
    return failure
