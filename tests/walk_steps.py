"""Steps of a walk through the automaton: what a client says, and does on its data connections, at random, as hypothesis draws it.

Apart from the walks, of which one goes through the parts of the server in memory and another through a live one: both take the same steps.
A line is said as it stands but for the words in parentheses, which a walk puts in; a step that is all in parentheses is something done.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from itertools import chain
from typing import Final

import hypothesis.strategies as st

from ftpd.ftp.commands import KNOWN_VERBS, standard_commands
from ftpd.ftp.wire.addresses import format_lpsv, format_pasv

__all__ = ["ANN", "FILES", "OPENINGS", "PAYLOADS", "STEPS", "is_doing", "spelled"]

FILES: Final[dict[str, bytes | None]] = {"/a": b"0123456789\n", "/dir/b": b"", "/dir/sub": None, "/big": bytes(100_000)}
"""What stands in the client's home before the walk, None for a directory; a live walk makes `/big` larger than sockets hold."""

PAYLOADS: Final = {
    "(bytes)": b"bytes\r\n",
    "(block)": b"\x40\x00\x05bytes",  # MODE B: one block, which says end of file (RFC 959 3.4.2)
    "(records)": b"bytes\xff\x03",  # STRU R in MODE S: one record, and the end of the file (RFC 959 3.4.1)
    "(deflated)": zlib.compress(b"bytes"),  # MODE Z
    "(clear)": b"bytes",  # without TLS, whatever PROT says
}

