from __future__ import annotations

import errno
import ipaddress
import json
import stat
from unittest.mock import patch

import pytest
from twisted.internet.defer import Deferred

from ftpd.ftp.settings import FTPSettings, TraceSettings
from ftpd.ftp.traces import collection as module
from ftpd.ftp.traces.collection import Traces
from ftpd.ftp.traces.file import Piece
from ftpd.ftp.traces.trace import Trace
from ftpd.testing.dialogue import Dialogue
from ftpd.testing.fakes import InlineThreads
from ftpd.testing.server import Server
from ftpd.testing.tls_client import MemoryContexts

HERE = (ipaddress.ip_network("127.0.0.0/8"),)
ELSEWHERE = (ipaddress.ip_network("192.0.2.0/24"),)


def traced(tmp_path, *, threads=None, server=None, **arguments):
    """A server whose sessions are traced below *tmp_path*."""
    rows = (TraceSettings(directory=str(tmp_path / "traces"), **({"networks": HERE} | arguments)),)
    made = Server(settings=FTPSettings(traces=rows), files={"/dir": None, "/old": b"0123456789"}, **(server or {}))
    made.factory.traces = Traces(rows, made.clock, threads or InlineThreads())
    return made


def records(tmp_path):
    """What the only trace has, without times."""
    (file,) = (tmp_path / "traces").iterdir()
    found = [json.loads(line) for line in file.read_text("ascii").splitlines()]
    assert all(record.pop("ms") >= 0 for record in found)
    return found


def heard(tmp_path):
    return [(record["heard"], record.get("cut", False)) for record in records(tmp_path) if "heard" in record]


def login(server):
    return Dialogue(server=server).hears(220).says("USER ann").hears(331).says("PASS secret").hears(230)


def test_a_session_is_written_line_by_line(tmp_path):
    server = traced(tmp_path)
    login(server).says("TYPE I").hears(200).says("RETR old").hears(150).hears(226).says("QUIT").hears(221)
    first, *rest = records(tmp_path)
    assert first["trace"] == 1
    assert first["client"] == {"address": "127.0.0.1", "port": 40000}
    assert rest == [
        {"said": ["220 ftpd ready."]},
        {"heard": "USER ann"},
        {"said": ["331 Password required."], "to": 1},
        {"heard": "PASS", "cut": True},
        {"said": ["230 Logged in."], "to": 2},
        {"heard": "TYPE I"},
        {"said": ["200 Type is BINARY."], "to": 3},
        {"heard": "RETR old"},
        {"said": ["150 Opening BINARY mode data connection for /old (10 bytes)."], "to": 4},
        {"said": ["226 Transfer complete."], "to": 4},
        {
            "data": {
                "to": 4,
                "command": "RETR",
                "direction": "download",
                "path": "/old",
                "bytes": 10,
                "seconds": 0.0,
                "outcome": "finished",
                "tls": False,
            }
        },
        {"heard": "QUIT"},
        {"said": ["221 Goodbye."], "to": 5},
        {"end": "Connection was closed cleanly."},
    ]


def test_what_overtakes_a_transfer_is_answered_by_its_number(tmp_path):
    dialogue = login(traced(tmp_path)).says("STOR new").hears(150).says("NOOP").hears(200).says("ABOR").hears(426).hears(226)
    dialogue.says("QUIT").hears(221)
    answers = [(record["to"], record["said"][0][:3]) for record in records(tmp_path) if "to" in record][2:]
    assert answers == [(3, "150"), (4, "200"), (3, "426"), (5, "226"), (6, "221")]


def test_the_file_is_the_owners_alone(tmp_path):
    login(traced(tmp_path)).says("QUIT").hears(221)
    (file,) = (tmp_path / "traces").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_file_is_named_by_time_and_session(tmp_path):
    dialogue = login(traced(tmp_path))
    session = dialogue.session.peer.session
    dialogue.says("QUIT").hears(221)
    (file,) = (tmp_path / "traces").iterdir()
    assert file.name.endswith(f"Z-{session}.jsonl")


def test_nobody_else_is_traced(tmp_path):
    login(traced(tmp_path, networks=ELSEWHERE)).says("QUIT").hears(221)
    assert not (tmp_path / "traces").exists()


def test_without_traces_a_session_has_none():
    assert Dialogue(login="ann").session.trace is None


def test_a_trace_of_an_account_begins_with_the_connection(tmp_path):
    login(traced(tmp_path, networks=(), accounts=("ann",))).says("QUIT").hears(221)
    assert heard(tmp_path)[0] == ("USER ann", False)


