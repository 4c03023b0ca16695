"""Workers that die at their start, again and again: the server says so and ends, and systemd starts it anew.

Apart from `test_crash`, whose successors live.  With ten workers the first death of each is the tenth in a row, and nobody waits for a pause to be over.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Final

from tests.integration.conftest import StartFleet
from tests.integration.fleet import wait_until

_WORKERS: Final = 10
DIES: Final = """
import os, sys
if sys.modules["__main__"].__spec__.name == "ftpd.processes.worker":
    os._exit(9)
"""
SENTENCE: Final = r"^ftpd: Workers died at their start, 10 times in a row; the log says of what\.$"


def test_ten_deaths_at_the_first_start_end_the_server(fleet: StartFleet, tmp_path: Path) -> None:
    extensions = tmp_path / "fleet0" / "extensions"
    extensions.mkdir(parents=True)
    (extensions / "dies.py").write_text(DIES)
    server = fleet({"process": {"workers": _WORKERS}}, is_awaited=False)
    assert server.end() == 1
    assert sum("died: exit code 9" in line for line in server.lines) == _WORKERS
    server.wait_for(f"(?m){SENTENCE}")
    assert not os.path.exists(server.control)


def test_ten_deaths_of_successors_end_a_server_that_has_served(fleet: StartFleet) -> None:
    server = fleet({"process": {"workers": _WORKERS}}, is_awaited=False)
    wait_until(lambda: len(re.findall(r"worker \d \(process \d+\) serves", server.log)) == _WORKERS, "all serve")
    (server.folder / "extensions" / "dies.py").write_text(DIES)
    for pid in server.processes():
        os.kill(pid, signal.SIGKILL)
    assert server.end() == 1
    assert sum("died: exit code 9" in line for line in server.lines) == _WORKERS
    server.wait_for(f"(?m){SENTENCE}")
