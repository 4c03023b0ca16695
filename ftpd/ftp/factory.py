"""FTPFactory: what all sessions of one listener share, and the public door for embedding.

It stands in for `twisted.protocols.ftp.FTPFactory`: same arguments, same public attributes, any endpoint.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, cast

import attrs
from twisted.cred.portal import Portal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress, IReactorFDSet, ITransport
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

from ftpd.accounts.choice import chosen
from ftpd.accounts.door import RESTARTING, Door, one_line
from ftpd.accounts.limits import Limits, LimitSettings
from ftpd.accounts.peer import peer_of
from ftpd.accounts.rates import Rates, RateSettings
from ftpd.ambient import ambient_reactor
from ftpd.events import Events
from ftpd.ftp.answer import row_of
from ftpd.ftp.channel import ControlChannel
from ftpd.ftp.command import Command, CommandTable, names_of
from ftpd.ftp.commands import KNOWN_VERBS, standard_commands
from ftpd.ftp.data.announce import Announcement
from ftpd.ftp.data.faults import DataFaults
from ftpd.ftp.data.ports import DataPortFactory
from ftpd.ftp.deadlines import Deadlines
from ftpd.ftp.devices import Devices
from ftpd.ftp.hashes.digests import Digests
from ftpd.ftp.hosts import Host
from ftpd.ftp.protection import Policy, SessionContexts, policy_for
from ftpd.ftp.session import Session
from ftpd.ftp.sessionrow import describe
from ftpd.ftp.settings import FTPSettings
from ftpd.ftp.states import Stop
from ftpd.ftp.traces.collection import Traces
from ftpd.ftp.wire.lines import TooLong
from ftpd.ftp.wire.replies import Reply, encode
from ftpd.hostnames import canonical_name
from ftpd.paths import decode_name
from ftpd.schema import Seconds
from ftpd.spi import DataPorts, DelayedCall, Reactor
from ftpd.transfer import Crews
from ftpd.values import Peer, SessionRow

__all__ = ["FTPFactory"]

_ATTRIBUTES = ("timeOut", "welcomeMessage", "passivePortRange", "connectionLimit")
_SWEEP_SECONDS = 1.0
_NEVER_SECONDS = 100 * 365 * 86400.0  # no infinity: SITE IDLE prints it


class FTPFactory(ServerFactory):
    """Serve FTP on whatever endpoint listens with it.

    *portal* grants `IAvatar` or Twisted's `IFTPShell`; *userAnonymous* is the name that logs in anonymously.  Everything else has a default:
    *settings*, *limits* on sessions and failed logins, *rates* of transfers, *events* for observers, *data_ports*, the table of *commands*
    (`{**standard_commands(), b"XFOO": foo}`), the *listener*'s name in events, and *anonymous_names* where there are several.
    `logs_commands` writes one debug line for each command.  *text_credentials* says whether the portal's checkers want names and passwords as
    text, True, or as bytes, False; None goes by `shell.logins.takes_text`.  *contexts* makes TLS possible; with *is_implicit* every connection
    begins with it.  *hosts* are the virtual hosts by their names.  *crews* are the threads for transfers, shared by factories that are given the same.
    So are *digests*, which hash files.
    *data_faults* tell the events why data connections fail; *data_ports* of one's own, if any, are given the same.

    Raises `ValueError` for *is_implicit* without *contexts*, and `RuntimeError` where the *reactor*, by default the process's own, cannot watch descriptors.
    """

    refusal = encode(Reply(421, "The server has no room for another client now; try again later."))
    protocol = ControlChannel  # type: ignore[assignment]  # Twisted declares a factory of IProtocol
    overflowProtocol: type | None = None
    allowAnonymous = True
    _of_class: Mapping[str, Any] = {}
    _log = Logger()

    def __init__(
        self,
        portal: Portal | None = None,
        userAnonymous: str = "anonymous",
        *,
        settings: FTPSettings | None = None,
        limits: Limits | None = None,
        rates: Rates | None = None,
        events: Events | None = None,
        data_ports: DataPorts | None = None,
        commands: Mapping[bytes, Command[Any]] | None = None,
        anonymous_names: tuple[str, ...] | None = None,
        listener: str = "",
        logs_commands: bool = False,
        text_credentials: bool | None = None,
        contexts: SessionContexts | None = None,
        is_implicit: bool = False,
        hosts: Iterable[tuple[str, Host]] = (),
        crews: Crews | None = None,
        digests: Digests | None = None,
        data_faults: DataFaults | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        self.portal = portal
        self.userAnonymous = userAnonymous
        self.anonymous_names = anonymous_names
        self.text_credentials = text_credentials
        self.reactor = reactor if reactor is not None else ambient_reactor()
        if data_ports is None:
            _demand_descriptors(self.reactor)
        self.settings = settings or FTPSettings()
        self.limits = limits or Limits(LimitSettings(), self.reactor)
        self.rates = rates or Rates(RateSettings(), self.reactor)
        self.rates.observe(self._hold_transfers)
        self.events = events or Events()
        self.data_faults = data_faults or DataFaults(self.events, self.reactor.seconds)
        self._given_ports = data_ports
        self.crews = crews or Crews(self.reactor)
        self.digests = digests or Digests(self.crews, self.settings.hashes)
        self.handshakes = Deadlines(self.reactor, self.settings.timeouts.data_connect)  # of data connections
        self.listener = listener
        self.logs_commands = logs_commands
        if is_implicit and contexts is None:
            raise ValueError("implicit TLS needs contexts")
        self.contexts = contexts
        self.is_implicit = is_implicit
        self.hosts: Mapping[str, Host] = {canonical_name(name): host for name, host in hosts}
        known = commands if commands is not None else standard_commands()
        self.commands = self._offered(known)
        self.known_verbs = KNOWN_VERBS | known.keys()
        self.channels: set[ControlChannel] = set()
        self.door = Door()
        self.neighbours: Callable[[], Awaitable[Iterable[SessionRow]]] | None = None
        """Tells the sessions of all that serve together, other listeners and processes; None: there are no others."""
        self._sweeper: DelayedCall | None = None
        self._emptying: list[Deferred[None]] = []
        self._apply_settings()
        for name, value in self._of_class.items():
            setattr(self, name, value)

    def _hold_transfers(self) -> None:
        for channel in self.channels:
            if channel.session is not None:
                channel.session.hold_transfer()

    def __init_subclass__(cls) -> None:
        """Let a subclass set the public attributes below at class level, as subclasses of Twisted's factory do."""
        super().__init_subclass__()
        given = {name: cls.__dict__[name] for name in _ATTRIBUTES if name in cls.__dict__}
        cls._of_class = {**cls._of_class, **given}
        for name in given:
            delattr(cls, name)  # it would hide the property, and be ignored

    # The public attributes of twisted.protocols.ftp.FTPFactory.

    @property
    def timeOut(self) -> float | None:
        """Seconds without a command until 421; None: never."""
        idle = self.settings.timeouts.idle
        return idle if idle < _NEVER_SECONDS else None

    @timeOut.setter
    def timeOut(self, seconds: float | None) -> None:
        idle = Seconds(_NEVER_SECONDS if seconds is None else seconds)
        self.settings = attrs.evolve(self.settings, timeouts=attrs.evolve(self.settings.timeouts, idle=idle))

    @property
    def welcomeMessage(self) -> str:
        """The text of the 220."""
        return self.settings.greeting

    @welcomeMessage.setter
    def welcomeMessage(self, text: str) -> None:
        self.settings = attrs.evolve(self.settings, greeting=text)

    @property
    def passivePortRange(self) -> range:
        """The ports of passive data connections, where no *data_ports* of one's own were given.

        Any iterable of numbers can be assigned that leaves no gap: a `ValueError` is better than a port that the firewall keeps shut.
        Twisted's default `range(0, 1)`, any port, becomes our own.
        """
        first, last = self.settings.passive.ports
        return range(first, last + 1)

    @passivePortRange.setter
    def passivePortRange(self, ports: Iterable[int]) -> None:
        chosen = _without_gaps(ports) or FTPSettings().passive.ports
        self.settings = attrs.evolve(self.settings, passive=attrs.evolve(self.settings.passive, ports=chosen))
        self._apply_settings()

    @property
    def connectionLimit(self) -> int | None:
        """How many sessions there may be at a time, None: any number; it is the `sessions` of `limits`, and so of all who share these.

        One too many hears 421.  To let nobody in, which is what 0 would mean, there is `lock`: 0 is a `ValueError`.
        """
        return self.limits.settings.sessions or None

    @connectionLimit.setter
    def connectionLimit(self, sessions: int | None) -> None:
        if sessions is not None and sessions < 1:
            raise ValueError("connectionLimit takes None or a number from 1 on; lock() lets nobody in")
        self.limits.allow(sessions or 0)

    @property
    def connectionCount(self) -> int:
        """How many control connections there are, those that are being turned away included."""
        return len(self.channels)

    # Twisted's factory life.

    def doStart(self) -> None:
        """Begin to serve a port.

        Raises `TypeError` where `protocol` or `overflowProtocol` are of Twisted's server: nothing would ever ask them.  Raises `ValueError` behind an `ssl:` endpoint where data connections have to resume a session of ours: there is none, and nobody
        could be served.
        """
        if isinstance(self.protocol, type) and not issubclass(self.protocol, ControlChannel):
            raise TypeError(
                f"protocol is {self.protocol.__qualname__}, not a ControlChannel: a command of one's own is a row in commands="
            )
        if self.overflowProtocol is not None:
            raise TypeError("overflowProtocol is never asked: one session too many hears the 421 of limits")
        if self.needs_own_tls and _is_wrapped_in_tls(self):
            raise ValueError(
                "an ssl: endpoint does TLS itself, so that data_resumption = required cannot be kept; listen without TLS"
            )
        super().doStart()  # type: ignore[no-untyped-call]

    def buildProtocol(self, addr: IAddress | None) -> ControlChannel:  # type: ignore[override]  # Twisted's type variable cannot be bound
        channel = self.protocol()
        channel.factory = self
        if self._sweeper is None:
            self._sweeper = self.reactor.callLater(_SWEEP_SECONDS, self._sweep)
        return channel

    def close_sessions(self, words: str = "The server is shutting down; closing.") -> Deferred[None]:
        """Say 421 and *words* to everybody and cancel what runs; the Deferred fires when the last session is over."""
        for channel in tuple(self.channels):
            channel.dismiss(Stop.SHUTDOWN, Reply(421, words))
        return self._emptied()

    def drain(self, quiet_seconds: float, words: str = RESTARTING) -> Deferred[None]:
        """Let sessions end by themselves: see `spi.Served`.  Who connects later is under the same rule, and for 0 told *words* at once."""
        self.door.drain(quiet_seconds, words)
        now = self.reactor.seconds()
        for channel in tuple(self.channels):
            channel.heed_door(now)
        return self._emptied()

    def lock(self, message: str | None) -> None:
        """Turn away whoever connects, with 421 and *message*: see `spi.Served`."""
        self.door.lock(message)

    def kick(self, field: str, value: str, reason: str) -> list[str]:
        """End the sessions whose *field* is *value*, with 421 and *reason*: see `spi.Served`."""
        reply = Reply(421, one_line(reason) or Stop.KICKED.value)
        kicked = self._chosen(field, value)
        for channel in kicked.values():
            channel.dismiss(Stop.KICKED, reply)
        return sorted(kicked)

    def slow(self, field: str, value: str, rate: int) -> list[str]:
        """Hold the logins whose *field* is *value* to *rate* bytes a second each way: see `spi.Served`."""
        return sorted(
            session
            for session, channel in self._chosen(field, value).items()
            if channel.session is not None and channel.session.slow(rate)
        )

    def _chosen(self, field: str, value: str) -> dict[str, ControlChannel]:
        """Return the channels of the sessions whose *field* is *value*, by the sessions' ids."""
        sessions = {row.session for row in chosen(self.rows(), field, value)}
        return {
            channel.session.peer.session: channel
            for channel in self.channels
            if channel.session is not None and channel.session.peer.session in sessions
        }

    def rows(self) -> Iterator[SessionRow]:
        """Describe the sessions there are now: see `spi.Served`."""
        ahead = time.time() - self.reactor.seconds()
        for channel in tuple(self.channels):
            if channel.session is not None:
                yield describe(channel.session, channel.last_heard, ahead)

    async def all_rows(self) -> Iterable[SessionRow]:
        """Describe the sessions of all listeners and processes that serve together.  Raises `Unavailable` where nobody can tell now."""
        return self.rows() if self.neighbours is None else await self.neighbours()

    def _emptied(self) -> Deferred[None]:
        """Return what fires when the last session is over."""
        if not self.channels:
            self._stop_sweeping()
            self._close_ports()
            return succeed(None)
        emptied: Deferred[None] = Deferred()
        self._emptying.append(emptied)
        return emptied

    # What channels and commands ask.

    def peer_of(self, transport: ITransport) -> Peer:
        return peer_of(transport, "ftp", self.listener)

    @property
    def needs_own_tls(self) -> bool:
        """Whether data connections have to prove whose they are, which they can only with our own TLS on the control connection."""
        return self.contexts is not None and self.settings.tls.data_resumption == "required"

    def policy_for(self, address: str) -> Policy:
        """What is demanded of a client at *address*."""
        return self._policy if self._policy is not None else policy_for(self.settings.tls, address)

    def is_called(self, name: str, local_address: str) -> bool:
        """Whether HOST may say *name* and mean what is no virtual host: reached at *local_address*."""
        return name == local_address or name in map(canonical_name, self.settings.names)

    def greeting(self) -> str:
        return self.settings.greeting

    def is_anonymous(self, name: str) -> bool:
        """Whether *name* logs in without a password here."""
        names = self.anonymous_names if self.anonymous_names is not None else (self.userAnonymous,)
        return self.allowAnonymous and name.lower() in _lowered(names)

    def forget(self, channel: ControlChannel) -> None:
        """*channel* is over."""
        self.channels.discard(channel)
        if self.channels:
            return
        self.traces.flush()
        self._stop_sweeping()  # nothing is left in the reactor when nobody is here: trial, for one, looks
        self._close_ports()
        emptying, self._emptying = self._emptying, []
        for waiting in emptying:
            waiting.callback(None)

    def _close_ports(self) -> None:
        """Give back the ports that are ours; given ones may serve other factories, and are their owner's to close."""
        self.handshakes.close()
        if self._given_ports is None:
            self.data_ports.close()

    def log_command(self, session: Session, line: bytes | TooLong, reply: Reply) -> None:
        """One debug line for a command and its reply; nothing that might be a password, typed into the wrong command included."""
        row = row_of(session, line)
        if row is None or isinstance(line, TooLong):
            words = "(not a command)"
        elif row.is_secret or not session.is_logged_in:
            words = row.verb
        else:
            words = decode_name(line)
        self._log.debug(
            "[{session}] {command} -> {reply}",
            session=session.peer.session,
            account=session.account_name or "",
            peer=session.peer.endpoint,
            command=words,
            reply=reply.code,
        )

    def _apply_settings(self) -> None:
        passive, active = self.settings.passive, self.settings.active
        self.data_ports: DataPorts = self._given_ports or DataPortFactory(
            self.reactor, passive.ports, self.settings.timeouts.data_connect, active.source_port, faults=self.data_faults
        )
        self.devices = Devices(self.settings.devices)
        self.traces = Traces(self.settings.traces, self.reactor)
        self._policy = None if self.settings.tls.networks else policy_for(self.settings.tls, "")
        self.announcement = Announcement(passive, self._resolve, self.reactor.seconds)

    def _resolve(self, name: str) -> Deferred[str]:
        # IReactorCore.resolve asks in a thread, or an installed resolver; IPv4 only, which is all that a 227 can carry.
        return cast("Deferred[str]", cast(Any, self.reactor).resolve(name))

    def _offered(self, commands: Mapping[bytes, Command[Any]]) -> CommandTable:
        allowed = {verb.upper() for verb in self.settings.allow_commands}
        denied = {verb.upper() for verb in self.settings.deny_commands}
        return {
            verb: row
            for verb, row in commands.items()
            if (not allowed or allowed & names_of(verb, row)) and not denied & names_of(verb, row)
        }

    def _sweep(self) -> None:
        now = self.reactor.seconds()
        for channel in tuple(self.channels):
            channel.sweep(now)
        self._sweeper = self.reactor.callLater(_SWEEP_SECONDS, self._sweep) if self.channels else None

    def _stop_sweeping(self) -> None:
        sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None and sweeper.active():
            sweeper.cancel()


