"""Whatever a client says in whatever order: every reply is one that the automaton's table has for the verb in that state, and each command gets one.

Apart from `test_session`, which knows what the replies should be: here only the table is known, and the server is walked through it at random.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import hypothesis.strategies as st
from hypothesis import example, given

from ftpd.ftp.answer import row_of
from ftpd.ftp.command import Needs
from ftpd.ftp.commands import KNOWN_VERBS, standard_commands
from ftpd.ftp.wire.automaton import ROWS, START, State, allowed, key_of, step
from ftpd.testing.dataports import MemoryDataPort
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.tls_client import MemoryContexts

FILES = {"/a": b"0123456789\n", "/dir/b": b"", "/dir/sub": None}
UNKNOWN_VERB = {421, 500, 502, 504, 530}  # 504 and 530: of SITE
MOST_TURNS = 100

COMMON = (
    "USER ann", "USER ann", "PASS secret", "PASS secret", "PASS wrong", "USER anonymous", "ACCT x", "REIN", "QUIT", "TYPE A",
    "TYPE I", "TYPE E", "TYPE L 8", "STRU R", "STRU F", "MODE B", "MODE S", "MODE C", "MODE Z", "PASV", "PASV", "EPSV",
    "EPSV ALL", "EPSV 2", "PORT 127,0,0,1,20,1", "EPRT !1!127.0.0.1!4000!", "LPSV", "LPRT 4,4,127,0,0,1,2,20,1", "REST 3",
    "REST 0", "REST x", "RANG 1 3", "RANG 1 0", "RETR a", "RETR missing", "RETR dir", "STOR new", "STOR a", "STOR dir", "STOU",
    "APPE a", "APPE new", "LIST", "LIST missing", "NLST", "MLSD", "MLSD a", "MLST a", "MLST", "ALLO 5", "RNFR a", "RNFR missing",
    "RNTO c", "RNTO dir", "DELE a", "DELE dir", "MKD d", "RMD d", "RMD dir", "CWD dir", "CWD missing", "CDUP", "PWD", "SIZE a",
    "MDTM a", "ABOR", "ABOR", "NOOP", "STAT", "STAT a", "SYST", "HELP", "HELP RETR", "FEAT", "OPTS UTF8 ON", "OPTS MLST size;",
    "OPTS HASH SHA-256", "AUTH TLS", "AUTH X", "PBSZ 0", "PROT C", "PROT S", "CCC", "HOST 127.0.0.1", "HOST x.invalid", "LANG",
    "LANG de", "LANG xx", "CLNT x", "HASH a", "XCRC a", "MD5 a", "MFMT 20200102030405 a", "MFF Modify=20200102030405; a",
    "RMDA dir", "AVBL", "DSIZ dir", "COMB joined a dir/b", "SITE HELP", "SITE CHMOD 600 a", "SITE IDLE 60", "SITE UMASK",
    "SITE CPFR a", "SITE CPTO copy", "SITE SYMLINK a link", "SITE WHO", "SITE QWOP", "SMNT /", "QWOP", "PRET RETR a",
)  # fmt: skip
VERBS = sorted(verb.decode() for verb in standard_commands().keys() | KNOWN_VERBS)
WORDS = st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=8)
LINES = st.one_of(
    st.sampled_from(COMMON), st.sampled_from(COMMON), st.tuples(st.sampled_from(VERBS), WORDS).map(" ".join), st.sampled_from(VERBS)
)
DATA = st.sampled_from(["(connect)", "(connect)", "(bytes)", "(end)", "(end)", "(reset)", "(nobody)"])
# What single lines would hardly ever add up to.
PHRASES = st.sampled_from(
    [
        ["USER ann", "PASS secret"],
        ["PASV", "(connect)", "RETR a"],
        ["PASV", "STOR new"],
        ["EPSV", "(connect)", "STOR new", "(bytes)"],
        ["PORT 127,0,0,1,20,1", "APPE a"],
        ["LPSV", "LIST"],
        ["RNFR a", "RNTO c"],
        ["EPSV ALL", "EPSV", "MLSD"],
        ["AUTH TLS", "USER ann", "PASS secret"],
        ["SITE CPFR a", "SITE CPTO copy"],
    ]
)
STEPS = st.lists(
    st.one_of(LINES.map(lambda line: [line]), LINES.map(lambda line: [line]), DATA.map(lambda what: [what]), PHRASES), min_size=6, max_size=30
).map(lambda phrases: list(chain.from_iterable(phrases)))  # fmt: skip


class Walk:
    """One session, the states that the table says it is in, and the commands whose final reply is still to come."""

    def __init__(self, login: str | None, contexts: Any) -> None:
        self.dialogue = Dialogue(login=login, files=FILES, contexts=contexts)
        self.states = step(START, "PASS", 230) if login is not None else START
        self.waiting: list[str] = []
        self.heard = len(self.dialogue.heard)

    @property
    def is_over(self) -> bool:
        return State.CLOSED in self.states

    @property
    def is_transferring(self) -> bool:
        return State.TRANSFERRING in self.states

    def say(self, line: str) -> None:
        if self.is_over or line.upper().startswith("PROT P"):
            return  # a data connection in memory has no TLS
        session = self.dialogue.channel.session
        row = row_of(session, line.encode()) if session is not None else None
        if self.is_transferring and row is not None and row.verb == "ABOR":
            self.waiting.insert(1, line)
        elif len(self.waiting) > 1:
            return  # one at most waits behind a transfer: what may pass what is another test's matter
        elif self.is_transferring and row is not None and row.beside and len(self.waiting) == 1:
            self.waiting.insert(0, line)
        else:
            self.waiting.append(line)
        self.dialogue.raw(line.encode() + b"\r\n")
        self.listen()

    def act(self, what: str) -> None:
        """Do something on the data connection announced last, if there is one."""
        port = self.port
        if port is None or self.is_over:
            return
        connection = port.connection
        if what == "(connect)" and not port.is_closed and connection is None:
            self.dialogue.connects()
        elif what == "(nobody)" and connection is None and not port.is_closed and self.is_transferring:
            self.dialogue.refuses_data()
        elif connection is not None and not connection.is_closed:
            {
                "(bytes)": lambda: self.dialogue.sends(b"bytes"),
                "(end)": self.dialogue.ends,
                "(reset)": self.dialogue.resets,
            }.get(what, self.dialogue.rests)()
        self.listen()

    @property
    def port(self) -> MemoryDataPort | None:
        given = self.dialogue.server.ports.given
        return given[-1] if given else None

    def listen(self) -> None:
        """Hold what came against the table; a command that takes its time, as a refused password does, is given it."""
        for _ in range(MOST_TURNS):
            self.judge()
            if self.is_over or not self.waiting or self.is_transferring:
                return
            self.dialogue.waits(1)
        raise AssertionError(f"{self.waiting[0]} is never answered")

    def judge(self) -> None:
        while self.heard < len(self.dialogue.heard):
            code = self.dialogue.heard[self.heard].code
            self.heard += 1
            assert self.waiting or code in (220, 421), f"{code} answers nothing"
            line = self.waiting[0] if self.waiting else ""
            key = key_of(line)
            if line:
                expected = allowed(ROWS[key], self.states) if key else UNKNOWN_VERB
                assert code in expected, f"{line}: {code} in {sorted(state.name for state in self.states)}"
            self.states = step(self.states, key, code)
            if code >= 200 and self.waiting:
                self.waiting.pop(0)
            if key == "AUTH" and code == 234:
                self.waiting.clear()  # what was said in clear behind it is dropped
                self.dialogue.shakes_hands()

    def end(self) -> None:
        """Bring what is under way to its end: then nothing may be left unanswered."""
        for _ in range(MOST_TURNS):
            if self.is_over or not self.waiting:
                break
            self.act("(end)" if self.port is not None and self.port.connection is not None else "(nobody)")
            self.dialogue.waits(1)
            self.listen()
        assert self.is_over or self.waiting == []


@given(STEPS, st.sampled_from([None, "ann", "ann", "ann", "anonymous"]), st.booleans())
@example(["PASV", "RETR a", "NOOP", "ABOR", "NOOP"], "ann", False)
@example(["PASV", "(connect)", "STOR new", "(bytes)", "PWD", "CWD dir", "ABOR", "(end)"], "ann", False)
@example(["EPSV ALL", "PASV", "EPSV", "(connect)", "LIST"], "ann", False)
@example(["RNFR a", "RNFR missing", "RNTO c"], "ann", False)
@example(
    ["USER ann", "HOST 127.0.0.1", "PASS wrong", "PASS secret", "AUTH TLS", "USER ann", "PASS secret", "PBSZ 0", "CCC"], None, True
)
@example(["PASV", "STOR new", "RNFR a", "QUIT", "(connect)", "(end)"], "ann", False)
def test_every_reply_is_in_the_table_and_each_command_has_one(steps: list[str], login: str | None, has_tls: bool) -> None:
    walk = Walk(login, MemoryContexts() if has_tls else None)
    for what in steps:
        walk.act(what) if what.startswith("(") else walk.say(what)
    walk.end()


def test_every_verb_that_is_served_has_a_row() -> None:
    assert {row.verb for row in standard_commands().values()} - ROWS.keys() == set()


def test_every_verb_that_needs_a_login_is_refused_before_it_by_the_table() -> None:
    login = [row.verb for row in standard_commands().values() if Needs.LOGIN in row.needs]
    assert [verb for verb in login if min(code for code in allowed(ROWS[verb], START)) < 400] == []
