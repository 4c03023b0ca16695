"""Player: says the lines of a recording to a server, each when those that were answered before it are, and notes what is answered.

Apart from the comparison: a replay is a recording again, of another server.  The server may be hostile: replies are bounded, data goes to
the host of the control connection and nowhere else, and every step ends in its time.
"""

from __future__ import annotations

import socket as sockets
import ssl
from functools import partial
from typing import Final

import attrs

from ftpd.dialogue import Broken, Control, Declined, Gone, Heard, Nonsense, accept, connect, port_line, secure
from ftpd.replay.exchange import Exchange
from ftpd.replay.recording import Answer, Line, Recording

__all__ = ["Login", "Played", "Replay", "Terms", "play"]

_PASSIVE: Final = {"PASV": 227, "EPSV": 229}
_ACTIVE: Final = frozenset({"PORT", "EPRT", "LPRT"})
_OF_TLS: Final = frozenset({"AUTH", "PBSZ", "PROT", "CCC"})
_MOST_PRELIMINARY: Final = 16  # to one line, beyond those that are recorded: markers (110) depend on the server
_MOST_HEARD: Final = 16 * 1024 * 1024  # bytes of all replies, beyond twice what is recorded
_UNKNOWN: Final = "XCUT"  # stands for a line that was left out whole: what the server did not know
_ARGUMENT: Final = "cut"  # stands for an argument that was left out


@attrs.frozen
class Login:
    """Who logs in: `user` None as recorded.  `password` stands for each that was cut out."""

    user: str | None
    password: str = attrs.field(repr=False)


@attrs.frozen
class Terms:
    """How a recording is played: `seconds` are for one reply, `data_seconds` for one transfer; `most` bytes are moved in one.

    `protection` is "recorded", "none" (AUTH, PBSZ, PROT and CCC are left out) or "implicit".
    """

    login: Login
    context: ssl.SSLContext
    protection: str = "recorded"
    seconds: float = 30.0
    data_seconds: float = 600.0
    most: int = 1024 * 1024 * 1024


@attrs.define
class Played:
    """What became of one line: what was said for it, None where it was left out, and what was answered."""

    line: Line
    said: str | None = None
    answers: list[Answer] = attrs.field(factory=list)
    moved: int | None = None
    fault: str = ""


@attrs.define
class Replay:
    """The other side of a recording; `fault` says why it ended early."""

    greeting: Answer | None = None
    lines: list[Played] = attrs.field(factory=list)
    fault: str = ""


def play(recording: Recording, host: str, port: int, terms: Terms) -> Replay:
    """Play *recording* to the server at *host* and *port*; what breaks on the way is in the replay, and nothing is raised."""
    replay = Replay(lines=[Played(line) for line in recording.lines])
    is_implicit = terms.protection == "implicit" or (recording.is_implicit and terms.protection == "recorded")
    try:
        with Control.connect(host, port, terms.seconds, context=terms.context if is_implicit else None) as control:
            replay.greeting = _answer(control.greeting)
            _Performance(control, replay, terms).perform()
    except Broken as error:
        replay.fault = str(error)
    return replay


