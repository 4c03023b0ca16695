"""The soak, for seconds instead of minutes: that it finds nothing, and that it can be run."""

from __future__ import annotations

import subprocess
import sys

from tests.integration.live import CHECKOUT


def test_a_short_soak_finds_nothing() -> None:
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.1", "--clients", "20"]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.endswith("\nNothing is wrong.\n")
    assert "| store in two goes | " in done.stdout