def test_who_does_not_log_in_as_the_account_is_not_traced(tmp_path):
    server = traced(tmp_path, networks=(), accounts=("bob",))
    login(server).says("QUIT").hears(221)
    Dialogue(server=server).hears(220).says("QUIT").hears(221)
    assert not (tmp_path / "traces").exists()


def test_much_talk_before_the_login_is_not_kept(tmp_path):
    dialogue = Dialogue(server=traced(tmp_path, networks=(), accounts=("ann",))).hears(220)
    for _ in range(2000):
        dialogue.says("NOOP").hears(200)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("QUIT").hears(221)
    assert not (tmp_path / "traces").exists()


@pytest.mark.parametrize(
    "line",
    [
        "PASS hunter2",
        "pass hunter2",
        "ACCT hunter2",
        "hunter2",
        "hunter2 and more",
        "CWD hunter2",
        "ADAT hunter2",
        "SITE PSWD x hunter2",
    ],
)
def test_what_may_be_a_password_is_cut_before_the_login(tmp_path, line):
    Dialogue(server=traced(tmp_path)).hears(220).says(line)
    login_is_not_needed = (tmp_path / "traces").exists()
    assert not login_is_not_needed
    dialogue = Dialogue(server=traced(tmp_path)).hears(220).says(line)
    dialogue.hangs_up()
    (file,) = (tmp_path / "traces").iterdir()
    assert "hunter2" not in file.read_text()


@pytest.mark.parametrize("line", ["PASS hunter2", "ACCT hunter2", "hunter2", "ADAT hunter2", "SITE PSWD x hunter2", "XYZZ hunter2"])
def test_what_may_be_a_password_is_cut_after_the_login(tmp_path, line):
    login(traced(tmp_path)).says(line).hangs_up()
    (file,) = (tmp_path / "traces").iterdir()
    assert "hunter2" not in file.read_text()


def test_an_unknown_verb_is_told_after_the_login_and_not_before(tmp_path):
    dialogue = Dialogue(server=traced(tmp_path)).hears(220).says("XYZZ a").hears(500)
    dialogue.says("USER ann").hears(331).says("PASS secret").hears(230).says("XYZZ a").hears(500).says("QUIT").hears(221)
    assert heard(tmp_path) == [("", True), ("USER ann", False), ("PASS", True), ("XYZZ", True), ("QUIT", False)]


def test_a_line_that_is_too_long_is_cut(tmp_path):
    login(traced(tmp_path)).says("CWD " + "x" * 9000).hears(500).says("QUIT").hears(221)
    assert ("", True) in heard(tmp_path)


def test_names_can_be_left_out(tmp_path):
    dialogue = login(traced(tmp_path, names=False)).says("CWD dir").hears(250).says("CWD /").hears(250).says("STOR /dir/secret.pdf")
    dialogue.hears(150).ends().hears(226).says("RETR /dir/secret.pdf").hears(150).hears(226).says("MKD dir").hears(550)
    dialogue.says("MFMT 20260101000000 old").hears(213).says("XYZZ old").hears(500).says("QUIT").hears(221)
    text = json.dumps(records(tmp_path))
    assert not any(word in text for word in ("secret.pdf", "dir/", "/dir", "old"))


def test_a_stand_in_is_the_same_for_the_same_name(tmp_path):
    login(traced(tmp_path, names=False)).says("CWD dir").hears(250).says("LIST -la /dir").hears(150).hears(226).says("QUIT").hears(
        221
    )
    lines = [text for text, _ in heard(tmp_path)]
    name = lines[2].removeprefix("CWD ")
    assert name.startswith("name-")
    assert lines[3] == f"LIST -la /{name}"


def test_where_names_are_left_out_replies_keep_their_codes(tmp_path):
    login(traced(tmp_path, names=False)).says("PWD").hears(257).says("PASV").hears(227).says("QUIT").hears(221)
    said = [record["said"] for record in records(tmp_path) if "said" in record]
    assert said[3] == ["257"]
    assert said[4][0].startswith("227 Entering Passive Mode (")


def test_bytes_that_are_no_utf_8_come_back(tmp_path):
    login(traced(tmp_path)).says(b"CWD \xe9t\xe9").hears(550).says("QUIT").hears(221)
    line = heard(tmp_path)[2][0]
    assert line.encode("utf-8", "surrogateescape") == b"CWD \xe9t\xe9"


