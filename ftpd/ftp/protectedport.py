"""ProtectedPort: a data port whose connection gets TLS while it comes into being (`spi.DataPort`).

Apart from the ports themselves, which know sockets and no TLS.  The handshake begins when the client connects, not when it asks for a
transfer: curl 7.88 sends no further command before it has heard our side of it, or waited 0.2 s for that, with every file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from ftpd.errors import DataNotProtected
from ftpd.events import DataNotResumed
from ftpd.ftp.activeport import ActivePort
from ftpd.ftp.session import Session
from ftpd.spi import DataPort

if TYPE_CHECKING:
    from ftpd.transfer.descriptor import SocketConnection
    from ftpd.transfer.tls import TLSConnection
    from ftpd.transfer.tunnel import Tunnel

__all__ = ["ProtectedPort"]


class ProtectedPort:
    """Put the TLS of *session* on the connection of *port*, from now on.

    In the role of the client where SSCN, or *is_client* (CPSV), says so: then the other end is another server.
    """

    def __init__(self, session: Session, port: DataPort, *, is_client: bool = False) -> None:
        self._session = session
        self._port = port
        self._is_client = is_client or session.protection.is_tls_client
        self._covered: TLSConnection | None = None
        self._covering: Deferred[TLSConnection] = Deferred.fromCoroutine(self._cover())

    @property
    def address(self) -> str:
        return self._port.address

    @property
    def port(self) -> int:
        return self._port.port

    def open(self) -> Deferred[TLSConnection]:
        """Return the connection; fails with `DataConnectionFailed`, or with `DataNotProtected` and the cause.

        The time that a connection has to come into being counts for the handshake anew: many clients begin it only when they hear the 150.
        """
        seconds = self._session.factory.settings.timeouts.data_connect
        reactor: Any = self._session.factory.reactor
        return self._covering.addTimeout(seconds, reactor, _say_timeout)

    def close(self) -> None:
        self._covering.addErrback(lambda _: None)
        self._covering.cancel()
        self._port.close()
        if self._covered is not None:
            self._covered.close()

    async def _cover(self) -> TLSConnection:
        from ftpd.transfer.tls import NotResumed, TLSConnection  # with OpenSSL: not for servers and sessions in clear
        from ftpd.transfer.tunnel import Tunnel

        session = self._session
        connection = cast("SocketConnection", await self._port.open())
        tunnel = Tunnel(self._context(), is_server=not self._is_client)
        self._covered = TLSConnection(
            session.factory.reactor,
            connection,
            tunnel,
            tolerates_eof=session.policy.tolerates_eof,
            keeps_tickets_back=self._keeps_tickets_back,
        )
        try:
            await self._covered.shake_hands(None, must_resume=self._must_resume)
        except CancelledError:
            raise
        except NotResumed as error:
            raise DataNotProtected(
                "The data connection did not resume the TLS session of this control connection, as it must here"
            ) from error
        except OSError as error:
            raise DataNotProtected(f"TLS on the data connection failed: {error.strerror or error}") from error
        if not self._is_client:
            self._demand_certificate(tunnel)
            if not tunnel.is_resumed:
                self._tell_of_stranger()
        return self._covered

    def _context(self) -> Any:
        contexts, protection = self._session.factory.contexts, self._session.protection
        return contexts.for_client_role() if self._is_client and contexts is not None else protection.context

    def _keeps_tickets_back(self) -> bool:
        """Whether the client is known to send only, and may never read tickets.

        Not where it has to resume and may need one for its next upload: OpenSSL's clients (curl) use each TLS 1.3 ticket once.  In active mode
        the handshake is so late that lftp, which uses them again, has always gone before it reads them.
        """
        transfer = self._session.transfer
        is_upload = transfer is not None and transfer.direction == "upload"
        return is_upload and (isinstance(self._port, ActivePort) or not self._must_resume)

    @property
    def _must_resume(self) -> bool:
        return self._session.factory.settings.tls.data_resumption == "required" and not self._is_client

    def _demand_certificate(self, tunnel: Tunnel) -> None:
        """Refuse whoever has not the client certificate of the control connection; resumed or not, for a refused stranger has a ticket too."""
        tls = self._session.peer.tls
        if tls is not None and tls.client is not None:
            from ftpd.tls.client_names import describe

            certificate = tunnel.peer_certificate()
            if certificate is None or describe(certificate) != tls.client:
                raise DataNotProtected("The data connection shows another client certificate than the control connection")

    def _tell_of_stranger(self) -> None:
        """The connection did not resume the control connection's session: anybody might have made it."""
        session = self._session
        if session.factory.settings.tls.data_resumption == "log" and not session.protection.is_told:
            session.protection.is_told = True
            session.publish(DataNotResumed(peer=session.peer, account=session.account_name or ""))


def _say_timeout(result: TLSConnection | Failure, seconds: float) -> TLSConnection | Failure:
    """Put words in the place of the cancellation."""
    if isinstance(result, Failure) and isinstance(result.value, CancelledError):
        raise DataNotProtected(f"TLS on the data connection failed: no handshake within {seconds:g} seconds")
    return result
