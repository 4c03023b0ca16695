"""Probe: one client's end of a server under judgement, with everything said and heard written down.

Apart from `dialogue`, which moves the bytes: here are the steps that checks are made of.  Whatever a server does, a probe ends in time, takes a
bounded number of bytes, and connects to nobody else.
"""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Final, Self

import attrs

from ftpd.conformance.finding import Lacking, Remarkable, Unclear, Violated
from ftpd.conformance.target import Target
from ftpd.dialogue import Broken, Control, Declined, Gone, Heard, Nonsense, Silent, accept, active, connect, secure

__all__ = ["Ledger", "Moved", "Probe", "is_unknown", "passive_verb", "shown"]

_MOST_DATA_BYTES: Final = 64 * 1024 * 1024  # that a check takes from one data connection
_MOST_LINES: Final = 60  # of a dialogue in the report
_MOST_LETTERS: Final = 160  # of one of its lines
_READ_BYTES: Final = 256 * 1024
_QUIET_SECONDS: Final = 0.4  # in which a reply that must not come would have come
_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
_NOT_IMPLEMENTED: Final = 502
_UNKNOWN: Final = (500, _NOT_IMPLEMENTED)
_UNKNOWN_WORDS: Final = re.compile("unknown|not (?:understood|implemented|recogni)", re.IGNORECASE)
_TELNET_ANSWER: Final = r"no reply: '\xff\xfc"  # IAC WONT, as the dialogue shows what is no reply
_LOGIN_SECONDS: Final = 15.0  # for a password: hashes are slow on purpose
_OPEN_SECONDS: Final = 30.0  # for connecting and logging in


@attrs.define
class Ledger:
    """What the whole run has heard: every pair of a command line and a code, and replies whose form is broken."""

    replies: dict[tuple[str, int], int] = attrs.field(factory=dict)
    bad_forms: list[str] = attrs.field(factory=list)

    def note(self, line: str, heard: Heard) -> None:
        self.replies[line, heard.code] = self.replies.get((line, heard.code), 0) + 1
        if not heard.raw.endswith(b"\r\n") or b"\n" in heard.raw.replace(b"\r\n", b""):
            self.bad_forms.append(shown(heard.raw))


@attrs.frozen
class Moved:
    """One transfer: its first reply, what came over the data connection, and its last reply, which may be the first."""

    begun: Heard
    content: bytes
    final: Heard

    @property
    def is_done(self) -> bool:
        return self.begun.is_preliminary and self.final.code in (226, 250)