def test_tls_is_told(tmp_path):
    server = traced(tmp_path, server={"contexts": MemoryContexts()})
    dialogue = Dialogue(server=server).hears(220).says("AUTH TLS").hears(234).shakes_hands().says("QUIT").hears(221)
    dialogue.is_closed()
    facts = next(record["tls"] for record in records(tmp_path) if "tls" in record)
    assert facts["version"] == "TLSv1.3"


def test_a_full_file_says_that_it_is(tmp_path):
    dialogue = login(traced(tmp_path, max_size=4096))
    for _ in range(200):
        dialogue.says("NOOP").hears(200)
    dialogue.says("QUIT").hears(221)
    assert records(tmp_path)[-1] == {"stopped": "max_size"}
    (file,) = (tmp_path / "traces").iterdir()
    assert file.stat().st_size < 4200


def test_the_oldest_files_go(tmp_path):
    server = traced(tmp_path, max_files=2)
    (tmp_path / "traces").mkdir()
    for day in (1, 2, 3):
        (tmp_path / "traces" / f"2099010{day}T000000Z-A.jsonl").touch()
    (tmp_path / "traces" / "notes.txt").touch()
    login(server).says("QUIT").hears(221)
    kept = sorted(file.name for file in (tmp_path / "traces").iterdir())
    assert kept[1:] == ["20990103T000000Z-A.jsonl", "notes.txt"]
    assert len(kept) == 3


def test_outdated_files_go(tmp_path):
    server = traced(tmp_path)
    (tmp_path / "traces").mkdir()
    (tmp_path / "traces" / "20200101T000000Z-A.jsonl").touch()
    login(server).says("QUIT").hears(221)
    assert len(list((tmp_path / "traces").iterdir())) == 1
    assert not (tmp_path / "traces" / "20200101T000000Z-A.jsonl").exists()


def test_a_full_disk_stops_the_trace_and_not_the_session(tmp_path):
    with patch.object(Piece, "write", side_effect=OSError(errno.ENOSPC, "No space left on device")):
        dialogue = login(traced(tmp_path))
        dialogue.waits(2).says("NOOP").hears(200).says("QUIT").hears(221).is_closed()
    assert list((tmp_path / "traces").iterdir()) == []


def test_a_disk_that_hangs_stops_the_trace_and_not_the_session(tmp_path):
    class Hung:
        def __init__(self):
            self.calls = 0

        def run(self, function, *args, **kwargs):
            self.calls += 1
            return Deferred()

    hung = Hung()
    with patch.object(module, "_MOST_QUEUED", 10_000):
        dialogue = login(traced(tmp_path, threads=hung, max_size=1024 * 1024))
        for _ in range(2000):
            dialogue.says("NOOP").hears(200)
            dialogue.waits(1) if _ % 100 == 0 else None
        dialogue.says("QUIT").hears(221).is_closed()
    assert 0 < hung.calls < 10


def test_lines_are_written_within_seconds(tmp_path):
    dialogue = login(traced(tmp_path)).waits(1)
    assert heard(tmp_path) == [("USER ann", False), ("PASS", True)]
    dialogue.says("NOOP").hears(200).waits(1)
    assert heard(tmp_path)[-1] == ("NOOP", False)


def test_nothing_is_left_in_the_reactor_when_the_session_is_over(tmp_path):
    server = traced(tmp_path)
    login(server).says("QUIT").hears(221).is_closed()
    assert server.clock.getDelayedCalls() == []


def twice(tmp_path, *rows):
    """A server with two tables of traces."""
    server = Server(settings=FTPSettings(traces=rows))
    server.factory.traces = Traces(rows, server.clock, InlineThreads())
    return server


def test_of_two_tables_the_first_that_fits_counts_though_it_names_an_account(tmp_path):
    discreet = TraceSettings(directory=str(tmp_path / "discreet"), accounts=("ann",), names=False)
    server = twice(tmp_path, discreet, TraceSettings(directory=str(tmp_path / "open"), networks=HERE))
    login(server).says("CWD secret").hears(550).says("QUIT").hears(221)
    (file,) = (tmp_path / "discreet").iterdir()
    assert "CWD secret" not in file.read_text()
    assert not (tmp_path / "open").exists()


@pytest.mark.parametrize("name", ["ann", "bob", ""])
def test_who_is_not_the_first_tables_is_traced_by_the_second(tmp_path, name):
    foreign = TraceSettings(directory=str(tmp_path / "foreign"), accounts=("carl",))
    dialogue = Dialogue(server=twice(tmp_path, foreign, TraceSettings(directory=str(tmp_path / "open"), networks=HERE))).hears(220)
    if name:
        dialogue.says(f"USER {name}").hears(331).says(f"PASS {'secret' if name == 'ann' else 'no'}")
    dialogue.hangs_up()
    (file,) = (tmp_path / "open").iterdir()
    assert json.loads(file.read_text().splitlines()[-1])["end"]
    assert not (tmp_path / "foreign").exists()


