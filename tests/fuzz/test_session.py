"""Any bytes give replies or a close; chunking changes nothing; nothing else escapes: no traceback in the log, no open end.

And a session over the memory store is what a dict of paths would be.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import hypothesis.strategies as st
from hypothesis import example, given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ftpd.ftp.wire.replies import Reply
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.login_contract import recorded_log
from tests.fuzz.said import CUTS, FILES, LINES, chunks

REPLIES = re.compile(rb"(?:[1-5][0-9]{2} [^\r\n\0]*\r\n|([1-5][0-9]{2})-[^\r\n\0]*\r\n(?: [^\r\n\0]*\r\n)*\1 [^\r\n\0]*\r\n)*")

ENDS = st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n"])
PIECES = st.one_of(
    st.tuples(LINES, ENDS).map(b"".join),
    st.sampled_from(
        [b"\xff\xf4\xff\xf2ABOR\r\n", b"\xf2ABOR\r\n", b"\xff\xff", b"\r\0", b"\0", b"GET / HTTP/1.1\r\n", b"y" * 9000]
    ),
    st.binary(max_size=30),
)
STREAMS = st.lists(PIECES, max_size=25).map(b"".join)


def serve(pieces: Iterable[bytes], login: str | None) -> tuple[bytes, list[Reply], dict[str, bytes | None]]:
    """Feed a session and return what it wrote, that as replies, and the tree it left."""
    with recorded_log() as log:
        dialogue = Dialogue(login=login, files=FILES)
        for piece in pieces:
            if piece:
                dialogue.raw(piece)
        dialogue.hangs_up()
        for port in dialogue.server.ports.given:  # after QUIT a transfer may go on: until the deadline of its data port, here
            port.expire()
    assert [event for event in log if "log_failure" in event] == []
    assert dialogue.server.logins == dialogue.server.logouts
    assert dialogue.server.factory.channels == set()
    assert all(port.is_closed or port.is_opened for port in dialogue.server.ports.given)
    return b"".join(dialogue.transport.writes), dialogue.heard, dialogue.server.tree()


def without_times(written: bytes) -> bytes:
    """What two runs write alike: the times at which their files were made may differ."""
    return re.sub(rb"modify=[0-9]{14}|\b[0-9]{14}\b|[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{5}", b"TIME", written)


@given(STREAMS, CUTS, st.sampled_from([None, "ann", "anonymous"]))
@example(b"EPSV\r\nRETR a\r\nNOOP\r\nCWD /\r\nABOR\r\n", [15], "ann")
@example(b"PASV\r\nSTOR x\r\nQUIT\r\n", [], "ann")
@example(b"NOOP\r\n" * 200, [7], None)
@example(b"STAT *[\r\nLIST -R [!-]\r\n", [], "ann")
def test_any_bytes_give_replies_or_a_close_and_chunking_changes_nothing(data: bytes, cuts: list[int], login: str | None) -> None:
    written, replies, tree = serve([data], login)
    assert REPLIES.fullmatch(written), written
    cut_written, cut_replies, cut_tree = serve(chunks(data, cuts), login)
    assert without_times(cut_written) == without_times(written)
    assert [reply.code for reply in cut_replies] == [reply.code for reply in replies]
    assert cut_tree == tree


@given(st.binary(max_size=300))
def test_login_with_any_bytes_is_answered(word: bytes) -> None:
    word = word.translate(None, b"\r\n\0\xff")
    dialogue = Dialogue().hears(220).says(b"USER " + word).hears(331 if word else 501)
    dialogue.says(b"PASS " + word).waits(2)
    assert dialogue.codes[2:] in ([530], [503], [230])


NAMES = st.sampled_from(["a", "b", "c", " d", "\u00fc", 'e"'])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PLACES = st.one_of(PATHS, PATHS.map(lambda path: f"/{path}"), PATHS.map(lambda path: f"../{path}"))
CONTENTS = st.binary(max_size=12)


class SessionAndModel(RuleBasedStateMachine):
    """A session and a dict: paths to bytes, or None for a directory; the root is ()."""

    def __init__(self) -> None:
        super().__init__()
        self.dialogue = Dialogue(login="ann")
        self.model: dict[tuple[str, ...], bytes | None] = {(): None}
        self.cwd: tuple[str, ...] = ()
        self.restart = 0

    # The model.

    def resolve(self, text: str) -> tuple[str, ...]:
        parts = [] if text.startswith("/") else list(self.cwd)
        for part in text.split("/"):
            if part == "..":
                del parts[-1:]
            elif part:
                parts.append(part)
        return tuple(parts)

    def is_directory(self, path: tuple[str, ...]) -> bool:
        return path in self.model and self.model[path] is None

    def content(self, path: tuple[str, ...]) -> bytes | None:
        return self.model.get(path)

    def entries(self, path: tuple[str, ...]) -> list[str]:
        return sorted(known[-1] for known in self.model if known and known[:-1] == path)

    def take_restart(self) -> int:
        start, self.restart = self.restart, 0
        return start

    # What the client does.

    @rule(place=PLACES)
    def mkd(self, place: str) -> None:
        path = self.resolve(place)
        self.restart = 0
        if path in self.model or not self.is_directory(path[:-1]):
            self.dialogue.says(f"MKD {place}").hears(550)
        else:
            self.model[path] = None
            self.dialogue.says(f"MKD {place}").hears(257)

    @rule(place=PLACES)
    def rmd(self, place: str) -> None:
        path = self.resolve(place)
        self.restart = 0
        if path and self.is_directory(path) and not self.entries(path):
            del self.model[path]
            self.dialogue.says(f"RMD {place}").hears(250)
        else:
            self.dialogue.says(f"RMD {place}").hears(550)

    @rule(place=PLACES)
    def cwd_(self, place: str) -> None:
        path = self.resolve(place)
        self.restart = 0
        if self.is_directory(path):
            self.cwd = path
            self.dialogue.says(f"CWD {place}").hears(250)
        else:
            self.dialogue.says(f"CWD {place}").hears(550)

    @rule()
    def cdup(self) -> None:
        self.cwd = self.cwd[:-1]
        self.restart = 0
        self.dialogue.says("CDUP").hears(250)

    @rule(place=PLACES, content=CONTENTS)
    def stor(self, place: str, content: bytes) -> None:
        path, start = self.resolve(place), self.take_restart()
        if not path or self.is_directory(path) or not self.is_directory(path[:-1]):
            self.dialogue.says(f"STOR {place}").hears(553)
        elif start > len(self.content(path) or b""):
            self.dialogue.says(f"STOR {place}").hears(554)
        else:
            old = (self.content(path) or b"") if start else b""
            self.model[path] = old[:start] + content + old[start + len(content) :]
            self.dialogue.says(f"STOR {place}").hears(150).sends(content).ends().hears(226)

    @rule(place=PLACES, content=CONTENTS)
    def appe(self, place: str, content: bytes) -> None:
        path, start = self.resolve(place), self.take_restart()
        old = self.content(path) or b""
        if not path or self.is_directory(path) or not self.is_directory(path[:-1]):
            self.dialogue.says(f"APPE {place}").hears(550)
        elif start > len(old):
            self.dialogue.says(f"APPE {place}").hears(554)
        else:
            at = start or len(old)
            self.model[path] = old[:at] + content + old[at + len(content) :]
            self.dialogue.says(f"APPE {place}").hears(150).sends(content).ends().hears(226)

    @rule(place=PLACES, content=CONTENTS)
    def stor_over_a_file_that_is_cut(self, place: str, content: bytes) -> None:
        """An account that keeps no cut uploads would see nothing; this one sees the kept part, so it takes it away again."""
        path = self.resolve(place)
        if self.content(path) is None or not content:
            return
        self.restart = 0
        self.dialogue.says("REST 0").hears(350).says(f"STOR {place}").hears(150).sends(content).resets().hears(426)
        self.dialogue.says(f"SIZE {place}").hears(213, str(len(content)))
        self.dialogue.says(f"DELE {place}").hears(250)
        del self.model[path]

    @rule(place=PLACES)
    def retr(self, place: str) -> None:
        content, start = self.content(self.resolve(place)), self.take_restart()
        if content is None:
            self.dialogue.says(f"RETR {place}").hears(550)
        elif start > len(content):
            self.dialogue.says(f"RETR {place}").hears(554)
        else:
            self.dialogue.says(f"RETR {place}").hears(150).hears(226).data(content[start:])

    @rule(offset=st.integers(min_value=0, max_value=14))
    def rest(self, offset: int) -> None:
        self.restart = offset
        self.dialogue.says(f"REST {offset}").hears(350)

    @rule(place=PLACES)
    def dele(self, place: str) -> None:
        path = self.resolve(place)
        self.restart = 0
        if self.content(path) is None:
            self.dialogue.says(f"DELE {place}").hears(550)
        else:
            del self.model[path]
            self.dialogue.says(f"DELE {place}").hears(250)

    @rule(old=PLACES, new=PLACES)
    def rename(self, old: str, new: str) -> None:
        source, target = self.resolve(old), self.resolve(new)
        self.restart = 0
        if source not in self.model:
            self.dialogue.says(f"RNFR {old}").hears(550)
            return
        self.dialogue.says(f"RNFR {old}").hears(350)
        if not self.may_rename(source, target):
            self.dialogue.says(f"RNTO {new}").hears(553)
            return
        self.dialogue.says(f"RNTO {new}").hears(250)
        moved = {path: content for path, content in self.model.items() if path[: len(source)] == source}
        for path in moved:
            del self.model[path]
        self.model |= {target + path[len(source) :]: content for path, content in moved.items()}

    def may_rename(self, source: tuple[str, ...], target: tuple[str, ...]) -> bool:
        """POSIX rename(2), roots excluded."""
        if not source or not target:
            return False
        if source == target:
            return True
        if target[: len(source)] == source or not self.is_directory(target[:-1]):
            return False
        if target not in self.model:
            return True
        return self.is_directory(source) == self.is_directory(target) and not self.entries(target)

    @rule(place=PLACES)
    def size(self, place: str) -> None:
        content = self.content(self.resolve(place))
        if content is None:
            self.dialogue.says(f"SIZE {place}").hears(550)
        else:
            self.dialogue.says(f"SIZE {place}").hears(213, str(len(content)))

    @rule(place=PLACES)
    def mlsd(self, place: str) -> None:
        path = self.resolve(place)
        self.restart = 0
        if not self.is_directory(path):
            self.dialogue.says(f"MLSD {place}").hears(501 if path in self.model else 550)
            return
        self.dialogue.says(f"MLSD {place}").hears(150).hears(226)
        rows = self.dialogue.connection.received.decode().splitlines()
        assert sorted(row.partition(" ")[2] for row in rows) == self.entries(path)

    @precondition(lambda self: self.cwd and self.is_directory(self.cwd))
    @rule()
    def pwd(self) -> None:
        quoted = ("/" + "/".join(self.cwd)).replace('"', '""')
        self.dialogue.says("PWD").hears(257, f'"{quoted}" is the working directory.')

    @invariant()
    def tree_is_the_model(self) -> None:
        tree = {"/" + "/".join(path): content for path, content in self.model.items() if path}
        assert self.dialogue.server.tree() == tree
        self.dialogue.hears_nothing()


TestSessionAndModel = SessionAndModel.TestCase
TestSessionAndModel.settings = settings(stateful_step_count=30, deadline=None)
