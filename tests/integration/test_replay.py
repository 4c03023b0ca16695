"""A session of a real client is traced, and the trace is played back: to a server like it, to another one, and to hostile ones."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration.clients import Curl, Lftp, Ncftp
from tests.integration.live import CHECKOUT, PASSWORD, SECONDS, ConfiguredServer
from tests.integration.wire import Wire
from tests.own_server import serving

EVERYBODY = ["127.0.0.0/8", "::1"]
MOST_CONNECTIONS = 4


def tracing(**settings: Any) -> dict[str, Any]:
    return {"ftp": {"traces": [{"directory": "traces", "networks": EVERYBODY, **settings}]}}


def traces_of(server: ConfiguredServer) -> list[Path]:
    """End *server* and return its traces, the oldest first."""
    assert server.stop() == 0
    return sorted((server.file.parent / "traces").iterdir())


def replay(file: Path, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ftpd", "replay", str(file), f"127.0.0.1:{port}", "--password-stdin", *options],
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )


def assert_same(done: subprocess.CompletedProcess[str]) -> None:
    assert (done.returncode, done.stderr) == (0, ""), done.stdout


@pytest.fixture
def fresh(serve):
    """Make a server on which Ann has an account, and nothing else has happened."""

    def start(settings: dict[str, Any] | None = None) -> Any:
        return serve(settings or {}).add("ann")

    return start


@pytest.mark.parametrize("kind", [Curl, Lftp, Ncftp], ids=lambda kind: kind.name)
def test_an_upload_of_a_real_client_is_the_same_again(kind, serve, fresh, tmp_path, program):
    server = serve(tracing())
    (tmp_path / "file").write_bytes(os.urandom(100_000))
    kind(program, server.add("ann"), tmp_path).store(tmp_path / "file", "stored")
    [trace] = traces_of(server)
    ann = fresh()
    assert_same(replay(trace, ann.port))
    assert (ann.home / ("file" if kind is None else "stored")).stat().st_size == 100_000


@pytest.mark.parametrize("kind", [Curl, Lftp, Ncftp], ids=lambda kind: kind.name)
def test_a_download_of_a_real_client_is_the_same_again(kind, serve, fresh, tmp_path, program):
    server = serve(tracing())
    ann = server.add("ann")
    (ann.home / "file").write_bytes(b"x" * 100_000)
    kind(program, ann, tmp_path).fetch("file", tmp_path / "fetched")
    [trace] = traces_of(server)
    other = fresh()
    (other.home / "file").write_bytes(b"y" * 100_000)
    assert_same(replay(trace, other.port))


def test_a_file_of_another_size_is_a_difference(serve, fresh, tmp_path, program):
    server = serve(tracing())
    ann = server.add("ann")
    (ann.home / "file").write_bytes(b"x" * 1000)
    Curl(program, ann, tmp_path).fetch("file", tmp_path / "fetched")
    [trace] = traces_of(server)
    other = fresh()
    (other.home / "file").write_bytes(b"y" * 1001)
    done = replay(trace, other.port, "--differences")
    assert done.returncode == 1
    assert done.stdout == "> RETR file\n- (download of 1000 bytes)\n+ (download of 1001 bytes)\n"
    assert replay(trace, other.port, "--codes").returncode == 0


def test_active_data_connections_are_made_again(serve, fresh, tmp_path, program):
    server = serve(tracing())
    (tmp_path / "file").write_bytes(b"x" * 1000)
    Curl(program, server.add("ann"), tmp_path).curl("-P", "127.0.0.1", "-T", tmp_path / "file", f"ftp://127.0.0.1:{server.port}/")
    [trace] = traces_of(server)
    assert "EPRT" in trace.read_text()
    ann = fresh()
    assert_same(replay(trace, ann.port))
    assert (ann.home / "file").stat().st_size == 1000


def test_a_session_over_tls_is_played_over_tls(serve, certificate, tmp_path, program):
    secure = {"tls": {"certificates": [{"chain": str(certificate)}]}}
    server = serve({**tracing(), **secure})
    (tmp_path / "file").write_bytes(b"x" * 1000)
    Curl(program, server.add("ann"), tmp_path).curl("--ssl-reqd", "-k", "-T", tmp_path / "file", f"ftp://127.0.0.1:{server.port}/")
    [trace] = traces_of(server)
    assert '"tls":{"version":"TLSv1.' in trace.read_text()
    other = serve({**secure, "ftp": {"tls": {"data_resumption": "required"}}})
    ann = other.add("ann")
    assert_same(replay(trace, ann.port, "--insecure"))
    assert (ann.home / "file").stat().st_size == 1000
    done = replay(trace, ann.port)
    assert done.returncode == 1
    assert "certificate verify failed" in done.stdout


def test_a_session_over_tls_can_be_played_in_clear(serve, fresh, certificate, tmp_path, program):
    server = serve({**tracing(), "tls": {"certificates": [{"chain": str(certificate)}]}})
    (tmp_path / "file").write_bytes(b"x" * 1000)
    Curl(program, server.add("ann"), tmp_path).curl("--ssl-reqd", "-k", "-T", tmp_path / "file", f"ftp://127.0.0.1:{server.port}/")
    [trace] = traces_of(server)
    assert_same(replay(trace, fresh().port, "--tls", "none", "--codes"))


def test_an_interrupted_download_is_interrupted_again(serve, fresh, tmp_path, program):
    server = serve(tracing())
    ann = server.add("ann")
    (ann.home / "file").write_bytes(b"x" * 50_000_000)
    Curl(program, ann, tmp_path).curl("-r", "0-9", "-o", tmp_path / "part", ann.url("file"))
    [trace] = traces_of(server)
    assert "ABOR" in trace.read_text() or '"end"' in trace.read_text()
    other = fresh()
    (other.home / "file").write_bytes(b"x" * 50_000_000)
    done = replay(trace, other.port, "--codes")
    assert "(no " not in done.stdout


@pytest.mark.parametrize("line", ["RETR file", "STOR other"])
def test_a_client_that_left_in_mid_transfer_leaves_again(serve, fresh, line):
    server = serve(tracing())
    ann = server.add("ann")
    (ann.home / "file").write_bytes(b"x" * 50_000_000)
    with Wire.of(ann) as wire, wire.data() as data:
        assert wire.ask(line).code == 150
        if line.startswith("STOR"):
            data.sendall(b"x" * 1_000_000)
        wire.control.close()
        server.wait_for("connection lost")
    [trace] = traces_of(server)
    other = fresh()
    (other.home / "file").write_bytes(b"x" * 50_000_000)
    assert_same(replay(trace, other.port, "--codes"))


@pytest.fixture
def refused(serve) -> Path:
    """A trace in which an upload was cut off by the largest file of its account, and a NOOP followed."""
    server = serve({**tracing(), "account": {"home": "/{name}", "max_file_size": 1000}})
    with Wire.of(server.add("ann")) as wire, wire.data() as data:
        assert wire.ask("STOR file").code == 150
        with suppress(OSError):
            data.sendall(b"x" * 5000)
        assert wire.reply().code == 552
        assert wire.asks("NOOP", "QUIT") == [200, 221]
    [trace] = traces_of(server)
    return trace


def test_an_upload_that_was_too_large_is_too_large_again(refused, fresh):
    other = fresh({"account": {"home": "/{name}", "max_file_size": 1000}})
    assert_same(replay(refused, other.port, "--codes"))


def test_an_upload_that_was_too_large_is_taken_at_once_where_there_is_room(refused, fresh):
    done = replay(refused, fresh().port, "--codes")
    assert done.returncode == 1
    assert "552" in done.stdout
    assert "226" in done.stdout


def test_another_server_differs_and_is_shown(serve, launch, tmp_path, program):
    """Twisted's own server knows no MLST, and no SIZE of a directory; it is what is always there."""
    server = serve(tracing())
    (tmp_path / "file").write_bytes(b"x" * 1000)
    Lftp(program, server.add("ann"), tmp_path).lftp("put file", "cls")
    [trace] = traces_of(server)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (tmp_path / "homes" / "ann").mkdir(parents=True)
    other = launch(str(CHECKOUT / "tests/bench/peers/twisted_server.py"), str(port), str(tmp_path / "homes"), "ann", PASSWORD, "on")
    other.wait_for(f"starting on {port}")
    done = replay(trace, port, "--timeout", "5")
    assert done.returncode == 1
    assert "> FEAT\n- 211-Extensions:\n" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_trace_that_logs_in_as_somebody_else(serve, fresh, tmp_path, program):
    server = serve(tracing())
    ann = server.add("ann")
    (tmp_path / "file").write_bytes(b"x")
    Curl(program, ann, tmp_path).store(tmp_path / "file", "file")
    [trace] = traces_of(server)
    other = serve({})
    bob = other.add("bob")
    assert_same(replay(trace, bob.port, "--user", "bob"))
    assert (bob.home / "file").exists()


