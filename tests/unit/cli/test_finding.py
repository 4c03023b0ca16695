"""Where the control socket may be."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ftpd.cli import finding
from ftpd.cli.finding import control_paths
from ftpd.schema import ConfigError


@pytest.fixture(autouse=True)
def plain(monkeypatch, tmp_path):
    """A user's shell: no file at the standard place, and nothing from systemd."""
    monkeypatch.setattr(finding, "STANDARD_FILE", str(tmp_path / "standard.toml"))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")


@pytest.fixture
def config(tmp_path):
    def write(text, name="ftpd.toml"):
        file = tmp_path / name
        file.write_bytes(text.encode("latin-1"))
        return str(file)

    return write


def test_without_a_file_it_is_where_users_and_systemd_have_it():
    assert control_paths(None) == ["/run/user/1000/ftpd/control", "/run/ftpd/control"]


def test_roots_is_in_run(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert control_paths(None) == ["/run/ftpd/control"]


def test_a_unit_knows_its_own_directory(monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/ftpd:/run/other")
    assert control_paths(None) == ["/run/ftpd/control"]


def test_the_standard_file_says_where(config):
    config('[process]\ndirectory = "/srv/run"\n', "standard.toml")
    assert control_paths(None) == ["/srv/run/control"]


def test_a_directory_is_relative_to_its_file(config, tmp_path):
    assert control_paths(config('[process]\ndirectory = "run"\n')) == [str(tmp_path / "run" / "control")]


@pytest.mark.parametrize("text", ["", "[process]\nworkers = 2\n", '[process]\ndirectory = ""\n', "process = 7\n"])
def test_a_file_that_does_not_say_leaves_the_usual_places(config, text):
    assert control_paths(config(text)) == ["/run/user/1000/ftpd/control", "/run/ftpd/control"]


def test_mistakes_elsewhere_in_the_file_do_not_matter(config):
    assert control_paths(config('[ftp]\ngreting = 1\n[process]\nworkers = "x"\ndirectory = "/r"\n')) == ["/r/control"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "[process",
            ": not TOML: Expected ']' at the end of a table declaration (at end of document); --socket PATH does without it",
        ),
        ('a = "\xff"', None),
        ("a = " + "[" * 5000, None),
        ("[process]\ndirectory = 7", ": process.directory: must be text in quotes"),
        ('[process]\ndirectory = "\\u0000"', ": process.directory: must be the path of a file or directory"),
    ],
)
def test_a_file_that_cannot_say_is_a_problem(config, text, problem):
    file = config(text)
    with pytest.raises(ConfigError) as caught:
        control_paths(file)
    assert problem is None or str(caught.value) == file + problem


def test_a_file_that_was_named_has_to_be_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: No such file or directory; --socket PATH does without it"):
        control_paths(str(tmp_path / "none.toml"))


def test_looking_imports_neither_twisted_nor_cattrs():
    code = "import sys, ftpd.cli.finding; print([name for name in ('twisted', 'cattrs', 'sqlite3') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