@lru_cache(maxsize=16)  # asked twice at every login (tests/bench: login)
def _lowered(names: tuple[str, ...]) -> frozenset[str]:
    return frozenset(name.lower() for name in names)


def _demand_descriptors(reactor: object) -> None:
    """Refuse a reactor that cannot carry our data sockets, with a sentence for whoever chose it."""
    if not IReactorFDSet.providedBy(reactor):
        raise RuntimeError(
            f"ftpd needs a reactor that watches file descriptors (IReactorFDSet), and {type(reactor).__name__} does not"
        )


def _is_wrapped_in_tls(factory: FTPFactory) -> bool:
    """Whether an endpoint has put its own TLS around *factory*; nobody but its wrapper, made just now, knows of that."""
    from twisted.protocols.tls import TLSMemoryBIOFactory

    return any(isinstance(one, TLSMemoryBIOFactory) and one.wrappedFactory is factory for one in gc.get_objects())


def _without_gaps(ports: Iterable[int]) -> tuple[int, int] | None:
    """Return the first and the last of *ports*; None where they mean any port."""
    numbers = sorted(set(ports))
    if numbers in ([], [0]):
        return None
    first, last = numbers[0], numbers[-1]
    if not 0 < first <= last < 65536 or len(numbers) != last - first + 1:
        raise ValueError("passivePortRange takes ports from 1 to 65535 without a gap")
    return first, last