_COMMON: Final = (
    "USER ann", "USER ann", "PASS (password)", "PASS (password)", "PASS wrong", "USER anonymous", "ACCT x", "REIN", "QUIT", "TYPE A",
    "TYPE I", "TYPE E", "TYPE L 8", "STRU R", "STRU F", "MODE B", "MODE S", "MODE C", "MODE Z", "PASV", "PASV", "EPSV",
    "EPSV ALL", "EPSV 2", "PORT (here)", "EPRT (here)", "LPSV", "LPRT (here)", "REST 3",
    "REST 0", "REST x", "RANG 1 3", "RANG 1 0", "RETR a", "RETR missing", "RETR dir", "STOR new", "STOR a", "STOR dir", "STOU",
    "APPE a", "APPE new", "LIST", "LIST missing", "NLST", "MLSD", "MLSD a", "MLST a", "MLST", "ALLO 5", "RNFR a", "RNFR missing",
    "RNTO c", "RNTO dir", "DELE a", "DELE dir", "MKD d", "RMD d", "RMD dir", "CWD dir", "CWD missing", "CDUP", "PWD", "SIZE a",
    "MDTM a", "ABOR", "ABOR", "NOOP", "STAT", "STAT a", "SYST", "HELP", "HELP RETR", "FEAT", "OPTS UTF8 ON", "OPTS MLST size;",
    "OPTS HASH SHA-256", "AUTH TLS", "AUTH X", "PBSZ 0", "PROT C", "PROT P", "PROT S", "CCC", "HOST 127.0.0.1", "HOST x.invalid",
    "LANG", "LANG de", "LANG xx", "CLNT x", "HASH a", "XCRC a", "MD5 a", "MFMT 20200102030405 a", "MFF Modify=20200102030405; a",
    "MFCT 20200102030405 a", "RMDA dir", "AVBL", "DSIZ dir", "COMB joined a dir/b", "SITE HELP", "SITE CHMOD 600 a",
    "SITE IDLE 60", "SITE UMASK", "SITE CPFR a", "SITE CPTO copy", "SITE SYMLINK a link", "SITE WHO", "SITE QWOP", "SMNT /",
    "QWOP", "PRET RETR a", "RETR big",
)  # fmt: skip
_VERBS: Final = sorted(verb.decode() for verb in standard_commands().keys() | KNOWN_VERBS)
_WORDS: Final = st.text(st.characters(codec="ascii", exclude_characters="\r\n\0"), max_size=8)
_LINES: Final = st.one_of(
    st.sampled_from(_COMMON), st.sampled_from(_COMMON), st.tuples(st.sampled_from(_VERBS), _WORDS).map(" ".join), st.sampled_from(_VERBS)
)  # fmt: skip
# `(cut)` ends without TLS's own end; `(nobody)`: nobody connects; `(at once)`: what follows is said before the next line is answered.
_DOINGS: Final = st.sampled_from(
    ["(connect)", "(connect)", "(handshake)", *PAYLOADS, "(end)", "(end)", "(end)", "(cut)", "(reset)", "(nobody)", "(at once)", "(at once)"]
)  # fmt: skip
# What single lines would hardly ever add up to.
_PHRASES: Final = st.sampled_from(
    [
        ["USER ann", "PASS (password)"],
        ["PASV", "(connect)", "RETR a", "(end)"],
        ["PASV", "STOR new"],
        ["EPSV", "(connect)", "STOR new", "(bytes)"],
        ["EPSV", "STOR new", "(bytes)", "(end)"],
        ["PORT (here)", "APPE a", "(bytes)", "(end)"],
        ["EPRT (here)", "RETR a", "(end)"],
        ["LPRT (here)", "MLSD"],
        ["LPSV", "LIST", "(end)"],
        ["EPSV", "RETR big", "STAT"],
        ["PASV", "RETR big", "NOOP", "ABOR"],
        ["PASV", "STOR new", "(bytes)", "ABOR"],
        ["PASV", "STOR new", "PASV", "RETR a", "(end)"],
        ["(at once)", "PASV", "RETR a", "(end)"],
        ["PASV", "(connect)", "(at once)", "RETR a", "MLST a"],
        ["EPSV", "(at once)", "RETR big", "ABOR"],
        ["MODE Z", "PASV", "STOR new", "(deflated)", "(end)"],
        ["MODE B", "EPSV", "APPE a", "(block)", "(end)"],
        ["STRU R", "PASV", "STOR new", "(records)", "(end)"],
        ["RNFR a", "RNTO c"],
        ["EPSV ALL", "EPSV", "MLSD"],
        ["AUTH TLS", "USER ann", "PASS (password)"],
        ["PBSZ 0", "PROT P"],
        ["PBSZ 0", "PROT P", "EPSV", "(connect)", "STOR new", "(bytes)", "(end)"],
        ["PBSZ 0", "PROT P", "EPSV", "STOR new", "(connect)", "(reset)"],
        ["PBSZ 0", "PROT P", "PASV", "RETR a", "(clear)"],
        ["SITE CPFR a", "SITE CPTO copy"],
    ]
)
_ANYTHING: Final = st.one_of(
    _LINES.map(lambda line: [line]), _LINES.map(lambda line: [line]), _DOINGS.map(lambda what: [what]), _PHRASES
)

STEPS: Final = st.lists(_ANYTHING, min_size=6, max_size=30).map(lambda phrases: list(chain.from_iterable(phrases)))

ANN: Final = ["USER ann", "PASS (password)", "TYPE I"]
OPENINGS: Final = st.sampled_from([[], ANN, ANN, ["AUTH TLS", *ANN, "PBSZ 0", "PROT P"], ["USER anonymous", "PASS (password)"]])
"""What a walk may begin with, so that most of them are logged in."""


_WRITERS: Final[dict[str, Callable[[str, int], str]]] = {
    "PORT": format_pasv,
    "EPRT": lambda address, port: f"|1|{address}|{port}|",
    "LPRT": format_lpsv,
}


def is_doing(step: str) -> bool:
    """Whether *step* is something done, and no line."""
    return step.startswith("(")


def spelled(line: str, password: str, here: Callable[[], tuple[str, int]]) -> str:
    """Return *line* with its words put in: `(password)`, and `(here)`, the address and port that *here* returns, as the verb writes them."""
    verb, _, argument = line.partition(" ")
    if argument == "(here)" and verb in _WRITERS:
        return f"{verb} {_WRITERS[verb](*here())}"
    return line.replace("(password)", password)
