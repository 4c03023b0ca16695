"""The SSL contexts: those that keep tickets, and behind them those with the certificates.

Apart from certificates and parameters, since how OpenSSL wants them put together is a matter of its own, and from `binding`, which makes
"resumed" mean "this control session's".

The context that a connection is made from holds no certificate.  OpenSSL asks the servername callback in every handshake, with SNI and
without, and there the connection is given the context of its host (`set_context`).  Tickets and session cache stay those of the first
one, which a limited number of sessions share; and chains and authorities are parsed once for each change of the files.  A session keeps
the certificates that it began with, since clients (FileZilla) compare the data connection's certificate with the control connection's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, Protocol

import attrs
from OpenSSL import SSL

from ftpd.hostnames import canonical_name
from ftpd.tls.binding import NOBODY, SessionContext, can_bind
from ftpd.tls.identity import Identity
from ftpd.tls.parameters import Parameters
from ftpd.tls.store import Identities

__all__ = ["ClientDemand", "Contexts", "OtherProtocol"]

_MOST_SHARING: Final = 256  # sessions with one ticket key and one cache; a context costs 0.1 ms and 15 KiB
_MOST_SECONDS: Final = (
    300  # for which new sessions join: who gets hold of a ticket key can read what its TLS 1.2 tickets were made for
)
_SESSION_SECONDS: Final = 7 * 86400  # the most that TLS 1.3 lets a ticket live (RFC 8446 4.6.1): a transfer may come after days
_PROTOCOLS: Final = (b"ftp", b"ftp-data")  # ALPN: the registered name, and what FileZilla offers on data connections
_LONGEST_SHOWN: Final = 100  # bytes of names that a client offers by ALPN; it may send 64 KiB


class OtherProtocol(ConnectionError):
    """The client offers other protocols by ALPN, and not FTP: somebody has led it here (ALPACA, 2021)."""


class ClientDemand(Protocol):
    """What is asked of clients' certificates; `current` is another object once that has changed (:class:`ftpd.tls.files.Kept`)."""

    @property
    def current(self) -> object:
        """What `apply` goes by."""

    def apply(self, context: SSL.Context) -> None:
        """Set on *context* whether clients are asked for a certificate, and which are good."""


@attrs.define(eq=False)
class _Shared:
    """A context with a ticket key and a session cache, the moment from which on no session joins, and how many may until then."""

    context: SSL.Context
    until: float
    places: int

    def is_open(self, now: float) -> bool:
        return self.places > 0 and now < self.until

    def for_one_more(self) -> SessionContext:
        self.places -= 1
        return SessionContext(self.context)


@attrs.frozen(eq=False)
class _Selection:
    """The hosts' contexts at one moment; sessions keep the one that they began with.

    `origin` is what they were made of, compared by identity.  `shared` has the contexts that new sessions of each host begin with.
    """

    origin: tuple[object, ...] = ()
    contexts: dict[str, SSL.Context] = attrs.field(factory=dict)
    shared: dict[str, _Shared] = attrs.field(factory=dict)

    def choose(self, fallback: str, connection: SSL.Connection) -> None:
        """Give *connection* the context of the host that the client names, of *fallback* where it names none that is known.

        OpenSSL calls it: pyOpenSSL would print an exception to standard error.
        """
        host = canonical_name((connection.get_servername() or b"").decode("ascii", "replace"))
        connection.set_context(self.contexts[host if host and host in self.contexts else fallback])


class Contexts:
    """Makes the contexts of sessions.  *hosts* are the virtual hosts with certificates of their own, by name.

    Used on the reactor thread only.  What has been read anew counts from the next session on.
    """

    def __init__(
        self,
        identities: Identities,
        parameters: Parameters,
        *,
        hosts: Mapping[str, Identities] = MappingProxyType({}),
        clients: ClientDemand | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """*now* is for tests."""
        self._identities = {"": identities} | {canonical_name(name): host for name, host in hosts.items()}
        self._parameters = parameters
        self._clients = clients
        self._now = now
        self._selection = _Selection()
        self._client_role: SSL.Context | None = None

    def for_session(self, host: str = "") -> SessionContext:
        """Return what makes the connections of one control session, new for each; *host* was chosen by HOST before AUTH."""
        selection, fallback, now = self._current(), self.host_of(host), self._now()
        shared = selection.shared.get(fallback)
        if shared is None or not shared.is_open(now):
            context = self._plain_context()
            context.set_tlsext_servername_callback(partial(selection.choose, fallback))
            shared = _Shared(context, now + _MOST_SECONDS, _MOST_SHARING if can_bind() else 1)
            selection.shared[fallback] = shared
        return shared.for_one_more()

    def for_client_role(self) -> SSL.Context:
        """Return the context for data connections on which this server is the TLS client, towards another server (SSCN, CPSV).

        The other server is whatever the client of the two names, so there is nothing to verify its certificate against: what protects
        such a transfer is that both control connections belong to one client.
        """
        if self._client_role is None:
            self._client_role = SSL.Context(SSL.TLS_CLIENT_METHOD)
            self._parameters.apply(self._client_role)
            self._client_role.set_verify(SSL.VERIFY_NONE)
        return self._client_role

    def host_of(self, server_name: str) -> str:
        """Return which virtual host a name in SNI or HOST means, "" for the default one.  Case and a dot at the end mean nothing."""
        name = canonical_name(server_name)
        return name if name in self._identities else ""

    def _current(self) -> _Selection:
        origin = (*(kept.current for kept in self._identities.values()), self._clients and self._clients.current)
        if not self._selection.contexts or any(
            now is not before for now, before in zip(origin, self._selection.origin, strict=True)
        ):
            self._selection = self._select(origin)
        return self._selection

    def _select(self, origin: tuple[object, ...]) -> _Selection:
        selection = _Selection(origin)
        for host, kept in self._identities.items():
            selection.contexts[host] = self._host_context(kept.current, partial(selection.choose, host))
        return selection

    def _host_context(self, identities: Iterable[Identity], choose: Callable[[SSL.Connection], None]) -> SSL.Context:
        context = self._plain_context()
        for identity in identities:
            identity.use_in(context)
        # OpenSSL asks again after a HelloRetryRequest, now this context: the session's own may be gone from Python's side.
        context.set_tlsext_servername_callback(choose)
        context.set_alpn_select_callback(_choose_protocol)
        return context

    def _plain_context(self) -> SSL.Context:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        self._parameters.apply(context)
        context.set_session_id(NOBODY)
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_timeout(_SESSION_SECONDS)
        if self._clients is not None:
            self._clients.apply(context)
        return context


def _choose_protocol(connection: SSL.Connection, offered: list[bytes]) -> bytes:
    for protocol in _PROTOCOLS:
        if protocol in offered:
            return protocol
    names = b", ".join(offered)[:_LONGEST_SHOWN].decode("ascii", "replace")
    shown = "".join(
        letter if letter.isprintable() else "?" for letter in names
    )  # a stranger's bytes, on their way to a log and a reply
    raise OtherProtocol(f"the client wants to speak {shown}, not FTP")
