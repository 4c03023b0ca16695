"""Examiner: one question, one answer, and nothing of what extensions print or start in between."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from ftpd.config.source import Overrides
from ftpd.processes.examination import ANSWER

CHECKOUT = Path(__file__).resolve().parents[3]


def answer(file: Path, *, read_only: bool = False) -> Any:
    """Ask for *file*; return what is answered."""
    reader, writer = os.pipe()
    question = {"file": str(file), "overrides": attrs.asdict(Overrides(read_only=read_only))}
    with subprocess.Popen(
        ["bash", "-c", f'exec "$0" -P -m ftpd.processes.examiner {ANSWER}>&{writer}', sys.executable],
        stdin=subprocess.PIPE,
        pass_fds=(writer,),
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    ) as process:
        os.close(writer)
        assert process.stdin is not None
        process.stdin.write(json.dumps(question).encode())
        process.stdin.close()
        with os.fdopen(reader) as file_of_answer:
            return json.load(file_of_answer)


def test_a_configuration_that_can_be_used_is_handed_back(tmp_path: Path) -> None:
    file = tmp_path / "ftpd.toml"
    file.write_text(f'[storage.local]\nroot = "{tmp_path}"\n[process]\nworkers = 3\n')
    found = answer(file, read_only=True)
    assert found["problems"] == []
    assert found["workers"] == 3
    assert found["source"]["text"] == file.read_text()
    assert found["source"]["overrides"]["read_only"] is True


def test_everything_that_cannot_be_used_is_named_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "ftpd.toml"
    file.write_text('[storage.local]\nroot = "missing"\n[process]\nuser = "nobody.of.that.name"\n')
    found = answer(file)
    assert found["source"]["file"] == str(file)
    assert [(problem["file"], problem["path"]) for problem in found["problems"]] == [
        (str(file), "process.user"),
        (str(file), "storage.local"),
    ]


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    found = answer(tmp_path / "missing.toml")
    assert (found["source"], [problem["found"] for problem in found["problems"]]) == (
        None,
        ["cannot be read: No such file or directory"],
    )


def test_what_an_extension_prints_and_starts_is_not_in_the_way(tmp_path: Path) -> None:
    file = tmp_path / "ftpd.toml"
    file.write_text(f'[storage.local]\nroot = "{tmp_path}"\n[extensions]\ndirectories = ["."]\n')
    (tmp_path / "loud.py").write_text(
        "import subprocess, threading\nprint('loud')\n"
        "threading.Thread(target=threading.Event().wait).start()\n"
        "subprocess.Popen(['sleep', '2'], close_fds=False)\n"
    )
    assert answer(file)["problems"] == []


def test_a_directory_that_was_removed_is_a_problem_like_any_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    found = answer(Path("ftpd.toml"))
    assert [problem["found"] for problem in found["problems"]] == ["cannot be read: No such file or directory"]