def test_a_password_is_neither_in_the_trace_nor_in_the_transcript(serve, fresh, tmp_path, program):
    server = serve(tracing())
    (tmp_path / "file").write_bytes(b"x")
    Curl(program, server.add("ann"), tmp_path).store(tmp_path / "file", "file")
    [trace] = traces_of(server)
    assert PASSWORD not in trace.read_text()
    assert PASSWORD not in replay(trace, fresh().port).stdout


def test_workers_write_a_file_for_each_session(fleet, tmp_path, program):
    server = fleet(tracing(accounts=["ann"]))
    (tmp_path / "file").write_bytes(b"x")
    for number in range(4):
        Curl(program, server.add("ann") if not number else server.add(f"bob{number}"), tmp_path).store(tmp_path / "file", "file")
    assert len(traces_of(server)) == 1


# Hostile servers.


def scripted(*replies: bytes) -> Callable[[socket.socket], None]:
    """Greet, then answer each line with the next of *replies*."""

    def serve_one(connection: socket.socket) -> None:
        connection.sendall(b"220 Welcome\r\n")
        lines = connection.makefile("rb")
        for reply in replies:
            if not lines.readline():
                return
            connection.sendall(reply)

    return serve_one


def write_trace(file: Path, *lines: str, data: dict[str, Any] | None = None) -> Path:
    """A trace in which each of *lines* was answered with 200; the last one moved *data*."""
    records: list[dict[str, Any]] = [{"trace": 1}, {"said": ["220 Welcome"]}]
    for number, line in enumerate(lines, 1):
        records += [{"heard": line}, {"said": ["200 Fine"], "to": number}]
    if data is not None:
        records.append({"data": {"to": len(lines), "outcome": "finished", "tls": False, **data}})
    records.append({"end": "over"})
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_a_reply_without_an_end_ends_the_replay(tmp_path):
    trace = write_trace(tmp_path / "trace", "NOOP", "NOOP")
    with serving(scripted(b"200-" + b"x" * 2_000_000), MOST_CONNECTIONS) as port:
        done = replay(trace, port)
    assert done.returncode == 1
    assert "more than 1048576 bytes" in done.stdout


