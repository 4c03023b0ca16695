"""Conversation: one client of the control socket, from its first request to its end.

Apart from the socket, which only lets clients in.  One request is answered at a time, and nothing is read meanwhile; an answer is written as the
client takes it, so that one who does not read holds what was asked for, and no copy of it as text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from ftpd.errors import Unavailable
from ftpd.listening import CannotListen
from ftpd.processes.generation import CannotServe
from ftpd.processes.language import MOST_REQUEST_BYTES, Message, written_line, written_problem
from ftpd.processes.operator import Operator, Refused
from ftpd.processes.requests import BadRequest, Wish, read_wish
from ftpd.schema import ConfigError
from ftpd.spi import Clock, DelayedCall

__all__ = ["Conversation", "failed"]

_QUIET_SECONDS: Final = 30.0  # without a request, or without anything of the answer being read
_LINES_AT_ONCE: Final = 16


def failed(kind: str, message: str) -> Message:
    """Return the last line of an answer that could not be given: "request", "protocol", "busy", "configuration", "refused" or "fault"."""
    return {"failed": kind, "message": message}


class Conversation(LineReceiver):
    """With a client whose process is of user *uid*.  *gone* is called once, when the connection is no more."""

    delimiter = b"\n"
    MAX_LENGTH = MOST_REQUEST_BYTES

    transport: Any
    _log = Logger()

    def __init__(self, clock: Clock, operator: Operator, uid: int, gone: Callable[[Conversation], None]) -> None:
        self._clock = clock
        self._operator = operator
        self._uid = uid
        self._gone = gone
        self._is_open = True
        self._deadline: DelayedCall | None = None

    def connectionMade(self) -> None:
        self._wait()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._is_open = False
        self._wait_no_more()
        self._gone(self)

    def abort(self) -> None:
        """End it at once."""
        self.transport.abortConnection()

    def lineReceived(self, line: bytes) -> None:
        try:
            wish = read_wish(line)
        except BadRequest as error:
            self._turn_away(error.kind, str(error))
            return
        self.pauseProducing()  # type: ignore[no-untyped-call]
        self._wait_no_more()
        if wish.words:
            self._log.info("uid {uid} asked for: {wish}", uid=self._uid, wish=wish.words)
        answered: Deferred[None] = Deferred.fromCoroutine(self._answer(wish))
        answered.addErrback(self._cancelled)

    def lineLengthExceeded(self, line: bytes) -> None:
        self._turn_away("request", f"a request has at most {MOST_REQUEST_BYTES} bytes")

    def _turn_away(self, kind: str, message: str) -> None:
        self.clearLineBuffer()  # type: ignore[no-untyped-call]
        self.transport.write(written_line(failed(kind, message)))
        self.transport.loseConnection()

    async def _answer(self, wish: Wish) -> None:
        messages = await self._granted(wish)
        if self._is_open:
            delivery = _Delivery(self.transport, map(written_line, messages), self._wait, self._delivered)
            self.transport.registerProducer(delivery, True)
            delivery.resumeProducing()

    async def _granted(self, wish: Wish) -> Iterable[Message]:
        try:
            answer = await wish.grant(self._operator)
        except CancelledError:
            raise
        except ConfigError as error:
            problems = ({"part": written_problem(problem)} for problem in error.problems)
            return chain(problems, [failed("configuration", "The configuration cannot be used; the old one stays in force.")])
        except (CannotListen, CannotServe, Refused, Unavailable) as error:
            return [failed("refused", str(error))]
        except Exception:
            self._log.failure("what was asked for on the control socket failed: {wish}", wish=wish.words)
            return [failed("fault", "An error in ftpd; its log has more.")]
        return chain(({"part": part} for part in answer.parts), [{"done": answer.done}])

    def _delivered(self) -> None:
        self.transport.unregisterProducer()
        self.resumeProducing()  # type: ignore[no-untyped-call]

    def _cancelled(self, failure: Failure) -> None:
        """The server ends while it does what was asked."""
        failure.trap(CancelledError)  # type: ignore[no-untyped-call]
        self.abort()

    def _wait(self) -> None:
        """Give the client as long again to say or to take something."""
        self._wait_no_more()
        self._deadline = self._clock.callLater(_QUIET_SECONDS, self.abort)

    def _wait_no_more(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()


@implementer(IPushProducer)
class _Delivery:
    """Writes *lines* as fast as *transport* takes them; *progressed* is called on the way, *done* at the end."""

    def __init__(self, transport: Any, lines: Iterator[bytes], progressed: Callable[[], object], done: Callable[[], None]) -> None:
        self._transport = transport
        self._lines = lines
        self._progressed = progressed
        self._done = done
        self._is_paused = False

    def resumeProducing(self) -> None:
        self._is_paused = False
        self._progressed()
        while not self._is_paused:
            data = b"".join(islice(self._lines, _LINES_AT_ONCE))
            if not data:
                self._done()
                return
            self._transport.write(data)

    def pauseProducing(self) -> None:
        self._is_paused = True

    def stopProducing(self) -> None:
        self._is_paused = True
