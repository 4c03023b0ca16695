"""Starting: SIGINT ends the process, whoever catches exceptions; SIGHUP and SIGUSR1 do not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ftpd.cli.starting import starting

CHECKOUT = Path(__file__).resolve().parents[3]
RUN = """
import signal, sys
from ftpd.cli.starting import starting
with starting():
    try:
        signal.raise_signal(int(sys.argv[1]))
    except BaseException:  # as plugins are loaded
        pass
    print("goes on")
"""


@pytest.mark.parametrize(
    ("number", "code", "output"),
    [(signal.SIGINT, -signal.SIGINT, ""), (signal.SIGHUP, 0, "goes on\n"), (signal.SIGUSR1, 0, "goes on\n")],
)
def test_what_a_signal_does_at_the_start(number: signal.Signals, code: int, output: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(int(number))], cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert (done.returncode, done.stdout) == (code, output)


def test_signals_are_whose_they_were_afterwards() -> None:
    numbers = (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    with starting():
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert [signal.getsignal(number) for number in numbers] == before