class Probe:
    """A control connection to the target.  Each step raises `finding`'s exceptions for what a server may not do at all."""

    def __init__(self, target: Target, control: Control, ledger: Ledger, ends_at: float) -> None:
        self.target = target
        self.control = control
        self.ledger = ledger
        self.ends_at = ends_at
        self.scratch = ""  # the absolute path of the scratch directory, once it is made
        self.is_private = False  # PROT P stands
        self.is_spoilt = False  # a reply may still be under way, or the connection is gone
        self.lines: list[str] = []
        self._early: Heard | None = None
        self._last = ""  # said
        self._line = ""  # and whose reply comes next, as far as that is certain
        self._heard("", control.greeting)

    # Connecting.

    @classmethod
    def connect(cls, target: Target, ledger: Ledger, ends_at: float | None = None) -> Self:
        """Connect, and hear the greeting; raises :class:`Unclear`."""
        context = target.context if target.tls == "implicit" else None
        try:
            control = Control.connect(target.host, target.port, target.seconds, context=context)
        except Broken as error:
            raise Unclear(f"no connection: {error}") from error
        return cls(target, control, ledger, time.monotonic() + _OPEN_SECONDS if ends_at is None else ends_at)

    def log_in(self) -> None:
        """Log in, with TLS if the target wants it, and choose TYPE I; raises :class:`Unclear` where that does not succeed."""
        self.expect_greeting()
        if self.target.tls == "explicit":
            self.protect(self.target.context)
        heard = self.authenticate()
        if heard.code not in (202, 230, 232):
            raise Unclear(f"the login was refused with {shown(heard.lines[-1])}")
        if self.target.tls != "none":
            self.protect_data()
        self.say("TYPE I")

    def authenticate(self) -> Heard:
        """Say USER, and PASS where it is asked for, and return the last reply, which may be late on purpose."""
        heard = self.say(f"USER {self.target.user}")
        if heard.code != 331:
            return heard
        self.send(f"PASS {self.target.password}", shown_as="PASS ...")
        return self.hear(max(_LOGIN_SECONDS, self.target.seconds))

    def expect_greeting(self) -> None:
        """Wait for the 220 behind a 120; raises :class:`Unclear` for anything else."""
        heard = self.control.greeting
        if heard.code == 120:
            heard = self.hear()
        if heard.code != 220:
            raise Unclear(f"the server greets with {shown(heard.lines[-1])}")

    def protect(self, context: ssl.SSLContext | None) -> None:
        """Send AUTH TLS and do the handshake; raises :class:`Lacking` where there is none, and :class:`Unclear` where it fails."""
        heard = self.say("AUTH TLS")
        if heard.code != 234:
            raise Lacking(f"AUTH TLS is answered by {heard.code}")
        try:
            assert context is not None, "who wants TLS has a context"
            self.control.start_tls(context)
        except Broken as error:
            raise Unclear(str(error)) from error
        self._note("= TLS")

    def protect_data(self) -> None:
        """Send PBSZ 0 and PROT P."""
        self.say("PBSZ 0")
        self.is_private = self.say("PROT P").code == 200

    def another(self, *, logged_in: bool = True) -> Probe:
        """Return a second connection to the target, within the time of this one; the caller closes it."""
        other = Probe.connect(self.target, self.ledger, self.ends_at)
        other.lines = self.lines
        other.scratch = self.scratch
        if logged_in:
            try:
                other.log_in()
                if self.scratch:
                    other.say(f"CWD {self.scratch}")
            except BaseException:
                other.close()
                raise
        return other

    def close(self) -> None:
        """End the connection without QUIT; may be called twice."""
        self.control.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def family(self) -> socket.AddressFamily:
        return socket.AF_INET6 if ":" in self.control.peer[0] else socket.AF_INET

    # Saying and hearing.

    def send(self, line: str | bytes, *, shown_as: str = "", is_beside: bool = False) -> None:
        """Say *line* with its end, and wait for nothing; *is_beside*: the next reply may be another command's."""
        raw = line.encode("utf-8", "surrogateescape") if isinstance(line, str) else line
        self.send_raw(raw + b"\r\n", shown_as=shown_as, is_beside=is_beside)

    def send_raw(self, data: bytes, *, shown_as: str = "", is_beside: bool = False) -> None:
        self._note("> " + (shown_as or shown(data)))
        self._last = shown_as or data.decode("utf-8", "replace").strip("\r\n")
        self._line = "" if is_beside or "\n" in self._last else self._last
        try:
            self.control.send_raw(data)
        except Broken as error:
            raise Violated(f"{self._named()} cannot be sent: {error}") from error

    def hear(self, seconds: float | None = None) -> Heard:
        """Return the next reply; one that does not come, or is none, is a violation: each command gets a reply (RFC 959 5.4)."""
        if self._early is not None:
            heard, self._early = self._early, None
            return heard
        try:
            heard = self.control.reply(self._left(seconds))
        except Broken as error:
            self.is_spoilt = True
            self._note(f"< ({error})")
            raise Violated(f"after {self._named()}: {error}") from error
        return self._heard(self._line, heard)

    def hear_behind_telnet(self) -> Heard | None:
        """Return the next reply; None where it stands behind an answer to a Telnet option, as RFC 854 has it."""
        try:
            return self._heard("", self.control.reply(self._left()))
        except Nonsense as error:
            self._note(f"< ({error})")
            if not str(error).startswith(_TELNET_ANSWER):
                raise Violated(f"after {self._named()}: {error}") from error
            return None
        except Broken as error:
            raise Violated(f"after {self._named()}: {error}") from error

    def say(self, line: str | bytes, *, shown_as: str = "") -> Heard:
        """Say *line* and return the first reply to it."""
        self.send(line, shown_as=shown_as)
        return self.hear()

    def aside(self, line: str) -> Heard:
        """Say *line* for the run's own sake: what comes may be a stray reply, and nothing is held against the line."""
        self.send(line, is_beside=True)
        return self.hear()

    def final(self, line: str | bytes) -> Heard:
        """Say *line* and return its final reply."""
        return self._past_preliminary(self.say(line))

    def offered(self, line: str) -> Heard:
        """Say *line* and return its final reply; a verb that the server does not know is :class:`Lacking`."""
        heard = self.final(line)
        if heard.code in _UNKNOWN:
            raise Lacking(f"{line.partition(' ')[0]} is answered by {heard.code}")
        return heard

    def wants(self, line: str, *codes: int) -> Heard:
        """Say *line*, and demand that it succeeds; another code than *codes* is :class:`Remarkable` where its first digit is theirs.

        For a server should have the listed one, and may have others (RFC 1123 4.1.2.11).
        """
        heard = self.offered(line)
        if heard.code in codes:
            return heard
        raise (Remarkable if heard.code // 100 == codes[0] // 100 else Violated)(_not_by(line, heard, codes))

    def tells(self, line: str, code: int) -> Heard:
        """Say *line*, and demand *code* and no other, since programs read the text behind it."""
        heard = self.offered(line)
        if heard.code != code:
            raise Violated(_not_by(line, heard, (code,)))
        return heard

    def needs(self, line: str, *codes: int) -> Heard:
        """Say *line* as a mere preparation: any answer but *codes* is :class:`Unclear`."""
        heard = self.final(line)
        if heard.code not in codes:
            raise Unclear(f"{line} is answered by {heard.code}, without which this cannot be seen")
        return heard

    def refuses(self, line: str, *codes: int) -> Heard:
        """Say *line*, and demand a refusal; one that is none of *codes* is :class:`Remarkable` where the rule names them."""
        heard = self.final(line)
        if heard.code < 400:
            raise Violated(f"{line!a} is answered by {heard.code}, as if it were right")
        if codes and heard.code not in codes:
            if heard.code == _NOT_IMPLEMENTED:
                raise Lacking(f"{line.partition(' ')[0]} is answered by 502")
            raise Remarkable(f"{line[:40]!a} is refused with {heard.code}; the rule has {' or '.join(map(str, codes))}")
        return heard

    def is_quiet(self, seconds: float = _QUIET_SECONDS) -> bool:
        """Whether no reply comes that was not asked for; one that does is heard, and gone."""
        try:
            self._heard(self._line, self.control.reply(self._left(seconds)))
        except Silent:
            return True
        except Broken:
            return False
        return False

    def is_late(self, seconds: float) -> bool:
        """Whether no reply comes within *seconds*; one that does is what `hear` returns next."""
        try:
            self._early = self._heard("", self.control.reply(self._left(seconds)))
        except Silent:
            self.is_spoilt = True
            return True
        except Broken as error:
            raise Violated(f"after {self._named()}: {error}") from error
        return False

    def is_over(self) -> bool:
        """Whether the server ends the connection; replies before that are heard."""
        for _ in range(_MOST_LINES):
            try:
                self._heard(self._line, self.control.reply(self._left()))
            except Gone:
                return True
            except Broken:
                return False
        return False

    # Data connections.

    def data(self, *, extended: bool | None = None) -> socket.socket:
        """Announce a passive data connection and connect to it, PASV or EPSV as it is served; the caller closes it."""
        if extended is None:
            extended = ":" in self.control.peer[0]
        try:
            return self._timed(connect(self.control, self._passive(extended)))
        except Declined as error:
            raise Unclear(str(error)) from error
        except Broken as error:
            raise Unclear(f"no data connection: {error}") from error

    def listener(self, *, extended: bool = False) -> socket.socket:
        """Name a listener of ours by PORT or EPRT; :class:`Lacking` where the server does not take it."""
        self._note(f"> {'EPRT' if extended else 'PORT'} ...")
        try:
            listener = active(self.control, extended or ":" in self.control.peer[0])
        except Declined as error:
            self._note(f"< {shown(error.heard.raw)}")
            raise Lacking(str(error)) from error
        except Broken as error:
            raise Violated(str(error)) from error
        self._note("< 200")
        return listener

    def accepted(self, listener: socket.socket) -> socket.socket:
        """Return the server's connection to *listener*; :class:`Violated` where it does not come."""
        try:
            return self._timed(accept(self.control, listener))
        except Broken as error:
            raise Violated(str(error)) from error

    def covered(self, data: socket.socket) -> socket.socket:
        """Put TLS on a data connection where PROT P stands."""
        if not self.is_private:
            return data
        try:
            return secure(self.control, data)
        except Broken as error:
            raise Violated(str(error)) from error

    def fetch(self, line: str) -> bytes:
        """Do a whole download and return its bytes; anything but 1yz and 226 or 250 is a violation."""
        moved = self.download(line)
        self._demand_done(line, moved)
        return moved.content

    def store(self, line: str, content: bytes) -> Heard:
        """Do a whole upload and return its last reply; anything but 1yz and 226 or 250 is a violation."""
        moved = self.upload(line, content)
        self._demand_done(line, moved)
        return moved.final

    def download(self, line: str, *, read: Callable[[Probe, socket.socket], bytes] | None = None) -> Moved:
        """Ask for data, and take them to the end of the data connection, or as *read* does."""
        return self._move(line, self.read if read is None else partial(read, self))

    def upload(self, line: str, content: bytes) -> Moved:
        def send(data: socket.socket) -> bytes:
            with suppress(OSError):  # the final reply tells
                data.sendall(content)
                self.finish(data)
            return b""

        return self._move(line, send)

    def read(self, data: socket.socket) -> bytes:
        """Read to the end; raises :class:`Violated` where it does not come in time, or far too much does."""
        pieces, size = [], 0
        try:
            while piece := data.recv(_READ_BYTES):
                pieces.append(piece)
                size += len(piece)
                if size > _MOST_DATA_BYTES or time.monotonic() > self.ends_at:
                    raise Violated("the data connection goes on and on")
        except TimeoutError as error:
            raise Violated("the data connection neither ends nor brings anything") from error
        except OSError as error:
            self._note(f"= data connection: {error.strerror or error}")
        self._note(f"= {size} bytes of data")
        return b"".join(pieces)

    def exactly(self, data: socket.socket, size: int) -> bytes:
        """Read *size* bytes, or as many as come; raises :class:`Violated` where they do not come in time."""
        found = b""
        try:
            while len(found) < size and (piece := data.recv(size - len(found))):
                found += piece
                if time.monotonic() > self.ends_at:
                    raise Violated("the data connection goes on and on")
        except TimeoutError as error:
            raise Violated("the data connection neither ends nor brings anything") from error
        except OSError as error:
            self._note(f"= data connection: {error.strerror or error}")
        return found

    def reset(self, data: socket.socket) -> None:
        """Break off with a reset, as a client that crashes does."""
        self._note("= reset of the data connection")
        data.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        data.close()

    def finish(self, data: socket.socket) -> None:
        """End our direction: close_notify under TLS, and the end of the stream."""
        if isinstance(data, ssl.SSLSocket):
            with suppress(OSError):
                data.unwrap()
            return
        data.shutdown(socket.SHUT_WR)

    def take(self, plain: socket.socket) -> bytes:
        """Read all that comes over a data connection, under TLS where PROT P stands, and close it."""
        with self.covered(plain) as data:
            return self.read(data)

    def give(self, plain: socket.socket, content: bytes) -> None:
        """Send *content* and the end over a data connection, under TLS where PROT P stands, and close it."""
        with self.covered(plain) as data:
            data.sendall(content)
            self.finish(data)

    def _passive(self, extended: bool) -> Heard:
        verb = "EPSV" if extended else "PASV"
        heard = self.say(verb)
        if heard.code in (227, 229):
            return heard
        if not extended:
            heard = self.say("EPSV")
            if heard.code == 229:
                return heard
        raise Declined(verb, heard)

    def _move(self, line: str, work: Callable[[socket.socket], bytes]) -> Moved:
        data = self.data()
        try:
            begun = self.say(line)
            if not begun.is_preliminary:
                return Moved(begun, b"", begun)
            data = self.covered(data)
            content = work(data)
        finally:
            data.close()
        return Moved(begun, content, self._past_preliminary(self.hear()))

    def _demand_done(self, line: str, moved: Moved) -> None:
        verb = line.partition(" ")[0]
        if not moved.begun.is_preliminary:
            if moved.final.code in _UNKNOWN:
                raise Lacking(f"{verb} is answered by {moved.final.code}")
            raise Violated(f"{verb} is answered by {moved.final.code}, not by 125 or 150")
        if not moved.is_done:
            raise Violated(f"{verb} ends with {moved.final.code}, not with 226 or 250")

    # Keeping.

    def _past_preliminary(self, heard: Heard) -> Heard:
        for _ in range(8):
            if not heard.is_preliminary:
                return heard
            heard = self.hear()
        raise Violated(f"{self._named()} gets one preliminary reply after the other")

    def _left(self, seconds: float | None = None) -> float:
        left = max(0.01, self.ends_at - time.monotonic())
        return min(left, self.control.timeout if seconds is None else seconds)

    def _timed(self, data: socket.socket) -> socket.socket:
        data.settimeout(self._left())
        return data

    def _heard(self, line: str, heard: Heard) -> Heard:
        self.ledger.note(line, heard)
        self._note(f"< {shown(heard.raw)}")
        return heard

    def _note(self, text: str) -> None:
        if len(self.lines) < _MOST_LINES:
            self.lines.append(text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "...")

    def _named(self) -> str:
        return ascii(self._last[:40]) if self._last else "the connection"


def _not_by(line: str, heard: Heard, codes: tuple[int, ...]) -> str:
    return f"{line.partition(' ')[0]} is answered by {heard.code}, not by {' or '.join(map(str, codes))}"


def passive_verb(probe: Probe) -> str:
    """Return the verb that announces a passive data connection in the family of the control connection."""
    return "EPSV" if ":" in probe.control.peer[0] else "PASV"


def is_unknown(heard: Heard) -> bool:
    """Whether a command is not there: 502, or 500 in words that say so, for that is a syntax error's too (vsftpd: `500 Illegal PORT`)."""
    return heard.code == _NOT_IMPLEMENTED or (heard.code in _UNKNOWN and _UNKNOWN_WORDS.search(heard.text) is not None)


def shown(raw: bytes) -> str:
    """Return *raw* as it can be printed anywhere: what a server sends may steer a terminal."""
    text = raw[: 4 * _MOST_LETTERS].decode("utf-8", "backslashreplace").removesuffix("\n").removesuffix("\r")
    return re.sub(r"[^ -~]", lambda match: ascii(match[0])[1:-1], text)