class _Performance:
    """One replay under way: the lines that are not answered yet, and the data connection that the next transfer will use."""

    def __init__(self, control: Control, replay: Replay, terms: Terms) -> None:
        self._control = control
        self._replay = replay
        self._terms = terms
        self._outstanding: list[Played] = []
        self._finals = 0
        self._left = _MOST_HEARD + 2 * _size_of_answers(replay)
        self._data: sockets.socket | None = None
        self._listener: sockets.socket | None = None
        self._exchange: tuple[Played, Exchange] | None = None
        self._is_private = False

    def perform(self) -> None:
        try:
            for played in self._replay.lines:
                while self._finals < played.line.answered_before and self._outstanding:
                    self._hear()
                self._say(played)
            while any(played.line.answers for played in self._outstanding):
                self._leave()
                self._hear()
        finally:
            self._finish_exchange()
            self._close_data()

    # Saying.

    def _say(self, played: Played) -> None:
        line = played.line
        if self._terms.protection != "recorded" and line.verb in _OF_TLS:
            self._finals += bool(line.answers)
            return
        if line.verb in _PASSIVE or line.verb in _ACTIVE:
            self._close_data()
        played.said = self._own_port(line) if line.verb in _ACTIVE else _spoken(line, self._terms.login)
        self._outstanding.append(played)
        self._control.send(_sent(line, self._terms.login) if line.verb not in _ACTIVE else played.said)

    def _own_port(self, line: Line) -> str:
        """Return the line that names a port of ours, in the place of one that names the recorded client's."""
        host = self._control.local[0]
        family = sockets.AF_INET6 if ":" in host else sockets.AF_INET
        try:
            self._listener = sockets.create_server((host, 0), family=family, backlog=1)
        except OSError as error:
            raise Gone(f"cannot listen on {host} for an active data connection: {error.strerror or error}") from error
        return port_line(self._listener, line.verb != "PORT" or family == sockets.AF_INET6)

    def _leave(self) -> None:
        """Nothing more is said: a transfer that no ABOR ends was ended by the client's leaving, which took both connections along."""
        if self._exchange is not None and not any(played.line.verb == "ABOR" for played in self._outstanding):
            self._exchange[1].let_end()

    # Hearing.

    def _hear(self) -> None:
        """Take one reply and do what follows from it."""
        heard = self._control.reply(self._terms.seconds if self._exchange is None else self._terms.data_seconds)
        played = self._meant(heard)
        self._demand_measure(played, heard)
        played.answers.append(_answer(heard))
        if heard.is_preliminary:
            if heard.code != 110:
                self._begin_exchange(played)
            return
        self._finals += 1
        self._outstanding.remove(played)
        if self._exchange is not None and self._exchange[0] is played:
            self._finish_exchange()
        self._follow(played.line, heard)

    def _demand_measure(self, played: Played, heard: Heard) -> None:
        self._left -= len(heard.raw)
        if self._left < 0:
            raise Nonsense("the server says far more than was recorded")
        if len(played.answers) >= len(played.line.answers) + _MOST_PRELIMINARY:
            raise Nonsense(f"no end of preliminary replies to {played.line.verb}")

    def _meant(self, heard: Heard) -> Played:
        """Return the line that is answered: the oldest, unless a transfer is running, which others may overtake."""
        oldest = self._outstanding[0]
        if self._exchange is None or self._exchange[0] is not oldest or heard.is_preliminary:
            return oldest
        fitting = [played for played in self._outstanding if played.line.answers and played.line.answers[-1].code == heard.code]
        return fitting[0] if fitting else oldest

    def _follow(self, line: Line, heard: Heard) -> None:
        """Do what a client does after the final reply to *line*.

        Where TLS was recorded and is declined now, that is the end: the password would follow in clear.
        """
        if line.verb == "AUTH" and heard.code == 234:
            self._control.start_tls(self._terms.context)
        elif line.verb == "AUTH" and any(answer.code == 234 for answer in line.answers):
            raise Declined("AUTH", heard)
        elif heard.code == _PASSIVE.get(line.verb):
            self._data = connect(self._control, heard)
        elif line.verb == "PROT" and heard.is_positive:
            self._is_private = line.argument.strip().upper() == "P"
        elif line.verb == "CCC" and heard.is_positive:
            self._control.stop_tls()

    # Data.

    def _begin_exchange(self, played: Played) -> None:
        transferred = played.line.transferred
        if transferred is None or self._exchange is not None:
            return
        self._exchange = played, Exchange(self._take_data(), transferred, self._terms.most, self._terms.data_seconds)

    def _take_data(self) -> partial[sockets.socket]:
        data, listener = self._data, self._listener
        self._data = self._listener = None
        return partial(_connected, self._control, data, listener, self._is_private)

    def _finish_exchange(self) -> None:
        if self._exchange is not None:
            played, exchange = self._exchange
            self._exchange = None
            exchange.finish()
            played.moved, played.fault = exchange.moved, exchange.fault

    def _close_data(self) -> None:
        for socket in (self._data, self._listener):
            if socket is not None:
                socket.close()
        self._data = self._listener = None


def _connected(control: Control, data: sockets.socket | None, listener: sockets.socket | None, is_private: bool) -> sockets.socket:
    """Return the data connection of a transfer that has been announced, under TLS where PROT P says so."""
    if data is None:
        if listener is None:
            raise Declined("the transfer", Heard(425, (b"425 no data connection was agreed on",), b""))
        with listener:
            data = accept(control, listener)
    return secure(control, data) if is_private else data


def _size_of_answers(replay: Replay) -> int:
    """Return how many characters are recorded: each was a byte at least."""
    return sum(len(text) for played in replay.lines for answer in played.line.answers for text in answer.lines)


def _answer(heard: Heard) -> Answer:
    return Answer(heard.code, tuple(line.decode("utf-8", "surrogateescape") for line in heard.lines))


def _spoken(line: Line, login: Login) -> str:
    """Return what may be shown of the line that is sent: no password."""
    if line.is_cut:
        return f"{line.text} (cut)" if line.text else "(a line that was cut)"
    return _sent(line, login)


def _sent(line: Line, login: Login) -> str:
    if line.verb == "USER" and login.user is not None:
        return f"USER {login.user}"
    if line.verb == "PASS" and line.is_cut:
        return f"PASS {login.password}"
    return f"{line.text or _UNKNOWN} {_ARGUMENT}" if line.is_cut else line.text
