"""ControlChannel: the control connection as Twisted sees it.

It always reads, so that ABOR and STAT are heard during a transfer; it decides what may overtake what, and answers in order.  One
command runs at a time.  While a transfer runs, commands whose row says `beside` are answered at once if nothing waits before them.
"""

from __future__ import annotations

import socket as sockets
import typing
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.errors import TooManySessions
from ftpd.events import LoggedOut, SessionClosed, SessionOpened, SessionRefused, WrongProtocol
from ftpd.ftp.answer import answer, row_of
from ftpd.ftp.direct import writer_for
from ftpd.ftp.errors_to_replies import reply_for
from ftpd.ftp.languages import catalogue
from ftpd.ftp.session import Session
from ftpd.ftp.states import Stop
from ftpd.ftp.tolerance import Tolerance
from ftpd.ftp.unread import has_unread
from ftpd.ftp.wire.lines import LineReader, TooLong
from ftpd.ftp.wire.replies import Reply, encode
from ftpd.ftp.wire.strangers import protocol_of_bytes, protocol_of_line

if TYPE_CHECKING:
    from ftpd.ftp.cover import Cover
    from ftpd.ftp.factory import FTPFactory
    from ftpd.values import Peer

__all__ = ["ControlChannel"]

_MOST_WAITING: Final = 64  # lines; then reading pauses until half of them are answered
_MOST_AT_ONCE: Final = 32  # commands of one client in one turn of the reactor
_READ_BYTES: Final = 8192  # at once: a line's limit.  Twisted's 64 KiB would be 65,536 empty lines for one look at what waits
_TURNS_TO_READ: Final = 4  # of the reactor: it looks at its clock first, and a Synch's urgent byte ends a read (tcp(7))
_CLOSE_SECONDS: Final = 10.0  # for a client to take its last reply


class Transport(typing.Protocol):
    """What a control connection needs of its transport: ITransport, IConsumer and IPushProducer, which every endpoint's has."""

    bufferSize: int  # bytes read at once, and unsent bytes from which on we are told to pause

    def write(self, data: bytes) -> None: ...
    def loseConnection(self) -> None: ...
    def abortConnection(self) -> None: ...
    def registerProducer(self, producer: Any, streaming: bool) -> None: ...
    def unregisterProducer(self) -> None: ...
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def setTcpNoDelay(self, enabled: bool) -> None: ...
    def setTcpKeepAlive(self, enabled: bool) -> None: ...
    def getHandle(self) -> sockets.socket: ...


