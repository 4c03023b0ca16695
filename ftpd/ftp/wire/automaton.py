"""The protocol automaton as data: which replies each verb may get in each state, and which state a reply leads to.

Apart from the commands, which do the work: this table is what they are tested against, what `docs/automaton.md` prints and what
`ftpd conformance` judges other servers by.  Replies are RFC 959's (5.4) and those of the RFCs that came later; what this server says
beyond them stands in its row with the reason.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import attrs

__all__ = ["MOVES", "ROWS", "START", "Axis", "Move", "Row", "State", "allowed", "key_of", "step"]


class Axis(enum.Enum):
    """What a state tells of.  A session is in one state of each axis."""

    LOGIN = "login"
    NAME = "name"
    DATA = "data connection"
    FAMILY = "address family"
    SECURITY = "control connection"


class State(enum.Enum):
    """One state of one axis, and in words when a session is in it."""

    CONNECTED = (Axis.LOGIN, "nobody was named, or the login was refused")
    NAMED = (Axis.LOGIN, "USER was answered by 331 or 336, and PASS is waited for")
    LOGGED_IN = (Axis.LOGIN, "the login stands")
    CLOSED = (Axis.LOGIN, "221 or 421 was said; nothing is answered any more")
    SETTLED = (Axis.NAME, "nothing is to be renamed")
    RENAMING = (Axis.NAME, "RNFR was answered by 350")
    UNANNOUNCED = (Axis.DATA, "no data connection was announced since the last transfer")
    ANNOUNCED = (Axis.DATA, "PASV, EPSV, PORT, EPRT or one of their kin has succeeded")
    TRANSFERRING = (Axis.DATA, "a transfer was answered by 1yz, and its final reply is to come")
    ANY_FAMILY = (Axis.FAMILY, "every way to announce a data connection is taken")
    EXTENDED_ONLY = (Axis.FAMILY, "EPSV ALL was answered by 200")
    CLEAR = (Axis.SECURITY, "in clear")
    PROTECTED = (Axis.SECURITY, "in TLS, which AUTH has put on it")
    IMPLICIT = (Axis.SECURITY, "in TLS from the first byte on; a session on such a listener begins here")

    @property
    def axis(self) -> Axis:
        return self.value[0]

    @property
    def meaning(self) -> str:
        return self.value[1]


START: Final = frozenset({State.CONNECTED, State.SETTLED, State.UNANNOUNCED, State.ANY_FAMILY, State.CLEAR})


@attrs.frozen
class Row:
    """What one verb may be answered.

    `replies` are those of the standard, 1yz and final ones; `also` are this server's beyond them, and `reason` says why.  `narrowed` has
    the replies that are left in a state: a verb in several states may be answered what all of them leave.
    """

    verb: str
    replies: frozenset[int]
    source: str
    narrowed: Mapping[State, frozenset[int]] = attrs.field(factory=dict)
    also: frozenset[int] = frozenset()
    reason: str = ""

    @property
    def known(self) -> frozenset[int]:
        """Every reply this server may give to the verb at all."""
        return self.replies | self.also


@attrs.frozen
class Move:
    """Replies that lead to other states: *verbs* answered by *codes* enter *states*; *within* is where that only counts, if not everywhere."""

    verbs: tuple[str, ...]
    codes: frozenset[int]
    states: tuple[State, ...]
    source: str
    within: State | None = None


def allowed(row: Row, states: Iterable[State]) -> frozenset[int]:
    """Return what this server may answer the verb of *row* in *states*, one of each axis."""
    left = row.known
    for state in states:
        left &= row.narrowed.get(state, left)
    return left


def step(states: frozenset[State], verb: str, code: int) -> frozenset[State]:
    """Return the states behind the reply *code* to *verb*, a key of `ROWS`."""
    if code == 421:
        return _entered(states, (State.CLOSED,))
    for move in MOVES:
        if verb in move.verbs and code in move.codes and (move.within is None or move.within in states):
            states = _entered(states, move.states)
    return states


def key_of(line: str) -> str:
    """Return the key of `ROWS` that a command line falls under, or "": two words for SITE and EPSV ALL."""
    verb, _, argument = line.partition(" ")
    verb = _ALIASES.get(verb.upper(), verb.upper())
    if verb == "SITE" or (verb == "EPSV" and argument.strip().upper() == "ALL"):
        verb = f"{verb} {argument.strip().partition(' ')[0].upper()}"
    return verb if verb in ROWS else ""


def _entered(states: frozenset[State], entered: Iterable[State]) -> frozenset[State]:
    for state in entered:
        states = frozenset(other for other in states if other.axis is not state.axis) | {state}
    return states


# Sets of replies that many rows share.

_ANY_TIME: Final = frozenset({421, 500, 501})  # RFC 959 4.2.2: any command may get 421, and 5.4 gives all of them the other two
_NOT_HERE: Final = frozenset({502, 530})
_BEGUN: Final = frozenset({125, 150})
_DONE: Final = frozenset({226, 250})
_UNMOVED: Final = frozenset({425, 426, 451})
_STORING: Final = frozenset({551, 552, 450, 452, 532, 553})
_TROUBLE: Final = frozenset({450, 451, 452, 552})  # RFC 1123 4.1.2.11
_TROUBLE_REASON: Final = "RFC 1123 4.1.2.11 asks for 4yz where another attempt may succeed: a busy file (450), a failing disk (451), a full one (452); 552 is a quota"
_SECURITY: Final = frozenset({521, 522, 534, 535})  # RFC 2228 8.2, RFC 4217 10.2
_RESTARTING: Final = frozenset({554, 555})  # RFC 1123 4.1.3.4
_LOGIN_STATES: Final = (State.CONNECTED, State.NAMED)
_UNSERVED: Final = _ANY_TIME | {502, 503, 530}


def _row(
    verb: str,
    replies: Iterable[int],
    source: str,
    *,
    also: Iterable[int] = (),
    reason: str = "",
    needs_login: bool = True,
    narrowed: Mapping[State, Iterable[int]] | None = None,
) -> Row:
    """Return a row; a verb that needs a login gets nothing but refusals before it."""
    known = frozenset(replies) | _ANY_TIME
    beyond = frozenset(also) - known
    cells = {state: frozenset(codes) | _ANY_TIME for state, codes in (narrowed or {}).items()}
    if needs_login:
        cells |= dict.fromkeys(_LOGIN_STATES, _UNSERVED)
        known |= {530}
    return Row(verb, known, source, MappingProxyType(cells), beyond, reason)


def _file_row(
    verb: str,
    replies: Iterable[int],
    source: str,
    *,
    beyond: Iterable[int] = (),
    reason: str = "",
    needs_login: bool = True,
    narrowed: Mapping[State, Iterable[int]] | None = None,
) -> Row:
    """Return a row of a command that touches a file: whatever can be wrong with a disk may come beside its own replies."""
    words = f"{reason}; {_TROUBLE_REASON}" if reason else _TROUBLE_REASON
    return _row(
        verb, replies, source, also=_TROUBLE | {550} | set(beyond), reason=words, needs_login=needs_login, narrowed=narrowed
    )


def _transfer_row(verb: str, replies: Iterable[int], source: str) -> Row:
    """Return a row of a transfer, whose refusals need no data connection, and whose 1yz does."""
    refused = {425, 450, 451, 452, 503, 504, 521, 522, 530, 550, 551, 552, 553, 554}
    return _row(
        verb,
        _BEGUN | _DONE | _UNMOVED | _SECURITY | frozenset(replies),
        f"{source}, RFC 2228 8.2, RFC 4217 10.2",
        also=_TROUBLE | {504, 550},
        reason="451, 452, 552 see RFC 1123 4.1.2.11; 550 where there is no such file; 504: TYPE, STRU, MODE and a restart point that do not go together",
        narrowed={
            State.UNANNOUNCED: refused,
            State.TRANSFERRING: _DONE | _UNMOVED | {110, 450, 452, 521, 522, 550, 551, 552, 553, 554},
        },
    )


def _announcing_row(verb: str, replies: Iterable[int], source: str, *, also: Iterable[int] = (425, 502), reason: str = "") -> Row:
    """Return a row of what announces a data connection: refused after EPSV ALL (RFC 2428 3), of which 503 is the plain word."""
    return _row(
        verb,
        {503, *replies},
        source,
        also=also,
        reason=reason or _NETWORK,
        narrowed={State.EXTENDED_ONLY: {500, 501, 502, 503, 504, 522, 530, 550}},
    )


_AUTHORITY = "RFC 2228 3 and 8.2"
_NETWORK = "425 where no socket can be had, or the connection is not on a network; 502 where the operator has switched it off"
_LENGTH = "504 for an algorithm, a unit or a range that is not served"

_STANDARD: Final = (
    # RFC 959 5.4, login and logout.
    _row("USER", (230, 232, 530, 331, 332, 336), "RFC 959 5.4, RFC 2228 8.2", needs_login=False, also=(534,), reason="534: a login in clear where TLS is demanded (RFC 4217 10.1)"),
    _row(
        "PASS",
        (230, 202, 530, 503, 332),
        "RFC 959 5.4",
        needs_login=False,
        narrowed={State.CONNECTED: (503, 530), State.LOGGED_IN: (202, 230, 503)},
    ),
    _row("ACCT", (230, 202, 530, 503), "RFC 959 5.4", needs_login=False),
    _file_row("CWD", (250, 502, 550), "RFC 959 5.4"),
    _file_row("CDUP", (200, 250, 502, 550), "RFC 959 5.4 (200), 4.1.1 (as CWD, 250)"),
    _row("SMNT", (202, 250, 502, 550), "RFC 959 5.4"),
    _row("REIN", (120, 220, 502), "RFC 959 5.4", needs_login=False),
    _row("QUIT", (221,), "RFC 959 5.4", needs_login=False),
    # Transfer parameters.
    _announcing_row("PORT", (200, 504), "RFC 959 5.4, RFC 2577 3"),
    _announcing_row("PASV", (227, 502), "RFC 959 5.4"),
    _row("MODE", (200, 504, 530), "RFC 959 5.4", needs_login=False),
    _row("TYPE", (200, 504, 530), "RFC 959 5.4", needs_login=False),
    _row("STRU", (200, 504, 530), "RFC 959 5.4", needs_login=False),
    # Files.
    _file_row("ALLO", (200, 202, 504), "RFC 959 5.4"),
    _row("REST", (350, 502), "RFC 959 5.4, RFC 3659 5.3", also=(504,), reason="504 in a MODE and TYPE whose restart points are none of ours"),
    _transfer_row("STOR", _STORING | _RESTARTING | {110}, "RFC 959 5.4, RFC 1123 4.1.3.4"),
    _transfer_row("STOU", _STORING | _RESTARTING | {110}, "RFC 959 5.4, RFC 1123 4.1.3.4"),
    _transfer_row("RETR", _RESTARTING | {110, 450, 550}, "RFC 959 5.4, RFC 1123 4.1.3.4"),
    _transfer_row("LIST", (450, 502), "RFC 959 5.4"),
    _transfer_row("NLST", (450, 502), "RFC 959 5.4"),
    _transfer_row("APPE", _STORING | _RESTARTING | {110, 502, 550}, "RFC 959 5.4, RFC 1123 4.1.3.4"),
    _file_row("RNFR", (350, 450, 550, 502), "RFC 959 5.4"),
    _file_row("RNTO", (250, 532, 553, 502, 503), "RFC 959 5.4", narrowed={State.SETTLED: (503, 530)}),
    _file_row("DELE", (250, 450, 550, 502), "RFC 959 5.4"),
    _file_row("RMD", (250, 502, 550), "RFC 959 5.4"),
    _file_row("MKD", (257, 502, 550), "RFC 959 5.4"),
    _row("PWD", (257, 502, 550), "RFC 959 5.4"),
    _row("ABOR", (225, 226, 502), "RFC 959 5.4", needs_login=False, narrowed={State.TRANSFERRING: (225, 226)}),
    # Information.
    _row("SYST", (215, 502), "RFC 959 5.4", needs_login=False),
    _file_row("STAT", (211, 212, 213, 450, 502, 530), "RFC 959 5.4", needs_login=False),
    _row("HELP", (211, 214, 502), "RFC 959 5.4", needs_login=False, also=(504,), reason="504 for a command that is not known"),
    _row("NOOP", (200,), "RFC 959 5.4", needs_login=False),
    # RFC 2228 and 4217.
    _row("AUTH", (234, 334, 502, 504, 534, 431), _AUTHORITY, needs_login=False, also=(503,), reason="503: a second AUTH", narrowed=dict.fromkeys((State.PROTECTED, State.IMPLICIT), (503, 534, 504, 502))),
    _row("PBSZ", (200, 503, 530), _AUTHORITY + ", RFC 4217 9", needs_login=False, narrowed={State.CLEAR: (503, 502, 530)}),
    _row("PROT", (200, 503, 504, 534, 536, 431, 530), _AUTHORITY + ", RFC 4217 9", needs_login=False, narrowed={State.CLEAR: (503, 502, 530, 534, 536)}),
    _row("CCC", (200, 533, 534, 502), "RFC 2228 3, RFC 4217 5", needs_login=False, narrowed={State.CLEAR: (533, 502, 530)}),
    _row("SSCN", (200, 503, 504), "SSCN, client convention"),
    _announcing_row("CPSV", (227, 502, 504, 425), "CPSV, client convention", also=()),
    # RFC 2389, 2428, 1639, 2640, 3659 and 7151.
    _row("FEAT", (211, 502), "RFC 2389 3.2", needs_login=False),
    _row("OPTS", (200, 451, 502), "RFC 2389 4", needs_login=False, also=(504, 530), reason="504: a value that is not served; 530: options of commands that need a login"),
    _announcing_row("EPRT", (200, 522), "RFC 2428 2"),
    _row("EPSV", (229, 522), "RFC 2428 3", also=(425, 502), reason=_NETWORK),
    _row("EPSV ALL", (200,), "RFC 2428 3", also=(502,), reason=_NETWORK),
    _announcing_row("LPRT", (200, 521, 502), "RFC 1639"),
    _announcing_row("LPSV", (228, 521, 502), "RFC 1639"),
    _row("LANG", (200, 504, 502), "RFC 2640 4.2", needs_login=False),
    _file_row("SIZE", (213, 550), "RFC 3659 4"),
    _file_row("MDTM", (213, 550), "RFC 3659 3"),
    _file_row("MLST", (250, 503, 504, 550, 553), "RFC 3659 7.2"),
    _transfer_row("MLSD", (503, 504, 550, 553), "RFC 3659 7.2"),
    _row(
        "HOST",
        (220, 504, 503, 421, 502),
        "RFC 7151 3",
        needs_login=False,
        narrowed={State.NAMED: (503, 502), State.LOGGED_IN: (503, 502)},
    ),
    # Drafts and conventions.
    _file_row("MFMT", (213, 550, 502), "draft-somers-ftp-mfxx 3"),
    _file_row("MFCT", (213, 550, 502, 504), "draft-somers-ftp-mfxx 4"),
    _file_row("MFF", (213, 550, 502, 504), "draft-somers-ftp-mfxx 5"),
    _row("CLNT", (200,), "client convention", needs_login=False),
    _row("CSID", (200, 502), "draft-peterson-streamlined-ftp-command-extensions", needs_login=False),
    _row("PRET", (200, 502, 504, 550, 450, 553), "PRET, client convention"),
    _file_row("RANG", (350, 502, 504, 551), "draft-bryan-ftp-range 3"),
    _file_row("RMDA", (250, 550, 502), "draft-peterson-streamlined-ftp-command-extensions"),
    _file_row("AVBL", (213, 550, 502, 504), "draft-peterson-streamlined-ftp-command-extensions"),
    _file_row("DSIZ", (213, 550, 502, 504), "draft-peterson-streamlined-ftp-command-extensions"),
    _file_row("COMB", (250, 550, 502, 504, 553, 426), "COMB, client convention"),
    _file_row("HASH", (213, 550, 502, 504, 552, 553, 556, 426), "draft-bryan-ftpext-hash 3", narrowed={}),
    *(
        _file_row(verb, (213, 250, 251, 550, 502, 504, 426), "client convention", narrowed={})
        for verb in ("XCRC", "XMD5", "XSHA", "XSHA1", "XSHA256", "XSHA512")
    ),
    *(_file_row(verb, (213, 250, 251, 252, 550, 502, 504, 426), "draft-twine-ftpmd5 3") for verb in ("MD5", "MMD5")),
    # SITE.
    _row("SITE HELP", (200, 202), "RFC 959 5.4", needs_login=False, also=(211, 214, 502), reason="211, 214: as HELP SITE (RFC 959 4.1.3)"),
    _row("SITE WHO", (200, 202), "RFC 959 5.4", also=(211, 502, 550), reason="211: as STAT"),
    *(
        _file_row(f"SITE {verb}", (200, 202), "RFC 959 5.4", beyond=(250, 350, 502, 503, 504, 553), reason="as those of the commands that do the like")
        for verb in ("CHMOD", "UTIME", "UMASK", "IDLE", "SYMLINK", "CPFR", "CPTO")
    ),
)  # fmt: skip

ROWS: Final[Mapping[str, Row]] = MappingProxyType({row.verb: row for row in _STANDARD})

_ALIASES: Final = MappingProxyType({"XCWD": "CWD", "XCUP": "CDUP", "XPWD": "PWD", "XMKD": "MKD", "XRMD": "RMD", "P@SW": "PASV"})
_TRANSFERS: Final = ("RETR", "STOR", "STOU", "APPE", "LIST", "NLST", "MLSD")
_FINAL: Final = frozenset(range(200, 600))

MOVES: Final = (
    Move(("USER",), frozenset({331, 332, 336}), (State.NAMED, State.SETTLED, State.UNANNOUNCED), "RFC 959 4.1.1"),
    Move(("USER",), frozenset({230, 232}), (State.LOGGED_IN, State.SETTLED, State.UNANNOUNCED), "RFC 959 4.1.1"),
    Move(("USER",), frozenset({530, 534}), (State.CONNECTED, State.SETTLED, State.UNANNOUNCED), "RFC 959 4.1.1"),
    Move(("PASS",), frozenset({202, 230}), (State.LOGGED_IN,), "RFC 959 4.1.1"),
    Move(("PASS",), frozenset({530}), (State.CONNECTED,), "RFC 959 4.1.1"),
    Move(("QUIT",), frozenset({221}), (State.CLOSED,), "RFC 959 4.1.1"),
    Move(("REIN",), frozenset({220}), (State.CONNECTED, State.SETTLED, State.UNANNOUNCED, State.ANY_FAMILY), "RFC 959 4.1.1"),
    Move(("REIN",), frozenset({220}), (State.CLEAR,), "RFC 4217 13", within=State.PROTECTED),
    Move(("HOST",), frozenset({220}), (State.CONNECTED, State.SETTLED, State.UNANNOUNCED, State.ANY_FAMILY), "RFC 7151 3.2"),
    Move(
        ("AUTH",),
        frozenset({234}),
        (State.CONNECTED, State.SETTLED, State.UNANNOUNCED, State.ANY_FAMILY, State.PROTECTED),
        "RFC 4217 4.2",
    ),
    Move(("CCC",), frozenset({200}), (State.CLEAR,), "RFC 4217 5"),
    Move(("RNFR",), frozenset({350}), (State.RENAMING,), "RFC 959 4.1.3"),
    Move(("RNFR",), frozenset({450, 550}), (State.SETTLED,), "RFC 959 4.1.3"),
    Move(("RNTO",), frozenset({250, 450, 451, 452, 532, 550, 552, 553}), (State.SETTLED,), "RFC 959 4.1.3"),
    Move(("PASV", "CPSV"), frozenset({227}), (State.ANNOUNCED,), "RFC 959 4.1.2"),
    Move(("PORT",), frozenset({200}), (State.ANNOUNCED,), "RFC 959 4.1.2"),
    Move(("EPRT",), frozenset({200}), (State.ANNOUNCED,), "RFC 2428 2"),
    Move(("EPSV",), frozenset({229}), (State.ANNOUNCED,), "RFC 2428 3"),
    Move(("EPSV ALL",), frozenset({200}), (State.EXTENDED_ONLY,), "RFC 2428 3"),
    Move(("LPRT",), frozenset({200}), (State.ANNOUNCED,), "RFC 1639"),
    Move(("LPSV",), frozenset({228}), (State.ANNOUNCED,), "RFC 1639"),
    Move(("PASV", "CPSV", "EPSV", "LPSV"), frozenset({425}), (State.UNANNOUNCED,), "RFC 959 3.2"),
    Move(_TRANSFERS, frozenset({125, 150}), (State.TRANSFERRING,), "RFC 959 5.4"),
    Move(_TRANSFERS, _FINAL, (State.UNANNOUNCED,), "RFC 959 3.3", within=State.TRANSFERRING),
    Move(_TRANSFERS, frozenset({425, 426, 522}), (State.UNANNOUNCED,), "RFC 959 3.3"),
    Move(("ABOR",), frozenset({225, 226}), (State.UNANNOUNCED,), "RFC 959 4.1.3"),
)
