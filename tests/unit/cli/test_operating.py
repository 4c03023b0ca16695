"""The commands that ask a running server, as far as they ask one that answers as a test says."""

from __future__ import annotations

import contextlib
import itertools
import json
import subprocess
import sys
import time

import pytest
from click.testing import CliRunner

from ftpd.cli import main
from ftpd.processes import asking
from ftpd.processes.asking import CannotAsk, NotDone
from ftpd.schema import Problem
from tests.fake_operator import SINCE, FakeOperator, row

SESSION = "06f3k2m4n6p8q0ra"
COMMANDS = ["who", "kick", "slow", "lock", "unlock", "reload", "stop", "status"]


class FakeServer:
    """Stands for the server at `paths`; `calls` are what it was asked, `rows` who is there, `answers` what calls return or raise."""

    def __init__(self):
        self.paths = None
        self.calls = []
        self.rows = []
        self.answers = {}

    @contextlib.contextmanager
    def asked(self, paths):
        self.paths = list(paths)
        if "connect" in self.answers:
            raise self.answers["connect"]
        yield self

    def __getattr__(self, name):
        def call(*arguments):
            self.calls.append((name, *arguments))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call

    def who(self):
        return self.rows

    def status(self):
        return FakeOperator().status()


@pytest.fixture
def server(monkeypatch):
    server = FakeServer()
    monkeypatch.setattr(asking, "asked_server", server.asked)
    return server


def ftpd(*arguments, **options):
    return CliRunner().invoke(
        main, [*arguments, *([] if options.pop("plain", False) else ["--socket", "/s"])], prog_name="ftpd", **options
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command):
    result = ftpd(command, "--help", plain=True)
    assert result.exit_code == 0
    assert f"Usage: ftpd {command}" in result.stdout
    assert "Exit codes: " in result.stdout
    assert f"  {command}" in ftpd("--help", plain=True).stdout


def test_asking_imports_neither_twisted_nor_cattrs():
    code = (
        "import sys; sys.argv = ['ftpd', 'who', '--socket', '/none']\nfrom ftpd.cli import main\ntry: main()\nexcept SystemExit: pass\n"
        "print([name for name in ('twisted', 'cattrs', 'bcrypt', 'sqlite3') if name in sys.modules], file=sys.stderr)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stderr.splitlines() == [
        b"ftpd: No ftpd with workers is running: nobody listens at /none.",
        b"[]",
    ]


@pytest.mark.parametrize(
    ("arguments", "call"),
    [
        (["kick", SESSION], ("kick", "session", SESSION)),
        (["kick", "ann"], ("kick", "account", "ann")),
        (["kick", "192.0.2.0/24"], ("kick", "address", "192.0.2.0/24")),
        (["kick", "--account", SESSION], ("kick", "account", SESSION)),
        (["kick", "--account", "192.0.2.1"], ("kick", "account", "192.0.2.1")),
        (["kick", "--session", "ann"], ("kick", "session", "ann")),
        (["kick", "--address", "::1"], ("kick", "address", "::1")),
        (["slow", SESSION, "200000"], ("slow", "session", SESSION, 200_000)),
        (["slow", "ann", "1 MiB"], ("slow", "account", "ann", 1024 * 1024)),
        (["slow", "192.0.2.0/24", "0"], ("slow", "address", "192.0.2.0/24", 0)),
        (["slow", "--account", SESSION, "64KiB"], ("slow", "account", SESSION, 65_536)),
        (["lock"], ("lock", "")),
        (["lock", "Back at noon."], ("lock", "Back at noon.")),
        (["unlock"], ("unlock",)),
        (["reload"], ("reload",)),
        (["stop"], ("stop", False)),
        (["stop", "--now"], ("stop", True)),
    ],
)
def test_a_command_is_one_call(server, arguments, call):
    server.answers = {"kick": 2, "slow": 2}
    result = ftpd(*arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    assert server.calls == [call]
    assert server.paths == ["/s"]


def test_kick_says_how_many(server):
    server.answers["kick"] = 2
    assert ftpd("kick", "ann").stdout == "2 sessions ended\n"


@pytest.mark.parametrize(("rate", "words"), [("1 MiB", "2 sessions slowed to 1.00 MiB/s\n"), ("0", "2 sessions slowed no more\n")])
def test_slow_says_how_many(server, rate, words):
    server.answers["slow"] = 2
    assert ftpd("slow", "ann", rate).stdout == words


@pytest.mark.parametrize(("command", "more"), [("kick", []), ("slow", ["1 MiB"])])
@pytest.mark.parametrize(
    ("whom", "words"), [(SESSION, "no such session"), ("ann", "no session of that account"), ("::1", "no session of that address")]
)
def test_a_command_for_nobody_is_1(server, command, more, whom, words):
    server.answers = {"kick": 0, "slow": 0}
    result = ftpd(command, whom, *more)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"ftpd: There is {words}.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["kick"], "Missing argument 'SESSION|ACCOUNT|ADDRESS'"),
        (["kick", "192.0.2.1/24"], "192.0.2.1/24 has host bits set"),
        (["kick", "--address", "ann"], "'ann' does not appear to be an IPv4 or IPv6 network"),
        (["slow", "ann"], "Missing argument 'RATE'"),
        (["slow", "ann", "fast"], "it must be a size such as 4096, '64 KiB', '2 MB' or '1 GiB'"),
        (["slow", "ann", "1.5"], "it must be a size"),
        (["slow", "192.0.2.1/24", "1 MiB"], "192.0.2.1/24 has host bits set"),
        (["who", "--json", "--watch"], "Give either --json or --watch."),
        (["who", "--watch", "0"], "0"),
        (["who", "--watch", "soon"], "soon"),
        (["who", "--config", "/dev/null/none"], "does not exist"),
    ],
)
def test_a_wrong_command_line_is_2(server, arguments, words):
    result = ftpd(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert server.paths is None


def test_a_configuration_and_a_socket_are_one_too_many(server, tmp_path):
    (tmp_path / "ftpd.toml").touch()
    result = ftpd("who", "--config", str(tmp_path / "ftpd.toml"))
    assert result.exit_code == 2
    assert "Give either --config FILE or --socket PATH." in result.stderr


@pytest.mark.parametrize("way", ["option", "environment"])
def test_the_configuration_says_where_the_socket_is(server, tmp_path, way):
    (tmp_path / "ftpd.toml").write_text('[process]\ndirectory = "run"\n')
    file = str(tmp_path / "ftpd.toml")
    result = (
        ftpd("unlock", "--config", file, plain=True) if way == "option" else ftpd("unlock", plain=True, env={"FTPD_CONFIG": file})
    )
    assert result.exit_code == 0
    assert server.paths == [str(tmp_path / "run" / "control")]


def test_a_socket_goes_before_the_environment(server, tmp_path):
    (tmp_path / "ftpd.toml").touch()
    assert ftpd("unlock", env={"FTPD_CONFIG": str(tmp_path / "ftpd.toml")}).exit_code == 0
    assert server.paths == ["/s"]


def test_a_configuration_that_cannot_be_read_is_2(server, tmp_path):
    (tmp_path / "ftpd.toml").write_text("[process")
    result = ftpd("unlock", "--config", str(tmp_path / "ftpd.toml"), plain=True)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"ftpd: {tmp_path}/ftpd.toml: not TOML: ")
    assert result.stderr.endswith("; --socket PATH does without it\n")


