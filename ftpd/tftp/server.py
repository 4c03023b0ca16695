"""TFTPServer: a port for requests, and the exchanges under way; the public door for embedding.

Apart from what becomes of a request (`opening`) and from the exchanges themselves: here is who may come in, which of them a datagram is for,
whose time has run out, and who has to go.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any, Final, Self

from twisted.cred.portal import Portal
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from ftpd.accounts.choice import chosen
from ftpd.accounts.door import RESTARTING, Door, one_line
from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.accounts.peer import new_session_id, plain_address
from ftpd.accounts.rates import Rates, RateSettings
from ftpd.ambient import ambient_reactor
from ftpd.binding import bound_to
from ftpd.errors import TooManySessions
from ftpd.events import Events, SessionRefused
from ftpd.spi import DelayedCall, Reactor
from ftpd.stepping import stepped
from ftpd.tftp.endpoint import Address
from ftpd.tftp.exchange import NEVER, Exchange, Visitor
from ftpd.tftp.opening import Opening
from ftpd.tftp.port import Arrival, RequestPort
from ftpd.tftp.settings import TFTPListenSettings, TFTPSettings
from ftpd.tftp.virtual import FileRequest, VirtualFiles
from ftpd.tftp.wire.packets import BadRequest, ErrorCode, error, is_of_transfer, is_request, parse_request
from ftpd.values import Outcome, Peer, SessionRow

__all__ = ["FileRequest", "TFTPServer", "VirtualFiles"]

_SWEEP_SECONDS: Final = (
    0.025  # between two looks for exchanges whose time has run out: a timer for each would cost more than the packets
)
_QUIET_SECONDS: Final = 10.0  # between two complaints about requests beyond a limit
_ANSWER_SECONDS: Final = 0.2  # between two answers to the same request; clients wait for a second and more
_MOST_DALLYING: Final = 1024  # stored uploads: each keeps one of the 28,000 ports of Linux, for 255 s if its client says so
_STOPPING: Final = "The server is shutting down."


class _Beginning:
    """A request whose exchange is still to come: the login, the store or the disk is awaited, by *opening*."""

    deadline = NEVER

    def __init__(self, visitor: Visitor, opening: Deferred[None], say: Callable[[bytes], None]) -> None:
        self.visitor = visitor
        self._opening = opening
        self._say = say

    @property
    def timer(self) -> Self:  # no attribute: each request would leave a cycle for the collector
        return self

    def describe(self) -> SessionRow:
        """Return what others see of it."""
        return self.visitor.describe()

    def dismiss(self, words: str) -> None:
        """Tell the client that nothing comes of it."""
        self._say(error(ErrorCode.UNDEFINED, words))
        self._opening.cancel()


class TFTPServer:
    """Serve TFTP on one UDP port.

    *portal* grants `IAvatar` to anonymous credentials, or, where `listen.account` names one, to `login.credentials.VouchedCredentials`.
    Everything else has a default: *settings* for all listeners and *listen* for this one, the *limits* whose bans hold here too, *rates*,
    *events* for observers, and *files*, asked before the store for each file that is wanted: what it returns is sent, None means "not mine".
    Raises `ConfigError` for a map file that cannot be used.
    """

    _log = Logger()

    def __init__(
        self,
        portal: Portal,
        *,
        settings: TFTPSettings | None = None,
        listen: TFTPListenSettings | None = None,
        limits: Limits | None = None,
        rates: Rates | None = None,
        events: Events | None = None,
        files: VirtualFiles | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        self.settings = settings or TFTPSettings()
        self.listen_settings = listen or TFTPListenSettings()
        self.reactor: Any = reactor if reactor is not None else ambient_reactor()
        self.rates = rates or Rates(RateSettings(), self.reactor)
        self.rates.observe(self._hold_transfers)
        self.events = events or Events()
        self.wants = self.events.wants
        self.publish = self.events.publish
        self.door = Door()
        self._label = self.listen_settings.label
        self._limits = limits
        self._visits = Limits(_own_limits(self.settings, limits), self.reactor)
        self._opening = Opening(self, portal, self.settings, self.listen_settings, files)
        self._exchanges: dict[Address, Exchange | _Beginning] = {}  # by the client's address and port
        self._port: RequestPort | None = None
        self._sweeping: DelayedCall | None = None
        self._emptying: list[Deferred[None]] = []
        self._turned_away = 0
        self._has_time = True
        self._quiet_until = 0.0

    # Listening.

    def listen(self, bound: socket.socket | None = None) -> None:
        """Take requests from *bound*, a UDP socket that is this server's from now on; None: from one of its own.  Raises `OSError`."""
        listen = self.listen_settings
        self._port = RequestPort(
            self.reactor, bound or bound_to(listen.address, listen.port, socket.SOCK_DGRAM), self._received, self._writable
        )

    @property
    def address(self) -> tuple[str, int]:
        """IP address and port as bound, while it listens: the port of the settings may be 0."""
        return self._port.address if self._port is not None else (self.listen_settings.address, self.listen_settings.port)

    def close(self) -> None:
        """Take no more requests; exchanges go on.  May be called twice."""
        if self.door.quiet_seconds is None:
            self.door.drain(0, _STOPPING)
        self._close_port()
        self._tell_empty()

    # spi.Served.

    def drain(self, quiet_seconds: float, words: str = RESTARTING) -> Deferred[None]:
        """Take no more requests, and let exchanges end: they are short, and quiet ones are repeating what was lost.

        With 0 s nobody waits for clients whose upload is stored and acknowledged.
        """
        self.door.drain(0, words)
        if quiet_seconds == 0:
            self._has_time = False
            for exchange in list(self._exchanges.values()):
                if isinstance(exchange, Exchange) and exchange.is_over:
                    exchange.close()
        self._close_port()
        return self._emptied()

    def lock(self, message: str | None) -> None:
        self.door.lock(message)

    def kick(self, field: str, value: str, reason: str) -> list[str]:
        words = one_line(reason)
        kicked = self._chosen(field, value)
        for one in kicked:
            self._dismiss(one, words)
        return [one.visitor.peer.session for one in kicked]

    def slow(self, field: str, value: str, rate: int) -> list[str]:
        slowed = [one for one in self._chosen(field, value) if isinstance(one, Exchange)]
        for exchange in slowed:
            exchange.slow(rate)
        return [exchange.visitor.peer.session for exchange in slowed]

    def rows(self) -> Iterator[SessionRow]:
        for one in self._under_way():
            yield one.describe()

    def close_sessions(self, words: str = _STOPPING) -> Deferred[None]:
        text = one_line(words)
        for one in list(self._exchanges.values()):
            self._dismiss(one, text)
        return self._emptied()

    # exchange.Home.

    @property
    def dallies(self) -> bool:
        return self._has_time and len(self._exchanges) - self._visits.inside < _MOST_DALLYING

    def over(self, exchange: Exchange, key: Address) -> None:
        if self._exchanges.get(key) is exchange:
            del self._exchanges[key]
        self._tell_empty()

    # Datagrams.

    def _received(self, datagram: bytes, source: Address, arrival: Arrival) -> None:
        key = source[:2]
        known = self._exchanges.get(key)
        if not is_request(datagram):
            self._answered(known, datagram, source, arrival)
            return
        if isinstance(known, Exchange):
            known.catch_up()
            known = self._exchanges.get(key)
        if known is not None:
            if known.visitor.datagram == datagram and not (isinstance(known, Exchange) and known.is_over):
                if isinstance(known, Exchange):
                    self._repeat(known)
                return
            if isinstance(known, _Beginning):
                return  # one thing after the other: the client will ask again
            self._replace(known)
        if self.door.quiet_seconds is None:
            self._begin(key, datagram, source, arrival)

    def _answered(self, known: Exchange | _Beginning | None, datagram: bytes, source: Address, arrival: Arrival) -> None:
        """Hand over what is no request: only a single port is where such a thing belongs."""
        if not self.listen_settings.single_port or isinstance(known, _Beginning):
            return
        if known is not None:
            known.received(datagram)
        elif is_of_transfer(datagram):
            self._say(error(ErrorCode.UNKNOWN_TRANSFER_ID, "Unknown transfer ID"), source, arrival)

    def _repeat(self, known: Exchange) -> None:
        """Answer once more, but not as often as anybody sends requests in the client's name."""
        now = self.reactor.seconds()
        if now >= known.visitor.answered + _ANSWER_SECONDS:
            known.visitor.answered = now
            known.repeated()

    def _replace(self, known: Exchange) -> None:
        """The client uses its port for another request: with the one before it is finished."""
        if known.is_over:
            known.close()
        else:
            known.end(Outcome.PEER_FAULT, "The client began another transfer from the same port")

    def _begin(self, key: Address, datagram: bytes, source: Address, arrival: Arrival) -> None:
        peer = self._peer(source, arrival)
        try:
            if self._limits is not None:
                self._limits.refuse_banned_peer(peer)
            visit = self._visits.open(peer)
        except TooManySessions as refusal:
            self.turn_away(peer, str(refusal))
            return
        try:
            request = parse_request(datagram)
        except BadRequest as bad:
            visit.close()
            self._say(error(bad.code, bad.message), source, arrival)
            return
        visitor = Visitor(self, key, datagram, request, peer, visit, self.reactor.seconds())
        if self.door.refusal is not None:
            visitor.leave()
            self._say(error(ErrorCode.UNDEFINED, self.door.refusal), source, arrival)
            return
        opening = stepped(self._open(visitor, source, arrival))
        if opening is not None:  # isinstance() goes through abc for a Deferred: 0.5 us
            self._exchanges[key] = _Beginning(visitor, opening, lambda datagram: self._say(datagram, source, arrival))
            opening.addErrback(self._opening_failed)

    async def _open(self, visitor: Visitor, source: Address, arrival: Arrival) -> None:
        exchange: Exchange | None = None
        answer = b""
        try:
            exchange, answer = await self._opening.open(visitor, source, arrival, self._port)
        finally:
            if exchange is None:
                self._forget(visitor)
                visitor.leave()
                self._tell_empty()
        if exchange is None:
            self._say(answer, source, arrival)
            return
        self._exchanges[visitor.key] = exchange
        if self._sweeping is None:
            self._sweeping = self.reactor.callLater(_SWEEP_SECONDS, self._sweep)
        exchange.start()

    def _forget(self, visitor: Visitor) -> None:
        """Forget that *visitor*'s request is being opened, if there was a wait for that."""
        known = self._exchanges.get(visitor.key)
        if isinstance(known, _Beginning) and known.visitor is visitor:
            del self._exchanges[visitor.key]

    def _opening_failed(self, failure: Failure) -> None:
        if not failure.check(CancelledError):  # type: ignore[no-untyped-call]
            self._log.failure("opening what a client asked for failed", failure=failure)

    def _peer(self, source: Address, arrival: Arrival) -> Peer:
        assert self._port is not None  # the request came by it
        here, port = plain_address(arrival[0][0]), self._port.address[1]
        return Peer(plain_address(source[0]), source[1], here, port, "tftp", self._label, new_session_id())

    def _say(self, datagram: bytes, source: Address, arrival: Arrival) -> None:
        if self._port is not None and datagram:
            self._port.send(datagram, source, arrival[1])

    def turn_away(self, peer: Peer, reason: str) -> None:
        """Say nothing to the client, who will ask again, and little to the log: there may be a flood."""
        self._turned_away += 1
        now = self.reactor.seconds()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET_SECONDS
            more = f" ({self._turned_away} requests so far)" if self._turned_away > 1 else ""
            self.events.publish(SessionRefused(peer=peer, reason=reason + more))

    def _writable(self, source: Address) -> None:
        exchange = self._exchanges.get(source[:2])
        if isinstance(exchange, Exchange):
            exchange.writable()

    # Time.

    def _sweep(self) -> None:
        self._sweeping = None
        now = self.reactor.seconds()
        for exchange in [exchange for exchange in self._exchanges.values() if exchange.timer.deadline <= now]:
            assert isinstance(exchange, Exchange)  # a beginning has no deadline
            try:
                exchange.catch_up()  # it may have come, and not been read yet: of a crowd that takes its turn
                if exchange.timer.deadline <= now and self._exchanges.get(exchange.visitor.key) is exchange:
                    exchange.expired(now)
            except Exception as fault:  # a fault of ours ends one exchange, and not the time of all others
                exchange.fail(fault)
        if self._exchanges and self._sweeping is None:
            self._sweeping = self.reactor.callLater(_SWEEP_SECONDS, self._sweep)

    # Ends.

    @staticmethod
    def _dismiss(one: Exchange | _Beginning, words: str) -> None:
        if isinstance(one, _Beginning):
            one.dismiss(words)
        elif one.is_over:
            one.close()
        else:
            one.refuse(ErrorCode.UNDEFINED, words, Outcome.CANCELLED)

    def _chosen(self, field: str, value: str) -> list[Exchange | _Beginning]:
        """Return the transfers that are meant, those included that have yet to begin."""
        there = {one.visitor.peer.session: one for one in self._under_way()}
        return [there[row.session] for row in chosen([one.describe() for one in there.values()], field, value)]

    def _under_way(self) -> list[Exchange | _Beginning]:
        return [one for one in self._exchanges.values() if isinstance(one, _Beginning) or not one.is_over]

    def _hold_transfers(self) -> None:
        for exchange in self._exchanges.values():
            if isinstance(exchange, Exchange):
                exchange.hold()

    def _close_port(self) -> None:
        """Stop reading; a single port is needed as long as there are exchanges."""
        if self._port is not None and not (self.listen_settings.single_port and self._exchanges):
            self._port.close()
            self._port = None
        if not self._exchanges:
            self._opening.close()

    def _emptied(self) -> Deferred[None]:
        emptied: Deferred[None] = Deferred()
        self._emptying.append(emptied)
        self._tell_empty()
        return emptied

    def _tell_empty(self) -> None:
        """Tell those who wait for it that nobody is there; a server that takes no more has no port and no timer then."""
        if self._exchanges:
            return
        if self.door.quiet_seconds is not None:
            self._close_port()
            if self._sweeping is not None:
                self._sweeping.cancel()
                self._sweeping = None
        emptying, self._emptying = self._emptying, []
        for emptied in emptying:
            emptied.callback(None)


def _own_limits(settings: TFTPSettings, shared: Limits | None) -> LimitSettings:
    """Count requests apart from other sessions: anybody can send them in another's name, who must not be locked out of those by it."""
    return LimitSettings(
        sessions=settings.sessions,
        sessions_per_address=settings.sessions_per_address,
        failures_per_address=0,
        exempt=shared.settings.exempt if shared is not None else (),
    )
