"""LiveWalk: one session of a walk through the automaton, with a live server, over real sockets.

Apart from the test, which draws the steps, and from the judge, which knows what may be replied: here is what a client does for a step, and when
it can be sure that a reply comes.  It waits for what the server owes it, and for nothing else, so that no time is in any walk.
"""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
from typing import Final

from ftpd.ftp.wire.automaton import START, State
from tests.integration.data_end import DataEnd
from tests.integration.live import PASSWORD, Guest
from tests.integration.secure_wire import SecureWire
from tests.integration.wire import Reply, listening, reset
from tests.judge import Judge, Said
from tests.walk_steps import PAYLOADS, is_doing, spelled

__all__ = ["LiveWalk"]

_MOST_WAITING: Final = 3  # commands at once: a transfer and what waits behind it
_MOST_TURNS: Final = 100
_LAST_WORDS: Final = ("AUTH", "CCC", "REIN", "QUIT")  # nothing can be said behind them before they are answered
_UPLOADS: Final = ("STOR", "STOU", "APPE")
_COVERED: Final = ("(handshake)", "(end)", *PAYLOADS.keys() - {"(clear)"})  # what is done in TLS under PROT P
_IMPLICIT_START: Final = START - {State.CLEAR} | {State.IMPLICIT}
_PORT: Final = {  # as it ends a 227, 228 and 229
    227: re.compile(r"(\d+),(\d+)\)"),
    228: re.compile(r"(\d+),(\d+)\)"),
    229: re.compile(r"\|\|\|(\d+)\|\)"),
}


