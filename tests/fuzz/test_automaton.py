"""Whatever a client says in whatever order: every reply is one that the automaton's table has for the verb in that state, and each command gets one.

Apart from `test_session`, which knows what the replies should be: here only the table is known, and the server is walked through it at random,
in memory, where it is known what each command overtakes.  `tests/integration/test_automaton.py` takes the same steps over the network.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from ftpd.ftp.command import Needs
from ftpd.ftp.commands import standard_commands
from ftpd.ftp.settings import DeflateSettings, FileSettings, FTPSettings, ProtectionSettings
from ftpd.ftp.wire.automaton import ROWS, START, State, allowed
from ftpd.testing.dataports import MemoryDataPort
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.server import PASSWORD
from ftpd.testing.tls_client import MemoryContexts
from tests.judge import Judge
from tests.walk_steps import ANN, FILES, OPENINGS, PAYLOADS, STEPS, is_doing, spelled

MOST_TURNS = 100
SETTINGS = FTPSettings(
    tls=ProtectionSettings(ccc=True),
    deflate=DeflateSettings(enabled=True),
    files=FileSettings(remove_trees=True, make_links=True),
)


class MemoryWalk:
    """One session in memory, and what judges it."""

    def __init__(self, *, has_tls: bool) -> None:
        self.dialogue = Dialogue(files=FILES, contexts=MemoryContexts() if has_tls else None, settings=SETTINGS)
        self.judge = Judge()
        self.heard = 1  # the greeting

    def take(self, step: str) -> None:
        if not self.judge.is_over:
            self.act(step) if is_doing(step) else self.say(step)

    def say(self, line: str) -> None:
        if line.upper().startswith("PROT P"):
            return  # a data connection in memory has no TLS
        if self.judge.outstanding > 1 and not line.upper().startswith("ABOR"):
            return  # one at most waits behind a transfer: more would only be more of the same
        is_beside = self.judge.is_transferring and self.judge.outstanding == 1
        line = spelled(line, PASSWORD, lambda: ("127.0.0.1", 5121))
        said = self.judge.says(line, overtakes=self.judge.is_transferring)
        self.dialogue.raw(line.encode() + b"\r\n")
        self.listen()
        assert not (is_beside and said.is_beside and self.judge.waits(said)), f"{line} is not answered beside the transfer"

    def act(self, what: str) -> None:
        """Do something on the data connection announced last, if there is one."""
        port = self.port
        if port is None:
            return
        connection = port.connection
        if what == "(connect)" and not port.is_closed and connection is None:
            self.dialogue.connects()
        elif what == "(nobody)" and connection is None and not port.is_closed and self.judge.is_transferring:
            self.dialogue.refuses_data()
        elif connection is not None and not connection.is_closed:
            if what in PAYLOADS:
                self.dialogue.sends(PAYLOADS[what])
            else:
                {"(end)": self.dialogue.ends, "(cut)": self.dialogue.ends, "(reset)": self.dialogue.resets}.get(
                    what, self.dialogue.rests
                )()
        self.judge.transcript.append(what)
        self.listen()

    @property
    def port(self) -> MemoryDataPort | None:
        given = self.dialogue.server.ports.given
        return given[-1] if given else None

    def listen(self) -> None:
        """Judge what came; a command that takes its time, as a refused password does, is given it."""
        for _ in range(MOST_TURNS):
            self.hear()
            if self.judge.is_over or not self.judge.outstanding or self.judge.is_transferring:
                return
            self.dialogue.waits(1)
        raise self.judge.fault("a command is never answered")

    def hear(self) -> None:
        while self.heard < len(self.dialogue.heard):
            before = self.judge.security
            self.judge.hears(self.dialogue.heard[self.heard].code)
            self.heard += 1
            if before is not self.judge.security:
                self.dialogue.shakes_hands() if before is State.CLEAR else self.dialogue.says_end()

    def end(self) -> None:
        """Bring what is under way to its end: then nothing may be left unanswered."""
        for _ in range(MOST_TURNS):
            if self.judge.is_over or not self.judge.outstanding:
                return
            self.act("(end)" if self.port is not None and self.port.connection is not None else "(nobody)")
            self.dialogue.waits(1)
            self.listen()
        raise self.judge.fault("a transfer never ends")


@given(OPENINGS, STEPS, st.booleans())
@example(ANN, ["PASV", "RETR a", "NOOP", "ABOR", "NOOP"], False)
@example(ANN, ["PASV", "(connect)", "STOR new", "(bytes)", "PWD", "CWD dir", "ABOR", "(end)"], False)
@example(ANN, ["EPSV ALL", "PASV", "EPSV", "(connect)", "LIST"], False)
@example(ANN, ["RNFR a", "RNFR missing", "RNTO c"], False)
@example(["USER ann", "HOST 127.0.0.1", "PASS wrong"], ["PASS (password)", "AUTH TLS", *ANN, "PBSZ 0", "CCC", "AUTH TLS"], True)
@example(["AUTH TLS", *ANN], ["REIN", "AUTH TLS", *ANN, "REIN", "PBSZ 0"], True)
@example(ANN, ["PASV", "STOR new", "RNFR a", "QUIT", "(connect)", "(end)"], False)
def test_every_reply_is_in_the_table_and_each_command_has_one(opening: list[str], steps: list[str], has_tls: bool) -> None:
    walk = MemoryWalk(has_tls=has_tls)
    for what in opening + steps:
        walk.take(what)
    walk.end()


def test_every_verb_that_is_served_has_a_row() -> None:
    assert {row.verb for row in standard_commands().values()} - ROWS.keys() == set()


def test_every_verb_that_needs_a_login_is_refused_before_it_by_the_table() -> None:
    login = [row.verb for row in standard_commands().values() if Needs.LOGIN in row.needs]
    assert [verb for verb in login if min(code for code in allowed(ROWS[verb], START)) < 400] == []
