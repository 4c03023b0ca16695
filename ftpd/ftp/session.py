"""What one client has said so far: who it is, where it stands, what it announced.  No bytes, no sockets.

The channel owns a session and feeds it to `answer`; commands read and change it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from twisted.cred.portal import Portal
from twisted.logger import Logger

from ftpd.errors import DataConnectionFailed, NotLoggedIn
from ftpd.events import FaultTolerated
from ftpd.ftp.devices import Device
from ftpd.ftp.hashes.algorithms import Algorithm
from ftpd.ftp.hosts import Host
from ftpd.ftp.languages import catalogue
from ftpd.ftp.protection import Protection
from ftpd.ftp.states import Stop
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.wire.facts import DEFAULT_FACTS
from ftpd.ftp.wire.form import Mode, Representation, Structure
from ftpd.ftp.wire.replies import Reply
from ftpd.paths import ROOT, VirtualPath
from ftpd.spi import DataPort, Pace
from ftpd.values import Ability, Account, Peer, Permission, SessionRow

if TYPE_CHECKING:
    from ftpd.accounts.guard import Guard
    from ftpd.accounts.limits import Visit
    from ftpd.accounts.rates import SessionRates, Way
    from ftpd.events import Event
    from ftpd.ftp.factory import FTPFactory
    from ftpd.ftp.traces.trace import Trace

__all__ = ["Channel", "Session", "Transfer"]

_MOST_LOOKS: Final = 6  # of a transfer, one a second: its speed is that of the last five seconds


class Channel(Protocol):
    """What a session may ask of the control connection."""

    def send(self, reply: Reply) -> None:
        """Send a reply before the final one (RFC 959's 1xx)."""

    @property
    def is_backed_up(self) -> bool:
        """Whether the client does not read what was sent so far: what need not be said had better not be."""

    async def catch_up(self, seconds: float) -> None:
        """Let what the client has said *seconds* from now be heard; raise CancelledError where that cancels the command under way."""

    def close_after_reply(self) -> None:
        """End the connection once the reply under way is out."""

    def flush(self) -> None:
        """Let what was sent go out now, rather than together with what follows."""

    def put_on_tls(self) -> None:
        """Protect the control connection once the reply under way is out; what the client sent in clear before counts no more."""

    def take_off_tls(self) -> bool:
        """Go back to clear once the reply under way is out (CCC); False where the protection is not ours."""

    def after_reply(self, action: Callable[[], None]) -> None:
        """Call *action*, which never raises, once the final reply is out, or the connection is lost.

        A client hears the reason of a failure before it sees the data connection go, and a success before the logs do.
        """


class Moving(Protocol):
    """What a transfer is done by: a pump, or what reads a file to hash it."""

    @property
    def moved(self) -> int: ...
    def hold_to(self, pace: Pace) -> None: ...


class Transfer:
    """A transfer under way, as STAT shows it; or the hashing of a file, which is long work beside which others are answered, too."""

    __slots__ = ("_looks", "command", "direction", "path", "pump", "size", "started")

    def __init__(self, command: str, direction: str, path: VirtualPath, size: int | None, started: float) -> None:
        self.command = command
        self.direction = direction
        self.path = path
        self.size = size
        self.started = started
        self._looks: tuple[tuple[float, int], ...] = ((started, 0),)
        self.pump: Moving | None = None

    @property
    def moved(self) -> int:
        return self.pump.moved if self.pump is not None else 0

    def look(self, now: float) -> None:
        """Remember how far it is; called about once a second."""
        self._looks = (*self._looks[1 - _MOST_LOOKS :], (now, self.moved))

    def speed(self, now: float) -> float:
        """Return bytes a second within the last seconds, or since the start where it is younger."""
        at, moved = self._looks[0]
        return (self.moved - moved) / (now - at) if now > at else 0.0


class Session:
    """One control connection's state.  `reset_login` and `reset_parameters` say what REIN, USER and AUTH forget."""

    __slots__ = (
        "account",
        "channel",
        "client",
        "copy_from",
        "cwd",
        "data",
        "deflate_level",
        "device",
        "expected_size",
        "factory",
        "facts",
        "faults",
        "hash_algorithm",
        "host",
        "idle_seconds",
        "is_extended_only",
        "is_host_named",
        "is_type_given",
        "language",
        "logout",
        "mode",
        "opened",
        "peer",
        "policy",
        "protection",
        "range",
        "rates",
        "rename_from",
        "representation",
        "restart",
        "row",
        "row_facts",
        "stop",
        "stored_files",
        "structure",
        "trace",
        "transfer",
        "umask",
        "user",
        "visit",
    )

    _log = Logger()

    def __init__(self, factory: FTPFactory, channel: Channel, peer: Peer, visit: Visit) -> None:
        self.factory = factory
        self.channel = channel
        self.peer = peer
        self.visit = visit
        self.host: Host | None = None  # chosen by HOST or SNI; None: the factory's own
        self.is_host_named = False  # by HOST
        self.policy = factory.policy_for(peer.address)
        self.device: Device = factory.devices.find(peer.address, None)
        self.faults: dict[Tolerance, int] | None = None  # what was tolerated, and how often
        self.protection = Protection()
        self.opened = factory.reactor.seconds()
        self.idle_seconds: float = factory.settings.timeouts.idle
        self.client = ""
        self.data: DataPort | None = None
        self.transfer: Transfer | None = None
        self.stop: Stop | None = None
        self.user: bytes | None = None  # named by USER, not yet proven
        self.account: Account | None = None
        self.stored_files: Guard | None = None
        self.logout: Callable[[], object] | None = None
        self.rates: SessionRates | None = None  # once this login, or a transfer of it, was limited
        self.cwd = ROOT
        self.rename_from: VirtualPath | None = None
        self.copy_from: VirtualPath | None = None  # SITE CPFR
        self.trace: Trace | None = None  # where it is written down
        self.row: SessionRow | None = None  # what `sessionrow` has told last
        self.row_facts: object = None  # and of which facts
        self.reset_parameters()

    # The virtual host, or else the factory's own.

    @property
    def portal(self) -> Portal | None:
        return self.host.portal if self.host is not None else self.factory.portal

    @property
    def greeting(self) -> str:
        return self.host.greeting if self.host is not None else self.factory.greeting()

    def is_anonymous(self, name: str) -> bool:
        """Whether *name* logs in without a password on this host."""
        if self.host is None:
            return self.factory.is_anonymous(name)
        return name.lower() in map(str.lower, self.host.anonymous_names)

    def choose_host(self, host: Host | None) -> None:
        """Be a session of *host* from now on; None: of the factory's own."""
        self.host = host
        self.peer = self.peer._replace(host=host.name if host is not None else "")

    def forget_host(self) -> None:
        """Take back what HOST has named (REIN, RFC 7151 3.2.1); what TLS was told stays, for the connection has that host's certificate."""
        if self.is_host_named and not (self.peer.tls is not None and self.peer.tls.server_name):
            self.choose_host(None)
        self.is_host_named = False

    def forget_tls(self) -> None:
        """TLS is taken off the control connection for good: what it has chosen, the host by SNI included, goes with it (REIN, RFC 4217 13)."""
        self.protection = Protection()
        self.peer = self.peer._replace(tls=None)
        self.choose_host(None)

    # Login.

    @property
    def is_logged_in(self) -> bool:
        return self.account is not None

    @property
    def files(self) -> Guard:
        """What this login sees; `NotLoggedIn` before it."""
        if self.stored_files is None:
            raise NotLoggedIn("Log in with USER and PASS first")
        return self.stored_files

    def may(self, permission: Permission) -> bool:
        """Whether this login may do something of *permission* in some place; before a login somebody may.  FEAT asks this."""
        return self.stored_files is None or self.stored_files.permits_anywhere(permission)

    def can(self, ability: Ability) -> bool:
        """Whether the store of this login has *ability*; before a login some store may.  FEAT asks this."""
        return self.stored_files is None or ability in self.stored_files.abilities

    @property
    def account_name(self) -> str | None:
        return self.account.name if self.account is not None else None

    def log_in(self, account: Account, files: Guard, logout: Callable[[], object]) -> None:
        """Take up a login that the portal granted."""
        self.user = None
        self.account = account
        self.stored_files = files
        self.logout = logout
        self.cwd = ROOT if account.is_confined else account.home
        if self.trace is not None:
            self.trace.choose(account.name)
        self._take_for(self.factory.devices.find(self.peer.address, account.name))
        self._tell_client()

    def note_client(self, name: str) -> None:
        """Remember the client's own name and tell the log, but not before the login: what is typed there may be a password."""
        self.client = name
        self._tell_client()

    def _tell_client(self) -> None:
        if self.client and self.account is not None:
            self._log.info(
                "[{session}] client is {client}", session=self.peer.session, account=self.account.name, client=self.client
            )

    def pace(self, way: Way) -> Pace | None:
        """Return what holds a transfer of this login to its rates; None where there are none."""
        if self.rates is None:
            account, rates = self.account, self.factory.rates
            if account is None or not rates.concern(account):
                return None
            self.rates = rates.enter(account)
        return self.rates.pace(way)

    def slow(self, rate: int) -> bool:
        """Hold this login to *rate* bytes a second each way from now on, and the transfer under way; 0: no more.  False where there is no login."""
        if self.account is None:
            return False
        if self.rates is None:
            self.rates = self.factory.rates.enter(self.account)
        self.rates.slow(rate)
        self.hold_transfer()
        return True

    def hold_transfer(self) -> None:
        """Rates have changed: hold a transfer under way that nothing held so far."""
        transfer = self.transfer
        if transfer is not None and transfer.pump is not None:
            pace = self.pace("upload" if transfer.direction == "upload" else "download")
            if pace is not None:
                transfer.pump.hold_to(pace)

    def log_out(self) -> None:
        """Give the login back to the portal, if there is one: exactly once each.  A portal's fault is logged and stops nobody."""
        logout = self.logout
        self._forget_login()
        try:
            if logout is not None:
                logout()
        except Exception:
            self._log.failure("logging out failed (session {session})", session=self.peer.session)

    def _forget_login(self) -> None:
        """What this login named or opened with its rights is nothing to the next one."""
        self.user = self.account = self.stored_files = self.logout = self.rates = None
        self.device = self.factory.devices.find(self.peer.address, None)
        self.cwd = ROOT
        self.rename_from = self.copy_from = None
        self.protection.is_tls_client = False
        self.close_data()

    def reset_parameters(self) -> None:
        """Back to what a new connection has (REIN): TYPE, STRU, MODE, PROT, REST, RNFR, EPSV ALL, language, facts, umask, data port."""
        self.close_data()
        self.protection.reset()
        self.is_type_given = False
        self.representation = self._first_type()
        self.structure = Structure.FILE
        self.mode = Mode.STREAM
        self.deflate_level = self.factory.settings.deflate.level
        self.forget_restart()
        self.rename_from = self.copy_from = None
        self.is_extended_only = False
        self.language = catalogue(self.factory.settings.language)  # None: English, as replies are made
        self.facts: tuple[str, ...] = DEFAULT_FACTS
        self.hash_algorithm = Algorithm.SHA_256
        self.umask: int | None = None
        self.expected_size: int | None = None

    def _first_type(self) -> Representation:
        """What stands before any TYPE."""
        is_image = self.device.tolerates(Tolerance.NO_TYPE)
        return Representation.IMAGE if is_image else Representation(self.factory.settings.default_type)

    def forget_restart(self) -> None:
        """REST and RANG stand directly before their transfer (RFC 3659 5.3)."""
        self.restart = 0
        self.range: tuple[int, int] | None = None  # first and last byte

    def permissions(self, most: int) -> int | None:
        """The mode bits of something new under SITE UMASK, *most* without the mask; None where the store decides."""
        return None if self.umask is None else most & ~self.umask

    # Data connection.

    @property
    def is_on_network(self) -> bool:
        """Whether data could go anywhere; a Unix socket has no address."""
        return bool(self.peer.local_address)

    def demand_network(self) -> None:
        """`DataConnectionFailed` on a Unix socket: it has no address that data could go from, or to."""
        if not self.is_on_network:
            raise DataConnectionFailed("No data connections here: this control connection is not on a network")

    def use_data(self, port: DataPort) -> None:
        """Announce or target *port* for the next transfer; an earlier one is dropped."""
        if self.data is not None:
            self.close_data()
        self.data = port

    def demand_data(self) -> DataPort:
        """Return the data port; `DataConnectionFailed` where none was announced."""
        if self.data is None:
            raise DataConnectionFailed("No data connection was announced: use PASV, EPSV, PORT or EPRT first")
        return self.data

    def take_data(self) -> DataPort:
        """Hand over the data port for the one transfer it is good for."""
        port = self.data or self.demand_data()
        self.data = None
        return port

    def close_data(self) -> None:
        if self.data is not None:
            self.data.close()
            self.data = None

    # The faults of its device.

    def _take_for(self, device: Device) -> None:
        """The client is *device*; what it has chosen already stays."""
        self.device = device
        if not self.is_type_given:
            self.representation = self._first_type()

    def tolerates(self, fault: Tolerance) -> bool:
        """Whether *fault*, which the client has committed, is let pass; then it is counted."""
        if not self.device.tolerates(fault):
            return False
        self.note_fault(fault)
        return True

    def note_fault(self, fault: Tolerance) -> None:
        """Count a fault that was let pass; the first of its kind is told at once."""
        if self.faults is None:
            self.faults = {}
        times = self.faults[fault] = self.faults.get(fault, 0) + 1
        if times == 1:
            self._tell_fault(fault, times)

    def tell_faults(self) -> None:
        """At the end: tell how often each fault was let pass that occurred again."""
        for fault, times in (self.faults or {}).items():
            if times > 1:
                self._tell_fault(fault, times)

    def _tell_fault(self, fault: Tolerance, times: int) -> None:
        if self.factory.events.wants(FaultTolerated):
            account = self.account_name or ""
            self.publish(FaultTolerated(peer=self.peer, account=account, device=self.device.name, fault=fault.value, times=times))

    # Telling.

    def publish(self, event: Event) -> None:
        self.factory.events.publish(event)
        if self.trace is not None:
            self.trace.observe(event)
