"""Leaving: with the exit code, after what was printed, and without those who stay for ever."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
THREAD = "import threading; threading.Thread(target=threading.Event().wait, daemon={daemon}).start()"
LEAVE = "import atexit; atexit.register(print, 'in order'); print('said', end=''); from ftpd.leaving import leave; leave(3)"


def run(text: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", text], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30
    )


def test_a_thread_that_stays_is_not_waited_for() -> None:
    done = run(f"{THREAD.format(daemon=False)}\n{LEAVE}")
    assert (done.returncode, done.stdout) == (3, "said")


@pytest.mark.parametrize("before", ["", THREAD.format(daemon=True)], ids=["no thread", "a daemon"])
def test_else_it_ends_as_any_program(before: str) -> None:
    done = run(f"{before}\n{LEAVE}")
    assert (done.returncode, done.stdout) == (3, "saidin order\n")


def test_standard_streams_that_are_gone_are_no_obstacle() -> None:
    done = run(
        f"{THREAD.format(daemon=False)}\nimport sys; sys.stdout.close(); sys.stderr = None\nfrom ftpd.leaving import leave; leave(3)"
    )
    assert done.returncode == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
def test_signals_on_the_way_out_do_not_change_the_exit_code(number: signal.Signals) -> None:
    late = f"class Late:\n    def __del__(self): import signal; signal.raise_signal({int(number)})\nimport os; os.late = Late()"
    assert run(f"{late}\nfrom ftpd.leaving import leave; leave(3)").returncode == 3
