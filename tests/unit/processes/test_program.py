"""Program: what is started finds its modules where we have found ours, and its end is said in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated

from ftpd.processes.program import command, ending, environment


def test_a_module_is_run_that_only_we_can_find(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "module_of_a_test.py").write_text("import sys; print(sys.argv[1])")
    monkeypatch.syspath_prepend(str(tmp_path))
    done = subprocess.run(command("module_of_a_test", "word"), env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "word\n"


def test_what_lies_where_it_is_started_is_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(9)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    subprocess.run([*command("json.tool")], env=environment(), input=b"{}", check=True, capture_output=True)


@pytest.mark.parametrize(
    ("value", "words"),
    [(ProcessDone(0), "exit code 0"), (ProcessTerminated(3), "exit code 3"), (ProcessTerminated(signal=9), "signal 9")],
)
def test_an_end_is_said(value: Any, words: str) -> None:
    assert ending(value) == words
