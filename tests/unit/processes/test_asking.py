"""The blocking side of the control socket, against servers that say what a test has them say."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading

import pytest

from ftpd.processes.asking import CannotAsk, NotDone, asked_server
from ftpd.processes.language import written_line, written_row, written_status
from ftpd.schema import Problem
from tests.fake_operator import FakeOperator, row


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "control")


@pytest.fixture
def serve(path):
    """Start a server that answers one request with these bytes and ends the connection; `asked` has the request."""
    asked = []

    def begin(*messages, reads=True):
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()

        def answer():
            with listener, listener.accept()[0] as client:
                if reads:
                    asked.append(json.loads(client.makefile("rb").readline()))
                client.sendall(b"".join(message if isinstance(message, bytes) else written_line(message) for message in messages))

        thread = threading.Thread(target=answer)
        thread.start()
        threads.append(thread)

    begin.asked = asked
    threads = []
    yield begin
    for thread in threads:
        thread.join(10)


def ask(path, call):
    with asked_server([path]) as server:
        return call(server)


def test_sessions_are_read(serve, path):
    rows = [row("a" * 16, account="ann"), row("b" * 16, path="/\udcff")]
    serve(*({"part": written_row(row)} for row in rows), {"done": 2})
    assert ask(path, lambda server: server.who()) == rows
    assert serve.asked == [{"protocol": 1, "do": "who"}]


def test_the_status_is_read(serve, path):
    status = FakeOperator().status()
    serve({"done": written_status(status)})
    assert ask(path, lambda server: server.status()) == status


@pytest.mark.parametrize(
    ("call", "request_"),
    [
        (lambda server: server.kick("account", "ann"), {"do": "kick", "field": "account", "value": "ann"}),
        (
            lambda server: server.slow("account", "ann", 1024),
            {"do": "slow", "field": "account", "value": "ann", "rate": 1024},
        ),
        (lambda server: server.lock("noon"), {"do": "lock", "message": "noon"}),
        (lambda server: server.unlock(), {"do": "unlock"}),
        (lambda server: server.reload(), {"do": "reload"}),
    ],
)
def test_what_is_asked_is_said(serve, path, call, request_):
    serve({"done": 3})
    assert ask(path, call) in (3, None)
    assert serve.asked == [{"protocol": 1, **request_}]


def test_what_was_not_done_is_raised_with_its_kind(serve, path):
    serve({"failed": "refused", "message": "Not now."})
    with pytest.raises(NotDone, match=r"^Not now\.$") as caught:
        ask(path, lambda server: server.reload())
    assert caught.value.kind == "refused"


def test_a_server_of_another_release_is_told_from_one_that_refuses(serve, path):
    serve({"failed": "protocol", "message": "this is ftpd 9"})
    with pytest.raises(
        CannotAsk, match=r"^Server and command are of different releases \(this is ftpd 9\); use the server's own command"
    ):
        ask(path, lambda server: server.who())


def test_problems_of_a_configuration_are_raised(serve, path):
    serve(
        {"part": {"file": "f", "path": "a.b", "found": "odd", "allowed": "even"}}, {"failed": "configuration", "message": "Broken."}
    )
    with pytest.raises(NotDone) as caught:
        ask(path, lambda server: server.reload())
    assert caught.value.problems == (Problem("f", "a.b", "odd", "even"),)


def test_a_server_that_turns_us_away_before_it_reads_is_heard(serve, path):
    serve({"failed": "busy", "message": "Full."}, reads=False)
    with pytest.raises(NotDone, match="Full"):
        ask(path, lambda server: server.lock("x" * 1_000_000))


@pytest.mark.parametrize("answer", [b"hello\n", b"[]\n", {"part": {}}, {"part": 7}])
def test_an_answer_that_makes_no_sense_is_said(serve, path, answer):
    serve(answer, {"done": None})
    with pytest.raises(CannotAsk, match=r"^The server's answer makes no sense to this release of ftpd\.$"):
        ask(path, lambda server: server.who())


@pytest.mark.parametrize("call", [lambda server: server.kick("account", "ann"), lambda server: server.status()])
def test_a_result_that_makes_no_sense_is_said(serve, path, call):
    serve({"done": "many"})
    with pytest.raises(CannotAsk, match="makes no sense"):
        ask(path, call)


@pytest.mark.parametrize("reads", [True, False])
def test_a_server_that_ends_the_connection_is_said(serve, path, reads):
    serve(reads=reads)
    with pytest.raises(CannotAsk, match=r"^The server has ended the connection without an answer\.$"):
        ask(path, lambda server: server.who())


def test_a_server_that_does_not_answer_is_said(path, monkeypatch):
    monkeypatch.setattr("ftpd.processes.asking._PATIENCE_SECONDS", 0.01)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        with pytest.raises(CannotAsk, match=f"^The server at {path} does not answer.$"):
            ask(path, lambda server: server._ask("who", 0.01))


def test_a_server_whose_queue_is_full_is_said(path):
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(path)
        listener.listen(0)
        first.connect(path)
        with pytest.raises(CannotAsk, match="does not answer"):
            ask(path, lambda server: server.who())


def test_where_nobody_listens_is_said(path, tmp_path):
    other = str(tmp_path / "other")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    with pytest.raises(CannotAsk) as caught, asked_server([path, other]):
        pass
    assert str(caught.value) == f"No ftpd with workers is running: nobody listens at {path} or {other}."


def test_the_first_that_listens_is_asked(serve, path, tmp_path):
    serve({"done": None})
    with asked_server([str(tmp_path / "none"), path]) as server:
        server.unlock()


def test_a_path_beyond_107_bytes_is_reached(tmp_path, monkeypatch):
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("control")
        listener.listen()
        with asked_server([str(folder / "control")]):
            pass


def test_who_may_is_said_to_those_who_may_not(path, monkeypatch):
    import grp

    def refuse(*arguments):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    group = grp.getgrgid(os.stat(os.path.dirname(path)).st_gid).gr_name
    with pytest.raises(CannotAsk) as caught, asked_server([path]):
        pass
    assert str(caught.value) == f"{path}: permission denied; root may, and members of the group {group}."


def test_it_imports_neither_twisted_nor_cattrs():
    code = "import sys, ftpd.processes.asking; print([name for name in ('twisted', 'cattrs', 'click', 'sqlite3') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