class LiveWalk:
    """A session on the server that *guest* has his account on, and what judges it; *is_implicit*: his port speaks TLS at once."""

    def __init__(self, guest: Guest, *, is_implicit: bool = False) -> None:
        self.judge = Judge(_IMPLICIT_START if is_implicit else START)
        self._wire = SecureWire(guest.port, guest.host)
        self._protection = _Protection(is_implicit)
        self._data: DataEnd | None = None  # announced last
        self._transfer: Said | None = None  # begun last
        self._last_word: Said | None = None
        self._is_hasty = False  # the next line is not waited for
        self._targets: dict[Said, socket.socket] = {}  # of a PORT that waits for its reply
        if is_implicit:
            self._wire.shake_hands()
        assert self._wire.reply().code == 220

    def take(self, step: str) -> None:
        if not self.judge.is_over:
            self._act(step) if is_doing(step) else self._say(step)

    def leave(self, way: str) -> None:
        """End the session with everything answered, by QUIT or `(hang up)`; or by `(reset)`, with whatever is under way."""
        self._is_hasty = False
        try:
            if way != "(reset)":
                self._settle()
            if way == "QUIT":
                self.take(way)
            if self.judge.is_over:
                self._hear_nothing()
        finally:
            self.close(is_reset=way == "(reset)")

    def close(self, *, is_reset: bool = True) -> None:
        """Close every socket; may be called twice."""
        for waiting in self._targets.values():
            waiting.close()
        if self._data is not None:
            self._data.close()
        if is_reset and self._wire.control.fileno() >= 0:
            reset(self._wire.control)
        self._wire.control.close()

    # What is said.

    def _say(self, line: str) -> None:
        if self.judge.outstanding == _MOST_WAITING or (self._last_word is not None and self.judge.waits(self._last_word)):
            self._settle()
        if self.judge.is_over:
            return
        said = self._spoken(line)
        if said.key in _LAST_WORDS:
            self._last_word = said
        if self._is_hasty:
            self._is_hasty = False
        else:
            self._hear_of(said)

    def _spoken(self, line: str) -> Said:
        """Say *line*, and listen before, where it tells the server to connect here."""
        waiting: list[socket.socket] = []

        def here() -> tuple[str, int]:
            waiting.append(listening(self._wire.control.getsockname()[0]))
            address: tuple[str, int] = waiting[0].getsockname()
            return address

        line = spelled(line, PASSWORD, here)
        said = self.judge.says(line)
        if waiting:
            self._targets[said] = waiting[0]
        with contextlib.suppress(ConnectionError):  # closed by the server, whose last reply is still to be heard
            self._wire.send(line + "\r\n")
        return said

    # What is done on the data connection.

    def _act(self, what: str) -> None:
        self._catch_up()
        self.judge.transcript.append(what)
        self._is_hasty = what == "(at once)"
        data, is_begun = self._data, self.judge.is_transferring
        if data is None or self._is_hasty:
            return
        if what == "(nobody)":
            data.close()
        else:
            self._act_on(data, what, is_begun)
        if is_begun and not data.is_connected and self._transfer is not None:
            self._hear_end(self._transfer)
            self._catch_up()

    def _act_on(self, data: DataEnd, what: str, is_begun: bool) -> None:
        if not self._is_open(data, is_begun, is_covered=what in _COVERED):
            return
        if what in PAYLOADS:
            data.send(PAYLOADS[what])
        elif what == "(end)":
            self._finish(data)
        elif what == "(cut)":
            data.close()
        elif what == "(reset)":
            data.reset()

    def _is_open(self, data: DataEnd, is_begun: bool, *, is_covered: bool = True) -> bool:
        """Connect, and under PROT P begin TLS where it *is_covered*, as far as the server does its part already; return whether it has worked."""
        if data.open(is_begun=is_begun) and is_covered and self._protection.is_private:
            data.cover(is_begun=is_begun)
        return data.is_connected

    def _finish(self, data: DataEnd) -> None:
        """End the transfer under way as it should end; without one there is nothing to be read."""
        if self.judge.is_transferring and self._transfer is not None:
            data.finish(is_upload=self._transfer.key in _UPLOADS)
        data.close()

    # What is heard.

    def _settle(self) -> None:
        """Bring what is under way to its end: then nothing is left unanswered."""
        for _ in range(_MOST_TURNS):
            self._catch_up()
            if self.judge.is_over or not self.judge.outstanding:
                return
            if self._data is not None and self._is_open(self._data, is_begun=self.judge.is_transferring):
                self._finish(self._data)
            self._hear()
        raise self.judge.fault("a transfer never ends")

    def _catch_up(self) -> None:
        """Hear what comes by itself: everything up to a transfer, which may wait for what we do."""
        while not self.judge.is_over and self.judge.outstanding and not self.judge.is_transferring:
            self._hear()

    def _hear_of(self, said: Said) -> None:
        """Hear what comes without our doing, now that *said* was said: an answer beside a transfer, and to ABOR, comes too."""
        self._catch_up()
        if said.key == "ABOR" or (said.is_beside and self.judge.outstanding == 2):
            self._hear_end(said)
            self._catch_up()

    def _hear_end(self, said: Said) -> None:
        """Hear the final reply to *said*, which is certain to come; where nobody can tell what was answered, hear everything."""
        while not self.judge.is_over and self.judge.waits(said):
            self._hear()
        if self.judge.waits(said) is None:
            self._settle()

    def _hear(self) -> None:
        before = self.judge.security
        try:
            reply = self._wire.reply()
        except (EOFError, OSError) as error:
            raise self.judge.fault(f"no reply: {error or type(error).__name__}") from error
        answered = self.judge.hears(reply.code)
        for said in answered if len(answered) == 1 else ():
            self._protection.note(said, reply.code, before)
            self._take_up(said, reply)
        if self._transfer is not None and self.judge.waits(self._transfer) is False:
            self._announced(None)
            self._transfer = None
        self._turn(before)

    def _hear_nothing(self) -> None:
        """Hear that the server closes, and has no more to say."""
        try:
            reply = self._wire.reply()
        except (EOFError, ConnectionResetError, ssl.SSLEOFError):
            return
        raise self.judge.fault(f"{reply} behind the last reply")

    def _take_up(self, said: Said, reply: Reply) -> None:
        """Note what the *reply* to *said* says of data connections."""
        if reply.code in (125, 150):
            self._transfer = said
        elif reply.code in _PORT:
            found = _PORT[reply.code].search(reply.text)
            assert found is not None, reply
            self._announced(DataEnd(self._wire, port=_port(found), is_private=self._protection.is_private))
        waiting = self._targets.pop(said, None) if reply.code >= 200 else None
        if waiting is not None and reply.code == 200:
            self._announced(DataEnd(self._wire, waiting=waiting))
        elif waiting is not None:
            waiting.close()

    def _announced(self, data: DataEnd | None) -> None:
        if self._data is not None:
            self._data.close()
        self._data = data

    def _turn(self, before: State) -> None:
        """Put TLS on the control connection, or take it off, where its state was *before* another one."""
        if self.judge.security is before:
            return
        if before is State.CLEAR:
            self._wire.shake_hands()
        else:
            self._wire.control = self._wire.tls.unwrap()


class _Protection:
    """What PROT has chosen for data connections, as a client remembers it."""

    def __init__(self, is_implicit: bool) -> None:
        self._is_private_at_first = is_implicit
        self.is_private = is_implicit

    def note(self, said: Said, code: int, before: State) -> None:
        """Note the reply *code* to *said*, which the control connection was *before* in."""
        argument = said.line.partition(" ")[2].strip().upper()
        if said.key == "AUTH" and code == 234:
            self._is_private_at_first = argument in ("SSL", "TLS-P")
        elif said.key == "REIN" and code == 220 and before is State.PROTECTED:
            self._is_private_at_first = False
        if code in (220, 234):
            self.is_private = self._is_private_at_first
        elif said.key == "PROT" and code == 200:
            self.is_private = argument == "P"


def _port(found: re.Match[str]) -> int:
    numbers = [int(number) for number in found.groups()]
    return numbers[0] if len(numbers) == 1 else numbers[0] << 8 | numbers[1]
