"""Exchange: what a download and an upload have in common: a client, an account, a line, a clock that runs out, and one end.

Apart from the server, which makes one of a request, and of which it knows only what `Home` says.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, Protocol

import attrs
from twisted.logger import Logger

from ftpd.accounts.limits import Visit
from ftpd.accounts.rates import Rates, SessionRates, Way
from ftpd.errors import OverQuota, TransferCut
from ftpd.events import DatagramTransferEnded, Event
from ftpd.paths import VirtualPath
from ftpd.spi import Pace, Reactor
from ftpd.stepping import stepped
from ftpd.tftp.errors_to_codes import answer_for
from ftpd.tftp.line import Line
from ftpd.tftp.logins import Login, Logins
from ftpd.tftp.wire.options import Terms
from ftpd.tftp.wire.packets import Mode, Request, error, parse_error
from ftpd.values import Outcome, Peer, SessionRow

__all__ = ["Exchange", "Home", "Visitor"]

NEVER: Final = float("inf")
_CLIENTS_MISTAKES: Final = (TransferCut, OverQuota)  # nothing that an operator has to be warned of


class Home(Protocol):
    """What an exchange needs of the server."""

    reactor: Reactor
    rates: Rates

    @property
    def dallies(self) -> bool:
        """Whether there is time for those whose transfer is over, and whose client may not have heard of it."""

    def over(self, exchange: Exchange, key: Any) -> None:
        """*exchange*, known as *key*, has ended."""

    def wants(self, kind: type[Event]) -> bool:
        """Whether anybody hears of events of *kind*: others need not be made."""

    def publish(self, event: Event) -> None: ...
    def turn_away(self, peer: Peer, reason: str) -> None:
        """Say nothing to a client for whom there is no room, who will ask again."""


class Visitor:
    """Who has sent a request to *home*, and what has to be given back when it is over: the login and the place that it has taken."""

    __slots__ = (
        "_login",
        "_logins",
        "_visit",
        "account",
        "answered",
        "began",
        "datagram",
        "files",
        "hands_on",
        "home",
        "key",
        "peer",
        "request",
    )

    def __init__(self, home: Home, key: Any, datagram: bytes, request: Request, peer: Peer, visit: Visit, began: float) -> None:
        self.home = home
        self.key = key
        self.datagram = datagram
        self.request = request
        self.peer = peer
        self.began = began
        self.answered = -NEVER  # when the request was last answered once more
        self.hands_on = False  # whether the login is as good as new for the client's next request
        self._visit = visit
        self.account: Any = None
        self.files: Any = None
        self._login: Login | None = None
        self._logins: Logins

    def logged_in(self, login: Login, logins: Logins) -> None:
        """Have *login*, one of *logins*, from now on."""
        self.account = login.account
        self.files = login.files
        self._login = login
        self._logins = logins

    async def take_place(self) -> None:
        """Count the login, where the account has a limit.  Raises `TooManySessions`."""
        await self._visit.succeeded(self.account)

    @property
    def name(self) -> str:
        """The account's name, empty before the login."""
        return self.account.name if self.account is not None else ""

    def leave(self) -> None:
        """Give everything back; may be called twice."""
        login, self._login = self._login, None
        if login is not None:
            if self.hands_on:
                self._logins.hand_on(login)
            else:
                login.end()
        self._visit.close()

    def describe(self) -> SessionRow:
        """Return what others see of it, before there is a transfer."""
        peer, now = self.peer, time.time()
        account = self.account
        return SessionRow(
            session=peer.session,
            address=peer.address,
            port=peer.port,
            listener=peer.listener,
            protocol=peer.protocol,
            since=now - (self.home.reactor.seconds() - self.began),
            heard=now,
            account=self.name,
            is_anonymous=account is not None and account.is_anonymous,
            host=account.host if account is not None else "",
            command=self.request.command,
        )


