"""Player: what it does for a server, and what it does not."""

from __future__ import annotations

import io
import json
import socket as sockets
import ssl
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from ftpd.replay import Login, Terms, play, read
from ftpd.replay.player import Replay
from tests.own_server import PATIENCE, serving

NOTHING: Mapping[str, bytes] = {}


def a_server(answers: Mapping[str, bytes], heard: list[str]) -> AbstractContextManager[int]:
    """Serve one client: each line is answered by what *answers* has for its verb, and noted."""

    def answer(connection: sockets.socket) -> None:
        connection.sendall(b"220 Welcome\r\n")
        for line in connection.makefile("rb"):
            heard.append(line.decode().rstrip("\r\n"))
            connection.sendall(answers.get(heard[-1].partition(" ")[0], b"200 Fine\r\n"))

    return serving(answer)


def played(
    answers: Mapping[str, bytes], *exchanges: tuple[str, str], data: Mapping[str, Any] = NOTHING
) -> tuple[Replay, list[str]]:
    """Play lines and what they were answered, PASS cut, to a server of *answers*; return the replay and what the server heard."""
    records: list[Mapping[str, Any]] = [{"trace": 1}, {"said": ["220 Welcome"]}]
    for number, (line, answer) in enumerate(exchanges, 1):
        records += [{"heard": line, "cut": line == "PASS"}, {"said": [answer], "to": number}]
    if data:
        records.append({"data": {"to": len(exchanges), "outcome": "finished", "tls": False, **data}})
    recording = read(io.BytesIO("".join(json.dumps(record) + "\n" for record in records).encode()))
    context = ssl.create_default_context()
    heard: list[str] = []
    with a_server(answers, heard) as port:
        terms = Terms(Login(None, "hunter2"), context, seconds=PATIENCE, data_seconds=PATIENCE)
        return play(recording, "127.0.0.1", port, terms), heard


def test_where_tls_is_declined_no_password_is_said() -> None:
    replay, heard = played(
        {"AUTH": b"502 No TLS\r\n"}, ("AUTH TLS", "234 Go on"), ("USER ann", "331 Password"), ("PASS", "230 Logged in")
    )
    assert heard == ["AUTH TLS"]
    assert replay.fault == "AUTH was declined with 502"


def test_an_auth_that_was_declined_may_be_declined_again() -> None:
    replay, heard = played({"AUTH": b"502 No TLS\r\n"}, ("AUTH TLS", "502 No TLS"), ("USER ann", "331 Password"))
    assert heard == ["AUTH TLS", "USER ann"]
    assert replay.fault == ""


def test_234_is_no_beginning_of_tls_but_after_auth() -> None:
    replay, heard = played({"NOOP": b"234 Go on\r\n"}, ("NOOP", "200 Fine"), ("SYST", "215 UNIX"))
    assert heard == ["NOOP", "SYST"]
    assert replay.fault == ""


def test_preliminary_replies_without_end_end_the_replay() -> None:
    replay, _ = played({"NOOP": b"150 Wait\r\n" * 100_000}, ("NOOP", "200 Fine"))
    assert replay.fault == "no end of preliminary replies to NOOP"
    assert len(replay.lines[0].answers) == 17


def test_a_server_that_never_stops_talking_is_not_heard_out() -> None:
    lines = [("NOOP", "200 Fine")] * 40
    replay, _ = played({"NOOP": b"200-" + b"x" * 1_000_000 + b"\r\n200 Fine\r\n"}, *lines)
    assert replay.fault == "the server says far more than was recorded"


def test_private_data_without_tls_is_a_fault_and_no_traceback() -> None:
    with sockets.create_server(("127.0.0.1", 0)) as data:
        extended = b"229 (|||%d|)\r\n" % data.getsockname()[1]
        replay, _ = played(
            {"EPSV": extended, "RETR": b"150 Now\r\n226 Done\r\n"},
            ("PROT P", "200 Private"),
            ("EPSV", "229 (|||1|)"),
            ("RETR x", "226 Done"),
            data={"direction": "download", "bytes": 10},
        )
    assert replay.lines[2].fault == "a data connection cannot be private where the control connection never had TLS"
