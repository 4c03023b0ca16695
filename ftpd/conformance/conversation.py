"""Conversation: the control connection to a server under judgement, with everything said and heard written down.

Apart from `dialogue`, which moves the bytes: here are the steps that checks are made of.  Whatever a server says, a conversation ends in time
and takes a bounded number of bytes.
"""

from __future__ import annotations

import re
import socket
import ssl
import time
from types import TracebackType
from typing import Final, Self

import attrs

from ftpd.conformance.finding import Lacking, Remarkable, Unclear, Violated
from ftpd.conformance.target import Target
from ftpd.dialogue import Broken, Control, Gone, Heard, Nonsense, Silent

__all__ = ["UNKNOWN", "Conversation", "Ledger", "is_unknown", "shown"]

_MOST_LINES: Final = 60  # of a dialogue in the report
_MOST_LETTERS: Final = 160  # of one of its lines
_QUIET_SECONDS: Final = 0.4  # in which a reply that must not come would have come
_NOT_IMPLEMENTED: Final = 502
UNKNOWN: Final = (500, _NOT_IMPLEMENTED)
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


class Conversation:
    """A control connection to *target*.  Each step raises `finding`'s exceptions for what a server may not do at all."""

    def __init__(self, target: Target, control: Control, ledger: Ledger, ends_at: float) -> None:
        self.target = target
        self.control = control
        self.ledger = ledger
        self.ends_at = ends_at
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
        self.note("= TLS")

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
        self.note("> " + (shown_as or shown(data)))
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
            heard = self.control.reply(self.left(seconds))
        except Broken as error:
            self.is_spoilt = True
            self.note(f"< ({error})")
            raise Violated(f"after {self._named()}: {error}") from error
        return self._heard(self._line, heard)

    def hear_behind_telnet(self) -> Heard | None:
        """Return the next reply; None where it stands behind an answer to a Telnet option, as RFC 854 has it."""
        try:
            return self._heard("", self.control.reply(self.left()))
        except Nonsense as error:
            self.note(f"< ({error})")
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
        return self.past_preliminary(self.say(line))

    def offered(self, line: str) -> Heard:
        """Say *line* and return its final reply; a verb that the server does not know is :class:`Lacking`."""
        heard = self.final(line)
        if heard.code in UNKNOWN:
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
            self._heard(self._line, self.control.reply(self.left(seconds)))
        except Silent:
            return True
        except Broken:
            return False
        return False

    def is_late(self, seconds: float) -> bool:
        """Whether no reply comes within *seconds*; one that does is what `hear` returns next."""
        try:
            self._early = self._heard("", self.control.reply(self.left(seconds)))
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
                self._heard(self._line, self.control.reply(self.left()))
            except Gone:
                return True
            except Broken:
                return False
        return False

    # Keeping.

    def past_preliminary(self, heard: Heard) -> Heard:
        """Return *heard* if it is final, or else the final reply that follows it."""
        for _ in range(8):
            if not heard.is_preliminary:
                return heard
            heard = self.hear()
        raise Violated(f"{self._named()} gets one preliminary reply after the other")

    def left(self, seconds: float | None = None) -> float:
        """Return the seconds that a step may take: *seconds*, or what a reply may, and not beyond the time of the whole."""
        left = max(0.01, self.ends_at - time.monotonic())
        return min(left, self.control.timeout if seconds is None else seconds)

    def note(self, text: str) -> None:
        """Write *text* into the dialogue that the report shows."""
        if len(self.lines) < _MOST_LINES:
            self.lines.append(text if len(text) <= _MOST_LETTERS else text[:_MOST_LETTERS] + "...")

    def _heard(self, line: str, heard: Heard) -> Heard:
        self.ledger.note(line, heard)
        self.note(f"< {shown(heard.raw)}")
        return heard

    def _named(self) -> str:
        return ascii(self._last[:40]) if self._last else "the connection"


def _not_by(line: str, heard: Heard, codes: tuple[int, ...]) -> str:
    return f"{line.partition(' ')[0]} is answered by {heard.code}, not by {' or '.join(map(str, codes))}"


def is_unknown(heard: Heard) -> bool:
    """Whether a command is not there: 502, or 500 in words that say so, for that is a syntax error's too (vsftpd: `500 Illegal PORT`)."""
    return heard.code == _NOT_IMPLEMENTED or (heard.code in UNKNOWN and _UNKNOWN_WORDS.search(heard.text) is not None)


def shown(raw: bytes) -> str:
    """Return *raw* as it can be printed anywhere: what a server sends may steer a terminal."""
    text = raw[: 4 * _MOST_LETTERS].decode("utf-8", "backslashreplace").removesuffix("\n").removesuffix("\r")
    return re.sub(r"[^ -~]", lambda match: ascii(match[0])[1:-1], text)