@pytest.mark.parametrize(
    "command",
    [
        ["who"],
        ["kick", "ann"],
        ["slow", "ann", "1 MiB"],
        ["lock"],
        ["unlock"],
        ["reload"],
        ["stop"],
        ["status"],
        ["who", "--watch"],
    ],
)
def test_where_nobody_answers_is_1(server, command):
    server.answers["connect"] = CannotAsk("Nobody listens.")
    result = ftpd(*command)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", "ftpd: Nobody listens.\n")


def test_what_the_server_refuses_is_1(server):
    server.answers["reload"] = NotDone("Not now.", "refused")
    result = ftpd("reload")
    assert (result.exit_code, result.stderr) == (1, "ftpd: Not now.\n")


def test_a_broken_configuration_is_2_and_every_problem_named(server):
    problems = [Problem("f.toml", "a.b", "odd", "even"), Problem("f.toml", "a.c", "x", "")]
    server.answers["reload"] = NotDone("Broken.", "configuration", problems)
    result = ftpd("reload")
    assert result.exit_code == 2
    assert result.stderr.splitlines() == ["ftpd: f.toml: a.b: odd; even", "ftpd: f.toml: a.c: x"]


def test_who_prints_a_table(server):
    server.rows = [row(SESSION, account="ann", since=0.0, heard=time.time() + 60)]
    assert ftpd("who").stdout.splitlines()[0] == "SESSION           ACCOUNT  ADDRESS    SINCE       DOING"
    assert ftpd("who").stdout.splitlines()[1].endswith("  idle 0 s")


def test_who_as_json_is_an_object_a_line(server):
    server.rows = [row(SESSION, account="ann", path="/\udcff\x1b", size=7), row("b" * 16)]
    first, second = map(json.loads, ftpd("who", "--json").stdout.splitlines())
    assert first == {
        "session": SESSION,
        "address": "192.0.2.1",
        "port": 4242,
        "listener": "main",
        "protocol": "ftp",
        "since": SINCE,
        "heard": SINCE,
        "account": "ann",
        "is_anonymous": False,
        "host": "",
        "client": "",
        "tls": "",
        "worker": "",
        "command": "",
        "direction": "",
        "path": "/\\xff\x1b",
        "size": 7,
        "moved": 0,
        "transfer_since": None,
        "device": "",
        "tolerated": "",
    }
    assert second["session"] == "b" * 16


def test_nobody_as_json_is_nothing(server):
    assert ftpd("who", "--json").stdout == ""


@pytest.mark.parametrize(("option", "pause"), [(["--watch"], 1.0), (["--watch", "2.5"], 2.5)])
def test_watching_goes_on_until_ctrl_c_which_is_success(server, monkeypatch, option, pause):
    pauses = []

    def sleep(seconds):
        pauses.append(seconds)
        if len(pauses) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", sleep)
    server.rows = [row(SESSION, account="ann", command="RETR", path="/f", size=10, moved=5, transfer_since=SINCE)]
    result = ftpd("who", *option)
    assert (result.exit_code, result.stderr) == (0, "")
    assert pauses == [pause] * 3
    lines = result.stdout.splitlines()
    assert [line[9:19] for line in lines if "session" in line] == [" 1 session"] * 3
    assert sum("[####################--------------------]" in line for line in lines) == 3


def test_watching_ends_with_the_server(server, monkeypatch):
    turns = itertools.count()

    def sleep(seconds):
        if next(turns) == 1:
            server.answers["connect"] = CannotAsk("Nobody listens.")

    monkeypatch.setattr(time, "sleep", sleep)
    result = ftpd("who", "--watch")
    assert (result.exit_code, result.stderr) == (1, "ftpd: Nobody listens.\n")


def test_status_is_readable_or_json(server):
    assert ftpd("status").stdout.startswith("Server         ftpd 0.1.0, process 1234\n")
    told = json.loads(ftpd("status", "--json").stdout)
    assert told["pid"] == 1234
    assert told["listeners"][1] == {"address": "::", "port": 990, "tls": True, "protocol": "ftp"}
    assert told["workers"][1]["state"] == "draining"
