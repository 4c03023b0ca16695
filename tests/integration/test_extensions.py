"""The examples in `plugins/`, found at run time by a real server, and used by real clients."""

from __future__ import annotations

import ftplib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ftpd.extensions import load_file
from tests.integration.clients import Curl, Ftplib
from tests.integration.conftest import Serve
from tests.integration.live import CHECKOUT, PASSWORD, ConfiguredServer, Guest

PLUGINS = CHECKOUT / "plugins"
Program = Callable[[str], str]


def test_a_verb_from_a_file_is_served_and_listed_in_help(serve: Serve, program: Program, tmp_path: Path) -> None:
    guest = serve({"extensions": {"directories": [PLUGINS]}}).add("ann")
    (guest.home / "a.txt").write_text("hello")
    with Ftplib(program, guest, tmp_path).connect() as ftp:
        assert ftp.sendcmd("SITE COUNT") == "213 Files: 1; bytes: 5; directories: 0."
        assert " SITE COUNT [directory]" in ftp.sendcmd("SITE HELP").splitlines()


def test_a_store_from_a_file_serves_an_archive(serve: Serve, program: Program, tmp_path: Path) -> None:
    content = bytes(range(256)) * 4096
    with zipfile.ZipFile(tmp_path / "release.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("docs/manual.bin", content)
    guest = serve(
        {
            "extensions": {"directories": [PLUGINS]},
            "storage": {"kind": "zip", "zip": {"archive": tmp_path / "release.zip"}},
            "account": {"home": "/"},
        }
    ).add("ann")
    curl = Curl(program, guest, tmp_path)
    curl.fetch("docs/manual.bin", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == content
    (tmp_path / "got").write_bytes(content[:700_001])
    curl.curl("-C", "-", "-o", tmp_path / "got", guest.url("docs/manual.bin"))
    assert (tmp_path / "got").read_bytes() == content
    assert curl.curl("--list-only", guest.url("docs/")).stdout.split() == [b"manual.bin"]
    assert curl.curl("-T", tmp_path / "got", guest.url("docs/new"), is_ok=False).returncode == 25  # CURLE_UPLOAD_FAILED


def test_a_login_from_a_file_lets_guests_in_beside_the_password_file(serve: Serve, program: Program, tmp_path: Path) -> None:
    passes = load_file(PLUGINS / "guest_passes.py")
    password, entry = passes.new_pass("carol", 7)
    _, ended = passes.new_pass("dave", -1)
    (tmp_path / "guests.toml").write_text(entry + ended)
    server = serve(
        {
            "extensions": {"directories": [PLUGINS]},
            "login": [{"kind": "guest_passes", "path": tmp_path / "guests.toml"}, {"kind": "password_file", "path": "passwords"}],
        }
    )
    ann, carol, dave = server.add("ann"), guest_of(server, "carol"), guest_of(server, "dave")
    for guest, word, is_let_in in (
        (carol, password, True),
        (ann, PASSWORD, True),
        (carol, PASSWORD, False),
        (dave, password, False),
    ):
        with ftplib.FTP() as ftp:
            ftp.connect(guest.host, guest.port, timeout=30)
            if is_let_in:
                assert ftp.login(guest.name, word).startswith("230")
            else:
                with pytest.raises(ftplib.error_perm, match=r"^530"):
                    ftp.login(guest.name, word)


def guest_of(server: ConfiguredServer, name: str) -> Guest:
    """An account that the password file does not know, and its home."""
    home = server.root / name
    home.mkdir()
    return Guest(name, home, server.port)


def test_an_observer_from_a_file_is_told_of_uploads(
    serve: Serve, program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FTPD_UPLOAD_QUEUE", str(tmp_path / "queue"))
    server = serve({"extensions": {"directories": [PLUGINS]}})
    guest = server.add("ann")
    (tmp_path / "local").write_bytes(b"hello")
    curl = Curl(program, guest, tmp_path)
    curl.store(tmp_path / "local", "a.txt")
    curl.fetch("a.txt", tmp_path / "got")
    assert server.stop() == 0  # and what was queued is written
    rows = [json.loads(line) for line in (tmp_path / "queue").read_text().splitlines()]
    assert [(row["account"], row["path"], row["bytes"]) for row in rows] == [("ann", "/a.txt", 5)]


BROKEN = {
    "syntax.py": "def (:",
    "raises.py": "1/0",
    "observer.py": """
from zope.interface import implementer
from ftpd.interfaces import IEventObserver

@implementer(IEventObserver)
class Observer:
    def __call__(self, event):
        raise RuntimeError("observer on strike")

OBSERVER = Observer()
""",
}


def test_broken_files_are_named_and_the_server_serves(program: Program, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    for name, source in BROKEN.items():
        (tmp_path / "broken" / name).write_text(source)
    # Not by the fixture: it would take the tracebacks that are expected here for a fault.
    server = ConfiguredServer(tmp_path / "server", {"extensions": {"directories": [tmp_path / "broken", PLUGINS]}})
    try:
        guest = server.add("ann")
        (guest.home / "a.txt").write_text("hello")
        curl = Curl(program, guest, tmp_path)
        curl.fetch("a.txt", tmp_path / "got")
        assert (tmp_path / "got").read_text() == "hello"
        with Ftplib(program, guest, tmp_path).connect() as ftp:
            assert ftp.sendcmd("SITE COUNT").startswith("213 Files: 1;")
        server.wait_for(re.escape(f"extension {tmp_path / 'broken' / 'syntax.py'} is left out: it fails to load"))
        server.wait_for(re.escape(f"extension {tmp_path / 'broken' / 'raises.py'} is left out: it fails to load"))
        server.wait_for("event observer .* failed on")
        server.wait_for("observer on strike")
    finally:
        assert server.stop() == 0