def test_a_session_that_is_somebody_elses_has_no_trace_any_more(tmp_path):
    dialogue = login(traced(tmp_path, networks=(), accounts=("bob",)))
    assert dialogue.session.trace is None


def test_a_name_that_nobody_has_is_not_told(tmp_path):
    dialogue = Dialogue(server=traced(tmp_path)).hears(220).says("USER hunter2").hears(331).waits(2)
    dialogue.says("PASS x").waits(10).hears(530).says("USER ann").hears(331).says("PASS secret").hears(230).says("QUIT").hears(221)
    assert heard(tmp_path) == [("USER", True), ("PASS", True), ("USER ann", False), ("PASS", True), ("QUIT", False)]


def test_a_name_that_somebody_has_is_told_though_the_password_is_wrong(tmp_path):
    dialogue = Dialogue(server=traced(tmp_path)).hears(220).says("USER ann").hears(331).says("PASS no").waits(10)
    dialogue.hears(530).says("QUIT").hears(221)
    assert heard(tmp_path)[0] == ("USER ann", False)


def test_a_name_that_was_never_proven_is_not_told(tmp_path):
    login(traced(tmp_path)).says("USER hunter2").hears(331).says("NOOP").hears(200).says("QUIT").hears(221)
    assert heard(tmp_path)[2:] == [("USER", True), ("NOOP", False), ("QUIT", False)]


def test_a_login_does_not_prove_the_name_that_waits_behind_it(tmp_path):
    dialogue = Dialogue(server=traced(tmp_path)).hears(220)
    dialogue.raw(b"USER ann\r\nPASS secret\r\nUSER hunter2\r\n").hangs_up()
    (file,) = (tmp_path / "traces").iterdir()
    assert "hunter2" not in file.read_text()


def test_what_follows_a_name_waits_until_it_is_proven_and_is_not_lost(tmp_path):
    dialogue = login(traced(tmp_path)).says("USER ann").hears(331)
    for _ in range(400):
        dialogue.says("NOOP").hears(200)
    dialogue.waits(2).says("QUIT").hears(221)
    found = heard(tmp_path)
    assert len(found) == 404
    assert found[2] == ("USER", True)


@pytest.mark.parametrize("line", ["HELP hunter2", "help SITE hunter2", "STAT hunter2", "OPTS", "CLNT hunter2"])
def test_a_reply_that_repeats_what_was_cut_is_cut(tmp_path, line):
    Dialogue(server=traced(tmp_path)).hears(220).says(line).hangs_up()
    (file,) = (tmp_path / "traces").iterdir()
    assert "hunter2" not in file.read_text().lower()


def test_what_is_answered_before_the_login_is_told(tmp_path):
    Dialogue(server=traced(tmp_path)).hears(220).says("SYST").hears(215).says("QUIT").hears(221)
    assert [record["said"] for record in records(tmp_path) if "to" in record] == [["215 UNIX Type: L8"], ["221 Goodbye."]]


@pytest.mark.parametrize("name", ["4711 Miller.pdf", "-rf Miller.pdf"])
def test_a_name_that_begins_as_a_number_or_flags_do_is_left_out_whole(tmp_path, name):
    login(traced(tmp_path, names=False)).says(f"DELE {name}").hears(550).says("QUIT").hears(221)
    line = heard(tmp_path)[2][0]
    assert line.startswith("DELE name-")
    assert " " not in line.removeprefix("DELE ")


def test_a_trace_whose_last_lines_cannot_be_written_is_told(tmp_path):
    told = []
    with (
        patch.object(Trace, "_log") as log,
        patch.object(Piece, "write", side_effect=OSError(errno.ENOSPC, "No space left")),
    ):
        log.warn.side_effect = lambda words, **fields: told.append(fields["reason"])
        login(traced(tmp_path)).says("QUIT").hears(221).is_closed()
    assert told == ["[Errno 28] No space left"]


def test_nothing_is_kept_of_traces_that_are_over(tmp_path):
    server = traced(tmp_path, max_size=4096)
    dialogue = login(server)
    for _ in range(200):
        dialogue.says("NOOP").hears(200)
    dialogue.says("QUIT").hears(221)
    assert server.factory.traces._unwritten == set()
