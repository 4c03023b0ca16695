"""Program: what is started finds its modules where we have found ours, and its end is said in words."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.error import ProcessDone, ProcessTerminated

from ftpd.processes.program import command, ending, environment, started


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


class Spawner:
    """A reactor that starts a process and waits for it."""

    def spawnProcess(
        self, protocol: object, executable: str, arguments: list[str], environment: dict[str, str], childFDs: object
    ) -> subprocess.CompletedProcess[str]:
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        return subprocess.run(arguments, executable=executable, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGUSR1])
def test_signals_of_the_parent_end_no_process_that_is_starting(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "starting_module.py").write_text(
        "import signal, sys\n"
        "signal.raise_signal(int(sys.argv[1]))\n"
        "from ftpd.processes.program import leave_signals_to_parent\n"
        "leave_signals_to_parent()\n"
        "signal.raise_signal(int(sys.argv[1]))\n"
        "print(signal.pthread_sigmask(signal.SIG_BLOCK, ()))\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    done = started(Spawner(), None, {}, "starting_module", str(int(number)))
    assert (done.stdout, done.stderr, done.returncode) == ("set()\n", "", 0)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_signals_are_heeded_again_where_a_process_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(Spawner, "spawnProcess", refuse)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(OSError, match="unavailable"):
        started(Spawner(), None, {}, "module")
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