@implementer(IPushProducer)
class ControlChannel(Protocol):
    """One client's control connection; `session` is None until it was let in and after it is over."""

    _log = Logger()
    _dismissal = ""  # what the client was told when it had to go
    factory: FTPFactory

    def __init__(self) -> None:
        self.session: Session | None = None
        self.last_heard = 0.0
        self._reader = LineReader()
        self._waiting: list[bytes | TooLong] = []  # an empty deque has 0.6 KiB, a third of an idle session (tests/bench: idle)
        self._running: Deferred[Reply] | None = None
        self._aside: Deferred[Reply] | None = None
        self._out: list[bytes] = []
        self._after_reply: list[Callable[[], None]] = []
        self._cover: Cover | None = None  # TLS
        self._is_working = False
        self._is_abortable = False  # the running command, by ABOR
        self._is_blocked = False  # the client does not read its replies
        self._is_paused = False
        self._is_lost = False
        self._closing_since: float | None = None

    # IProtocol.

    def connectionMade(self) -> None:
        assert self.transport is not None, "Twisted sets the transport first"
        self._line = cast(Transport, self.transport)
        self._send: Callable[[bytes], None] = writer_for(self.transport)
        self._write = self._send
        self._tune_socket()
        self._line.registerProducer(self, True)
        peer = self.factory.peer_of(self.transport)
        self.last_heard = self.factory.reactor.seconds()
        self.factory.channels.add(self)
        if self.factory.door.refusal is not None:
            self._turn_away(peer, self.factory.door.refusal, Reply(421, self.factory.door.refusal))
            return
        try:
            visit = self.factory.limits.open(peer)
        except TooManySessions as refusal:
            self._turn_away(peer, str(refusal), reply_for(refusal))
            return
        self.session = Session(self.factory, self, peer, visit)
        self.session.trace = self.factory.traces.begin(self.session)
        if peer.tls is not None and self.factory.needs_own_tls:
            self._log.error("an endpoint does TLS itself, so that data_resumption = required cannot be kept: nobody is served")
            self.say_last(Reply(421, "This server is not set up right; the operator's log tells more."))
            return
        if self.factory.events.wants(SessionOpened):
            self.session.publish(SessionOpened(peer=peer))
        if self.factory.is_implicit and self.factory.contexts is not None:
            self.session.protection.begin(self.factory.contexts.for_session(), is_private=self.session.policy.data != "off")
            self._put_on_tls(self.session, self._greet)
        else:
            self._greet()

    def dataReceived(self, data: bytes) -> None:
        cover = self._cover
        if cover is not None:
            data = cover.uncovered(data) if self._closing_since is None else b""
        if data and self._closing_since is None and self.session is not None:
            self._hear(self.session, data)
        if cover is not None and cover.is_ended:
            self._close()  # the client is leaving, and what it said before is answered

    def _hear(self, session: Session, data: bytes) -> None:
        if session.account is None and (protocol := protocol_of_bytes(data)):
            self._cut_off(session, protocol)
            return
        lines = self._reader.feed(data)
        if not lines:
            return
        if self._reader.refusals:
            refusals, self._reader.refusals = self._reader.refusals, b""
            self._write(refusals)
        if session.trace is not None:
            session.trace.heard(lines)
        self._waiting += lines
        if self._running is not None:
            self._heed_abort(session)
        self._work()
        # Not for any byte: a line that drips in and never ends would keep its session for ever.
        self.last_heard = self.factory.reactor.seconds()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_lost = True
        if self._cover is not None:
            self._cover.close()
        has_left = self._closing_since is None
        if has_left:
            self._closing_since = self.factory.reactor.seconds()
        session = self.session
        if session is None:
            self.factory.forget(self)
            return
        said_goodbye = any(self._is_asked(session, line, "QUIT") for line in self._waiting)
        self._waiting.clear()
        if has_left and not said_goodbye and session.tolerates(Tolerance.NO_QUIT):
            self._dismissal = "the client left without QUIT, as this device does"
        if self._running is not None and not said_goodbye:
            self._stop(session, Stop.DISCONNECTED)
        if self._running is None:
            self._end(lambda: self._dismissal or reason.getErrorMessage())

    def _turn_away(self, peer: Peer, reason: str, reply: Reply) -> None:
        self.factory.events.publish(SessionRefused(peer=peer, reason=reason))
        language = catalogue(self.factory.settings.language)
        self.say_last(reply if language is None else language.translated(reply))

    def _cut_off(self, session: Session, protocol: str) -> None:
        """End a connection that speaks *protocol* before anything of it is taken for a command.

        Not after a login: whoever has logged in speaks FTP, and his files may be called anything.
        """
        reply = Reply(421, f"This is an FTP server, and {protocol} is not FTP; closing.")
        self._dismissal = reply.text
        session.publish(WrongProtocol(peer=session.peer, protocol=protocol))
        self._waiting.clear()
        self.say_last(reply)

    # What a session may ask.

    def send(self, reply: Reply) -> None:
        session = self.session
        if session is not None and session.language is not None:
            reply = session.language.translated(reply)
        if session is not None and session.trace is not None:
            session.trace.said(reply)
        self._out.append(encode(reply))
        if self._running is not None:  # nobody comes back soon: a 150 that waits here is waited for by the client
            self.flush()
            self.factory.reactor.callLater(0, self._work)

    def flush(self) -> None:
        """Write what was said in this step in one piece: 150 and 226 of a small file share a segment."""
        if self._out:
            out, self._out = self._out, []
            if self._closing_since is None:
                self._write(out[0] if len(out) == 1 else b"".join(out))

    @property
    def is_backed_up(self) -> bool:
        return self._is_blocked

    async def catch_up(self, seconds: float) -> None:
        if seconds:
            await deferLater(self.factory.reactor, seconds)  # type: ignore[arg-type]  # spi.Reactor is an IReactorTime
        for _ in range(_TURNS_TO_READ):
            if not has_unread(self.transport):
                return
            await deferLater(self.factory.reactor, 0)  # type: ignore[arg-type]  # spi.Reactor is an IReactorTime

    def close_after_reply(self) -> None:
        if self._cover is not None:
            self._write = self._cover.write_last
        self._after_reply.append(self.hang_up)

    def put_on_tls(self) -> None:
        self._after_reply.append(self._begin_tls)

    def take_off_tls(self) -> bool:
        if self._cover is None:
            return False
        self._after_reply.append(self._cover.leave)
        return True

    def after_reply(self, action: Callable[[], None]) -> None:
        self._after_reply.append(action)

    def say_last(self, reply: Reply) -> None:
        """Send *reply*, and close once it is out."""
        self.send(reply)
        self.flush()
        self.hang_up()

    # What the factory asks.

    def hang_up(self) -> None:
        """Let what is written go out, then close; a client that does not take it in time is cut off by `sweep`."""
        self._waiting.clear()
        self._close()

    def dismiss(self, stop: Stop, reply: Reply) -> None:
        """Say 421 and close; a command under way is cancelled and gets its own reply first."""
        self._dismissal = reply.text
        self._waiting.clear()
        if self.session is not None and self._running is not None:
            self._stop(self.session, stop)
        if self._running is not None:  # a commit that lets nobody cancel it: the reply follows, then the end
            self._after_reply.append(lambda: self.say_last(reply))
        else:
            self.say_last(reply)

    def sweep(self, now: float) -> None:
        """Judge the clocks of this connection; called about once a second."""
        session = self.session
        if self._closing_since is not None:
            if now - self._closing_since > _CLOSE_SECONDS:
                self._line.abortConnection()
        elif session is None:
            return
        elif not session.is_logged_in and now - session.opened > self.factory.settings.timeouts.login:
            self.dismiss(Stop.TIMED_OUT, Reply(421, "No login within the time for it; closing."))
        elif self._running is not None:
            if session.transfer is not None:
                session.transfer.look(now)
            return  # a transfer has clocks of its own, and idle time counts from the end of a command
        elif now - self.last_heard > session.idle_seconds:
            self.dismiss(Stop.TIMED_OUT, Reply(421, "Idle for too long; closing."))
        else:
            self.heed_door(now)

    def heed_door(self, now: float) -> None:
        """End a session that is at rest, with 421, where the factory's door is drained and it has been silent for long enough.

        Where no quiet is granted, a login under way is not waited for: a stop would last until the last of a storm's passwords is checked.
        """
        door = self.factory.door
        if door.sends_away(now - self.last_heard) and (self._is_at_rest or (door.quiet_seconds == 0 and self._is_logging_in)):
            self.dismiss(Stop.SHUTDOWN, Reply(421, door.words))

    @property
    def _is_at_rest(self) -> bool:
        """Whether nothing of the session is under way, waits to be answered, or is over already."""
        is_busy = self._running is not None or self._aside is not None or self._is_working or bool(self._waiting)
        return not is_busy and self._closing_since is None and self.session is not None

    @property
    def _is_logging_in(self) -> bool:
        """Whether a command of a session without a login waits for something: a password check, the accounts' places, a home."""
        session = self.session
        return session is not None and not session.is_logged_in and self._running is not None and self._closing_since is None

    # IPushProducer: the client reads its replies too slowly, or again.

    def pauseProducing(self) -> None:
        """Answer no more.  Reading goes on until enough waits: an ABOR is heard, and the handshake of an `ssl:` endpoint, which is why we wait."""
        self._is_blocked = True

    def resumeProducing(self) -> None:
        self._is_blocked = False
        self._work()

    def stopProducing(self) -> None:
        """The transport is lost; `connectionLost` follows."""

    # Order.

    def _work(self) -> None:
        """Answer what waits, in order, until a line has to wait for a command under way, or it is others' turn."""
        if self._is_working:
            return
        self._is_working = True
        try:
            for _ in range(_MOST_AT_ONCE):
                if not self._waiting or not self._answer_one():
                    break
            else:
                if self._waiting:
                    self.factory.reactor.callLater(0, self._work)
        finally:
            self._is_working = False
        if self._is_paused or len(self._waiting) >= _MOST_WAITING:
            self._pace_reading()
        if self.factory.door.quiet_seconds == 0:  # else the sweep sees to it
            self.heed_door(self.last_heard)

    def _answer_one(self) -> bool:
        """Answer the oldest line, beside the transfer if one runs; False where it has to wait."""
        session = self.session
        if session is None or self._aside is not None or self._is_blocked or self._closing_since is not None:
            return False
        if self._running is None:
            self._answer_next(session)
            return True
        row = row_of(session, self._waiting[0])
        if row is None or not row.beside or session.transfer is None:
            return False
        self._answer_aside(session, self._waiting.pop(0))
        return True

    def _heed_abort(self, session: Session) -> None:
        """Let an ABOR among what waits pass the rest, and stop the command under way, whose 426 comes first."""
        if self._running is None or not self._is_abortable or session.stop is not None:
            return
        for place, line in enumerate(self._waiting):
            if self._is_asked(session, line, "ABOR"):
                del self._waiting[place]
                self._waiting.insert(0, line)
                self._stop(session, Stop.ABORTED)
                return

    def _is_asked(self, session: Session, line: bytes | TooLong, verb: str) -> bool:
        row = row_of(session, line)
        return row is not None and row.verb == verb

    def _answer_next(self, session: Session) -> None:
        line = self._waiting.pop(0)
        session.stop = None
        if session.account is None and (protocol := _stranger(line)):
            self._cut_off(session, protocol)
            return
        result = answer(session, line)
        if isinstance(result, Reply):
            self._answered(session, line, result)
            return
        self.flush()  # the 150 of a transfer that has to wait
        self._running = result
        row = row_of(session, line)
        self._is_abortable = row is not None and row.is_abortable
        result.addCallback(self._finished, session, line)
        self._heed_abort(session)

    def _finished(self, reply: Reply, session: Session, line: bytes | TooLong) -> None:
        self._running = None
        self.last_heard = self.factory.reactor.seconds()
        self._answered(session, line, reply)
        if self._is_lost:
            self._end(lambda: self._dismissal or "connection lost")
        else:
            self._work()

    def _answer_aside(self, session: Session, line: bytes | TooLong) -> None:
        result = answer(session, line)
        if isinstance(result, Reply):
            self._answered(session, line, result, is_aside=True)
            return
        self._aside = result

        def answered(reply: Reply) -> None:
            self._aside = None
            self._answered(session, line, reply, is_aside=True)
            self._work()

        result.addCallback(answered)

    def _answered(self, session: Session, line: bytes | TooLong, reply: Reply, is_aside: bool = False) -> None:
        """Write the final reply, then do what had to wait for it."""
        if self.factory.logs_commands:
            self.factory.log_command(session, line, reply)
        if session.language is not None:
            reply = session.language.translated(reply)
        if session.trace is not None:
            session.trace.said(reply, line)
        self._out.append(encode(reply))
        self.flush()
        if is_aside:
            return
        if self._after_reply:
            after, self._after_reply = self._after_reply, []
            for action in after:
                action()
        if reply.code == 421:  # it says that the connection closes (RFC 959 4.2.2)
            self.hang_up()

    def _stop(self, session: Session, stop: Stop) -> None:
        """Cancel the running command; the first reason counts."""
        if session.stop is None:
            session.stop = stop
        if self._running is not None:
            self._running.cancel()

    # TLS.

    def _begin_tls(self) -> None:
        """Answer AUTH's 234 with deeds: what came in clear behind it is dropped: plaintext injection (CVE-2011-0411)."""
        self._reader.clear()
        self._waiting.clear()
        if self._cover is not None:  # REIN has taken it off, and the client has not said its end
            self._cover.close()
        if self.session is not None and not self._is_lost:
            self._put_on_tls(self.session, lambda: None)

    def _put_on_tls(self, session: Session, established: Callable[[], None]) -> None:
        from ftpd.ftp.cover import Cover  # with OpenSSL: not for sessions in clear

        self._cover = Cover(self, session, self._send, established)
        self._write = self._cover.write

    def uncover(self) -> None:
        """Go on in clear."""
        self._cover = None
        self._write = self._send

    # Bytes.

    def _greet(self) -> None:
        session = self.session
        self.send(Reply(220, session.greeting if session is not None else self.factory.greeting()))
        self.flush()

    def _pace_reading(self) -> None:
        """Read no more while much waits, or while the client does not read its replies."""
        if len(self._waiting) >= _MOST_WAITING:
            self._pause_reading()
        elif self._is_paused and not self._is_blocked and len(self._waiting) <= _MOST_WAITING // 2:
            self._resume_reading()

    def _pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            self._line.pauseProducing()

    def _resume_reading(self) -> None:
        self._is_paused = False
        if self._closing_since is None:
            self._line.resumeProducing()

    def _tune_socket(self) -> None:
        """No delay: else a 226 waits for the acknowledgement of the 150, 40 ms a file.  Urgent bytes stay in line, or Telnet's are lost."""
        if ITCPTransport.providedBy(self.transport):
            self._line.bufferSize = _READ_BYTES
            self._line.setTcpNoDelay(True)
            self._line.setTcpKeepAlive(True)
            handle = self._line.getHandle()
            if isinstance(handle, sockets.socket):  # an `ssl:` endpoint gives OpenSSL's connection
                handle.setsockopt(sockets.SOL_SOCKET, sockets.SO_OOBINLINE, 1)

    # The end.

    def _close(self) -> None:
        """Say no more; a QUIT that waits for the end of a transfer is remembered."""
        if self._closing_since is None:
            self._closing_since = self.factory.reactor.seconds()
            if self._cover is not None:
                self._cover.say_end()
            self._line.unregisterProducer()
            self._line.loseConnection()

    def _end(self, reason: Callable[[], str]) -> None:
        """Give back what the session holds: data port, login, its place among the sessions.  Once."""
        session, self.session = self.session, None
        if session is None:
            return
        account = session.account_name
        session.tell_faults()
        session.close_data()
        self._after_reply, after = [], self._after_reply
        for action in after:
            action()
        events = self.factory.events
        if account is not None and events.wants(LoggedOut):
            session.publish(LoggedOut(peer=session.peer, account=account))
        session.log_out()
        session.visit.close()
        if session.trace is not None:
            session.trace.end(reason())
        if events.wants(SessionClosed):
            seconds = self.factory.reactor.seconds() - session.opened
            session.publish(SessionClosed(peer=session.peer, account=account, seconds=seconds, reason=reason()))
        self.factory.forget(self)


def _stranger(line: bytes | TooLong) -> str:
    """Return the other protocol that *line*, said before the login, belongs to; a password may look like anything."""
    return "" if isinstance(line, TooLong) or line[:5].upper() == b"PASS " else protocol_of_line(line)