def test_a_server_that_says_nothing_ends_the_replay(tmp_path):
    trace = write_trace(tmp_path / "trace", "NOOP")
    with serving(scripted(b""), MOST_CONNECTIONS) as port:
        done = replay(trace, port, "--timeout", "0.3")
    assert done.returncode == 1
    assert "+ (no reply within its time)" in done.stdout


def test_what_a_server_says_steers_no_terminal(tmp_path):
    trace = write_trace(tmp_path / "trace", "NOOP", "NOOP")
    with serving(scripted(b"200 \x1b]0;owned\x07\x9b31m\r\n", b"200 Fine\r\n"), MOST_CONNECTIONS) as port:
        done = replay(trace, port)
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert "\\x1b]0;owned\\x07" in done.stdout


def test_a_third_host_is_not_connected_to(tmp_path):
    with socket.create_server(("127.0.0.2", 0)) as victim:
        number = victim.getsockname()[1]
        trace = write_trace(tmp_path / "trace", "PASV", "RETR x", data={"direction": "download", "bytes": 10})
        with serving(
            scripted(b"227 ok (127,0,0,2,%d,%d)\r\n" % (number >> 8, number & 255), b"150 now\r\n226 done\r\n"), MOST_CONNECTIONS
        ) as port:
            done = replay(trace, port)
        victim.settimeout(0)
        with pytest.raises(BlockingIOError):
            victim.accept()
    assert done.returncode == 1
    assert "127.0.0.2, of another host" in done.stdout


def test_more_data_than_was_recorded_is_not_read_for_ever(tmp_path):
    trace = write_trace(tmp_path / "trace", "EPSV", "RETR x", data={"direction": "download", "bytes": 10})
    flood = socket.create_server(("127.0.0.1", 0))
    flood.settimeout(SECONDS)

    def pour() -> None:
        connection, _ = flood.accept()
        with connection, suppress(OSError):
            for _ in range(1000):
                connection.sendall(b"x" * 1_000_000)

    thread = threading.Thread(target=pour, daemon=True)
    thread.start()
    with serving(scripted(b"229 (|||%d|)\r\n" % flood.getsockname()[1], b"150 now\r\n226 done\r\n"), MOST_CONNECTIONS) as port:
        done = replay(trace, port)
    thread.join(SECONDS)
    flood.close()
    assert done.returncode == 1
    assert "more than 1048596 bytes came" in done.stdout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: nothing"),
        ("no json\n", "line 1: no JSON"),
        ("[]\n", "line 1: no JSON object"),
        ('{"trace": 2}\n', "line 1: format 2"),
        ('{"trace": 1}\n{"said": ["200 x"], "to": 1}\n', "line 2"),
        ('{"trace": 1}\n{"heard": "NOOP\\r\\nDELE x"}\n', "line 2"),
        (
            '{"trace": 1}\n{"heard": "RETR x"}\n{"data": {"to": 1, "bytes": -1, "direction": "upload", "outcome": "finished"}}\n',
            "line 3",
        ),
        ('{"trace": 1}\n{"heard": 5}\n', "line 2"),
        ("[" * 100_000 + "\n", "line 1"),
    ],
)
def test_what_is_no_trace_is_said_to_be_none(tmp_path, text, words):
    (tmp_path / "trace").write_text(text)
    done = replay(tmp_path / "trace", 1)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_there_is_a_difference(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = replay(write_trace(tmp_path / "trace", "NOOP"), port)
    assert done.returncode == 1
    assert "cannot connect to 127.0.0.1" in done.stdout