class Exchange(ABC):
    """A transfer of *file* under way.  *timer* is its window machine: `timer.deadline` is when `expired` wants to be called.

    Slots: where 2,000 are served at once, each costs what of it has to come back into the processor's cache (tests/bench: tftp-storm).
    """

    __slots__ = (
        "__weakref__",
        "_file",
        "_home",
        "_line",
        "_pace",
        "_rates",
        "_seconds",
        "_terms",
        "is_over",
        "path",
        "timer",
        "visitor",
    )

    direction: Way
    timer: Any

    _log = Logger()

    def __init__(self, visitor: Visitor, path: VirtualPath, terms: Terms, file: Any, timer: Any) -> None:
        self._home = visitor.home
        self.visitor = visitor
        self.path = path
        self._terms = terms
        self._file = file
        self.timer = timer
        self._line: Line
        self._seconds = self._home.reactor.seconds
        self._rates: SessionRates | None = None
        self._pace: Pace | None = None
        self.is_over = False
        self.hold()

    # What the kinds of exchange say of themselves.

    @property
    @abstractmethod
    def moved(self) -> int:
        """Bytes of the file that have reached the other side, headers not counted."""

    @property
    @abstractmethod
    def blocks(self) -> int:
        """Blocks that the other side has acknowledged, or that were taken."""

    @property
    @abstractmethod
    def retransmissions(self) -> int:
        """Packets that were sent again."""

    @property
    @abstractmethod
    def size(self) -> int | None:
        """Bytes that there are to move, headers not counted; None where nobody knows."""

    def attach(self, line: Line) -> None:
        """Use *line* from now on."""
        self._line = line
        line.tell(self)

    @abstractmethod
    def start(self) -> None:
        """Answer the request."""

    @abstractmethod
    def repeated(self) -> None:
        """The client sent its request again: the answer was lost, or is late."""

    @abstractmethod
    def received(self, datagram: bytes) -> None:
        """The client sent *datagram*."""

    def catch_up(self) -> None:
        """Hear what has come and was not read yet: what the client sent before it asked again, to another port of ours."""
        self._line.read()

    @abstractmethod
    def expired(self, now: float) -> None:
        """The deadline of `timer` has come."""

    @abstractmethod
    def free(self) -> None:
        """Let go of the file."""

    # Line's listener.

    @abstractmethod
    def writable(self) -> None:
        """There is room to send again."""

    def broken(self, error: OSError) -> None:
        """The client's port is closed, or cannot be reached."""
        self.end(Outcome.PEER_FAULT, f"The client cannot be reached: {error.strerror or error}")

    # Rates.

    def hold(self) -> None:
        """Go by the rates as they are now."""
        account = self.visitor.account
        if self._pace is None and (self._rates is not None or self._home.rates.concern(account)):
            if self._rates is None:
                self._rates = self._home.rates.enter(account)
            self._pace = self._rates.pace(self.direction)

    def slow(self, rate: int) -> None:
        """Hold it to *rate* bytes a second; 0: no more."""
        if self._rates is None:
            self._rates = self._home.rates.enter(self.visitor.account)
        self._rates.slow(rate)
        self.hold()

    def describe(self) -> SessionRow:
        """Return what others see of it."""
        row = self.visitor.describe()
        return attrs.evolve(
            row, direction=self.direction, path=str(self.path), size=self.size, moved=self.moved, transfer_since=row.since
        )

    # The end.

    def fail(self, error: Exception) -> None:
        """End by *error*, a fault of ours unless it says otherwise, and tell the client."""
        code, message = answer_for(error)
        self.refuse(code, message, Outcome.PEER_FAULT if isinstance(error, _CLIENTS_MISTAKES) else Outcome.LOCAL_FAULT)

    def refuse(self, code: int, message: str, outcome: Outcome) -> None:
        """Tell the client that it is over, and end."""
        if not self.is_over:
            with suppress(OSError):  # that it cannot be told is not why it ends
                self._line.send(error(code, message))
            self.end(outcome, message)

    def told_error(self, datagram: bytes) -> None:
        """The client sent an ERROR."""
        code, message = parse_error(datagram)
        self.end(Outcome.PEER_FAULT, f"The client gave up: error {code} {message}".rstrip())

    def end(self, outcome: Outcome, cause: str = "") -> None:
        """Be over, once: free everything, and tell the observers."""
        if self.is_over:
            return
        self.is_over = True
        self.publish_end(outcome, cause)
        self.close()

    def publish_end(self, outcome: Outcome, cause: str) -> None:
        """Tell the observers how it went."""
        visitor = self.visitor
        visitor.hands_on = outcome is Outcome.FINISHED
        if not self._home.wants(DatagramTransferEnded):
            return
        self._home.publish(
            DatagramTransferEnded(
                peer=visitor.peer,
                account=visitor.name,
                is_anonymous=visitor.account.is_anonymous,
                command=visitor.request.command,
                direction=self.direction,
                path=str(self.path),
                moved=self.moved,
                seconds=self._seconds() - visitor.began,
                outcome=outcome,
                cause=cause,
                is_ascii=visitor.request.mode is Mode.NETASCII,
                blocks=self.blocks,
                retransmissions=self.retransmissions,
                options=self._terms.text,
            )
        )

    def close(self) -> None:
        """Free line, file, login and place."""
        self._line.close()
        self.free()
        self.visitor.leave()
        self._home.over(self, self.visitor.key)

    def _dispose(self, closing: Coroutine[Any, Any, None]) -> None:
        """Do what *closing* does with the file; if it fails there is nobody left to be told but the operator."""
        try:
            disposing = stepped(closing)
        except Exception:
            self._log.failure("closing {path} failed", path=str(self.path))
        else:
            if disposing is not None:
                disposing.addErrback(lambda failure: self._log.failure("closing {path} failed", failure, path=str(self.path)))

    def _tell(self, datagram: bytes) -> None:
        """Send *datagram* if there is room; it can be lost on the way as well."""
        try:
            self._line.send(datagram)
        except BlockingIOError:
            pass
        except OSError as error:
            self.broken(error)
